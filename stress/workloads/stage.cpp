#include "stage.hpp"

#include <stdexcept>
#include <string>
#include <system_error>

namespace manylock::stress {

auto native_stage::start_thread(std::function<void()> body) -> thread {
    try {
        return thread(std::move(body));
    } catch (std::system_error const& error) {
        throw std::runtime_error(std::string("the system refuses another thread (") +
                                 error.code().message() + "); replay with fewer of them");
    }
}

template class traced_crew<native_stage>;
template double run_side_by_side<native_stage>(std::uint64_t,
                                               std::function<void(std::uint64_t)> const&);

}  // namespace manylock::stress

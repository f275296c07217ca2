// What can be simulated of a policy, without knowing which it is. Each is compiled in a translation unit of its
// own (policy_simulator.cpp.in).
#pragma once

#include <atomic>
#include <string_view>

#include "../workloads/runner.hpp"
#include "costs.hpp"

namespace manylock::simulate {

struct simulated_machine {
    stress::machine_shape shape;
    costs cost;
    std::atomic<std::uint64_t>* commits = nullptr;  ///< counts them, for a progress bar
};

class policy_simulator {
public:
    policy_simulator() = default;
    policy_simulator(policy_simulator const&) = delete;
    policy_simulator& operator=(policy_simulator const&) = delete;
    virtual ~policy_simulator() = default;

    [[nodiscard]] virtual std::string_view name() const noexcept = 0;
    [[nodiscard]] virtual stress::policy_facts facts() const noexcept = 0;
    /// In virtual time, on the calling thread; several threads may do so at once.
    [[nodiscard]] virtual stress::row_outcome run(stress::row_request const&,
                                                  simulated_machine const&) const = 0;
    [[nodiscard]] virtual stress::row_outcome replay(stress::replay_request const&,
                                                     simulated_machine const&) const = 0;
};

/// Null if there is none of that name: not every policy that can be run can be simulated, and a build with
/// ThreadSanitizer, which does not know of fibers, simulates none.
policy_simulator const* find_simulator(std::string_view name);

}  // namespace manylock::simulate

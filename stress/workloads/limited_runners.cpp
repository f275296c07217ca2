// The runners of cycle_detection_limited, in one translation unit and for plain locks only: an address space
// for each would take a minute to compile, and say nothing about limits that plain locks do not.
#include "../experiments/cycle_detection_limited.hpp"
#include "../input_error.hpp"
#include "lock_run.hpp"
#include "runner.hpp"

namespace manylock::stress {
namespace {

template <class Policy>
class plain_lock_runner final : public policy_runner {
public:
    [[nodiscard]] std::string_view name() const noexcept override { return Policy::name; }
    [[nodiscard]] policy_facts facts() const noexcept override {
        return {.reason = Policy::reason, .restarts = true, .plain_locks_only = true};
    }
    [[nodiscard]] row_outcome run(row_request const& request) const override {
        if (on_address_space(request.what.picks)) refuse(request.what.name);
        return lock_run<native_stage, Policy>(request).run();
    }
    [[nodiscard]] row_outcome replay(replay_request const&) const override { refuse("replay"); }

private:
    [[noreturn]] static void refuse(std::string const& what) {
        throw input_error(std::string(Policy::name) + " is for the workloads on plain locks, and " +
                          what + " is none; leave it out of --policy");
    }
};

}  // namespace

std::vector<policy_runner const*> limited_runners() {
    static plain_lock_runner<cycle_detection_8> const limit_8;
    static plain_lock_runner<cycle_detection_10> const limit_10;
    static plain_lock_runner<cycle_detection_50> const limit_50;
    static plain_lock_runner<cycle_detection_200> const limit_200;
    static plain_lock_runner<cycle_detection_4096> const limit_4096;
    return {&limit_8, &limit_10, &limit_50, &limit_200, &limit_4096};
}

}  // namespace manylock::stress

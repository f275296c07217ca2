// The simulators of cycle_detection_limited, for plain locks only, as its runners are.
#include "../experiments/cycle_detection_limited.hpp"
#include "../workloads/lock_run.hpp"
#include "simulator.hpp"
#include "virtual_stage.hpp"

#include <stdexcept>
#include <vector>

namespace manylock::simulate {
namespace {

template <class Policy>
class plain_lock_simulator final : public policy_simulator {
public:
    [[nodiscard]] std::string_view name() const noexcept override { return Policy::name; }
    [[nodiscard]] stress::policy_facts facts() const noexcept override {
        return {.reason = Policy::reason, .restarts = true, .plain_locks_only = true};
    }
    [[nodiscard]] stress::row_outcome run(stress::row_request const& request,
                                          simulated_machine const& on) const override {
        scene on_machine(on.shape, on.cost, on.commits);
        stress::lock_run<virtual_stage, Policy> run(request);
        return on_machine.play([&run] { return run.run(); });
    }
    [[nodiscard]] stress::row_outcome replay(stress::replay_request const&,
                                             simulated_machine const&) const override {
        throw std::logic_error("refused when the options were read");
    }
};

}  // namespace

std::vector<policy_simulator const*> limited_simulators() {
    static plain_lock_simulator<stress::cycle_detection_8> const limit_8;
    static plain_lock_simulator<stress::cycle_detection_10> const limit_10;
    static plain_lock_simulator<stress::cycle_detection_50> const limit_50;
    static plain_lock_simulator<stress::cycle_detection_200> const limit_200;
    static plain_lock_simulator<stress::cycle_detection_4096> const limit_4096;
    return {&limit_8, &limit_10, &limit_50, &limit_200, &limit_4096};
}

}  // namespace manylock::simulate

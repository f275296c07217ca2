// The policy_simulator of one policy. Included by the translation unit that the build makes for each.
#pragma once

#include "../workloads/giant_run.hpp"
#include "../workloads/lock_run.hpp"
#include "../workloads/replay_run.hpp"
#include "../workloads/vma_run.hpp"
#include "simulator.hpp"
#include "virtual_stage.hpp"

namespace manylock::simulate {

template <class Policy>
class simulator_of final : public policy_simulator {
public:
    [[nodiscard]] std::string_view name() const noexcept override { return Policy::name; }
    [[nodiscard]] stress::policy_facts facts() const noexcept override {
        return {.reason = Policy::reason, .restarts = !Policy::needs.umbrella};
    }
    [[nodiscard]] stress::row_outcome run(stress::row_request const& request,
                                          simulated_machine const& on) const override {
        switch (request.what.picks) {
            case stress::choice::vma_mix:
                return play<stress::vma_run<virtual_stage, Policy>>(request, on);
            case stress::choice::giant_vma:
                return play<stress::giant_run<virtual_stage, Policy>>(request, on);
            default: return play<stress::lock_run<virtual_stage, Policy>>(request, on);
        }
    }
    [[nodiscard]] stress::row_outcome replay(stress::replay_request const& request,
                                             simulated_machine const& on) const override {
        return play<stress::replay_run<virtual_stage, Policy>>(request, on);
    }

private:
    /// What a run is made of is set up before time begins.
    template <class Run, class Request>
    static stress::row_outcome play(Request const& request, simulated_machine const& on) {
        scene on_machine(on.shape, on.cost, on.commits);
        Run run(request);
        return on_machine.play([&run] { return run.run(); });
    }
};

}  // namespace manylock::simulate

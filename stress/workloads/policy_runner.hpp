// The policy_runner of one policy on this machine. Included by the translation unit that the build makes for each.
#pragma once

#include "giant_run.hpp"
#include "lock_run.hpp"
#include "replay_run.hpp"
#include "runner.hpp"
#include "sampled_stage.hpp"
#include "stage.hpp"
#include "vma_run.hpp"

namespace manylock::stress {

template <class Policy>
class runner_of final : public policy_runner {
public:
    [[nodiscard]] std::string_view name() const noexcept override { return Policy::name; }
    [[nodiscard]] policy_facts facts() const noexcept override {
        return {.reason = Policy::reason, .restarts = !Policy::needs.umbrella};
    }
    [[nodiscard]] row_outcome run(row_request const& request) const override {
        if (request.what.picks == choice::vma_mix)
            return vma_run<native_stage, Policy>(request).run();
        if (request.what.picks == choice::giant_vma)
            return giant_run<native_stage, Policy>(request).run();
        if (request.sample_restarts > 0) return lock_run<sampled_stage, Policy>(request).run();
        return lock_run<native_stage, Policy>(request).run();
    }
    [[nodiscard]] row_outcome replay(replay_request const& request) const override {
        return replay_run<native_stage, Policy>(request).run();
    }
};

}  // namespace manylock::stress

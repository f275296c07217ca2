// The native stage with a look at one restart in N: had waiting closed a cycle? Its domains publish what is held
// under every policy, which costs what cycle_detection's held-lock list costs.
#pragma once

#include "restart_sample.hpp"
#include "runner.hpp"
#include "stage.hpp"

#include <optional>

namespace manylock::stress {

struct sampled_stage : native_stage {
    template <class Policy>
    using domain = manylock::domain<Policy, options{.publish_holds = true}>;

    static void begin_thread(row_request const& request, std::uint64_t index) {
        sampler().emplace(request.sample_restarts, derived_seed(request.seed, index));
    }

    static constexpr bool tags_restarts = true;
    template <class Domain, class Transaction, class Lock>
    [[nodiscard]] static restart_tag restarted(Domain& domain, Transaction const& txn,
                                               Lock const& lock, mode m) {
        return sampler()->due() ? tag_of_restart(domain, txn, lock, m) : restart_tag::none;
    }

private:
    static std::optional<restart_sampler>& sampler() noexcept {
        static thread_local std::optional<restart_sampler> of_thread;
        return of_thread;
    }
};

}  // namespace manylock::stress

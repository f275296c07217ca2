// One type that carries policy, options and platform through the engine.
#pragma once

#include <manylock/options.hpp>
#include <manylock/policy.hpp>

namespace manylock {
namespace detail {

/// A plain field that a latch protects: just T, unless the platform brings a type that checks it.
template <class Platform, class T>
struct guarded_field {
    using type = T;
};
template <class Platform, class T>
requires requires {
    typename Platform::template guarded<T>;
}
struct guarded_field<Platform, T> {
    using type = typename Platform::template guarded<T>;
};

template <conflict_policy Policy, options Options, class Platform>
struct config {
    static_assert(coherent_needs<Policy>::checked);
    using policy = Policy;
    using platform = Platform;
    static constexpr options knobs = Options;
    static constexpr policy_needs needs = Policy::needs;
    /// Shared holders are linked from the lock, so that each can be compared and wounded.
    static constexpr bool known_readers = needs.holders;
    /// Nothing in the policy ends a livelock of transactions that restart each other.
    static constexpr bool takes_turns = !needs.umbrella && !Policy::promises.eldest_never_restarts;
    /// Who waits while holding something may be passed by newcomers: nothing that the policy promises hangs on the order.
    /// Who holds nothing may be passed under every policy (decision 23).
    static constexpr bool may_pass_holders =
        needs.umbrella || !Policy::promises.eldest_never_restarts;
    static constexpr bool distributed_readers = Options.distributed_readers && !needs.umbrella;
    static constexpr bool published_holds =
        needs.held_list || Options.publish_holds || distributed_readers;
    template <class T>
    using guarded = typename guarded_field<Platform, T>::type;
};

}  // namespace detail
}  // namespace manylock

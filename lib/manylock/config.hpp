// One type that carries policy, options and platform through the engine, and the minor knobs.
#pragma once

#include <cstdint>

#include <manylock/mode.hpp>
#include <manylock/policy.hpp>

namespace manylock {

/// Knobs of a domain. A misspelt one does not compile: domain<P, options{.spin_limit = 0}>.
struct options {
    /// Pauses that a waiter spends looking before it yields; 0 goes straight to yielding.
    unsigned spin_limit = 16;
    /// Yields after the spin, before the waiter parks.
    unsigned yield_limit = 64;
    /// Times that the first waiter, told that the lock is free, may find it taken by a newcomer; after that the lock is
    /// handed to it. 0: locks are always handed on (decision 23).
    std::uint16_t pass_limit = 8;
    /// Restarts of one transaction after which it waits for its turn: of those who have had so many, one runs
    /// at a time. 0: from the first on. Only under policies that do not promise that the eldest never restarts
    /// (decision 19).
    unsigned patience = 64;
    /// Every transaction's held locks are readable by a wait-for snapshot, under any policy. Costs what
    /// cycle_detection's held-lock list costs. Without it a snapshot shows the locks that are waited for.
    bool publish_holds = false;
    /// For locks that are mostly read: a transaction that shares one marks its own held-lock list only, so readers of one
    /// lock share no written cache line; and under wound_wait and wait_die it takes no latch. Whoever wants the lock
    /// exclusively after that looks through the lists of all transactions of the domain, and counts who reads. 0 bytes a
    /// lock; the held-lock list becomes readable, as by publish_holds. Nothing under umbrella (decision 24).
    bool distributed_readers = false;
    /// Calls the domain's event sink at contended grants, restarts and commits (event.hpp).
    bool events = false;
};

namespace detail {

/// A plain field that a latch protects: just T, unless the platform brings a type that checks it.
template <class Platform, class T>
struct guarded_field {
    using type = T;
};
template <class Platform, class T>
    requires requires { typename Platform::template guarded<T>; }
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
    static constexpr bool may_pass_holders = needs.umbrella || !Policy::promises.eldest_never_restarts;
    static constexpr bool distributed_readers = Options.distributed_readers && !needs.umbrella;
    static constexpr bool published_holds = needs.held_list || Options.publish_holds || distributed_readers;
    template <class T>
    using guarded = typename guarded_field<Platform, T>::type;
};

}  // namespace detail
}  // namespace manylock

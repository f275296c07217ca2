// No-wait [BHG87]. Whoever meets a conflict while it holds something restarts.
//
// Guarantees  N1 nobody waits while it holds a lock: no cycle can form, in any lock order.
//             The system makes progress, by turns (decision 19); a single transaction may starve.
// Costs       nothing but the lock word. Many restarts when locks are held for long; the restarted
//             transaction waits, holding nothing, for the lock that it could not have.
// [BHG87] Bernstein, Hadzilacos, Goodman: Concurrency Control and Recovery in Database Systems, 1987.
#pragma once

#include <manylock/policy.hpp>

namespace manylock::policies {

struct no_wait {
    static constexpr char const* name = "no_wait";
    static constexpr policy_needs needs{};
    static constexpr policy_promises promises{};
    static constexpr restart_reason reason = restart_reason::conflict;

    static constexpr decision on_conflict(conflict const&) noexcept { return decision::die; }
};

static_assert(conflict_policy<no_wait>);

}  // namespace manylock::policies

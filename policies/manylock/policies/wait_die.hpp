// Wait-die [RSL78]. An older transaction that meets a younger holder waits; a younger one that meets an
// older holder, or an older waiter ahead of it, dies: it restarts at once.
//
// Guarantees  D1 every edge of the wait-for graph from a transaction that holds something leads from
//                older to younger: no cycle can stand.
//             D2 the eldest live transaction never dies; stamps are kept over restarts, so every
//                transaction becomes eldest and commits.
//             D3 a transaction that holds nothing never dies.
// Costs       as wound_wait: shared holders are linked from the lock. When a reader joins ahead of a
//             queued writer, that writer is woken to evaluate again.
//             Restarts without a cycle: more than wound-wait when few compete, each of them cheaper,
//             since the one that dies has usually done less (Hellstrom, kernel commit 08295b3b5bee).
// [RSL78] Rosenkrantz, Stearns, Lewis: System level concurrency control for distributed database
//         systems, ACM TODS 3(2), 1978.
#pragma once

#include <manylock/policy.hpp>

namespace manylock::policies {

struct wait_die {
    static constexpr char const* name = "wait_die";
    static constexpr policy_needs needs{.stamps = true, .holders = true};
    static constexpr policy_promises promises{.eldest_never_restarts = true,
                                              .bounded_restarts = true};
    static constexpr restart_reason reason = restart_reason::died;

    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.requester.older_than(c.other) ? decision::wait : decision::die;
    }
};

static_assert(conflict_policy<wait_die>);
static_assert(wait_die::on_conflict({.requester = {1}, .other = {2}}) == decision::wait);
static_assert(wait_die::on_conflict({.requester = {2}, .other = {1}}) == decision::die);

}  // namespace manylock::policies

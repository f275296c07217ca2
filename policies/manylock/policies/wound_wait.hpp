// Wound-wait [RSL78]. An older transaction that meets a younger holder wounds it and waits; a younger
// one waits. Wounds are lazy, as in the kernel's ww_mutex: the wounded transaction finds out at its next
// conflict and restarts then; one that needs no more contended locks commits.
//
// Guarantees  W1 every edge of the wait-for graph leads from younger to older, or to a wounded
//                transaction that will restart at its next conflict: no cycle can stand.
//             W2 the eldest live transaction is never wounded, so it never restarts; stamps are kept
//                over restarts, so every transaction becomes eldest and commits.
//             W3 a transaction that holds nothing neither wounds nor is made to restart.
// Costs       holder identity: shared holders are linked from the lock, so a shared acquire and release
//             change the lock word twice each. No cost in exclusive mode. No held-lock list.
//             Restarts without a cycle: a younger holder is wounded on suspicion.
// [RSL78] Rosenkrantz, Stearns, Lewis: System level concurrency control for distributed database
//         systems, ACM TODS 3(2), 1978.
#pragma once

#include <manylock/policy.hpp>

namespace manylock::policies {

struct wound_wait {
    static constexpr char const* name = "wound_wait";
    static constexpr policy_needs needs{.stamps = true, .holders = true};
    static constexpr policy_promises promises{.eldest_never_restarts = true,
                                              .bounded_restarts = true};
    static constexpr restart_reason reason = restart_reason::wounded;

    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.requester.older_than(c.other) ? decision::wound : decision::wait;
    }
};

static_assert(conflict_policy<wound_wait>);
static_assert(wound_wait::on_conflict({.requester = {1}, .other = {2}}) == decision::wound);
static_assert(wound_wait::on_conflict({.requester = {2}, .other = {1}}) == decision::wait);

}  // namespace manylock::policies

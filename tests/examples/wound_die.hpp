// Wound-die: an older requester wounds every younger transaction in its way and waits; a younger one
// dies. Who holds locks therefore waits only for transactions that have been told to restart.
//
// Guarantees  V1 every wait of a transaction that holds something leads from older to younger: ages
//                fall along every path of the wait-for graph, so no cycle can stand.
//             V2 the eldest live transaction neither dies nor is wounded; stamps are kept over
//                restarts, so every transaction becomes eldest and commits.
// Costs       as wound_wait and wait_die, and the restarts of both.
#pragma once

#include <manylock/policy.hpp>

namespace manylock::policies {

struct wound_die {
    static constexpr char const* name = "wound_die";
    static constexpr policy_needs needs{.stamps = true, .holders = true};
    static constexpr policy_promises promises{.eldest_never_restarts = true, .bounded_restarts = true};
    static constexpr restart_reason reason = restart_reason::conflict;

    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.requester.older_than(c.other) ? decision::wound : decision::die;
    }
};

static_assert(conflict_policy<wound_die>);
static_assert(wound_die::on_conflict({.requester = {1}, .other = {2}}) == decision::wound);
static_assert(wound_die::on_conflict({.requester = {2}, .other = {1}}) == decision::die);

}  // namespace manylock::policies

// Lock ordering with restarts: in rank order a transaction waits; out of order it only tries, and
// restarts if the lock is busy. The btree locking of bcachefs before its cycle detector.
// The rank of a lock is its address, or what the caller names (acquire_ranked): a VMA's start, say.
//
// Guarantees  O1 a transaction that waits holds only locks of lower rank than the one it waits for, so
//                ranks rise along every path of the wait-for graph: no cycle can form.
//             O2 a transaction that acquires in rank order never restarts.
//             The system makes progress, by turns (decision 19); one that acquires out of order may starve.
// Costs       the rank of every held lock, kept privately. An upgrade counts as out of order, since two
//             readers that upgrade would wait for each other.
#pragma once

#include <manylock/policy.hpp>

namespace manylock::policies {

struct lock_ordering {
    static constexpr char const* name = "lock_ordering";
    static constexpr policy_needs needs{.rank = true};
    static constexpr policy_promises promises{.in_order_never_restarts = true};
    static constexpr restart_reason reason = restart_reason::out_of_order;

    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.in_order ? decision::wait : decision::die;
    }
};

static_assert(conflict_policy<lock_ordering>);
static_assert(lock_ordering::on_conflict({.in_order = true}) == decision::wait);
static_assert(lock_ordering::on_conflict({.in_order = false}) == decision::die);

}  // namespace manylock::policies

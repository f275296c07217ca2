// Full cycle detection. A requester waits; once its request is visible it walks the wait-for graph from
// itself. Only a cycle that stands makes anybody restart, and then exactly one: the youngest.
//
// Guarantees  C1 exact: no depth limit; every transaction is visited at most once a walk; every edge is
//                repeated under the choosing lock before anybody is chosen, and nobody gives up a wait
//                while it is held. No restart without a cycle.
//             C2 whoever closes a cycle finds it: it publishes its request, passes a full fence, then
//                looks. Later waiters close nothing that they do not find themselves.
//             C3 one victim a cycle. A cycle that runs through the order of a queue is broken by letting
//                a compatible waiter pass first (as PostgreSQL rearranges its queues), without a victim.
//             C4 a cycle has two members that hold something, and the older one is never chosen, so the
//                eldest live transaction never restarts.
// Costs       the held-lock list: 8 bytes a held lock, published by every acquisition, readable by all.
//             A walk per wait: one look at every lock held by whoever waits for us, and so on.
// Source      bcachefs fs/btree/locking.c (edges walked from holder to waiter); here without its limit
//             of eight frames, without allocation under a latch.
#pragma once

#include <cstddef>
#include <cstdint>

#include <manylock/policy.hpp>

namespace manylock::policies {

struct cycle_detection {
    static constexpr char const* name = "cycle_detection";
    static constexpr policy_needs needs{.stamps = true, .held_list = true};
    static constexpr policy_promises promises{.eldest_never_restarts = true,
                                              .bounded_restarts = true,
                                              .only_cycles_restart = true,
                                              .in_order_never_restarts = true};
    static constexpr restart_reason reason = restart_reason::deadlock;

    static constexpr decision on_conflict(conflict const&) noexcept { return decision::wait; }

    /// Called by a waiter whose request is published, before it sleeps. True: it is the victim.
    /// Lock-free but for the choice itself; may allocate when the domain has grown.
    template <class View>
    static bool on_wait(View& view) {
        using verdict = typename View::verdict;
        while (find_cycle(view)) {
            // broken: others may pass through us still, so walk again. outdated: somebody moved, look at the new graph.
            if (view.choose(view.cycle()) == verdict::self_is_victim) return true;
        }
        return false;
    }

private:
    /// Breadth first from ourselves, against the direction of waiting, until we meet ourselves. Leaves
    /// the cycle in view.cycle(), each member before the one it waits for.
    template <class View>
    static bool find_cycle(View& view) {
        auto const self = view.self();
        if (!View::still_in(self)) return false;  // granted in the meantime
        auto& scratch = view.scratch();
        scratch.steps.push_back({self.who, self.wait, 0, false});
        bool found = false;
        // Granted while we look: there is nothing left to find.
        for (std::size_t i = 0; !found && i < scratch.steps.size() && View::still_in(self); ++i) {
            auto const step = scratch.steps[i];
            view.for_each_blocked_by(
                {step.node, step.wait, step.behind_known}, [&](auto waiter, bool queue_edge) {
                    if (waiter.who == self.who) {
                        scratch.cycle.push_back({self.who, self.wait, 0, queue_edge});
                        for (auto j = i; j != 0; j = scratch.steps[j].parent) {
                            scratch.cycle.push_back(scratch.steps[j]);
                        }
                        found = true;
                    } else if (View::first_visit(scratch, *waiter.who)) {
                        scratch.steps.push_back({waiter.who, waiter.wait,
                                                 static_cast<std::uint32_t>(i), queue_edge,
                                                 waiter.behind_known});
                    }
                    return !found;
                });
        }
        view.count_walk();
        return found;
    }
};

static_assert(conflict_policy<cycle_detection>);
static_assert(graph_policy<cycle_detection>);

}  // namespace manylock::policies

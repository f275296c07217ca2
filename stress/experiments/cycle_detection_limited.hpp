// cycle_detection as shipped systems have it: with a walk that ends at a depth. An experiment: how many restarts
// does a limit add? Why it lives here and not among the policies: docs/decisions/0022.
//
// Semantics   The walk visits whoever is at most Depth transactions away from the requester, on the shortest
//             path, against the direction of waiting. If it would have to look at one further away, the
//             requester restarts with reason deadlock, though no cycle was seen. A cycle that shows itself within
//             the limit comes first, and is broken as cycle_detection breaks it.
//             bcachefs restarts so at 8 frames (would_deadlock_recursion_limit), RocksDB rejects a lock at 50
//             (deadlock_detect_depth), InnoDB takes 200 transactions for a deadlock. Linux's fcntl locks end at 10 with the
//             opposite answer, that there is none, so that a longer deadlock stands; that is not done here.
//             Those walk depth first, and along other edges of the same graph, so that they may meet their limit
//             sooner; ours meets it only where no shorter path leads to whom it sees last.
// Promises    none. Nothing longer than the limit is told from a cycle, so:
//             - not only cycles restart, and in order does not help: a chain of waiters is enough;
//             - the eldest may restart, since a long chain may wait for it as for anybody. So no number bounds
//               the restarts of one transaction either, and the engine lets transactions that have restarted
//               often take turns (decision 19): whoever has its turn restarts until those that wait for it
//               have run out of patience too and hold nothing. Then it commits.
// Keeps       No deadlock stands: of the members of a cycle the last to ask finds the cycle or its limit, and
//             leaves its queue either way. A waiter that holds nothing has nothing to give back; its walk has no
//             limit, or a cycle that it closes through a queue (decision 8) would stand.
#pragma once

#include <cstddef>
#include <cstdint>

#include <manylock/policies/cycle_detection.hpp>

namespace manylock::stress {

/// Depth: of the walk, in transactions beside the requester.
template <std::uint32_t Depth>
struct cycle_detection_limited {
    static_assert(Depth > 0, "a walk that sees nobody finds no cycle of two");

    static constexpr policy_needs needs = policies::cycle_detection::needs;
    static constexpr policy_promises promises{};
    static constexpr restart_reason reason = restart_reason::deadlock;

    static constexpr decision on_conflict(conflict const&) noexcept { return decision::wait; }

    /// As cycle_detection::on_wait. True also where the limit was reached.
    template <class View>
    static bool on_wait(View& view) {
        using verdict = typename View::verdict;
        for (;;) {
            switch (look(view)) {
                case finding::nothing: return false;
                case finding::limit: return true;
                case finding::cycle: break;
            }
            switch (view.choose(view.cycle())) {
                case verdict::self_is_victim: return true;
                case verdict::broken: break;    // others may pass through us still: walk again
                case verdict::outdated: break;  // somebody moved: look at the new graph
            }
        }
    }

private:
    enum class finding : std::uint8_t { nothing, cycle, limit };

    /// Breadth first, as cycle_detection::find_cycle, level by level.
    template <class View>
    static finding look(View& view) {
        auto const self = view.self();
        if (!View::still_in(self)) return finding::nothing;  // granted in the meantime
        bool const limited = self.who->holds.size() != 0;
        auto& scratch = view.scratch();
        scratch.steps.push_back({self.who, self.wait, 0, false});
        auto result = finding::nothing;
        std::uint32_t depth = 0;     // of the step that is looked at
        std::size_t next_level = 1;  // the first step that is deeper
        // Granted while we look: neither a cycle nor a limit is of interest.
        for (std::size_t i = 0;
             result != finding::cycle && i < scratch.steps.size() && View::still_in(self); ++i) {
            if (i == next_level) {
                ++depth;
                next_level = scratch.steps.size();
            }
            auto const step = scratch.steps[i];
            view.for_each_blocked_by(
                {step.node, step.wait, step.behind_known}, [&](auto waiter, bool queue_edge) {
                    if (waiter.who == self.who) {
                        scratch.cycle.push_back({self.who, self.wait, 0, queue_edge});
                        for (auto j = i; j != 0; j = scratch.steps[j].parent) {
                            scratch.cycle.push_back(scratch.steps[j]);
                        }
                        result = finding::cycle;
                    } else if (View::first_visit(scratch, *waiter.who)) {
                        if (limited && depth == Depth) {
                            result = finding::
                                limit;  // not pushed; the rest of this level may close a cycle
                        } else {
                            scratch.steps.push_back({waiter.who, waiter.wait,
                                                     static_cast<std::uint32_t>(i), queue_edge,
                                                     waiter.behind_known});
                        }
                    }
                    return result != finding::cycle;
                });
        }
        view.count_walk();
        return result;
    }
};

/// The limits of shipped systems; bcachefs, Linux's fcntl, RocksDB, InnoDB.
struct cycle_detection_8 : cycle_detection_limited<8> {
    static constexpr char const* name = "cycle_detection_8";
};
struct cycle_detection_10 : cycle_detection_limited<10> {
    static constexpr char const* name = "cycle_detection_10";
};
struct cycle_detection_50 : cycle_detection_limited<50> {
    static constexpr char const* name = "cycle_detection_50";
};
struct cycle_detection_200 : cycle_detection_limited<200> {
    static constexpr char const* name = "cycle_detection_200";
};
/// No machine here has as many threads, so no limit is met: what the others are compared with. cycle_detection itself is
/// not, since its waiters may not be passed (decision 23).
struct cycle_detection_4096 : cycle_detection_limited<4096> {
    static constexpr char const* name = "cycle_detection_4096";
};

static_assert(graph_policy<cycle_detection_8>);

}  // namespace manylock::stress

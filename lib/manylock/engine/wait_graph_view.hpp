// What a detector sees: the live wait-for graph, walked without locks from a waiting transaction.
//
// An edge goes from a waiter to every incompatible holder, and to every incompatible waiter ahead of it.
// It is walked backwards, from a transaction to those who wait for it, because those are the indexes that
// exist: transaction -> locks it holds -> their queues (bcachefs does the same). Every node is visited once.
//
// Why no edge of a standing cycle is missed: each member publishes its request, passes a full fence (F1 in
// waiting.hpp) and then walks; the last one to pass the fence sees all requests. Members of a standing
// cycle wait, so neither their held-lock lists nor their places in the queues change under the walk.
// Why no phantom is acted upon: choose() repeats every wait number under the choosing lock; two
// transactions that have been in the same waits since the edge between them was read still have that edge.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include <manylock/engine/onlooker.hpp>
#include <manylock/engine/wait_queue.hpp>

namespace manylock::detail {

template <class Config>
class wait_graph_view {
public:
    using block = control_block<Config>;
    using platform = typename Config::platform;
    using lock_type = queued_lock<Config>;
    using queue = wait_queue<Config>;
    using step = typename walk_scratch<Config>::step;

    /// A transaction in one particular wait.
    struct node {
        block* who;
        std::uint64_t wait;
        /// It was met in a queue in which everybody behind it was reported as well: whoever reported it holds,
        /// or wants, the lock exclusively. Without this a queue of n would cost n * n looks.
        bool behind_known = false;
    };
    enum class verdict : std::uint8_t {
        self_is_victim,  ///< the walking transaction must restart
        broken,          ///< another victim was chosen, or a waiter let past the queue
        outdated         ///< an edge was gone, or the cycle has a victim already
    };

    /// Requires: `self` is queued; the caller is inside a read section.
    wait_graph_view(arbitration<Config>& shared, block& self) noexcept
        : shared_{shared}, self_{self} {}

    [[nodiscard]] node self() const noexcept {
        return {&self_, self_.wait.load(platform::relaxed)};  // relaxed: ours
    }
    /// Working memory that survives the walk. May allocate when the domain has grown.
    [[nodiscard]] walk_scratch<Config>& scratch() const {
        auto& s = self_.scratch;
        s.steps.clear();
        s.cycle.clear();
        s.visited.assign(shared_.pool.size() / 64 + 1, 0);
        return s;
    }
    /// Above the number of every transaction that published a request before the walk began.
    [[nodiscard]] std::size_t number_bound() const noexcept { return shared_.pool.size() + 1; }
    [[nodiscard]] std::vector<step> const& cycle() const noexcept { return self_.scratch.cycle; }
    /// Marks `b` visited; false if it was. May allocate.
    static bool first_visit(walk_scratch<Config>& s, block const& b) {
        auto const i = b.number / 64;
        if (i >= s.visited.size()) s.visited.resize(i + 1, 0);
        auto const bit = std::uint64_t{1} << (b.number % 64);
        if ((s.visited[i] & bit) != 0) return false;
        s.visited[i] |= bit;
        return true;
    }

    /// Calls f(node, queue_edge) for everyone who waits for `n`; f returns false to stop. Lock-free: a
    /// queue that changes under the walk is read again, which takes another transaction's progress.
    template <class F>
    void for_each_blocked_by(node n, F f) {
        bool go_on = true;
        auto const report = [&](node waiter, bool queue_edge) {
            ++edges_;
            return go_on = f(waiter, queue_edge);
        };
        auto* const wanted =
            n.who->wait_lock.load(platform::relaxed);  // relaxed: compared, never followed
        auto const wanted_mode = queue::mode_of(*n.who);
        auto const size = n.who->holds.size();
        for (std::uint32_t i = 0; go_on && i < size; ++i) {
            auto const& held = n.who->holds.at(i);
            auto* const lock = held.lock();
            auto const held_mode = held.held_mode();
            // The lock stays valid while its holder waits; the read section covers what comes after.
            if (!still_in(n)) return;
            if (lock == nullptr || !lock->has_waiters()) continue;
            scan(*lock, n, nullptr, held_mode, report);
        }
        // Begins behind n.who, so it does not look into `wanted`, which may be a later wait's.
        if (go_on && !n.behind_known && still_in(n)) scan(*wanted, n, n.who, wanted_mode, report);
    }
    [[nodiscard]] static bool still_in(node n) noexcept {
        // relaxed: what was read before it, by acquire loads, makes it as new as they are
        return (n.wait & 1U) != 0 && n.who->wait.load(platform::relaxed) == n.wait;
    }
    [[nodiscard]] static bool is_victim(node n) noexcept {
        // relaxed: who chooses looks under the mutex, others only save themselves a choice
        return n.who->victim_wait.load(platform::relaxed) == n.wait;
    }

    /// `cycle` lists a cycle of waits, each member waiting for the one after it, the last for the first.
    /// Breaks it, or finds that it is none any more. Serialised over the domain.
    template <class Range>
    verdict choose(Range const& cycle) {
        std::lock_guard const one_at_a_time{shared_.choosing};
        if (!stands(cycle)) return verdict::outdated;
        if (let_one_pass(cycle)) return verdict::broken;
        auto const* const victim = victim_of(cycle);
        if (victim == nullptr) return verdict::outdated;
        // Void once that wait has ended. Ourselves too: until we have left our queue, another detector must
        // not choose a second victim for our sake. relaxed: the mutex and the poke publish it.
        victim->node->victim_wait.store(victim->wait, platform::relaxed);
        onlooker<Config>::chosen(shared_, *victim->node);
        if (victim->node == &self_) return verdict::self_is_victim;
        victim->node->park.deliver(signal::poke);
        return verdict::broken;
    }
    /// Adds this walk to the statistics.
    void count_walk() noexcept {
        self_.count.add(counter::detector_walks);
        self_.count.add(counter::detector_edges, edges_);
        edges_ = 0;
    }

private:
    /// True if every member still waits, and none has been chosen already: a victim waits no longer.
    template <class Range>
    [[nodiscard]] static bool stands(Range const& cycle) noexcept {
        return std::all_of(cycle.begin(), cycle.end(), [](step const& s) {
            node const n{s.node, s.wait};
            return still_in(n) && !is_victim(n);
        });
    }
    /// A cycle through the order of a queue needs no victim, if one may pass the other.
    template <class Range>
    bool let_one_pass(Range const& cycle) {
        return std::any_of(cycle.begin(), cycle.end(), [this](step const& s) {
            if (!s.queue_edge) return false;
            auto* const lock =
                s.node->wait_lock.load(platform::relaxed);  // relaxed: its wait stands
            if (!queue::let_pass(*lock, *s.node, s.wait)) return false;
            self_.count.add(counter::overtakes);
            return true;
        });
    }
    /// The youngest that holds something. Whoever holds nothing cannot be a victim: it is only in the way of
    /// someone who waits for the same holders too, or could have overtaken it, so two holders remain.
    template <class Range>
    [[nodiscard]] static step const* victim_of(Range const& cycle) noexcept {
        step const* youngest = nullptr;
        for (step const& s : cycle) {
            if (s.node->holds.size() == 0) continue;
            if (youngest == nullptr ||
                youngest->node->current_stamp().older_than(s.node->current_stamp())) {
                youngest = &s;
            }
        }
        return youngest;
    }
    /// Reports the waiters on `lock` that wait for `n`: those incompatible with `m`, behind `behind` if
    /// that is given, else anywhere in the queue. Each step is checked from both sides: a waiter that has
    /// been in one wait throughout, and whose link to the next was there while the next was in its wait,
    /// had everyone who stayed behind it behind that next one too.
    template <class F>
    void scan(lock_type& lock, node n, block* behind, mode m, F& report) {
        for (;;) {
            if (!still_in(n)) return;
            scan_result const r = try_scan(lock, n, behind, m, report);
            if (r == scan_result::done) return;
        }
    }
    enum class scan_result : std::uint8_t { done, changed };
    template <class F>
    scan_result try_scan(lock_type& lock, node n, block* behind, mode m, F& report) {
        block* previous = behind;
        std::uint64_t previous_wait = n.wait;
        for (;;) {
            auto* const b = previous == nullptr ? queue::first(lock) : queue::next(*previous);
            if (b == nullptr) {
                return link_stands(lock, previous, previous_wait, nullptr) ? scan_result::done
                                                                           : scan_result::changed;
            }
            auto const wait = b->wait.load(platform::acquire);  // acquire; pairs with enqueue
            // relaxed: only compared. If it is another wait's, still_in below says so: the link by which we
            // came here is as new.
            if ((wait & 1U) == 0 || b->wait_lock.load(platform::relaxed) != &lock) {
                return scan_result::changed;
            }
            auto const wanted = queue::mode_of(*b);
            bool const upgrade_of_ours = b == n.who;
            if (!link_stands(lock, previous, previous_wait, b) || !still_in({b, wait})) {
                return scan_result::changed;
            }
            node const waiter{b, wait, m == mode::exclusive};
            if (!upgrade_of_ours && !compatible(wanted, m) && !is_victim(waiter)) {
                if (!report(waiter, behind != nullptr)) return scan_result::done;
            }
            previous = b;
            previous_wait = wait;
        }
    }
    [[nodiscard]] static bool link_stands(lock_type& lock, block* previous,
                                          std::uint64_t previous_wait, block* b) noexcept {
        if (previous == nullptr) return queue::first(lock) == b;
        return queue::next(*previous) == b && still_in({previous, previous_wait});
    }

    arbitration<Config>& shared_;
    block& self_;
    std::uint64_t edges_ = 0;
};

}  // namespace manylock::detail

// The precaution meter: was a restart needed? At the instant at which a transaction is told to restart, the
// whole wait-for graph, with the edges of the request that made it restart, is searched for a cycle through it.
// Cycle: waiting instead would have closed one. Precaution: it would not. Nobody else moves meanwhile, and
// looking costs no virtual time, so the answer is exact; only a simulator can give it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include <boost/graph/breadth_first_search.hpp>

#include <manylock/arbiter.hpp>
#include <manylock/graph/live_graph.hpp>

#include "machine.hpp"

namespace manylock::simulate {

/// Called by the engine (manylock/onlooker.hpp).
template <class Config>
class precaution_onlooker : detail::evaluation<Config> {
    using base = detail::evaluation<Config>;
    using block = detail::control_block<Config>;
    using lock_type = queued_lock<Config>;
    using shared_state = detail::arbitration<Config>;

public:
    static void refused(shared_state& shared, block& me, detail::request<Config> const& r) {
        machine::quiet const nobody_moves;
        graph_view view{shared, me, r.lock, r.wanted, r.held != nullptr};
        meter().tag(me.number, view.shortest_cycle());
    }
    static void leaves_queue(shared_state& shared, block& me) {
        machine::quiet const nobody_moves;
        if (me.is_victim()) return;  // tagged when it was chosen
        graph_view view{shared, me};
        meter().tag(me.number, view.shortest_cycle());
    }
    static void chosen(shared_state& shared, block& victim) {
        machine::quiet const nobody_moves;
        graph_view view{shared, victim};
        meter().tag(victim.number, view.shortest_cycle());
    }
    static void restarts(block& me) { meter().restarts(me.number); }
    static void waits(shared_state& shared, block& me) {
        machine::quiet const nobody_moves;
        graph_view view{shared, me};
        if (view.shortest_cycle() > 0) meter().formed();
    }

private:
    static precaution_meter& meter() { return machine::active()->meter(); }

    /// The graph as seen from `root`, which waits or would; walked from a transaction to those who wait for it,
    /// like the engine's own view, but over what is, without a thought for who might move.
    class graph_view {
    public:
        struct node {
            block* who = nullptr;
            std::uint64_t wait = 0;
        };
        struct step {
            block* node = nullptr;
            std::uint64_t wait = 0;
            std::uint32_t parent = 0;
            bool queue_edge = false;
        };
        using graph_type = graph::live_graph<graph_view>;

        graph_view(shared_state& shared, block& root, lock_type& wanted, mode m, bool upgrade)
            : shared_{shared}, root_{root}, wanted_{wanted}, mode_{m}, upgrade_{upgrade} {}
        graph_view(shared_state& shared, block& queued)
            : graph_view{shared, queued, *queued.wait_lock.load(relaxed), base::mode_of(queued),
                         queued.wait_upgrade} {}

        [[nodiscard]] node self() const noexcept { return {&root_, 0}; }

        /// In transactions; 0: there is none.
        [[nodiscard]] unsigned shortest_cycle() {
            if (!anybody_waits_for_root()) return 0;
            auto const bound = shared_.pool.size() + 1;
            std::vector<step> edges;
            typename graph_type::walk walk{*this, edges, bound};
            walk.nodes[root_.number] = self();
            graph_type const live{walk};
            std::vector<unsigned> distance(bound, 0);
            std::vector<boost::default_color_type> colors(bound, boost::white_color);
            boost::queue<std::uint32_t> buffer;
            unsigned length = 0;
            boost::breadth_first_visit(
                live, root_.number, buffer, visitor{distance, root_.number, length},
                boost::make_iterator_property_map(
                    colors.begin(), boost::typed_identity_property_map<std::uint32_t>{}));
            return length;
        }

        /// For live_graph: calls f(node, queue_edge) for everyone who waits for `n`, the root included.
        template <class F>
        void for_each_blocked_by(node n, F f) {
            bool go_on = true;
            auto const report = [&](block& b, bool queue_edge) {
                if (go_on && !b.is_victim()) go_on = f(node{&b, 0}, queue_edge);
            };
            if (n.who != &root_ && root_waits_for(*n.who)) {
                f(self(), false);
                return;
            }
            auto const size = n.who->holds.size();
            for (std::uint32_t i = 0; go_on && i < size; ++i) {
                auto const& held = n.who->holds.at(i);
                auto* const lock = held.lock();
                if (lock == nullptr) continue;
                for (auto* b = base::first(*lock); b != nullptr && go_on; b = base::next(*b)) {
                    if (b != n.who && !compatible(base::mode_of(*b), held.held_mode()))
                        report(*b, false);
                }
            }
            for_each_behind(*n.who, [&](block& b) { report(b, true); });
        }

    private:
        class visitor : public boost::default_bfs_visitor {
        public:
            visitor(std::vector<unsigned>& distance, std::uint32_t root, unsigned& length)
                : distance_{&distance}, root_{root}, length_{&length} {}
            void tree_edge(std::uint32_t e, graph_type const& g) const {
                (*distance_)[target(e, g)] = (*distance_)[source(e, g)] + 1;
            }
            void non_tree_edge(std::uint32_t e, graph_type const& g) const {
                if (*length_ == 0 && target(e, g) == root_) {
                    *length_ = (*distance_)[source(e, g)] + 1;
                }
            }

        private:
            std::vector<unsigned>* distance_;
            std::uint32_t root_;
            unsigned* length_;
        };

        static constexpr auto relaxed = Config::platform::relaxed;

        /// Those who wait in one queue behind `b` and may not pass it.
        template <class F>
        void for_each_behind(block const& b, F f) {
            bool const queued = b.queued();
            if (!queued && &b != &root_) return;
            auto const& lock = queued ? *b.wait_lock.load(relaxed) : wanted_;
            auto const m = queued ? base::mode_of(b) : mode_;
            bool behind = false;
            for (auto* other = base::first(lock); other != nullptr; other = base::next(*other)) {
                if (other == &b) {
                    behind = true;
                    continue;
                }
                if (!queued && !behind)
                    behind = base::goes_ahead(b.current_stamp(), upgrade_, *other);
                if (behind && !compatible(base::mode_of(*other), m)) f(*other);
            }
        }
        /// `b`, which waits, holds what the root wants, or is ahead of it in the queue.
        [[nodiscard]] bool root_waits_for(block& b) const {
            if (auto const* const held = b.holds.find(&wanted_);
                held != nullptr && !compatible(held->held_mode(), mode_)) {
                return true;
            }
            if (!b.queued() || b.wait_lock.load(relaxed) != &wanted_ ||
                compatible(base::mode_of(b), mode_)) {
                return false;
            }
            if (!root_.queued()) return !base::goes_ahead(root_.current_stamp(), upgrade_, b);
            for (auto* other = base::first(wanted_); other != nullptr && other != &root_;
                 other = base::next(*other)) {
                if (other == &b) return true;
            }
            return false;
        }
        [[nodiscard]] bool anybody_waits_for_root() {
            bool anybody = false;
            for (std::uint32_t i = 0; !anybody && i < root_.holds.size(); ++i) {
                auto* const lock = root_.holds.at(i).lock();
                anybody = lock != nullptr && base::first(*lock) != nullptr;
            }
            if (!anybody) for_each_behind(root_, [&](block&) { anybody = true; });
            return anybody;
        }

        shared_state& shared_;
        block& root_;
        lock_type& wanted_;
        mode mode_;
        bool upgrade_;
    };
};

}  // namespace manylock::simulate

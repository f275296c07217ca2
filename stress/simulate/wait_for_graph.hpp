// Who waits for whom, at an instant at which nobody moves (precaution.hpp). Looking costs no virtual time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/graph_traits.hpp>

#include <manylock/engine/conflicts.hpp>

namespace manylock::simulate {

/// Whom a waiter waits for, as seen from `root`, which waits or would: a Boost IncidenceGraph over the numbers of the
/// transactions. Walked from a waiter to those in its way, since few are in its way and many may wait for it. Over what
/// is, without a thought for who might move.
///
/// INV-P1 An edge is left out only if no shorter path goes through it: who waits exclusively waits for all whom a waiter
///        ahead waits for (who is ahead of an upgrade upgrades too, and so is a holder); of the exclusive waiters ahead of
///        a shared one the last waits for all whom the others wait for.
template <class Config>
class wait_for_graph {
    using queue = detail::wait_queue<Config>;
    using holding = detail::holders<Config>;
    using rules = detail::conflicts<Config>;
    using block = detail::control_block<Config>;
    using lock_type = queued_lock<Config>;
    using shared_state = detail::arbitration<Config>;

public:
    using vertex_descriptor = std::uint32_t;
    using edge_descriptor = std::pair<vertex_descriptor, vertex_descriptor>;
    using out_edge_iterator = std::vector<edge_descriptor>::const_iterator;
    using degree_size_type = std::size_t;
    using directed_category = boost::directed_tag;
    using edge_parallel_category = boost::allow_parallel_edge_tag;
    using traversal_category = boost::incidence_graph_tag;

    wait_for_graph(shared_state& shared, block& root, lock_type& wanted, mode m, bool upgrade)
        : shared_{shared}, root_{root}, wanted_{wanted}, mode_{m}, upgrade_{upgrade} {}
    wait_for_graph(shared_state& shared, block& queued)
        : wait_for_graph{shared, queued, *queued.wait_lock.load(relaxed), queue::mode_of(queued),
                         queued.wait_upgrade} {}

    /// In transactions; 0: there is none.
    [[nodiscard]] unsigned shortest_cycle() {
        memory_.begin(shared_.pool.size() + 1);
        memory_.nodes[root_.number] = &root_;
        boost::queue<vertex_descriptor> buffer;
        unsigned length = 0;
        boost::breadth_first_visit(
            *this, root_.number, buffer, visitor{root_.number, length},
            boost::make_iterator_property_map(
                memory_.colors.begin(), boost::typed_identity_property_map<vertex_descriptor>{}));
        return length;
    }

    /// Valid until the next call. Once an edge to the root was met, nobody has any.
    friend std::pair<out_edge_iterator, out_edge_iterator> out_edges(vertex_descriptor v,
                                                                     wait_for_graph const& g) {
        memory_.edges.clear();
        if (!memory_.closed) {
            g.for_each_awaited(*memory_.nodes[v], [v](block& b) {
                memory_.nodes[b.number] = &b;
                memory_.edges.emplace_back(v, b.number);
            });
        }
        return {memory_.edges.cbegin(), memory_.edges.cend()};
    }
    friend std::size_t out_degree(vertex_descriptor v, wait_for_graph const& g) {
        auto const [begin, end] = out_edges(v, g);
        return static_cast<std::size_t>(end - begin);
    }
    friend vertex_descriptor source(edge_descriptor e, wait_for_graph const&) { return e.first; }
    friend vertex_descriptor target(edge_descriptor e, wait_for_graph const&) { return e.second; }

private:
    /// Kept, so that a search allocates little. One search at a time on a thread.
    struct search_memory {
        std::vector<block*> nodes;  ///< by number; valid where a search has been
        std::vector<unsigned> distance;
        std::vector<boost::default_color_type> colors;
        std::vector<edge_descriptor> edges;
        std::unordered_set<lock_type const*> read;  ///< whose readers were reported
        bool closed = false;

        void begin(std::size_t bound) {
            if (nodes.size() < bound) {
                nodes.resize(bound);
                distance.resize(bound);
            }
            colors.assign(bound, boost::white_color);
            if (!read.empty()) read.clear();
            closed = false;
        }
    };

    class visitor : public boost::default_bfs_visitor {
    public:
        visitor(vertex_descriptor root, unsigned& length) : root_{root}, length_{&length} {
            memory_.distance[root] = 0;
        }
        void tree_edge(edge_descriptor e, wait_for_graph const&) {
            memory_.distance[e.second] = memory_.distance[e.first] + 1;
        }
        void examine_edge(edge_descriptor e, wait_for_graph const&) {
            if (e.second != root_ || memory_.closed) return;
            *length_ = memory_.distance[e.first] + 1;
            memory_.closed = true;
        }

    private:
        vertex_descriptor root_;
        unsigned* length_;
    };

    static constexpr auto relaxed = Config::platform::relaxed;

    /// Calls f(block&) for whoever `b` waits for, as far as INV-P1 asks.
    template <class F>
    void for_each_awaited(block& b, F f) const {
        bool const is_root = &b == &root_;
        if (!is_root && !waits_now(b)) return;
        auto const& lock = is_root ? wanted_ : *b.wait_lock.load(relaxed);
        auto const m = is_root ? mode_ : queue::mode_of(b);
        for_each_holder(lock, b, m, f);
        if (!is_root && &lock == &wanted_ && is_behind_root(b, m)) f(root_);
        if (m == mode::exclusive) return;
        block* last = nullptr;
        rules::for_each_ahead(lock, b, is_root ? upgrade_ : b.wait_upgrade, [&](block& ahead) {
            if (!compatible(queue::mode_of(ahead), m) && !ahead.is_victim()) last = &ahead;
            return true;
        });
        if (last != nullptr) f(*last);
    }
    /// Whoever is just entering or leaving a queue has its latch, or is let go by who has it.
    [[nodiscard]] static bool waits_now(block& b) {
        if (!b.queued() || b.is_victim()) return false;
        auto const& lock = *b.wait_lock.load(relaxed);
        if (!queue::look_at_word(lock).is_latched()) return true;
        auto const* other = queue::first(lock);
        while (other != nullptr && other != &b) other = queue::next(*other);
        return other != nullptr;
    }
    template <class F>
    void for_each_holder(lock_type const& lock, block const& b, mode m, F f) const {
        auto const others = [&](block& holder) {
            if (&holder != &b) f(holder);
        };
        auto const w = queue::look_at_word(lock);
        if (w.is_exclusive()) return holding::for_each_known(w, others);
        if (compatible(mode::shared, m) || w.is_free()) return;
        // Once is enough: whoever is met first is nearest. The root leaves itself out, whom others may have to meet.
        if (&b != &root_ && !memory_.read.insert(&lock).second) return;
        if constexpr (Config::known_readers) holding::for_each_known(w, others);
        if (Config::known_readers && !w.is_distributed()) return;
        shared_.pool.for_each_at_standstill([&](block& holder) {
            if (&holder != &root_ && !waits_now(holder)) return;  // it has no edges
            auto const* const held = holder.holds.find(&lock);
            if (held != nullptr) others(holder);
        });
    }
    /// The root is in the queue ahead of `b`, which waits for the same lock, or would be.
    [[nodiscard]] bool is_behind_root(block const& b, mode m) const {
        if (compatible(mode_, m)) return false;
        bool behind = true;
        rules::for_each_ahead(wanted_, root_, upgrade_, [&](block const& ahead) {
            behind = &ahead != &b;
            return behind;
        });
        return behind;
    }

    shared_state& shared_;
    block& root_;
    lock_type& wanted_;
    mode mode_;
    bool upgrade_;
    inline static thread_local search_memory memory_;
};

}  // namespace manylock::simulate

// The live wait-for graph of a domain as a Boost IncidenceGraph, for the time of one walk. Its
// edges are those that the engine's view reports, hence against the direction of waiting: from a
// transaction to those that wait for it. They are suspects only, since transactions go on;
// choose() re-validates.
//
// INV-V1 A vertex is the number of a control block, bounded by the size of the pool when the walk
//        began. A transaction on a later block published its request after our fence, so it sees
//        ours: if it closes a cycle with us, it finds that cycle itself.
// INV-V2 A vertex stands for the wait in which it was met first, or the ends of two edges could
//        belong to different waits and choose() would take a phantom for a cycle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <boost/graph/graph_concepts.hpp>
#include <boost/graph/graph_traits.hpp>
#include <boost/iterator/counting_iterator.hpp>

namespace manylock::graph {

/// `View` is the engine's wait_graph_view. A handle: what was found lies in the walk.
template <class View>
class live_graph {
public:
    using vertex_descriptor = std::uint32_t;
    using edge_descriptor = std::uint32_t;  ///< position of the edge in the order of discovery
    using out_edge_iterator = boost::counting_iterator<edge_descriptor>;
    using degree_size_type = std::size_t;
    using directed_category = boost::directed_tag;
    using edge_parallel_category = boost::allow_parallel_edge_tag;
    using traversal_category = boost::incidence_graph_tag;

    using node = decltype(std::declval<View const&>().self());
    using step = typename View::step;

    /// What one walk has found out. `bound`: all numbers are below it.
    struct walk {
        walk(View& v, std::vector<step>& memory, std::size_t bound)
            : view{v}, edges{memory}, nodes(bound, node{nullptr, 0}) {}
        View& view;
        std::vector<step>& edges;  ///< step::parent is the source of the edge
        std::vector<node> nodes;   ///< by vertex
        bool closed = false;       ///< an edge to ourselves was reported
    };

    explicit live_graph(walk& w) noexcept : walk_{&w} {}

    /// Asks the live graph, once for each vertex. Nothing more is reported once a cycle is closed.
    std::pair<out_edge_iterator, out_edge_iterator> out_edges_of(vertex_descriptor v) const {
        auto& w = *walk_;
        auto const begin = static_cast<edge_descriptor>(w.edges.size());
        if (!w.closed) {
            w.view.for_each_blocked_by(w.nodes[v], [&](node waiter, bool queue_edge) {
                auto const to = waiter.who->number;
                if (to >= w.nodes.size()) return true;
                auto& met = w.nodes[to];
                if (met.who == nullptr) met = waiter;
                if (met.wait != waiter.wait) return true;  // its edges belong to the other wait
                w.edges.push_back({waiter.who, waiter.wait, v, queue_edge});
                w.closed = waiter.who == w.view.self().who;
                return !w.closed;
            });
        }
        auto const end = static_cast<edge_descriptor>(w.edges.size());
        return {out_edge_iterator{begin}, out_edge_iterator{end}};
    }
    [[nodiscard]] step const& at(edge_descriptor e) const noexcept { return walk_->edges[e]; }

private:
    walk* walk_;
};

template <class View>
auto out_edges(typename live_graph<View>::vertex_descriptor v, live_graph<View> const& g) {
    return g.out_edges_of(v);
}
template <class View>
std::size_t out_degree(typename live_graph<View>::vertex_descriptor v, live_graph<View> const& g) {
    auto const [begin, end] = g.out_edges_of(v);
    return static_cast<std::size_t>(end - begin);
}
template <class View>
auto source(typename live_graph<View>::edge_descriptor e, live_graph<View> const& g) {
    return g.at(e).parent;
}
template <class View>
auto target(typename live_graph<View>::edge_descriptor e, live_graph<View> const& g) {
    return g.at(e).node->number;
}

}  // namespace manylock::graph

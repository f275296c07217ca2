// Cycles of a snapshot, found by Boost.Graph.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <boost/graph/depth_first_search.hpp>
#include <boost/graph/strong_components.hpp>
#include <boost/range/iterator_range.hpp>

#include <manylock/graph/model.hpp>

namespace manylock::graph {

/// Two vertices are in one component iff each waits, directly or through others, for the other.
struct components {
    std::vector<std::size_t> of;    ///< component of each vertex
    std::vector<std::size_t> size;  ///< number of vertices of each component

    /// Nobody waits for itself, so a vertex is on a cycle iff it is not alone in its component.
    [[nodiscard]] bool on_cycle(vertex v) const { return size[of[v]] > 1; }
    /// True if some cycle runs through the edge from `from` to `to`.
    [[nodiscard]] bool on_cycle(vertex from, vertex to) const { return of[from] == of[to]; }
};

[[nodiscard]] inline components strong_components(wait_for_graph const& g) {
    components found;
    found.of.resize(num_vertices(g));
    if (found.of.empty()) return found;
    auto const of =
        boost::make_iterator_property_map(found.of.begin(), get(boost::vertex_index, g));
    found.size.resize(boost::strong_components(g, of));
    for (auto const c : found.of) ++found.size[c];
    return found;
}

namespace detail {

/// Remembers over which edge each vertex was reached, and the first edge that closes a cycle.
class cycle_visitor : public boost::default_dfs_visitor {
public:
    struct record {
        std::vector<vertex> reached_from;
        bool found = false;
        vertex last = 0;  ///< waits for `first`, which closes the cycle
        vertex first = 0;
    };
    explicit cycle_visitor(record& r) : record_{&r} {}
    void tree_edge(edge e, wait_for_graph const& g) const {
        record_->reached_from[target(e, g)] = source(e, g);
    }
    void back_edge(edge e, wait_for_graph const& g) const {
        if (record_->found) return;
        record_->found = true;
        record_->last = source(e, g);
        record_->first = target(e, g);
    }

private:
    record* record_;
};

}  // namespace detail

/// One cycle: each vertex waits for the one after it, the last for the first. Empty: there is none.
[[nodiscard]] inline std::vector<vertex> find_cycle(wait_for_graph const& g) {
    detail::cycle_visitor::record record;
    record.reached_from.resize(num_vertices(g));
    std::vector<boost::default_color_type> colors(num_vertices(g), boost::white_color);
    auto const color =
        boost::make_iterator_property_map(colors.begin(), get(boost::vertex_index, g));
    auto const stop = [&](vertex, wait_for_graph const&) { return record.found; };
    for (auto const v : boost::make_iterator_range(vertices(g))) {
        if (colors[v] != boost::white_color) continue;
        boost::depth_first_visit(g, v, detail::cycle_visitor{record}, color, stop);
        if (record.found) break;
    }
    std::vector<vertex> cycle;
    if (!record.found) return cycle;
    for (auto v = record.last; v != record.first; v = record.reached_from[v]) cycle.push_back(v);
    cycle.push_back(record.first);
    std::reverse(cycle.begin(), cycle.end());
    return cycle;
}

}  // namespace manylock::graph

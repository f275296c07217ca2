// Full cycle detection whose walk is Boost's depth_first_visit over a view of the live wait-for
// graph: the twin that the hand-written walk of cycle_detection has to justify itself against.
//
// Guarantees  those of cycle_detection (C1 to C4); only which of several cycles is found first
//             may differ, since this walk is depth first.
// Costs       those of cycle_detection, and memory allocated by each walk: vertices, colours,
//             stack.
// Source      Boost.Graph, depth_first_search.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <boost/graph/depth_first_search.hpp>
#include <boost/graph/two_bit_color_map.hpp>
#include <boost/property_map/property_map.hpp>

#include <manylock/graph/live_graph.hpp>
#include <manylock/policy.hpp>

namespace manylock::policies {

struct cycle_detection_bgl {
    static constexpr char const* name = "cycle_detection_bgl";
    static constexpr policy_needs needs{.stamps = true, .held_list = true};
    static constexpr policy_promises promises{.eldest_never_restarts = true,
                                              .bounded_restarts = true,
                                              .only_cycles_restart = true,
                                              .in_order_never_restarts = true};
    static constexpr restart_reason reason = restart_reason::deadlock;

    static constexpr decision on_conflict(conflict const&) noexcept { return decision::wait; }

    /// As cycle_detection::on_wait.
    template <class View>
    static bool on_wait(View& view) {
        using verdict = typename View::verdict;
        while (find_cycle(view)) {
            switch (view.choose(view.cycle())) {
                case verdict::self_is_victim: return true;
                case verdict::broken: break;    // others may pass through us still: walk again
                case verdict::outdated: break;  // somebody moved: look at the new graph
            }
        }
        return false;
    }

private:
    /// Remembers over which edge each vertex was reached, and the edge that leads back to the root.
    template <class Graph>
    class visitor : public boost::default_dfs_visitor {
    public:
        using vertex = typename Graph::vertex_descriptor;
        using edge = typename Graph::edge_descriptor;
        struct record {
            vertex root;
            std::vector<edge> reached_by;  ///< by vertex
            bool found = false;
            edge closing = 0;
        };
        explicit visitor(record& r) : record_{&r} {}
        void tree_edge(edge e, Graph const& g) const { record_->reached_by[target(e, g)] = e; }
        void back_edge(edge e, Graph const& g) const {
            if (record_->found || target(e, g) != record_->root) return;
            record_->found = true;
            record_->closing = e;
        }

    private:
        record* record_;
    };

    /// Depth first from ourselves, against the direction of waiting, until we meet ourselves.
    /// Leaves the cycle in view.cycle(), each member before the one it waits for.
    template <class View>
    static bool find_cycle(View& view) {
        using graph_type = graph::live_graph<View>;
        BOOST_CONCEPT_ASSERT((boost::IncidenceGraphConcept<graph_type>));
        auto const self = view.self();
        if (!View::still_in(self)) return false;  // granted in the meantime

        auto const bound = view.number_bound();
        auto& scratch = view.scratch();
        typename graph_type::walk walk{view, scratch.steps, bound};
        walk.nodes[self.who->number] = self;
        graph_type const live{walk};

        typename visitor<graph_type>::record record{self.who->number, {}};
        record.reached_by.resize(bound);
        boost::two_bit_color_map<boost::typed_identity_property_map<std::uint32_t>> const color{
            bound};
        boost::depth_first_visit(live, record.root, visitor<graph_type>{record}, color,
                                 [&](auto, auto const&) { return record.found; });
        if (record.found) {
            scratch.cycle.push_back(live.at(record.closing));
            while (scratch.cycle.back().parent != record.root) {
                auto const before = record.reached_by[scratch.cycle.back().parent];
                scratch.cycle.push_back(live.at(before));
            }
        }
        view.count_walk();
        return record.found;
    }
};

static_assert(conflict_policy<cycle_detection_bgl>);
static_assert(graph_policy<cycle_detection_bgl>);

}  // namespace manylock::policies

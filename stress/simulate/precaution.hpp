// The precaution meter: was a restart needed? At the instant at which a transaction is told to restart, the
// wait-for graph, with the edges of the request that made it restart, is searched for a cycle through it.
// Cycle: waiting instead would have closed one. Precaution: it would not. Nobody else moves meanwhile, and
// looking costs no virtual time, so the answer is exact; only a simulator can give it.
#pragma once

#include <manylock/engine/admission.hpp>

#include "machine.hpp"
#include "wait_for_graph.hpp"

namespace manylock::simulate {

/// Called by the engine (manylock/onlooker.hpp).
template <class Config>
class precaution_onlooker {
    using block = detail::control_block<Config>;
    using shared_state = detail::arbitration<Config>;

public:
    static void refused(shared_state& shared, block& me, detail::request<Config> const& r) {
        machine::quiet const nobody_moves;
        wait_for_graph<Config> graph{shared, me, r.lock, r.wanted, r.is_upgrade()};
        meter().tag(me.number, graph.shortest_cycle());
    }
    static void leaves_queue(shared_state& shared, block& me) {
        machine::quiet const nobody_moves;
        if (me.is_victim()) return;  // tagged when it was chosen
        wait_for_graph<Config> graph{shared, me};
        meter().tag(me.number, graph.shortest_cycle());
    }
    static void chosen(shared_state& shared, block& victim) {
        machine::quiet const nobody_moves;
        wait_for_graph<Config> graph{shared, victim};
        meter().tag(victim.number, graph.shortest_cycle());
    }
    static void restarts(block& me) { meter().restarts(me.number); }
    static void waits(shared_state& shared, block& me) {
        machine::quiet const nobody_moves;
        wait_for_graph<Config> graph{shared, me};
        if (graph.shortest_cycle() > 0) meter().formed();
    }

private:
    static precaution_meter& meter() { return machine::active()->meter(); }
};

}  // namespace manylock::simulate

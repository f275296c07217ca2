// Was a restart needed? On a real run, for a sample of the restarts: whoever was told to restart, and still holds
// everything, looks at the wait-for graph of that moment and asks whether the wait that it was refused would have
// closed a cycle.
//
// An estimate, by nature: the graph moves while it is looked at.
//   cycle       A cycle stood at one instant after the refusal: all others on it were waiting, and the victim
//               still holds what they wait for. So it was one; but perhaps it closed only after the refusal.
//   precaution  There was none at that instant. One that stood at the refusal and was broken since, by a victim
//               elsewhere on it or by a wait that was given up, is missed.
//   Both look at the victim's request as if it were queued now, behind those who are ahead of it by the
//   domain's order of queues; without ages that is everybody who has come since, too.
// The simulator knows the graph at the instant of the refusal, and is exact. A sample also costs time, with
// everything held: it disturbs the run that it looks at, so that N of 1/N has to be large.
#pragma once

#include "../random.hpp"
#include "measurement.hpp"

#include <cstdint>
#include <manylock/domain.hpp>
#include <manylock/graph/cycles.hpp>
#include <manylock/graph/snapshot.hpp>

namespace manylock::stress {

/// Which restarts of one thread are looked at: one of N on average, by chance, so that no rhythm of the workload
/// falls in step with it. Draws from a sequence of its own, so that the workload's is the same with and without.
class restart_sampler {
public:
    /// `one_in`: N; 0: none.
    restart_sampler(std::uint64_t one_in, std::uint64_t seed) : one_in_(one_in), random_(seed) {}
    [[nodiscard]] bool due() noexcept { return one_in_ != 0 && random_.below(one_in_) == 0; }

private:
    std::uint64_t one_in_;
    generator random_;
};

namespace detail {

/// Adds to a snapshot the wait that a transaction was refused.
template <class Config>
class refused_wait {
public:
    refused_wait(graph::wait_for_graph& g, std::uint32_t number, stamp age, void const* lock,
                 mode wanted)
        : graph_(g), lock_(lock), wanted_(wanted), age_(age), me_(vertex_of(number)) {
        for (auto const& h : g[me_].holds) upgrade_ = upgrade_ || h.lock.address == lock;
    }

    [[nodiscard]] graph::vertex vertex() const noexcept { return me_; }

    void add_edges() {
        auto const count = num_vertices(graph_);
        for (graph::vertex v = 0; v < count; ++v) {
            if (v == me_) continue;
            for (auto const& h : graph_[v].holds) {
                if (h.lock.address == lock_) add(me_, v, graph::edge_kind::holder, h.held);
            }
            auto const& other = graph_[v].wants;
            if (!other || other->lock.address != lock_) continue;
            if (behind_me(graph_[v])) {
                add(v, me_, graph::edge_kind::queue, other->wanted);
            } else {
                add(me_, v, graph::edge_kind::queue, other->wanted);
            }
        }
    }

private:
    graph::vertex vertex_of(std::uint32_t number) {
        auto const count = num_vertices(graph_);
        for (graph::vertex v = 0; v < count; ++v) {
            auto const& t = graph_[v];
            if (t.kind != graph::vertex_kind::readers && !t.single_reader && t.number == number)
                return v;
        }
        graph::transaction_vertex alone;  // it holds nothing that anybody could wait for
        alone.number = number;
        return add_vertex(alone, graph_);
    }
    /// As the queue would have it: wait_queue::goes_ahead.
    [[nodiscard]] bool behind_me(graph::transaction_vertex const& other) const noexcept {
        if (upgrade_ != other.wants->upgrade) return upgrade_;
        return Config::needs.stamps && age_.older_than(other.age);
    }
    void add(graph::vertex from, graph::vertex to, graph::edge_kind kind, mode other) {
        if (!compatible(wanted_, other)) {
            add_edge(from, to, graph::wait_edge{kind, {lock_, {}}, wanted_, other}, graph_);
        }
    }

    graph::wait_for_graph& graph_;
    void const* lock_;
    mode wanted_;
    stamp age_;
    bool upgrade_ = false;
    graph::vertex me_;
};

}  // namespace detail

/// What the restart of `txn` was for, which was just refused `refused` in mode `wanted`.
/// Requires: txn.must_restart(), everything still held, no rollback yet; held locks are published
///           (options::publish_holds, or a policy with lists of them).
/// Blocks:   as graph::snapshot.
/// Cost:     a snapshot of the whole domain; allocates.
/// Under an umbrella nobody restarts for a lock's sake: none.
template <class Domain>
[[nodiscard]] restart_tag tag_of_restart(Domain& domain, typename Domain::transaction const& txn,
                                         typename Domain::lock_type const& refused, mode wanted) {
    using config = typename Domain::config;
    if constexpr (config::needs.umbrella) {
        return restart_tag::none;
    } else {
        static_assert(config::published_holds, "the holders of a lock have to be readable");
        auto g = graph::snapshot(domain);
        detail::refused_wait<config> wait{g, txn.number(), txn.age(), &refused, wanted};
        wait.add_edges();
        return graph::strong_components(g).on_cycle(wait.vertex()) ? restart_tag::cycle
                                                                   : restart_tag::precaution;
    }
}

}  // namespace manylock::stress

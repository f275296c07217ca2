// snapshot(domain): the wait-for graph of a domain, at any time, while transactions run.
//
// Exact: every edge between two waiting vertices stood at one common instant near the end of the
//        call, so every cycle in a snapshot is a deadlock that stood then. A cycle of known
//        holders that stands throughout the call is in it.
// Hints: what a running transaction holds. It held it when it was looked at and has not waited
//        since, but it may have released it. It cannot be on a cycle.
// Where a policy neither links its readers nor publishes held locks, shared holders are only
// counted, and of what is held only what is waited for is known; options::publish_holds makes all
// of it known.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <manylock/domain.hpp>
#include <manylock/graph/collector.hpp>
#include <manylock/graph/model.hpp>

namespace manylock::graph {

namespace detail {

/// Builds the graph from the copies. Nothing alive is touched but names.
template <class Config>
class assembler {
public:
    using copies = collector<Config>;
    using platform = typename Config::platform;
    using party = typename copies::party;
    using holding = typename copies::holding;
    using lock_copy = typename copies::lock_copy;
    using list_copy = typename copies::list_copy;
    using lock_type = typename copies::lock_type;

    assembler(typename copies::core_type const& core, copies const& from)
        : core_{core}, copies_{from}, now_ns_{platform::ns_between({}, platform::now())} {}

    [[nodiscard]] wait_for_graph build() && {
        graph_[boost::graph_bundle] = {Config::policy::name, Config::published_holds};
        for (auto const& l : copies_.locks()) add_requests(l);
        for (auto const& l : copies_.lists()) add_list(l);
        for (auto const& l : copies_.locks()) {
            auto const known = holders_of(l);
            add_holders(l, known);
            add_edges(l, known);
        }
        return graph_;
    }

private:
    lock_ref const& ref(void const* lock) {
        auto const [at, added] = names_.try_emplace(lock, lock_ref{lock, {}});
        if (added) {
            at->second.name = lock == &core_.umbrella ? "umbrella"
                              : lock == &core_.turn   ? "turn"
                                                      : core_.name_of(lock);
        }
        return at->second;
    }
    vertex vertex_of(party const& p) {
        auto const [at, added] = vertices_.try_emplace(p.who, num_vertices(graph_));
        if (!added) return at->second;
        transaction_vertex t;
        t.number = p.who->number;
        t.age = p.age;
        if (p.age.drawn() && p.stamped_ns != 0 && p.stamped_ns <= now_ns_) {
            t.age_ns = now_ns_ - p.stamped_ns;
        }
        t.told_to_restart = p.told_to_restart;
        return add_vertex(t, graph_);
    }
    void add_requests(lock_copy const& l) {
        for (std::size_t place = 0; place < l.queue.size(); ++place) {
            auto const& r = l.queue[place];
            if (!copies_.stands(r.by)) continue;
            auto& t = graph_[vertex_of(r.by)];
            t.kind = vertex_kind::waiting;
            t.single_reader = r.single_reader;
            t.wants = wanted_lock{ref(l.lock), r.wanted, r.upgrade, place};
        }
    }
    void add_list(list_copy const& l) {
        if (!copies_.stands(l.by)) return;
        auto& holds = graph_[vertex_of(l.by)].holds;
        for (auto const& e : l.entries) {
            holds.push_back({ref(e.lock), e.held});
            listed_[e.lock].push_back({l.by, e.held});
        }
    }
    /// Everyone who holds `l` and has an identity.
    [[nodiscard]] std::vector<holding> holders_of(lock_copy const& l) const {
        std::vector<holding> known;
        auto const add = [&](holding const& h) {
            if (!copies_.stands(h.by)) return;
            for (auto const& other : known) {
                if (other.by.who == h.by.who) return;
            }
            known.push_back(h);
        };
        for (auto const& h : l.holders) add(h);
        if (auto const found = listed_.find(l.lock); found != listed_.end()) {
            for (auto const& h : found->second) {
                bool const waits = (h.by.wait & 1U) != 0;  // then its list is exact
                bool const fits = !l.exclusive && h.held == mode::shared;
                if (waits || fits) add(h);
            }
        }
        return known;
    }
    void add_holders(lock_copy const& l, std::vector<holding> const& known) {
        for (auto const& h : known) {
            auto& holds = graph_[vertex_of(h.by)].holds;
            bool listed = false;
            for (auto const& other : holds) listed = listed || other.lock.address == l.lock;
            if (!listed) holds.push_back({ref(l.lock), h.held});
        }
    }
    void add_edges(lock_copy const& l, std::vector<holding> const& known) {
        auto const unnamed = unnamed_readers(l, known);
        for (std::size_t i = 0; i < l.queue.size(); ++i) {
            auto const& r = l.queue[i];
            if (!copies_.stands(r.by)) continue;
            auto const from = vertex_of(r.by);
            auto const add = [&](vertex to, edge_kind kind, mode other) {
                if (!compatible(other, r.wanted)) {
                    add_edge(from, to, wait_edge{kind, ref(l.lock), r.wanted, other}, graph_);
                }
            };
            for (auto const& h : known) {
                if (h.by.who != r.by.who) add(vertex_of(h.by), edge_kind::holder, h.held);
            }
            if (unnamed) add(*unnamed, edge_kind::holder, mode::shared);
            for (std::size_t j = 0; j < i; ++j) {
                auto const& ahead = l.queue[j];
                if (copies_.stands(ahead.by)) {
                    add(vertex_of(ahead.by), edge_kind::queue, ahead.wanted);
                }
            }
        }
    }
    /// The vertex for the readers of `l` of whom only the number is known.
    std::optional<vertex> unnamed_readers(lock_copy const& l, std::vector<holding> const& known) {
        auto unnamed = l.readers;
        if (!Config::known_readers && !l.exclusive) {
            // The count covers transactions too: those found in a held-lock list are known.
            for (auto const& h : known) {
                bool const counted = std::any_of(l.holders.begin(), l.holders.end(),
                                                 [&](auto& c) { return c.by.who == h.by.who; });
                if (!counted && unnamed > 0) --unnamed;
            }
        }
        if (unnamed == 0 || l.exclusive) return {};
        transaction_vertex t;
        t.kind = vertex_kind::readers;
        t.readers = unnamed;
        t.holds.push_back({ref(l.lock), mode::shared});
        return add_vertex(t, graph_);
    }

    typename copies::core_type const& core_;
    copies const& copies_;
    std::uint64_t now_ns_;
    wait_for_graph graph_;
    std::unordered_map<void const*, lock_ref> names_;
    std::unordered_map<void const*, vertex> vertices_;
    std::unordered_map<void const*, std::vector<holding>> listed_;
};

}  // namespace detail

/// The wait-for graph of `d` as it is now.
/// Requires: the domain outlives the call; the caller holds no latch, which no user does.
/// Blocks:   for the latch of each lock that is waited for, one at a time, and for the pool and
///           the names of the domain. Whoever meets a held latch spins, as for any transaction.
/// Cost:     O(control blocks + requests + holders), plus the square of each queue's length.
template <conflict_policy Policy, options Options, class Platform>
[[nodiscard]] wait_for_graph snapshot(domain<Policy, Options, Platform>& d) {
    using config = typename domain<Policy, Options, Platform>::config;
    detail::collector<config> const copies{d.core()};
    return detail::assembler<config>{d.core(), copies}.build();
}

}  // namespace manylock::graph

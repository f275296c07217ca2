// Goal:   the detectors are exact, and choose as they promise.
// Method: thousands of random situations. The snapshot's edges are held against the definition,
//         each detector's answer against Boost's strong components of the snapshot, and the
//         victim against the stamps of the cycle.
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include <doctest/doctest.h>

#include <manylock/graph/cycle_detection_bgl.hpp>
#include <manylock/policies/cycle_detection.hpp>

#include "situation.hpp"

namespace {

using namespace manylock;
using namespace manylock::test;

/// Keeps the cycle that the policy hands in; the walk is the engine's own.
template <class Config>
class recording_view : public manylock::detail::wait_graph_view<Config> {
public:
    using base = manylock::detail::wait_graph_view<Config>;
    using typename base::verdict;
    using steps = std::vector<typename base::step>;
    using base::base;

    verdict choose(steps const& cycle) {
        found = cycle;
        return verdict::self_is_victim;
    }
    steps found;
};

template <class Policy>
class detector {
public:
    using config = typename situation<Policy>::config;
    using block = typename situation<Policy>::block;
    using view_type = recording_view<config>;
    using steps = typename view_type::steps;

    explicit detector(domain<Policy>& d) : domain_{d} {}
    /// The cycle through `self`; empty if there is none.
    [[nodiscard]] steps cycle_through(block& self) {
        typename config::platform::read_section const alive;
        view_type view{domain_.core().shared, self};
        bool const found = Policy::on_wait(view);
        REQUIRE(found == !view.found.empty());
        return view.found;
    }
    /// The engine's own choice.
    auto choose(block& self, steps const& cycle) {
        typename config::platform::read_section const alive;
        typename view_type::base view{domain_.core().shared, self};
        return view.choose(cycle);
    }

private:
    domain<Policy>& domain_;
};

/// True if `cycle` begins with `self` and each step is an edge of its kind, each member met once.
template <class Steps>
bool is_cycle(Steps const& cycle, std::uint32_t self, edge_set const& edges) {
    if (cycle.front().node->number != self) return false;
    std::set<std::uint32_t> met;
    for (std::size_t i = 0; i < cycle.size(); ++i) {
        auto const from = cycle[i].node->number;
        auto const to = cycle[(i + 1) % cycle.size()].node->number;
        if (!met.insert(from).second) return false;
        if (!edges.contains({from, to, cycle[i].queue_edge})) return false;
    }
    return true;
}

constexpr std::uint64_t seeds = 4000;

}  // namespace

TYPE_TO_STRING(manylock::policies::cycle_detection);
TYPE_TO_STRING(manylock::policies::cycle_detection_bgl);

TEST_SUITE("graph/detector") {
    TEST_CASE_TEMPLATE("C2 INV-V1: a detector finds a cycle iff Boost's strong components do",
                       Policy, policies::cycle_detection, policies::cycle_detection_bgl) {
        domain<Policy> d;
        std::deque<typename domain<Policy>::lock_type> locks(8);
        detector<Policy> detects{d};
        std::uint64_t waiters = 0;
        std::uint64_t on_cycles = 0;
        std::uint64_t queue_steps = 0;
        std::uint64_t upgrade_steps = 0;
        std::size_t longest = 0;
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
            CAPTURE(seed);
            situation<Policy> s{d, locks, seed};
            auto const g = graph::snapshot(d);
            auto const edges = edges_of(g);
            REQUIRE(edges == s.edges());
            auto const components = graph::strong_components(g);
            std::map<std::uint32_t, bool> on_cycle;
            bool any = false;
            for (auto const v : boost::make_iterator_range(vertices(g))) {
                on_cycle[g[v].number] = components.on_cycle(v);
                any = any || components.on_cycle(v);
            }
            REQUIRE(any == !graph::find_cycle(g).empty());
            for (auto const& a : s.actors()) {
                if (!a.waits) continue;
                ++waiters;
                auto const cycle = detects.cycle_through(*a.who);
                REQUIRE(cycle.empty() == !on_cycle.at(a.who->number));
                if (cycle.empty()) continue;
                ++on_cycles;
                REQUIRE(is_cycle(cycle, a.who->number, edges));
                longest = std::max(longest, cycle.size());
                for (auto const& step : cycle) {
                    if (step.queue_edge) ++queue_steps;
                    if (step.node->wait_upgrade) ++upgrade_steps;
                }
            }
        }
        // What was drawn has to contain what the case is about.
        CHECK(on_cycles > seeds / 4);
        CHECK(waiters - on_cycles > seeds / 4);
        CHECK(queue_steps > seeds / 20);
        CHECK(upgrade_steps > seeds / 20);
        CHECK(longest >= 5);
        MESSAGE(waiters << " waiters, " << on_cycles << " on cycles, " << queue_steps
                        << " queue edges and " << upgrade_steps
                        << " upgrades in them, longest cycle " << longest);
    }

    TEST_CASE_TEMPLATE("a cycle loses its youngest holder unless a waiter may overtake", Policy,
                       policies::cycle_detection, policies::cycle_detection_bgl) {
        using verdict = typename detector<Policy>::view_type::verdict;
        domain<Policy> d;
        std::deque<typename domain<Policy>::lock_type> locks(8);
        detector<Policy> detects{d};
        int selves = 0;
        int others = 0;
        int overtakes = 0;
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
            CAPTURE(seed);
            situation<Policy> s{d, locks, seed};
            for (auto& a : s.actors()) {
                if (!a.waits) continue;
                auto const cycle = detects.cycle_through(*a.who);
                if (cycle.empty()) continue;

                typename situation<Policy>::actor* overtaker = nullptr;
                typename situation<Policy>::block* youngest = nullptr;
                int holders = 0;
                for (auto const& step : cycle) {
                    auto* const member = s.actor_of(step.node);
                    if (step.queue_edge && overtaker == nullptr && s.may_overtake(*member)) {
                        overtaker = member;
                    }
                    if (step.node->holds.held() == 0) continue;
                    ++holders;
                    if (youngest == nullptr ||
                        youngest->current_stamp().older_than(step.node->current_stamp())) {
                        youngest = step.node;
                    }
                }
                auto const answer = detects.choose(*a.who, cycle);
                for (auto const& step : cycle) {  // nobody else is touched
                    bool const marked = step.node->victim_wait.load() == step.wait;
                    REQUIRE(marked == (overtaker == nullptr && step.node == youngest));
                    REQUIRE(step.node->queued() ==
                            (overtaker == nullptr || step.node != overtaker->who));
                }
                if (overtaker != nullptr) {
                    ++overtakes;
                    REQUIRE(answer == verdict::broken);
                    s.take_grant(*overtaker);
                } else {
                    REQUIRE(holders >= 2);
                    bool const self = youngest == a.who;
                    REQUIRE(answer == (self ? verdict::self_is_victim : verdict::broken));
                    ++(self ? selves : others);
                    if (self) s.leave(a);
                }
                REQUIRE(detects.choose(*a.who, cycle) == verdict::outdated);
                break;  // the situation is another one now
            }
        }
        CHECK(selves > 100);
        CHECK(others > 100);
        CHECK(overtakes > 20);
        MESSAGE(selves << " times itself, " << others << " times another, " << overtakes
                       << " overtakes");
    }

    TEST_CASE_TEMPLATE("E10 INV-V2: a cycle of which one member has moved on has no victim", Policy,
                       policies::cycle_detection, policies::cycle_detection_bgl) {
        using verdict = typename detector<Policy>::view_type::verdict;
        domain<Policy> d;
        std::deque<typename domain<Policy>::lock_type> locks(8);
        detector<Policy> detects{d};
        std::uint64_t moved = 0;
        for (std::uint64_t seed = 1; seed <= seeds / 4; ++seed) {
            CAPTURE(seed);
            situation<Policy> s{d, locks, seed};
            for (auto& a : s.actors()) {
                if (!a.waits) continue;
                auto const cycle = detects.cycle_through(*a.who);
                if (cycle.empty()) continue;
                s.leave(*s.actor_of(cycle[seed % cycle.size()].node));
                REQUIRE(detects.choose(*a.who, cycle) == verdict::outdated);
                for (auto const& step : cycle) {
                    REQUIRE(step.node->victim_wait.load() != step.wait);
                }
                ++moved;
                break;
            }
        }
        CHECK(moved > 50);
    }

    TEST_CASE_TEMPLATE("E4 C4: choosing again and again leaves no cycle and spares the eldest",
                       Policy, policies::cycle_detection, policies::cycle_detection_bgl) {
        using verdict = typename detector<Policy>::view_type::verdict;
        domain<Policy> d;
        std::deque<typename domain<Policy>::lock_type> locks(8);
        detector<Policy> detects{d};
        for (std::uint64_t seed = 1; seed <= seeds / 4; ++seed) {
            CAPTURE(seed);
            situation<Policy> s{d, locks, seed};
            auto const* eldest = s.actors().front().who;
            for (auto const& a : s.actors()) {
                if (a.who->current_stamp().older_than(eldest->current_stamp())) eldest = a.who;
            }
            for (auto& a : s.actors()) {
                while (a.waits) {
                    auto const cycle = detects.cycle_through(*a.who);
                    if (cycle.empty()) break;
                    auto const answer = detects.choose(*a.who, cycle);
                    REQUIRE(answer != verdict::outdated);
                    if (answer == verdict::self_is_victim) {
                        REQUIRE(a.who != eldest);
                        s.leave(a);
                    }
                    for (auto& b : s.actors()) {
                        if (!b.waits) continue;
                        if (b.who->is_victim()) {
                            REQUIRE(b.who != eldest);
                            s.leave(b);
                        } else if (!b.who->queued()) {
                            s.take_grant(b);
                        }
                    }
                }
            }
            REQUIRE(graph::find_cycle(graph::snapshot(d)).empty());
        }
    }
}

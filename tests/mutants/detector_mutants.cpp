// Mistakes of the cycle detector.
#include <experiments/cycle_detection_limited.hpp>

#include "mutant.hpp"

namespace mutants {

/// What a broken detector leaves out.
struct omissions {
    std::uint32_t depth = ~0U;  ///< transactions from the requester that the walk goes
    bool queue_edges = true;    ///< waiting for a waiter ahead counts
    bool walks_again = true;    ///< after one cycle was broken
    bool looks_again = true;    ///< after a cycle turned out to be outdated
    bool chooses = true;        ///< one victim a cycle, instead of whoever finds it
};

/// cycle_detection, with omissions.
template <omissions Without>
struct detector : manylock::policies::cycle_detection {
    template <class View>
    static bool on_wait(View& view) {
        using verdict = typename View::verdict;
        while (find_cycle(view)) {
            if (!Without.chooses) return true;
            switch (view.choose(view.cycle())) {
                case verdict::self_is_victim: return true;
                case verdict::broken:
                    if (!Without.walks_again) return false;
                    break;
                case verdict::outdated:
                    if (!Without.looks_again) return false;
                    break;
            }
        }
        return false;
    }

private:
    template <class View>
    static bool find_cycle(View& view) {
        auto const self = view.self();
        if (!View::still_in(self)) return false;
        auto& scratch = view.scratch();
        scratch.steps.push_back({self.who, self.wait, 0, false});
        bool found = false;
        for (std::size_t i = 0; !found && i < scratch.steps.size(); ++i) {
            std::uint32_t distance = 0;
            for (auto j = i; j != 0; j = scratch.steps[j].parent) ++distance;
            if (distance >= Without.depth) continue;
            auto const step = scratch.steps[i];
            view.for_each_blocked_by({step.node, step.wait}, [&](auto waiter, bool queue_edge) {
                if (queue_edge && !Without.queue_edges) return true;
                if (waiter.who == self.who) {
                    scratch.cycle.push_back({self.who, self.wait, 0, queue_edge});
                    for (auto j = i; j != 0; j = scratch.steps[j].parent) {
                        scratch.cycle.push_back(scratch.steps[j]);
                    }
                    found = true;
                } else if (View::first_visit(scratch, *waiter.who)) {
                    scratch.steps.push_back(
                        {waiter.who, waiter.wait, static_cast<std::uint32_t>(i), queue_edge});
                }
                return !found;
            });
        }
        return found;
    }
};

template <omissions Without>
using broken = planted<detector<Without>, manylock::policies::cycle_detection>;

static broken<omissions{.depth = 2}> const limited{
    "stops_at_a_depth_limit",
    "a depth limit treated as no cycle: long cycles hang",
    {"AB|BC|CA", "AB|BC|CD|DA"}};
static broken<omissions{.queue_edges = false}> const blind_to_queues{
    "sees_no_waiting_writer",
    "a pending writer that is not in the graph bars readers without an edge",
    {"aB|A|Ba", "aC|CB|aB|A", "aB|BA|Ba|a", "a|CA|aC"}};
static broken<omissions{.walks_again = false}> const once{
    "stops_after_one_cycle",
    "one request closes two cycles, and only one is broken",
    {"aC|bC|CAB", "aB|aB|BA", "aB|aB|aB|BA", "abC|bcA|caB", "aC|aC|CA"}};
static broken<omissions{.chooses = false}> const all_abort{
    "whoever_finds_it_restarts",
    "every member of a cycle aborts at once: no one victim, no progress",
    {"AB|BA", "AB|BC|CA"}};

/// A detector that promises the eldest nothing, so that waiters which hold something are passed too.
struct limited_to_two : stress::cycle_detection_limited<2> {
    static constexpr char const* name = "cycle_detection_limited_2";
};
struct holds_nothing_and_never_walks : limited_to_two {
    template <class View>
    static bool on_wait(View& view) {
        return view.self().who->holds.size() != 0 && limited_to_two::on_wait(view);
    }
};
static planted<holds_nothing_and_never_walks, limited_to_two> const plant_sleeper{
    "holds_nothing_and_never_walks",
    "decision 8: a writer that holds nothing comes between a reader and the readers that passed it",
    {"AC|Ba|aB|C-CA"}};

}  // namespace mutants

MANYLOCK_MUTANT(never_walks, cycle_detection)
template <>
bool manylock::detail::waiting<manylock::detail::never_walks_config>::must_restart_after_walk(
    shared_state&, block&, request_type const&) {
    return false;
}
MANYLOCK_PLANT(never_walks, cycle_detection, "whoever adds the last edge must run the detector",
               "AB|BA")

MANYLOCK_MUTANT(sacrifices_the_eldest, cycle_detection)
template <>
template <class Range>
auto manylock::detail::wait_graph_view<manylock::detail::sacrifices_the_eldest_config>::victim_of(
    Range const& cycle) noexcept -> step const* {
    step const* eldest = nullptr;
    for (step const& s : cycle) {
        if (s.node->holds.size() == 0) continue;
        if (eldest == nullptr ||
            s.node->current_stamp().older_than(eldest->node->current_stamp())) {
            eldest = &s;
        }
    }
    return eldest;
}
MANYLOCK_PLANT(sacrifices_the_eldest, cycle_detection,
               "victim rule: the eldest of a cycle restarts", "AB|BA", "AB|BC|CA")

MANYLOCK_MUTANT(everyone_chooses_at_once, cycle_detection)
template <>
template <class Range>
auto manylock::detail::wait_graph_view<manylock::detail::everyone_chooses_at_once_config>::choose(
    Range const& cycle) -> verdict {
    if (!stands(cycle)) return verdict::outdated;
    if (let_one_pass(cycle)) return verdict::broken;
    auto const* const victim = victim_of(cycle);
    if (victim == nullptr) return verdict::outdated;
    victim->node->victim_wait.store(victim->wait, platform::release);
    if (victim->node == &self_) return verdict::self_is_victim;
    victim->node->park.deliver(signal::poke);
    return verdict::broken;
}
MANYLOCK_PLANT(everyone_chooses_at_once, cycle_detection,
               "two detectors choose a victim each for one cycle", "DaB|BA|aB|D", "AB|BA",
               "AB|BC|CA", "AB|BA|AB|BA", "abC|bcA|caB", "ABC|BCA|CAB|CBA")

MANYLOCK_MUTANT(acts_on_stale_chains, cycle_detection)
template <>
template <class Range>
bool manylock::detail::wait_graph_view<manylock::detail::acts_on_stale_chains_config>::stands(
    Range const&) noexcept {
    return true;
}
MANYLOCK_PLANT(acts_on_stale_chains, cycle_detection,
               "acting on a chain whose holder has moved on: a phantom abort", "AB|BA", "AB|BC|CA",
               "AB|BA|AB|BA", "A~B|BA", "aA|aA|aA")

MANYLOCK_MUTANT(counts_victims_as_waiting, cycle_detection)
template <>
template <class Range>
bool manylock::detail::wait_graph_view<manylock::detail::counts_victims_as_waiting_config>::stands(
    Range const& cycle) noexcept {
    return std::all_of(cycle.begin(), cycle.end(), [](step const& s) {
        return still_in({s.node, s.wait});
    });
}
MANYLOCK_PLANT(counts_victims_as_waiting, cycle_detection,
               "a cycle whose victim was chosen after the walk met it gets a second one",
               "aB|aB|aB|BA")

MANYLOCK_MUTANT(gives_up_while_one_chooses, cycle_detection)
template <>
manylock::acquire_result
manylock::detail::waiting<manylock::detail::gives_up_while_one_chooses_config>::give_up(
    shared_state& shared, block& me, request_type const& r, acquire_result result) noexcept {
    return leave(shared, me, r, result);
}
MANYLOCK_PLANT(gives_up_while_one_chooses, cycle_detection,
               "found by the explorer: a time-out between the last look at a cycle and the choice",
               "A~B|BA", "AB|B~A")

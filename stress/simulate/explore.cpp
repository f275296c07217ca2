#include "explore.hpp"

#include <utility>

namespace manylock::simulate {

namespace {

/// The failure of one run, if it fails. `begun` as chooser::begin_run answered.
std::optional<failure> run_once(scenario_factory const& make, chooser& who, world::limits limits,
                                std::uint64_t& steps) {
    auto const what = make();
    world w{limits};
    auto const kind = w.run(*what, who);
    steps += w.steps();
    if (kind == outcome::finished) return std::nullopt;
    return failure{kind, w.complaint(), what->describe(), w.taken()};
}

/// Leaves out one segment after the other, as long as what remains still fails in the same way.
failure minimise(scenario_factory const& make, failure worst, world::limits limits) {
    constexpr std::uint64_t step_budget = 3'000'000;
    std::uint64_t steps = 0;
    bool simplified = true;
    while (simplified && steps < step_budget) {
        simplified = false;
        for (auto i = worst.how.segments().size(); i-- > 0 && steps < step_budget;) {
            if (i >= worst.how.segments().size()) continue;
            auto const shorter = replay_chooser(worst.how.without(i));
            (void)shorter->begin_run(0);
            auto again = run_once(make, *shorter, limits, steps);
            if (again && again->kind == worst.kind && again->complaint == worst.complaint &&
                again->how.simpler_than(worst.how)) {
                worst = *std::move(again);
                simplified = true;
            }
        }
    }
    return worst;
}

std::unique_ptr<chooser> chooser_of(search const& s) {
    switch (s.by) {
        case strategy::random: return random_chooser(s.seed);
        case strategy::pct: return pct_chooser(s.seed, s.depth);
        case strategy::exhaustive: return exhaustive_chooser(s.preemptions);
        case strategy::lockstep: return lockstep_chooser();
    }
    return random_chooser(s.seed);
}

}  // namespace

std::string failure::text() const {
    return std::string{name(kind)} + ": " + complaint + "\n" + threads + "schedule: " + how.text();
}

exploration explore(scenario_factory const& make, search const& s) {
    exploration result;
    auto const who = chooser_of(s);
    auto const threads = make()->threads();
    while (result.schedules < s.schedules) {
        if (!who->begin_run(threads)) {
            result.exhausted = true;
            break;
        }
        ++result.schedules;
        if (auto bad = run_once(make, *who, s.limits, result.steps)) {
            result.found = minimise(make, *std::move(bad), s.limits);
            break;
        }
    }
    return result;
}

std::optional<failure> replay(scenario_factory const& make, schedule const& how,
                              world::limits limits) {
    std::uint64_t steps = 0;
    auto const who = replay_chooser(how);
    (void)who->begin_run(0);
    return run_once(make, *who, limits, steps);
}

}  // namespace manylock::simulate

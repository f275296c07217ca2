// Every scenario under many schedules: what is claimed is that none of them fails.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "explore.hpp"

namespace manylock::model {

std::vector<description> all_scenarios() {
    std::vector<description> all;
    for (auto const part :
         {lock_scenarios, age_scenarios, detector_scenarios, umbrella_scenarios}) {
        for (auto& s : part()) all.push_back(std::move(s));
    }
    return all;
}

char const* chosen_scenario() {
    char const* const chosen = std::getenv("MANYLOCK_MODEL_SCENARIO");
    if (chosen == nullptr) return nullptr;
    for (auto const& s : all_scenarios()) {
        if (s.name == chosen) return chosen;
    }
    std::fprintf(stderr, "MANYLOCK_MODEL_SCENARIO is '%s': there is no scenario of that name\n",
                 chosen);
    std::exit(2);
}

namespace {

void explore_all(std::vector<description> const& scenarios) {
    explore_all(scenarios, chosen_scenario());
}

TEST_CASE("schedules of lock word and queue") {
    explore_all(lock_scenarios());
}
TEST_CASE("schedules of wounds and deaths") {
    explore_all(age_scenarios());
}
TEST_CASE("schedules of the detector") {
    explore_all(detector_scenarios());
}
TEST_CASE("schedules of umbrella and grace period") {
    explore_all(umbrella_scenarios());
}

}  // namespace
}  // namespace manylock::model

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

namespace {

void explore_all(std::vector<description> const& scenarios) {
    explore_all(scenarios, chosen_of(all_scenarios()));
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

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

std::uint64_t setting(char const* variable, std::uint64_t otherwise) {
    char const* const text = std::getenv(variable);
    if (text == nullptr) return otherwise;
    char* end = nullptr;
    auto const n = std::strtoull(text, &end, 10);
    if (*text < '1' || *text > '9' || *end != '\0') {
        std::fprintf(stderr, "%s is '%s': it must be a number above 0\n", variable, text);
        std::exit(2);
    }
    return n;
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

std::uint64_t schedules_in_all = 0;

/// MANYLOCK_MODEL_FACTOR=N: N times as many random schedules. MANYLOCK_MODEL_SCENARIO=NAME: that one only,
/// from schedule MANYLOCK_MODEL_FIRST on.
void explore_all(std::vector<description> const& scenarios) {
    auto const factor = setting("MANYLOCK_MODEL_FACTOR", 1);
    auto const first = setting("MANYLOCK_MODEL_FIRST", 1);
    auto const* const chosen = chosen_scenario();
    for (auto const& s : scenarios) {
        if (chosen != nullptr && s.name != chosen) continue;
        bool const sampled = s.how == search::sampled;
        auto const result =
            explore(s, sampled ? s.schedules * factor : s.schedules, {}, true, first);
        schedules_in_all += result.schedules;
        INFO(result.report, "\nAgain: MANYLOCK_MODEL_SCENARIO='", s.name,
             "' MANYLOCK_MODEL_FIRST=", first + result.schedules - 1,
             " test-model -tc='schedules*'");
        CHECK_MESSAGE(!result.failed, s.name);
        CHECK_MESSAGE((sampled || result.failed || result.complete), s.name,
                      " has more schedules than expected: ", s.schedules);
    }
    std::printf("model schedules: %llu\n", static_cast<unsigned long long>(schedules_in_all));
    schedules_in_all = 0;
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

// Runs scenarios and reports what fails, with the command that runs it again.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "explore.hpp"

namespace manylock::model {

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

char const* chosen_of(std::vector<description> const& all) {
    char const* const chosen = std::getenv("MANYLOCK_MODEL_SCENARIO");
    if (chosen == nullptr) return nullptr;
    for (auto const& s : all) {
        if (s.name == chosen) return chosen;
    }
    std::fprintf(stderr, "MANYLOCK_MODEL_SCENARIO is '%s': there is no scenario of that name\n",
                 chosen);
    std::exit(2);
}

void explore_all(std::vector<description> const& scenarios, char const* only) {
    std::uint64_t schedules_in_all = 0;
    auto const factor = setting("MANYLOCK_MODEL_FACTOR", 1);
    auto const first = setting("MANYLOCK_MODEL_FIRST", 1);
    for (auto const& s : scenarios) {
        if (only != nullptr && s.name != only) continue;
        bool const sampled = s.how == search::sampled;
        auto const result =
            explore(s, sampled ? s.schedules * factor : s.schedules, {}, true, first);
        schedules_in_all += result.schedules;
        INFO(result.report, "\nAgain: MANYLOCK_MODEL_SCENARIO='", s.name,
             "' MANYLOCK_MODEL_FIRST=", first + result.schedules - 1,
             " and this program with -tc='schedules*'");
        CHECK_MESSAGE(!result.failed, s.name);
        CHECK_MESSAGE((sampled || result.failed || result.complete), s.name,
                      " has more schedules than expected: ", s.schedules);
    }
    std::printf("model schedules: %llu\n", static_cast<unsigned long long>(schedules_in_all));
}

}  // namespace manylock::model

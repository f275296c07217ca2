// Every mutant must be killed: by one of its scripts, which find nothing in the original.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "mutant.hpp"

namespace mutants {

std::vector<mutant>& all() {
    static std::vector<mutant> list;
    return list;
}

namespace {

using simulate::strategy;

/// Cheap ones first. What a script cannot show with two preemptions, sampling may.
std::vector<simulate::search> searches() {
    return {{.by = strategy::lockstep, .schedules = 80},
            {.by = strategy::exhaustive, .preemptions = 1, .schedules = 5'000},
            {.by = strategy::exhaustive, .preemptions = 2, .schedules = 5'000},
            {.by = strategy::random, .schedules = 20'000, .seed = 1},
            {.by = strategy::pct, .depth = 4, .schedules = 20'000, .seed = 1}};
}

char const* name(strategy s) {
    switch (s) {
        case strategy::random: return "random";
        case strategy::pct: return "pct";
        case strategy::exhaustive: return "exhaustive";
        case strategy::lockstep: return "lockstep";
    }
    return "";
}

/// One line: mutant, what killed it, how.
bool killed(mutant const& m, bool list) {
    for (auto const& s : searches()) {
        for (auto const* const script : m.scripts) {
            auto const result = m.explore(script, s);
            if (!result.found) continue;
            auto control = s;
            control.schedules = result.schedules;
            auto const original = m.explore_original(script, control);
            CHECK_MESSAGE(!original.found,
                          m.name << ": the original fails '" << std::string{script} << "' as well\n"
                                 << (original.found ? original.found->text() : ""));
            if (list) {
                std::printf("%-36s %-14s '%s', %s, schedule %llu: %s\n    %s\n", m.name.c_str(),
                            simulate::name(result.found->kind), script, name(s.by),
                            static_cast<unsigned long long>(result.schedules),
                            result.found->complaint.c_str(), m.origin.c_str());
            }
            return true;
        }
    }
    return false;
}

}  // namespace

}  // namespace mutants

TEST_CASE("every mutant is killed") {
    bool const list = std::getenv("MANYLOCK_LIST") != nullptr;
    unsigned count = 0;
    for (auto const& m : mutants::all()) {
        bool const dead = mutants::killed(m, list);
        CHECK_MESSAGE(dead, m.name << " survives: " << m.origin);
        count += dead ? 1 : 0;
    }
    std::printf("mutants: %u/%zu killed\n", count, mutants::all().size());
}

TEST_CASE("the page on testing names every mutant and no other") {
    std::ifstream file{MANYLOCK_SOURCE_DIR "/docs/testing.md"};
    std::string const page{std::istreambuf_iterator<char>{file}, {}};
    auto const from = page.find("| mistake | mutant here |");
    REQUIRE(from != std::string::npos);
    auto const table = page.substr(from, page.find("\n\n", from) - from);
    std::set<std::string> shown;
    std::regex const name{"`([a-z_]+)`"};
    for (std::sregex_iterator i{table.begin(), table.end(), name}; i != std::sregex_iterator{};
         ++i) {
        shown.insert((*i)[1]);
    }
    shown.erase("try_exclusive");
    std::set<std::string> planted;
    for (auto const& m : mutants::all()) planted.insert(m.name);
    CHECK(shown == planted);
}

// The adversarial suite of one policy: scripts under chosen schedules, with replay. Instantiated for every
// policy by the conformance kit.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <simulate/explore.hpp>

#include "actors.hpp"
#include "exploring.hpp"

namespace explore {

/// Two or three threads: every schedule with few preemptions.
inline constexpr std::array small_scripts{
    "AB|BA",         // the classic
    "aB|bA",         // readers that want to write elsewhere
    "aA|aA",         // two upgrades
    "ab|AB",         // a reader and a writer
    "A|AB|B",        // who holds nothing closes no cycle
    "AB|BC|CA",      // a ring of three
    "aB|aB|BA",      // two readers to wound
    "aC|CB|aB|A",    // a writer queues between readers
    "aB|A|Ba",       // a reader behind a queued writer waits for that writer
    "=a|AB|BA",      // a single-object reader beside them
    "=a|=a|A?B|BA",  // readers, and a mark
    "*A|AB|BA",      // the object goes
    "AB~C|C~AB",     // waits that are given up
    "AB-BC|CB|BA",   // an early release
    "A^B|BA",        // an injected restart
    "AB!|BA|A",      // a body that throws
};
/// More threads, more cycles: sampled.
inline constexpr std::array large_scripts{
    "AB|BC|CD|DA", "AB|BA|AB|BA", "ABC|BCA|CAB|CBA",      "AB/BA|BA/AB|AB/AB",
    "abC|bcA|caB", "aA|aA|aA|A",  "AB/BC|CA/AB|=a/=b/=c",
};

template <class Policy>
class suite {
public:
    /// Runs `text` under `s`, and reports a failure with the command that replays it.
    static void run(std::string_view text, simulate::search const& s) {
        auto const what = script::parse(text);
        auto const result = simulate::explore(factory(what), s);
        count_schedules(result.schedules, s.by, result.exhausted);
        if (result.found) {
            FAIL_CHECK(Policy::name << " on '" << text << "'\n"
                                    << result.found->text() << "\n"
                                    << replay_command(text, result.found->how));
        }
    }
    static void run_random(std::uint64_t seed, bool rare, std::uint64_t scripts) {
        for (std::uint64_t i = 0; i < scripts; ++i) {
            auto const what = random_script(
                seed + i, {.threads = 4, .transactions = 2, .steps = 4, .locks = 3, .rare = rare});
            auto const by = i % 2 == 0 ? simulate::strategy::random : simulate::strategy::pct;
            run(what.text(), {.by = by, .schedules = 100, .seed = seed + i});
        }
    }
    static void replay(std::string_view text, std::string_view how) {
        auto const what = script::parse(text);
        auto const again = simulate::replay(factory(what), simulate::schedule::parse(how));
        CHECK_MESSAGE(!again, Policy::name << " on '" << text << "'\n"
                                           << (again ? again->text() : ""));
    }

private:
    static simulate::scenario_factory factory(script const& what) {
        return [&what] { return std::make_unique<actors<Policy>>(what); };
    }
};

}  // namespace explore

TEST_CASE_TEMPLATE_DEFINE("every schedule with two preemptions of a small script is kept", P,
                          explore_small) {
    if (explore::asked_to_replay()) return;
    for (auto const* const text : explore::small_scripts) {
        for (unsigned const preemptions : {1U, 2U}) {
            explore::suite<P>::run(text, {.by = explore::simulate::strategy::exhaustive,
                                          .preemptions = preemptions,
                                          .schedules = explore::scaled(20'000)});
        }
    }
}
TEST_CASE_TEMPLATE_DEFINE("sampled schedules of small and large scripts are kept", P,
                          explore_large) {
    if (explore::asked_to_replay()) return;
    auto const from = explore::seed();
    for (auto const by : {explore::simulate::strategy::random, explore::simulate::strategy::pct}) {
        for (auto const* const text : explore::small_scripts) {
            explore::suite<P>::run(text,
                                   {.by = by, .schedules = explore::scaled(300), .seed = from});
        }
        for (auto const* const text : explore::large_scripts) {
            explore::suite<P>::run(text,
                                   {.by = by, .schedules = explore::scaled(500), .seed = from});
        }
    }
}
TEST_CASE_TEMPLATE_DEFINE("sampled schedules of random scripts are kept", P, explore_random) {
    if (explore::asked_to_replay()) return;
    explore::suite<P>::run_random(explore::seed(), false, explore::scaled(60));
    explore::suite<P>::run_random(explore::seed(), true, explore::scaled(60));
}
TEST_CASE_TEMPLATE_DEFINE("replays the schedule that the environment names", P, explore_replay) {
    if (!explore::asked_to_replay()) return;
    explore::suite<P>::replay(explore::script_to_replay(), explore::schedule_to_replay());
}

/// All adversarial suites for one policy.
#define MANYLOCK_EXPLORES(policy)                      \
    TEST_CASE_TEMPLATE_INVOKE(explore_small, policy);  \
    TEST_CASE_TEMPLATE_INVOKE(explore_large, policy);  \
    TEST_CASE_TEMPLATE_INVOKE(explore_random, policy); \
    TEST_CASE_TEMPLATE_INVOKE(explore_replay, policy)

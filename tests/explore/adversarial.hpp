// The adversarial suite of one policy: scripts under chosen schedules, with replay. Instantiated for every
// policy by the conformance kit.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <allocation.hpp>
#include <simulate/explore.hpp>
#include <support.hpp>

#include "actors.hpp"
#include "exploring.hpp"

namespace explore {

/// Two or three threads: every schedule with few preemptions.
inline constexpr std::array small_scripts{
    "AB|BA",         // the classic
    "aB|bA",         // readers that want to write elsewhere
    "aA|aA",         // two upgrades
    "ab|AB",         // a reader and a writer
    "C-CA|A|C",      // who holds nothing closes no cycle
    "AB|BC|CA",      // a ring of three
    "aB|aB|BA",      // two readers to wound
    "aC|CB|aB|A",    // a writer queues between readers
    "aB|A|Ba",       // a reader behind a queued writer waits for that writer
    "=a|AB|BA",      // a single-object reader beside them
    "=a|=a|A?B|BA",  // readers, and a mark
    "A*A|AB|=a",     // the object goes
    "AB*A|BA|a",     // and while others hold what its owner wants
    "AB~C|C~AB",     // waits that are given up
    "AB-BC|CB|BA",   // an early release
    "A^B|BA",        // an injected restart
    "AB!|BA|A",      // a body that throws
    "=a|aA",         // an upgrade beside a single-object reader
    "BC-CA|AB",      // an early release, after which a lower lock is still out of order
    "BDC-DA|AB",     // and one that leaves a later, lower lock
    "A|~A|A",        // who was told of a free lock may give up
};
/// More threads, more cycles: sampled.
inline constexpr std::array large_scripts{
    "AB|BC|CD|DA",
    "AB|BA|AB|BA",
    "ABC|BCA|CAB|CBA",
    "AB/BA|BA/AB|AB/AB",
    "abC|bcA|caB",
    "aA|aA|aA|A",
    "AB/BC|CA/AB|=a/=b/=c",
    "BA/BA/BA|A/A/A|A/A/A|A/A/A|A/A/A|A/A/A|A/A/A",  // a queue too long to look through
};

template <class Policy, manylock::options Options = no_spinning>
class suite {
public:
    /// Runs `text` under `s`, and reports a failure with the command that replays it.
    static void run(std::string_view text, simulate::search const& s) {
        auto const what = script::parse(text);
        auto const result = simulate::explore(factory(what), s);
        count_schedules(result.schedules, s.by, result.exhausted);
        if (s.by == simulate::strategy::exhaustive && what.threads.size() == 2 &&
            !manylock::test::sanitized && !what.uses(action::lock_until)) {
            CHECK_MESSAGE((result.exhausted || result.found), std::string{text},
                          ": two threads, and more schedules than expected");
        }
        if (result.found) {
            FAIL_CHECK(std::string{Policy::name}
                       << " on '" << std::string{text} << "'\n"
                       << result.found->text() << "\n"
                       << replay_command(Policy::name, text, result.found->how));
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
        CHECK_MESSAGE(!again, std::string{Policy::name} << " on '" << std::string{text} << "'\n"
                                                        << (again ? again->text() : ""));
    }

private:
    static simulate::scenario_factory factory(script const& what) {
        return [&what] {
            return std::make_unique<actors<Policy, simulate::simulated, Options>>(what);
        };
    }
};

template <class P>
void adversarial(conformance::cases<P> enter) {
    using simulate::strategy;
    enter("every schedule with two preemptions of a small script is kept", [] {
        if (asked_to_replay()) return;
        for (auto const* const text : small_scripts) {
            for (unsigned const preemptions : {1U, 2U}) {
                suite<P>::run(text, {.by = strategy::exhaustive,
                                     .preemptions = preemptions,
                                     .schedules = scaled(20'000)});
            }
        }
    });
    enter("threads in lockstep do not keep each other from committing", [] {
        if (asked_to_replay()) return;
        for (auto const* const text : small_scripts) {
            suite<P>::run(text, {.by = strategy::lockstep, .schedules = 80});
        }
        for (auto const* const text : large_scripts) {
            suite<P>::run(text, {.by = strategy::lockstep, .schedules = 80});
        }
    });
    enter("sampled schedules of small and large scripts are kept", [] {
        if (asked_to_replay()) return;
        for (auto const by : {strategy::random, strategy::pct}) {
            for (auto const* const text : small_scripts) {
                suite<P>::run(text, {.by = by, .schedules = scaled(300), .seed = seed()});
            }
            for (auto const* const text : large_scripts) {
                suite<P>::run(text, {.by = by, .schedules = scaled(500), .seed = seed()});
            }
        }
    });
    enter("sampled schedules of random scripts are kept", [] {
        if (asked_to_replay()) return;
        suite<P>::run_random(seed(), false, scaled(60));
        suite<P>::run_random(seed(), true, scaled(60));
    });
    if constexpr (!P::needs.umbrella) {
        enter("readers that only their own lists know of are seen by writers", [] {
            if (asked_to_replay()) return;
            using shared_suite = suite<P, distributed>;
            for (auto const* const text : small_scripts) {
                if (!script::parse(text).uses_shared()) continue;
                shared_suite::run(
                    text,
                    {.by = strategy::exhaustive, .preemptions = 1, .schedules = scaled(5'000)});
                shared_suite::run(
                    text, {.by = strategy::random, .schedules = scaled(300), .seed = seed()});
            }
            shared_suite::run_random(seed(), true, scaled(30));
        });
    }
    enter("replays the schedule that the environment names", [] {
        if (asked_to_replay()) suite<P>::replay(script_to_replay(), schedule_to_replay());
    });
}

}  // namespace explore

/// The adversarial suite alone. At namespace scope.
#define MANYLOCK_EXPLORES(...)                                                 \
    [[maybe_unused]] static bool const DOCTEST_ANONYMOUS(manylock_explores_) = \
        (explore::adversarial(conformance::cases<__VA_ARGS__>{"adversarial"}), true);

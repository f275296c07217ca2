// Goal:   what threads do to one address space is what some one order of their operations does, and no thread hangs:
//         under every policy, in every schedule that is tried.
// Method: scripts (space_script.hpp) on the exploring platform; the results and the VMAs are those of an array of pages
//         that carries the operations out in the order of their commits (space_history.hpp).
#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include <allocation.hpp>
#include <manylock/policies.hpp>
#include <simulate/explore.hpp>

#include "exploring.hpp"
#include "space_actors.hpp"

namespace {

using explore::space_script;
using explore::simulate::strategy;

/// Two threads: every schedule with one preemption; with two, where loads are no scheduling points.
constexpr std::array small_scripts{
    "=........: m2-4w | m4-6w",  // two claims become one VMA
    "=........: m2-4w | m4-6r",  // or do not
    "w.......: m1-3w | m3-5w",   // and a third: the claims go
    "........: m2-5w | m3-6r",   // one gap
    "=........: M2w | M2w",      // no place twice
    "..aaaa..: M3w | u3-5",      // is there a hole?
    "ww......: m2-4w | u0-2",    // a neighbour goes
    "wwrrww..: p2-4w | p2-4w",   // both sides join
    "wwrrww..: p2-4w | u0-2",    // the left goes meanwhile
    "wwrrww..: p2-4w | u4-6",    // the right
    "wwrrww..: p2-4w | p4-6r",
    "wwww....: p1-2r | p2-3r",  // two splits of one VMA
    "wwww....: u0-2 | p1-3r",   "wwww....: u1-3 | u0-4",
    "ww..ww..: m2-4w | F1",  // an anon_vma comes while neighbours join
    "wwrr....: F0 | p2-4w",
    "wwww....: f1 | u0-4",  // faults see it before or after
    "wwww....: F1 f1 | p0-4n",  "ww......: f3 | m2-4w",
    "aaaa....: m1-3w | F2",  // the same VMA again, but not the same pages
    "wwww....: d0-4 | u1-2",
    "ww......: x0-2+4 | m3-5w",  // growing into what is mapped
    "ww......: x0-2>4 | m4-6r", "ww......: x0-2>4 | f0 f4", "WW......: b2 | b3",
    "........: L | m2-4w",  // default flags
    "ww......: l0-2 | m2-3w",
    "........: F401 | b2",  // the stack grows, and the heap
    ".....: M2r | M2w",
};
/// More threads, more operations: sampled.
constexpr std::array large_scripts{
    "........: m2-4w | m4-6w | m3-5r",
    "........: M3w u0-8 | M3w | M3w",
    "wwrrww..: p2-4w | u0-2 m0-2w | f1 f3",
    "wwww....: u0-2 | u2-4 | m1-3r",
    "a.a.a.a.: m1w | m3w | m5w",
    "ww......: x0-2>4 x4-6>0 | x0-2+4 | f4 f0",
    "........: m2-4w p2-4r | m4-6w p4-6r | m0-2w",
    "........: L K | M2w M2w | b1 b0",
    "..W...: M1w u3-6 | m3-5n u2-4 | M3w M1w",
    "R..W..a.: m2-7n m2-6r | m1-2r M2r | u2-6 m4-8r",
};

struct bounds {
    std::uint64_t exhaustive;
    std::uint64_t sampled;
};

template <class Policy>
struct space_suite {
    static void run(std::string_view text, explore::simulate::search const& s) {
        auto const what = space_script::parse(text);
        auto const result = explore::simulate::explore(
            [&what] { return std::make_unique<explore::space_actors<Policy>>(what); }, s);
        explore::count_schedules(result.schedules, s.by, result.exhausted);
        if (result.found)
            FAIL_CHECK(std::string{Policy::name}
                       << " on '" << what.text << "'\n"
                       << result.found->text() << "\n"
                       << explore::replay_command('*' + std::string{Policy::name}, text,
                                                  result.found->how));
    }
    static void replay() {
        auto const what = space_script::parse(explore::script_to_replay());
        auto const again = explore::simulate::replay(
            [&what] { return std::make_unique<explore::space_actors<Policy>>(what); },
            explore::simulate::schedule::parse(explore::schedule_to_replay()));
        CHECK_MESSAGE(!again, std::string{Policy::name} << " on '" << what.text << "'\n"
                                                        << (again ? again->text() : ""));
    }
};

}  // namespace

#define MANYLOCK_REGISTER_POLICY(policy) TYPE_TO_STRING(manylock::policies::policy);
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY

TEST_SUITE("explore/space") {
    TEST_CASE_TEMPLATE_DEFINE(
        "every schedule with few preemptions of two threads in an address space is kept", Policy,
        exhaustive) {
        if (explore::asked_to_replay()) return;
        for (auto const* const text : small_scripts) {
            space_suite<Policy>::run(text, {.by = strategy::exhaustive,
                                            .preemptions = 1,
                                            .schedules = explore::scaled(5'000)});
            space_suite<Policy>::run('%' + std::string{text},
                                     {.by = strategy::exhaustive,
                                      .preemptions = 2,
                                      .schedules = explore::scaled(2'000)});
        }
    }
    TEST_CASE_TEMPLATE_DEFINE("sampled schedules of operations on an address space are kept",
                              Policy, sampled) {
        if (explore::asked_to_replay()) return;
        auto const seed = explore::seed();
        for (auto const by : {strategy::random, strategy::pct}) {
            for (auto const* const text : small_scripts)
                space_suite<Policy>::run(
                    text, {.by = by, .schedules = explore::scaled(50), .seed = seed});
            for (auto const* const text : large_scripts)
                space_suite<Policy>::run(
                    text, {.by = by, .schedules = explore::scaled(150), .seed = seed});
        }
        for (auto const* const text : large_scripts)
            space_suite<Policy>::run(text, {.by = strategy::lockstep, .schedules = 60});
    }
    TEST_CASE_TEMPLATE_DEFINE("sampled schedules of random operations on an address space are kept",
                              Policy, random) {
        if (explore::asked_to_replay()) return;
        auto const seed = explore::seed();
        for (std::uint64_t i = 0; i < explore::scaled(400); ++i)
            space_suite<Policy>::run(explore::random_space_script(seed + i),
                                     {.by = i % 2 == 0 ? strategy::random : strategy::pct,
                                      .schedules = 25,
                                      .seed = seed + i});
    }
    TEST_CASE_TEMPLATE_DEFINE("replays the schedule of an address space that the environment names",
                              Policy, replays) {
        if (explore::asked_to_replay()) space_suite<Policy>::replay();
    }

#define MANYLOCK_REGISTER_POLICY(policy)                               \
    TEST_CASE_TEMPLATE_INVOKE(exhaustive, manylock::policies::policy); \
    TEST_CASE_TEMPLATE_INVOKE(sampled, manylock::policies::policy);    \
    TEST_CASE_TEMPLATE_INVOKE(random, manylock::policies::policy);     \
    TEST_CASE_TEMPLATE_INVOKE(replays, manylock::policies::policy);
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
}

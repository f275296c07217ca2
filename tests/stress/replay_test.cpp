// The shipped recordings replay to the kernel's own final map (and checkpoints), under every policy,
// with one thread, with one for each recorded thread, and multiplied into users of one space.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "program.hpp"
#include "result.hpp"

using namespace manylock::stress::testing;

namespace {

void check_replay(std::string const& recording, std::string const& threads,
                  std::string const& policies, std::string const& regions = "") {
    temporary_directory const place;
    std::vector<std::string> arguments{"replay",
                                       MANYLOCK_SOURCE_DIR "/stress/replay/recorded/" + recording,
                                       "--policy",
                                       policies,
                                       "--threads",
                                       threads,
                                       "--check",
                                       "--out",
                                       (place / "out").string()};
    if (!regions.empty()) arguments.insert(arguments.end(), {"--regions", regions});
    auto const result = run_program(arguments);
    CAPTURE(result.out);
    CAPTURE(result.err);
    CHECK(result.status == 0);
    CHECK(result.out.find(" 0 failed") != std::string::npos);
}

#ifdef __SANITIZE_THREAD__
constexpr char const* some_policies =
    "umbrella,wound_wait,cycle_detection";  // 72 threads are slow here
#else
constexpr char const* some_policies = "all";
#endif

}  // namespace

TEST_SUITE("replay") {
    TEST_CASE("sqlite3 ends in the kernel's map with one thread") {
        check_replay("sqlite3", "1", "all");
    }
    TEST_CASE("sqlite3 ends in the kernel's map with every recorded thread") {
        check_replay("sqlite3", "traced", "all");
    }
    TEST_CASE("sqlite3 ends in the kernel's map under the detector that walks with Boost") {
        check_replay("sqlite3", "traced", "cycle_detection_bgl");
    }
    TEST_CASE("python ends in the kernel's map with one thread") {
        check_replay("python", "1", "all");
    }
    TEST_CASE("python ends in the kernel's map with every recorded thread") {
        check_replay("python", "traced", some_policies);
    }
    TEST_CASE("sqlite3 ends in the kernel's map for each of three users in regions of their own") {
        check_replay("sqlite3", "3", "all", "disjoint");
    }
    TEST_CASE("python leaves the space in order when two users share its addresses") {
        check_replay("python", "2", "umbrella,wound_wait,cycle_detection", "shared");
    }
    TEST_CASE("what was replayed and how it went stands in the columns and on the output") {
        temporary_directory const place;
        auto const result = run_program(
            {"replay", MANYLOCK_SOURCE_DIR "/stress/replay/recorded/sqlite3", "--policy",
             "umbrella,wound_wait", "--threads", "1,2,traced", "--regions", "disjoint", "--work",
             "traced", "--repeat", "2", "--out", (place / "out").string()});
        CAPTURE(result.err);
        REQUIRE(result.status == 0);
        auto const order = result.out.find("order: 21920 items, ");
        CHECK(order != std::string::npos);
        CHECK(result.out.find("order: ", order + 1) == std::string::npos);  // once a program
        CHECK(result.out.find("left out: 2 brk that moved no page") != std::string::npos);
        auto const rows = manylock::stress::read_results(place / "out");
        REQUIRE(rows.size() == 12);
        for (auto const& row : rows) {
            CHECK(row.work == "traced");
            CHECK(row.fault_success.value_or(0) > 0);
            CHECK(row.fault_retry.has_value());
            // A fault works half a microsecond.
            CHECK(row.fault_ns_p50.value_or(0) >= 500);
            CHECK(row.fault_ns_max >= row.fault_ns_p99);
        }
        CHECK(rows[0].regions.empty());
        CHECK(rows[0].commits == 21'920U);
        CHECK_FALSE(rows[0].order_edges.has_value());
        CHECK(rows[2].regions == "disjoint");
        CHECK(rows[2].threads == 2U);
        CHECK(rows[2].commits == 2 * (21'920U - 2));
        CHECK(rows[4].regions.empty());
        CHECK(rows[4].threads == 49U);
        CHECK(rows[4].order_edges.value_or(0) > 0);
        CHECK(rows[4].parallel_width.value_or(0) > 1);
        CHECK(rows[6].round == 1U);
    }
}

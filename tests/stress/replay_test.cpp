// The shipped recordings replay to the kernel's own final map (and checkpoints), under every policy,
// with one thread, with one for each recorded thread, and multiplied into users of one space.
#include <doctest/doctest.h>

#include <filesystem>
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

constexpr char const* maps_rows =
    "400000-401000 r-xp 00000000 fe:01 7                          /bin/tiny\n"
    "7f0000000000-7f0000002000 rw-p 00000000 00:00 0 \n";

/// A recording of one process, 100, whose calls leave the maps as they were.
void write_recording(temporary_directory const& place, std::string const& calls) {
    write_text(place / "initial.maps", std::string("# t_real=1000.0 tgid=100\n") + maps_rows);
    write_text(place / "final.maps", std::string("# t_real=2000.0 tgid=100\n") + maps_rows);
    write_text(place / "trace.strace", calls);
}

finished replay(temporary_directory const& recording, temporary_directory const& place,
                std::vector<std::string> const& more = {}) {
    std::vector<std::string> arguments{
        "replay", recording.path().string(), "--policy", "no_wait", "--check",
        "--out",  (place / "out").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
}

}  // namespace

TEST_SUITE("replay") {
    TEST_CASE("a bad recording ends in exit 2 and one sentence and no directory") {
        std::string const good = "100 1001.0 brk(NULL) = 0x600000 <0.000001>\n";
        auto const check = [](temporary_directory const& recording, std::string const& part) {
            temporary_directory const place;
            auto const result = replay(recording, place);
            CAPTURE(result.err);
            CHECK(result.status == 2);
            CHECK(result.out.empty());
            CHECK(is_one_sentence(result.err));
            CHECK(result.err.find(part) != std::string::npos);
            CHECK(entries(place.path()) == 0);
        };
        temporary_directory const recording;
        check(recording, "holds neither trace.strace nor events.tsv");
        write_recording(recording, good + "100 1001.1 frobnicate(1) = 0 <0.1>\n");
        check(recording, "trace.strace:2: the call 'frobnicate'");
        write_recording(recording, good + "100 1001.1 munmap(12, x) = 0 <0.1>\n");
        check(recording, "trace.strace:2: ");
        write_recording(recording, good);
        write_text(recording / "faults.txt.gz", "no gzip");
        check(recording, "faults.txt.gz: is not a valid gzip file");
        std::filesystem::remove(recording / "faults.txt.gz");
        std::filesystem::remove(recording / "final.maps");
        check(recording, "final.maps: no such file");
    }

    TEST_CASE("what the reader does not understand is counted when asked to") {
        temporary_directory const recording;
        temporary_directory const place;
        write_recording(recording,
                        "100 1001.0 brk(NULL) = 0x600000 <0.000001>\n"
                        "100 1001.1 frobnicate(1) = 0 <0.1>\n"
                        "100 1001.2 shmat(1, NULL, 0) = 0x7f5000000000 <0.1>\n"
                        "what is this\n");
        auto const result = replay(recording, place, {"--skip-unknown"});
        CAPTURE(result.err);
        CHECK(result.status == 0);
        CHECK(result.out.find("skipped: 3 lines that the reader does not understand\n") !=
              std::string::npos);
        CHECK(replay(recording, place).err.find("trace.strace:2: the call 'frobnicate'") !=
              std::string::npos);
    }

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

// The command simulate as its users meet it, and what its rows must be whatever the policy.
#include "options_simulate.hpp"

#include "commands.hpp"
#include "input_error.hpp"
#include "program.hpp"
#include "refused.hpp"
#include "result.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace manylock::stress::testing {
namespace {

using numbers = std::vector<std::uint64_t>;

finished simulate(std::string const& options, std::filesystem::path const& out,
                  std::string const& seed = "9") {
    auto arguments = words("simulate --seed " + seed + ' ' + options);
    arguments.insert(arguments.end(), {"--out", out.string()});
    return run_program(arguments);
}

/// No two transactions of this are alone with their locks.
constexpr auto contended = "--workload uniform --locks 12 --hold-ns 200 --cores 2,5 --commits 300 ";

}  // namespace

TEST_SUITE("stress/simulate") {
    TEST_CASE("three dots go on as a list of cores begins") {
        auto const list = [](std::string_view text) { return core_list("--cores", text); };
        CHECK(list("7") == numbers{7});
        CHECK(list("5,1,3") == numbers{5, 1, 3});
        CHECK(list("1,2,4,...,64") == numbers{1, 2, 4, 8, 16, 32, 64});
        CHECK(list("1,2,...,8") == numbers{1, 2, 4, 8});
        CHECK(list("1,3,9,...,81") == numbers{1, 3, 9, 27, 81});
        CHECK(list("2,4,6,...,12") == numbers{2, 4, 6, 8, 10, 12});
        CHECK(list("10,15,...,25") == numbers{10, 15, 20, 25});
        CHECK(list("1,2,4,...,4096").size() == 13);
        CHECK(list("1,2,3,...,4096").size() == 4096);
        CHECK(list("1,2,4,...,5") == numbers{1, 2, 4, 5});  // the end that was asked for, always
        CHECK(list("1,2,4,...,16,20,30,...,50") == numbers{1, 2, 4, 8, 16, 20, 30, 40, 50});
    }

    TEST_CASE("a list of cores that cannot be understood is refused") {
        auto const refused = [](std::string_view text, std::string const& part) {
            CAPTURE(text);
            std::string what;
            try {
                static_cast<void>(core_list("--cores", text));
            } catch (input_error const& error) {
                what = error.what();
            }
            CHECK(what.starts_with("--cores: '"));
            CHECK(what.find(part) != std::string::npos);
        };
        for (auto const* text : {"", "0", "4097", "-1", "x", "1,", ",1", "1,,2", "1.5", "1, 2",
                                 "..", "1,2,....,8", "99999999999999999999"}) {
            refused(text, "is not a whole number from 1 to 4096");
        }
        for (auto const* text : {"...", "1,...", "1,...,4", "...,4", "1,2,...", "1,2,...,...,4"}) {
            refused(text, "three dots in the wrong place; write them as in 1,2,4,...,64");
        }
        for (auto const* text : {"4,2,...,1", "4,2,...,8"}) refused(text, "does not rise");
        for (auto const* text : {"2,4,...,3", "2,4,...,4", "1,2,4,...,2"})
            refused(text, "ends before");
        for (auto const* text : {"4,4", "1,2,4,1", "8,1,2,4,...,16", "1,2,...,8,2"})
            refused(text, "names one number twice");
    }

    TEST_CASE("each option of simulate refuses what it cannot use and writes nothing") {
        auto const known = policies_of_this_program();
        auto const refused = [&](std::string const& line, std::string const& part) {
            CAPTURE(line);
            auto arguments = words("manylock-stress simulate " + line);
            std::vector<char const*> argv;
            for (auto const& one : arguments) argv.push_back(one.c_str());
            std::string what;
            try {
                static_cast<void>(
                    parse_options(static_cast<int>(argv.size()), argv.data(), known, 2));
            } catch (input_error const& error) {
                what = error.what();
            }
            CAPTURE(what);
            CHECK(what.find(part) != std::string::npos);
        };
        refused("", "simulate needs one of a directory of a recorded program, --workload W and");
        refused("--workload uniform --preset ring", "exclude each other");
        refused("somewhere --workload uniform", "needs one of");
        refused("--workload juggle", "the workloads are uniform, zipf");
        refused("--preset juggle", "'juggle' is not a preset; the presets are contended");
        auto const on_locks = [&](std::string const& options, std::string const& part) {
            refused("--workload uniform " + options, part);
        };
        on_locks("--policy wait_dye", "'wait_dye' is not a policy; the policies are umbrella");
        on_locks(
            "--policy all,cycle_detection_bgl",
            "--policy: 'cycle_detection_bgl' cannot be simulated; those that can are umbrella, "
            "wound_wait, wait_die, cycle_detection, lock_ordering, no_wait, cycle_detection_8");
        refused("--workload vma_mix --policy cycle_detection_8",
                "for the workloads on plain locks");
        refused("somewhere --policy cycle_detection_8", "for the workloads on plain locks");
        on_locks("--cores 0", "--cores: '0'");
        on_locks("--cores 8,4,...,2", "does not rise");
        on_locks("--threads 0", "--threads: '0'");
        on_locks("--sockets 65", "--sockets: '65' is not a whole number from 1 to 64");
        for (auto const* value : {"0", "x", "-1"})
            on_locks(std::string("--commits ") + value, "--commits: '");
        for (auto const* value : {"0", "257"})
            on_locks(std::string("--jobs ") + value, "--jobs: '");
        for (auto const* value : {"0", "1001"})
            on_locks(std::string("--rounds ") + value, "--rounds: '");
        on_locks("--cost transfer", "'transfer' is not key=value, as in transfer=45");
        on_locks("--cost teleport=1", "names no cost; the costs are hit, atomic_hit");
        for (auto const* value : {"", "x", "-1", "1.5", "1000000001", "4ns"})
            on_locks(std::string("--cost transfer=") + value, "is not a whole number from 0 to");
        on_locks("--cost hit=0", "is not a whole number from 1 to");
        on_locks("--cost time_slice=999", "is not a whole number from 1000 to");
        on_locks("--cost sockets=0", "is not a whole number from 1 to 64");
        on_locks("--costs /nonexistent", "the file of costs /nonexistent does not exist");
        for (auto const* option : {"--regions shared", "--work none"})
            on_locks(option, "belongs to the replay of a recorded program");
        for (auto const* option : {"--seconds 1", "--sample-restarts 1/4"})
            on_locks(option, "is not expected here");
        for (auto const* option : {"--commits 5", "--locks 5", "--read-percent 5", "--hold-ns 5",
                                   "--order fixed", "--zipf 1", "--locks-per-transaction 2"}) {
            refused(std::string("somewhere ") + option,
                    "has no meaning for the replay of a recorded");
        }
        refused("somewhere --threads traced,5,5", "names one item twice");
        refused("somewhere --work all", "--work: 'all'");
    }

    TEST_CASE("a refusal is one sentence and leaves nothing behind") {
        temporary_directory const place;
        auto const refused = [&](std::string const& line, std::string const& part) {
            auto arguments = words("simulate " + line);
            arguments.insert(arguments.end(), {"--out", (place / "out").string()});
            check_refused(arguments, part);
        };
        refused("--workload juggle", "the workloads are uniform, zipf");
        refused("--workload uniform --policy cycle_detection_bgl", "cannot be simulated");
        refused("--workload uniform --cost hit=0", "is not a whole number from 1 to");
        refused("/nonexistent", "/nonexistent: is not a directory");
        refused(place.path().string(), "holds neither trace.strace nor events.tsv");
        check_refused(words("simulate --workload uniform --out /dev/null"),
                      "cannot make the directory /dev/null");
        CHECK(entries(place.path()) == 0);
    }

    TEST_CASE("a file of costs is read and its mistakes are named by line") {
        temporary_directory const place;
        auto const file = place / "costs.txt";
        auto const with = [&](std::string const& text) {
            write_text(file, text);
            return std::vector<std::string>{"simulate", "--workload", "uniform", "--costs",
                                            file.string()};
        };
        check_refused(with("transfer=45\n\n# nothing\nteleport=3\n"), "costs.txt:4: 'teleport=3'");
        check_refused(with("hit=2 # fine\nhit=3\n"), "costs.txt:2: hit is given twice");
        check_refused(with("hit\n"), "costs.txt:1: 'hit' is not key=value");
        // Ten times the work takes longer, from the file and over it.
        auto const seconds = [&](std::string const& options) {
            auto const out = place / "out";
            REQUIRE(simulate(std::string(contended) + "--policy wait_die " + options, out).status ==
                    0);
            return read_results(out).front().seconds.value_or(0);
        };
        write_text(file, "transaction=20000\n");
        auto const dear = seconds("--costs " + file.string());
        auto const usual = seconds("");
        CHECK(dear > 2 * usual);
        CHECK(seconds("--costs " + file.string() + " --cost transaction=20") == usual);
    }

    TEST_CASE(
        "the same seed gives the same results to the byte however many rows run side by side") {
        temporary_directory const place;
        auto const csv = [&](std::string const& options, std::string const& seed = "9") {
            auto const out = place / "out";
            auto const result = simulate(contended + options, out, seed);
            CAPTURE(result.err);
            REQUIRE(result.status == 0);
            return file_text(out / "results.csv");
        };
        auto const first = csv("--policy all --jobs 1");
        CHECK(std::count(first.begin(), first.end(), '\n') == 1 + 2 * 6);
        CHECK(csv("--policy all --jobs 1") == first);
        CHECK(csv("--policy all --jobs 2") == first);
        CHECK(csv("--policy all --jobs 2", "10") != first);
    }

    TEST_CASE("each round and each seed draws transactions of its own and no policy does") {
        temporary_directory const place;
        REQUIRE(simulate(
                    std::string("--workload uniform --cores 1 --commits 200 --rounds 2 --hold-ns 9 "
                                "--policy wait_die,cycle_detection"),
                    place.path())
                    .status == 0);
        auto const rows = read_results(place.path());
        REQUIRE(rows.size() == 4);
        for (auto const& row : rows) CHECK(row.commits == 200U);
        CHECK(rows[0].round == 0U);
        CHECK(rows[2].round == 1U);
        CHECK(rows[2].policy == rows[0].policy);
        CHECK(rows[2].seconds != rows[0].seconds);
        CHECK(rows[1].policy != rows[0].policy);
    }

    TEST_CASE("every restart is needed or not or was asked for") {
        std::uint64_t needed = 0;
        std::uint64_t not_needed = 0;
        for (auto const* workload :
             {"uniform --locks 12 --hold-ns 200",
              "uniform --locks 8 --read-percent 50 --hold-ns 200", "zipf --zipf 1.2", "hotspot",
              "ring", "disjoint", "bank --locks 6", "vma_mix", "giant_vma"}) {
            CAPTURE(std::string(workload));
            temporary_directory const place;
            auto const result = simulate(std::string("--check --policy all --cores 4 --threads 4,7 "
                                                     "--commits 150 --workload ") +
                                             workload,
                                         place.path());
            CAPTURE(result.out);
            CAPTURE(result.err);
            REQUIRE(result.status == 0);
            auto const rows = read_results(place.path());
            REQUIRE(rows.size() == 2 * 6);
            for (auto const& row : rows) {
                CAPTURE(row.policy);
                CHECK(row.check == "ok");
                CHECK(row.platform == "simulated");
                CHECK(row.cores == 4U);
                CHECK(row.commits >= 150U);
                REQUIRE(row.restarts_cycle.has_value());
                REQUIRE(row.restarts_precaution.has_value());
                CHECK(*row.restarts_cycle + *row.restarts_precaution +
                          row.restarts_injected.value_or(0) + row.restarts_stale.value_or(0) ==
                      row.restarts);
                needed += *row.restarts_cycle;
                not_needed += *row.restarts_precaution;
                if (row.policy == "cycle_detection") CHECK(*row.restarts_precaution == 0);
                if (row.policy == "umbrella") CHECK(row.restarts == row.restarts_stale.value_or(0));
                // Nobody waits while it holds something, so no cycle can close.
                if (row.policy == "no_wait") CHECK(*row.restarts_cycle == 0);
                if (row.policy == "wait_die" || row.policy == "no_wait")
                    CHECK(row.cycles_formed == 0U);
                std::uint64_t of_lengths = 0;
                std::istringstream lengths(row.cycle_lengths);
                for (std::string one; lengths >> one;) {
                    auto const colon = one.find(':');
                    REQUIRE(colon != std::string::npos);
                    CHECK(std::stoull(one) >= 2);
                    of_lengths += std::stoull(one.substr(colon + 1));
                }
                CHECK(of_lengths == *row.restarts_cycle);
            }
        }
        CHECK(needed > 100);
        CHECK(not_needed > 100);
    }

    TEST_CASE("a recorded program ends in the kernel's map on one core and on four") {
        temporary_directory const place;
        auto const result = simulate(
            std::string(MANYLOCK_SOURCE_DIR) +
                "/stress/replay/recorded/sqlite3 --policy cycle_detection --cores 1,4 --check",
            place.path());
        CAPTURE(result.out);
        CAPTURE(result.err);
        REQUIRE(result.status == 0);
        auto const rows = read_results(place.path());
        REQUIRE(rows.size() == 2);
        for (auto const& row : rows) CHECK(row.check == "ok");
        CHECK(rows[0].threads == 1U);
        CHECK(rows[1].threads == 4U);
        CHECK(rows[1].cores == 4U);
        CHECK(rows[1].commits_per_second > rows[0].commits_per_second);
    }

    TEST_CASE("the report draws the graphs of a simulated result") {
        temporary_directory const place;
        REQUIRE(simulate(std::string(contended) + "--policy wait_die,cycle_detection", place.path())
                    .status == 0);
        auto const result = run_program({"report", place.path().string()});
        CAPTURE(result.err);
        REQUIRE(result.status == 0);
        std::size_t graphs = 0;
        for (auto const& entry : std::filesystem::directory_iterator(place.path())) {
            if (entry.path().extension() != ".svg") continue;
            ++graphs;
            CAPTURE(entry.path().string());
            CHECK(file_text(entry.path()).find("wait_die") != std::string::npos);
        }
        CHECK(graphs >= 4);
        CHECK(file_text(place / "report.html").ends_with("</html>\n"));
    }

    TEST_CASE("a sample of a native run's restarts fills the tags and is marked as one") {
        for (auto const* value : {"", "4", "2/4", "1/0", "1/x"}) {
            check_refused({"run", "--workload", "uniform", "--sample-restarts", value},
                          "--sample-restarts: '");
        }
        check_refused(words("run --workload vma_mix --sample-restarts 1/4"),
                      "has no meaning for workload vma_mix");
        temporary_directory const place;
        auto arguments = words(
            "run --workload ring --locks 3 --locks-per-transaction 2 --hold-ns 2000 "
            "--yield-in-hold --threads 4 "
            "--commits 400 --rounds 1 --seed 4 --policy umbrella,no_wait --sample-restarts 1/4");
        arguments.insert(arguments.end(), {"--out", place.path().string()});
        auto const result = run_program(arguments);
        CAPTURE(result.err);
        REQUIRE(result.status == 0);
        for (auto const& row : read_results(place.path())) {
            CAPTURE(row.policy);
            if (row.policy == "umbrella") {
                CHECK(row.restarts_cycle.value_or(0) == 0);
                continue;
            }
            CHECK(row.sampled == "1/4");
            CHECK(row.restarts > 20U);
            REQUIRE(row.restarts_cycle.has_value());
            CHECK(*row.restarts_cycle + row.restarts_precaution.value_or(0) == row.restarts);
        }
    }
}

}  // namespace manylock::stress::testing

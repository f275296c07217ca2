// The command line as its users meet it: the built program, run as a child. Bad usage and bad input
// give exit 2 and one sentence and leave no file; a run leaves exactly its result files.
#include "program.hpp"
#include "refused.hpp"
#include "result.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace manylock::stress::testing {
namespace {

/// A short run in a directory of its own.
std::vector<std::string> run_in(temporary_directory const& place, std::string const& options) {
    auto arguments = words("run --seconds 0.05 --rounds 1 --seed 9 " + options);
    arguments.insert(arguments.end(), {"--out", (place / "out").string()});
    return arguments;
}

std::vector<std::string> policy_names() {
    auto const listed = nlohmann::json::parse(run_program({"list", "--json"}).out);
    std::vector<std::string> names;
    for (auto const& p : listed.at("policies")) names.push_back(p.at("name"));
    return names;
}

/// Every policy that can do `workload`, twins included.
std::vector<std::string> policies_for(std::string const& workload) {
    auto names = policy_names();
    if (workload == "vma_mix" || workload == "giant_vma") {
        for (auto const* limit : {"8", "10", "50", "200", "4096"})
            std::erase(names, std::string("cycle_detection_") + limit);
    }
    return names;
}

std::string joined(std::vector<std::string> const& names) {
    std::string all;
    for (auto const& name : names) all += (all.empty() ? "" : ",") + name;
    return all;
}

}  // namespace

TEST_SUITE("stress/command_line") {
    TEST_CASE("help is there for the program and each command") {
        for (auto const* command :
             {"", "list", "run", "simulate", "replay", "report", "suite", "calibrate"}) {
            CAPTURE(command);
            auto arguments = words(command);
            arguments.emplace_back("--help");
            auto const result = run_program(arguments);
            CHECK(result.status == 0);
            CHECK(result.out.find("Usage: manylock-stress") != std::string::npos);
            CHECK(result.err.empty());
        }
    }

    TEST_CASE("list names the policies and workloads and presets") {
        auto const text = run_program({"list"});
        CHECK(text.status == 0);
        auto const json = nlohmann::json::parse(run_program({"list", "--json"}).out);
        for (auto const* kind : {"policies", "workloads", "presets"}) {
            for (auto const& entry : json.at(kind)) {
                auto const name = entry.at("name").get<std::string>();
                CAPTURE(name);
                CHECK(text.out.find(name) != std::string::npos);
                CHECK_FALSE(entry.at("description").get<std::string>().empty());
            }
        }
        auto const names = policy_names();
        std::set<std::string> const known(names.begin(), names.end());
        for (auto const* name : {"umbrella", "wound_wait", "wait_die", "cycle_detection",
                                 "lock_ordering", "no_wait"}) {
            CHECK(known.contains(name));
        }
    }

    TEST_CASE("commands and arguments that do not exist are refused") {
        check_refused({}, "no command given");
        check_refused({"walk"}, "'walk' is not a command; the commands are list");
        check_refused({"list", "extra"}, "'extra' is not expected here");
        check_refused({"run", "--bogus"}, "'--bogus' is not expected here");
        check_refused({"replay"}, "replay needs a directory");
        check_refused({"report"}, "report needs a directory");
        check_refused({"report", "a", "b", "c"}, "DIR");
        check_refused({"--log-level", "loud", "list"}, "--log-level: 'loud' is not a level");
    }

    TEST_CASE("policies for plain locks only are refused where there is an address space") {
        auto const refused = [](std::string const& line, std::string const& what) {
            check_refused(words(line),
                          "--policy: 'cycle_detection_8' is for the workloads on "
                          "plain locks, and " +
                              what + " is none");
        };
        refused("run --workload vma_mix --policy cycle_detection_8", "vma_mix");
        refused("run --workload giant_vma --policy all,cycle_detection_8", "giant_vma");
        refused("replay somewhere --policy cycle_detection_8", "replay");
        refused("suite --policy cycle_detection_8", "suite");
        refused("run --forever --policy cycle_detection_8", "vma_mix");
        refused("run --forever --workload zipf --recording somewhere --policy cycle_detection_8",
                "--recording");
    }

    TEST_CASE("each option of run refuses what it cannot use") {
        auto const refused = [](std::string const& options, std::string const& part) {
            check_refused(words("run --workload uniform " + options), part);
        };
        check_refused({"run"}, "needs --workload W or --preset NAME");
        check_refused(words("run --workload juggle"), "the workloads are uniform, zipf");
        check_refused(words("run --preset juggle"), "the presets are contended, hellstrom");
        refused("--preset oversub", "exclude each other");
        refused("--workload zipf", "--workload");
        refused("--policy wait_dye",
                "'wait_dye' is not a policy; the policies are umbrella, wound_wait");
        refused("--policy all,wait_die", "names one item twice");
        for (auto const* value : {"0", "-1", "x", "1,,2", ",1", "1,", "1025", "2,2", "1.5",
                                  "99999999999999999999999"}) {
            refused(std::string("--threads ") + value, "--threads: '");
        }
        for (auto const* value : {"0", "-4", "x", "16777217", "0x"})
            refused(std::string("--locks ") + value, "--locks: '");
        refused("--locks-per-transaction 0",
                "--locks-per-transaction: '0' is not a whole number from 1");
        refused("--locks 3 --locks-per-transaction 4", "cannot take 4 different locks of 3");
        check_refused(words("run --workload disjoint --locks 20 --threads 2,6"),
                      "6 threads with 4 locks each of their own need 24 locks, and there are 20");
        for (auto const* value : {"-1", "101", "nan", "x"})
            refused(std::string("--read-percent ") + value, "--read-percent: '");
        refused("--zipf 1", "--zipf has no meaning for workload uniform");
        check_refused(words("run --workload zipf --zipf -1"),
                      "--zipf: '-1' is not a number from 0 to 10");
        refused("--hot-position 0.5", "--hot-position has no meaning for workload uniform");
        check_refused(words("run --workload hotspot --hot-position 2"), "from 0 to 1");
        for (auto const* value : {"-1", "1000000001", "1us"})
            refused(std::string("--hold-ns ") + value, "--hold-ns: '");
        refused("--order sideways", "the orders are random, ascending, fixed, reorder");
        for (auto const* value : {"0", "-1", "inf", "3601", "s"})
            refused(std::string("--seconds ") + value, "--seconds: '");
        refused("--commits 0", "--commits: '0' is not a whole number from 1");
        refused("--commits 5 --seconds 1", "exclude each other");
        for (auto const* value : {"0", "1001", "x"})
            refused(std::string("--rounds ") + value, "--rounds: '");
        for (auto const* value : {"-1", "x", "18446744073709551616", "0xg"})
            refused(std::string("--seed ") + value, "--seed: '");
        refused("--check=perhaps", "--check");
        refused("--threads", "--threads");
        check_refused(words("run --workload bank --locks-per-transaction 1"), "needs 2 accounts");
        check_refused(words("run --workload bank --read-percent 5"),
                      "--read-percent has no meaning for workload bank");
        check_refused(words("run --workload vma_mix --locks 5"),
                      "--locks has no meaning for workload vma_mix");
        check_refused(words("run --preset hellstrom --order fixed"), "has random and ascending");
        check_refused({"run", "--workload", "uniform", "--out", ""}, "--out");
        check_refused({"run", "--workload", "uniform", "--out", "/dev/null"},
                      "cannot make the directory /dev/null");
        check_refused({"run", "--workload", "uniform", "--out", "/dev/null/x"}, "/dev/null/x");
    }

    TEST_CASE("each option of replay and suite refuses what it cannot use") {
        temporary_directory const empty;
        auto const dir = empty.path().string();
        check_refused({"replay", "/nonexistent"}, "/nonexistent");
        check_refused({"replay", dir}, "holds neither trace.strace nor events.tsv");
        for (auto const* value : {"0", "tracked", "1,traced,1"}) {
            check_refused({"replay", dir, "--threads", value}, "--threads: '");
        }
        check_refused({"replay", dir, "--policy", "none"}, "--policy: 'none'");
        check_refused({"replay", dir, "--repeat", "0"}, "--repeat: '0'");
        for (auto const* value : {"", "apart", "shared,disjoint"}) {
            check_refused({"replay", dir, "--threads", "2", "--regions", value}, "--regions: '");
        }
        for (auto const* threads : {"1", "traced", "1,traced"}) {
            check_refused({"replay", dir, "--threads", threads, "--regions", "disjoint"},
                          "--regions has no meaning without several users");
        }
        for (auto const* value : {"", "0", "-1", "x", "all", "10000001", "1.5"}) {
            check_refused({"replay", dir, "--work", value}, "--work: '");
        }
        check_refused({"suite", "--seconds", "61"}, "--seconds: '61'");
        check_refused({"suite", "--rounds", "0"}, "--rounds: '0'");
        check_refused({"suite", "--recording", dir}, "holds neither trace.strace nor events.tsv");
        CHECK(entries(empty.path()) == 0);
    }

    TEST_CASE("a run writes its two files and nothing else and the columns are the contract") {
        temporary_directory const place;
        auto const result = run_program(
            run_in(place, "--workload zipf --policy wound_wait,umbrella --threads 2,1"));
        CAPTURE(result.err);
        CHECK(result.status == 0);
        CHECK(result.err.empty());
        CHECK(result.out.starts_with("seed=9 commit="));
        CHECK(entries(place / "out") == 2);
        auto const rows = read_results(place / "out");
        REQUIRE(rows.size() == 4);
        auto const& row = rows.front();
        CHECK(row.policy == "wound_wait");
        CHECK(rows[1].policy == "umbrella");
        CHECK(row.threads == 2U);
        CHECK(row.platform == "native");
        CHECK(row.zipf == 0.9);
        CHECK(row.seed == 9U);
        CHECK(row.commits.value_or(0) > 0);
        CHECK(row.restarts_wounded.has_value());
        CHECK_FALSE(row.restarts_died.has_value());
        CHECK_FALSE(row.restarts_cycle.has_value());
        CHECK_FALSE(row.fallbacks.has_value());
        CHECK(rows[1].fallbacks.has_value());
        CHECK(rows[1].restarts == 0U);
        CHECK(row.wasted_ns.has_value());
        CHECK(row.wasted_locks.value_or(0) >= row.restarts.value_or(1));
        CHECK_FALSE(rows[1].wasted_ns.has_value());
        CHECK_FALSE(rows[1].wasted_locks.has_value());
        CHECK(row.check.empty());
        auto const json = nlohmann::json::parse(file_text(place / "out/results.json"));
        CHECK(json.at("rows").size() == 4);
        CHECK(json.at("command").get<std::string>().find("--policy wound_wait,umbrella") !=
              std::string::npos);
    }

    TEST_CASE("commits in all are exact and a round gives every policy the same number") {
        temporary_directory const place;
        auto arguments = words(
            "run --workload uniform --commits 1001 --rounds 2 --threads 3 --policy "
            "wait_die,no_wait");
        arguments.insert(arguments.end(), {"--out", place.path().string()});
        CHECK(run_program(arguments).status == 0);
        auto const rows = read_results(place.path());
        REQUIRE(rows.size() == 4);
        for (auto const& row : rows) CHECK(row.commits == 1001U);
        CHECK(rows[0].round == 0U);
        CHECK(rows[2].round == 1U);
        CHECK(rows[0].policy != rows[1].policy);
    }

    TEST_CASE("every workload checks ok under every policy") {
        for (auto const* workload :
             {"uniform --locks 16", "uniform --locks 8 --read-percent 50", "zipf --zipf 1.2",
              "hotspot", "ring", "ring --locks-per-transaction 2", "disjoint", "bank --locks 8",
              "vma_mix", "giant_vma"}) {
            CAPTURE(workload);
            temporary_directory const place;
            auto const policies = policies_for(workload);
            auto const result =
                run_program(run_in(place, "--check --threads 4 --policy " + joined(policies) +
                                              " --workload " + workload));
            CAPTURE(result.out);
            CAPTURE(result.err);
            CHECK(result.status == 0);
            auto const rows = read_results(place / "out");
            CHECK(rows.size() == policies.size());
            for (auto const& row : rows) CHECK(row.check == "ok");
        }
    }

    TEST_CASE("the presets run and say what is scaled") {
        for (auto const* preset : {"hellstrom", "kselftest", "oversub"}) {
            CAPTURE(preset);
            temporary_directory const place;
            auto const result =
                run_program(run_in(place, std::string("--check --policy all --preset ") + preset));
            CAPTURE(result.out);
            CHECK(result.status == 0);
            CHECK(result.out.find("scaled: ") != std::string::npos);
        }
    }

    TEST_CASE("a preset of neighbours keeps its two locks and a scaled one its own number") {
        for (auto const* options :
             {"--preset folly", "--preset ring", "--preset bamboo-hs1 --locks 500"}) {
            CAPTURE(options);
            temporary_directory const place;
            auto arguments = words("run --seconds 0.002 --rounds 1 --policy no_wait --threads 2");
            for (auto const& word : words(options)) arguments.push_back(word);
            arguments.insert(arguments.end(), {"--out", (place / "out").string()});
            auto const result = run_program(arguments);
            CAPTURE(result.err);
            REQUIRE(result.status == 0);
            CHECK(result.out.find("scaled: ") != std::string::npos);
            for (auto const& row : read_results(place / "out")) {
                CAPTURE(row.workload);
                auto const hot = row.workload.starts_with("bamboo");
                CHECK(row.locks_per_transaction == (hot ? 16U : 2U));
                CHECK(row.locks == (hot                                  ? 500U
                                    : row.workload == "folly_m8_ordered" ? 8U
                                                                         : *row.locks));
            }
        }
    }

    TEST_CASE("an interrupted run writes nothing") {
        temporary_directory const place;
        auto arguments = words("run --workload uniform --seconds 60 --policy no_wait --threads 2");
        arguments.insert(arguments.end(), {"--out", (place / "out").string()});
        child running(arguments);
        // The provenance is printed after the handler is in place.
        while (running.out_so_far().find('\n') == std::string::npos) std::this_thread::yield();
        CHECK(::kill(running.pid(), SIGINT) == 0);
        auto const result = running.wait();
        CHECK(result.status == 130);
        CHECK(is_one_sentence(result.err));
        CHECK(entries(place / "out") == 0);
    }
}

}  // namespace manylock::stress::testing

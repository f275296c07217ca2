// The soak and its watchdog: rounds follow from their seeds, bounds and interrupts end it cleanly, and what is
// stuck is described, be it behind a lock or behind a latch.
#include "program.hpp"
#include "soak.hpp"
#include "watchdog.hpp"
#include "workloads/watched.hpp"

#include <atomic>
#include <csignal>
#include <doctest/doctest.h>
#include <future>
#include <manylock/policies/cycle_detection.hpp>
#include <memory>
#include <set>
#include <stop_token>

namespace manylock::stress::testing {
namespace {

using namespace std::chrono_literals;

soak_options everything() {
    soak_options all;
    for (auto const& line : workload_names()) all.workloads.emplace_back(line.name);
    all.policies = {"umbrella", "wound_wait", "no_wait"};
    all.threads = {1, 2, 8};
    all.recordings = {"some/recording"};
    return all;
}

struct domain_and_locks {
    domain<policies::cycle_detection> family;
    domain<policies::cycle_detection>::lock_type lock;
    domain_entry entry{family};
};

}  // namespace

TEST_SUITE("stress/soak") {
    TEST_CASE("a round follows from its seed, and rounds differ") {
        auto const from = everything();
        std::set<std::string> names;
        std::set<std::string> chosen_policies;
        for (std::uint64_t n = 0; n < 100; ++n) {
            auto const seed = round_seed(17, n);
            auto const round = draw_round(from, seed);
            auto const again = draw_round(from, round_seed(seed, 0));
            CHECK(again.policy == round.policy);
            CHECK(again.threads == round.threads);
            CHECK(again.recording == round.recording);
            CHECK(again.what.name == round.what.name);
            CHECK(again.what.locks == round.what.locks);
            CHECK(round.what.locks_per_transaction <= round.what.locks);
            names.insert(round.recording ? "recording" : round.what.name);
            chosen_policies.insert(round.policy);
        }
        CHECK(names.size() == from.workloads.size() + 1);
        CHECK(chosen_policies.size() == from.policies.size());
    }

    TEST_CASE("it ends after its rounds and says how to repeat each") {
        auto const result = run_program({"run", "--forever", "--rounds", "3", "--seed", "5",
                                         "--workload", "bank", "--threads", "2"});
        CHECK(result.status == 0);
        CHECK(result.out.find("soak: 3 rounds") != std::string::npos);
        CHECK(result.out.find("3 ok, 0 failed") != std::string::npos);
        CHECK(result.err.find("round 0 seed 0x5: bank under") != std::string::npos);
        CHECK(result.err.find("round 2 seed") != std::string::npos);
        CHECK_FALSE(std::filesystem::exists("results/results.csv"));
        CHECK(replay_command(everything(), 5).find("--rounds 1 --seed 0x5") != std::string::npos);
    }

    TEST_CASE("an interrupt ends it cleanly") {
        temporary_directory const place;
        child running(
            {"run", "--forever", "--workload", "bank", "--out", (place / "out").string()});
        // The seed is printed after the handler is in place.
        while (running.out_so_far().find('\n') == std::string::npos) std::this_thread::yield();
        CHECK(::kill(running.pid(), SIGINT) == 0);
        auto const result = running.wait();
        CHECK(result.status == 0);
        CHECK(result.out.find(", 0 failed") != std::string::npos);
    }

    TEST_CASE("options that it draws itself are refused, and its own without it") {
        for (auto const& arguments : std::vector<std::vector<std::string>>{
                 {"run", "--forever", "--locks", "5"},
                 {"run", "--forever", "--preset", "contended"},
                 {"run", "--forever", "--seconds", "x"},
                 {"run", "--forever", "--watchdog", "-1"},
                 {"run", "--workload", "bank", "--recording", "x"}}) {
            auto const result = run_program(arguments);
            CHECK(result.status == 2);
            CHECK(result.out.empty());
        }
    }

    TEST_CASE("the watchdog ends a run in which nothing ends") {
        temporary_directory const place;
        // To a watchdog that waits 0.2 s a lock that is held for 1 s is held for ever.
        auto const result = run_program({"run",
                                         "--workload",
                                         "uniform",
                                         "--policy",
                                         "wound_wait",
                                         "--locks",
                                         "1",
                                         "--locks-per-transaction",
                                         "1",
                                         "--hold-ns",
                                         "1000000000",
                                         "--threads",
                                         "2",
                                         "--seconds",
                                         "30",
                                         "--rounds",
                                         "1",
                                         "--watchdog",
                                         "0.2",
                                         "--out",
                                         (place / "out").string()});
        CHECK(result.status == 1);
        CHECK(result.err.find("worker 1: begun 1") != std::string::npos);
        auto const text = file_text(place / "out/stuck.txt");
        CHECK(text == result.err);
        CHECK(text.find("; wants lock 0x") != std::string::npos);
        CHECK(file_text(place / "out/stuck.dot").find("digraph") != std::string::npos);
    }

    TEST_CASE("the watchdog names a transaction that is held for ever and who waits for it") {
        domain_and_locks stuck;
        stuck.family.name_lock(stuck.lock, "the lock");
        auto holder = stuck.family.begin();
        REQUIRE(holder.acquire(stuck.lock));
        std::promise<stuck_report> seen;
        std::jthread const waiter([&](std::stop_token const& stop) {
            worker_entry entry("worker", 7);
            entry.step();
            auto txn = stuck.family.begin();
            (void)txn.acquire(stuck.lock, mode::exclusive, stop);
        });
        watchdog const dog(50ms, [&](stuck_report const& r) { seen.set_value(r); });
        auto const report = seen.get_future().get();
        CAPTURE(report.text);
        CHECK(report.text.find("worker 7: begun 1") != std::string::npos);
        CHECK(report.text.find("holds the lock (exclusive)") != std::string::npos);
        CHECK(report.text.find("wants the lock (exclusive)") != std::string::npos);
        CHECK(report.dot.find("digraph") != std::string::npos);
    }

    TEST_CASE("the watchdog does without the graph where a latch is never freed") {
        domain_and_locks stuck;
        using queue = manylock::detail::wait_queue<domain<policies::cycle_detection>::config>;
        auto holder = stuck.family.begin();
        REQUIRE(holder.acquire(stuck.lock));
        std::jthread const waiter([&](std::stop_token const& stop) {
            worker_entry entry("worker", 1);
            auto txn = stuck.family.begin();
            (void)txn.acquire(stuck.lock, mode::exclusive, stop);
        });
        while (stuck.lock.waiter_count() == 0) std::this_thread::yield();
        auto const word = queue::latch(stuck.lock);
        std::promise<stuck_report> seen;
        {
            watchdog const dog(
                50ms, [&](stuck_report const& r) { seen.set_value(r); }, 100ms);
            auto const report = seen.get_future().get();
            CHECK(report.text.find("worker 1: begun 0") != std::string::npos);
            CHECK(report.text.find("no wait-for graph") != std::string::npos);
        }
        queue::unlatch(stuck.lock, word);
    }

    TEST_CASE("the watchdog keeps still while anybody gets on, and where nobody works") {
        std::atomic<int> reports{0};
        watchdog const dog(200ms, [&](stuck_report const&) { reports = 1; });
        worker_entry busy("worker", 0);
        worker_entry idle("worker", 1);
        auto const end = std::chrono::steady_clock::now() + 600ms;
        while (std::chrono::steady_clock::now() < end) busy.step();
        CHECK(reports == 0);
    }
}

}  // namespace manylock::stress::testing

// Replays with one thread per recorded thread: when each begins and ends, and that nobody waits for
// ever, whatever the recorded clocks say.

#include "allocation.hpp"
#include "temporary_program.hpp"

#include "workloads/replay_lifetimes.hpp"
#include "workloads/replay_order.hpp"
#include "workloads/runner.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace manylock::stress {
namespace {

row_outcome replay_traced(replay::recorded_program const& program, lifetimes const& lives,
                          std::string const& policy) {
    auto const order = order_of(program, record_footprints(program), true);
    replay_request request;
    request.program = &program;
    request.threads = program.threads.size();
    request.check = true;
    request.order = &order;
    request.lives = &lives;
    return find_runner(policy).replay(request);
}

void check_replays(replay::recorded_program const& program, lifetimes const& lives,
                   std::string const& policy) {
    CAPTURE(policy);
    auto const outcome = replay_traced(program, lives, policy);
    for (auto const& fault : outcome.faults) FAIL_CHECK(fault);
    CHECK(outcome.measured.commits == program.items.size());
    CHECK(outcome.live_threads_max <= lives.live_max);
}

/// The native form: thread 100 makes one thread after the other, each of which maps, unmaps and ends
/// before the fourth one after it begins. They take turns at few addresses.
std::string many_threads(unsigned count) {
    std::string calls;
    std::int64_t time = 10;
    auto const row = [&](std::uint32_t tid, char const* call, std::string const& result,
                         std::string const& arguments) {
        auto const at = std::to_string(time += 10);
        calls += at + "\t" + at + "\t" + at + "\t" + at + "\t" + at + "\t100\t" +
                 std::to_string(tid) + "\t" + call + "\t" + result + "\t" + arguments + "\t\n";
    };
    for (unsigned k = 0; k < count + 3; ++k) {
        auto const place = [](unsigned thread) {
            constexpr char const* digits = "0123456789abcdef";
            return std::string("7e00000") + digits[thread % 8] + "0000";
        };
        if (k < count) {
            row(100, "clone3", std::to_string(1000 + k), "7ffc00000100,58");
            row(1000 + k, "mmap", "0x" + place(k), "0,4000,3,22,ffffffff,0");
        }
        if (k >= 3) {
            row(1000 + k - 3, "munmap", "0", place(k - 3) + ",4000");
            row(1000 + k - 3, "exit", "0", "0");
        }
    }
    return calls;
}

struct recorded_call {
    std::uint32_t thread;
    std::int64_t time_ns;
};

/// Threads by creator (an index; its own: unknown) and clone time; each item maps a page of its own
/// over the ones before, so that all items wait for each other in recorded order.
replay::recorded_program program_of(
    std::vector<std::pair<std::uint32_t, std::int64_t>> const& threads,
    std::vector<recorded_call> const& calls) {
    replay::recorded_program program;
    for (std::uint32_t t = 0; t < threads.size(); ++t) {
        auto& thread = program.threads.emplace_back();
        thread.tid = 100 + t;
        thread.creator = threads[t].first == t ? 0 : 100 + threads[t].first;
        thread.start_ns = threads[t].second;
    }
    for (auto const& call : calls) {
        auto& item = program.items.emplace_back();
        item.thread = call.thread;
        item.time_ns = call.time_ns;
        item.op.what = address_space::call::map;
        item.op.start = 0x10'0000'0000;
        item.op.length = address_space::page_size;
        item.op.prot = 1;
        item.op.flags = 0x32;  // private, anonymous, fixed
    }
    auto& row = program.final_rows.emplace_back();
    row.start = 0x10'0000'0000;
    row.end = row.start + address_space::page_size;
    row.perms = {'r', '-', '-', 'p'};
    return program;
}

}  // namespace

TEST_SUITE("replay/lifetimes") {
    TEST_CASE("three thousand short threads replay with as few at once as were recorded") {
        std::uint32_t const threads = test::sanitized ? 400 : 3'000;
        replay::native_program const directory{many_threads(threads)};
        auto const program = replay::load_program(directory.path());
        REQUIRE(program.threads.size() == threads + 1);
        auto const lives = lifetimes_of(program);
        CHECK(lives.started == threads + 1);
        CHECK(lives.roots == std::vector<std::uint32_t>{0});
        CHECK(lives.live_max == 5);  // the creator and four others
        for (auto const* policy : {"umbrella", "wound_wait"}) check_replays(program, lives, policy);
    }

    TEST_CASE("a child begins between the items of its creator that lie around its creation") {
        auto const program = program_of({{0, 0}, {0, 25}, {1, 45}},
                                        {{0, 10}, {0, 20}, {1, 30}, {1, 40}, {2, 50}, {0, 60}});
        auto const lives = lifetimes_of(program);
        REQUIRE(lives.threads[0].children.size() == 1);
        CHECK(lives.threads[0].children[0].position == 2);
        REQUIRE(lives.threads[1].children.size() == 1);
        CHECK(lives.threads[1].children[0].position == 2);
        CHECK(lives.live_max == 3);
        check_replays(program, lives, "wound_wait");
    }

    TEST_CASE("a thread begins early enough for what it or its descendants are recorded to do") {
        // The clocks say that thread 1 was made after its own item and after its child's, and that
        // the child was made before it.
        auto const program = program_of({{0, 0}, {0, 90}, {1, 5}},
                                        {{0, 10}, {2, 20}, {0, 30}, {1, 40}, {0, 50}, {0, 80}});
        auto const lives = lifetimes_of(program);
        CHECK(lives.threads[0].children[0].position == 1);
        CHECK(lives.threads[1].children[0].position == 0);
        check_replays(program, lives, "wound_wait");
    }

    TEST_CASE("a thread without items lives only for its children and others are not started") {
        auto const program =
            program_of({{0, 0}, {0, 15}, {1, 20}, {0, 35}, {4, 0}}, {{0, 10}, {2, 30}, {0, 40}});
        auto const lives = lifetimes_of(program);
        CHECK(lives.started == 3);
        CHECK(lives.threads[1].children.size() == 1);
        check_replays(program, lives, "umbrella");
    }

    TEST_CASE("a program with more threads than items replays") {
        auto const program = program_of({{0, 0}, {0, 0}, {0, 0}, {2, 0}, {3, 0}}, {{4, 10}});
        auto const lives = lifetimes_of(program);
        CHECK(lives.started == 4);
        check_replays(program, lives, "wound_wait");
    }

    TEST_CASE("random families of threads with broken clocks and checkpoints come to an end") {
        std::mt19937_64 random{7};
        auto const below = [&](std::uint64_t n) {
            return static_cast<std::uint32_t>(random() % n);
        };
        for (int round = 0; round < 40; ++round) {
            CAPTURE(round);
            std::vector<std::pair<std::uint32_t, std::int64_t>> threads{{0, 0}};
            for (std::uint32_t t = 1; t < 25; ++t) threads.emplace_back(below(t), below(120));
            std::vector<recorded_call> calls;
            for (std::int64_t at = 1; at <= 100; ++at) calls.push_back({below(25), at});
            auto program = program_of(threads, calls);
            for (std::size_t const point : {0U, 0U, 1U, 50U, 50U, 100U}) {
                // Before the first item there is no page yet.
                program.checkpoints.push_back(
                    {"c", 0, point,
                     point == 0 ? std::vector<replay::maps_row>{} : program.final_rows});
            }
            check_replays(program, lifetimes_of(program), "wound_wait");
        }
    }
}

}  // namespace manylock::stress

// The pre-pass against the address space itself: random programs, replayed in random orders that keep
// the edges, end in the map of the recorded order. And what the pre-pass cannot see of a fault: that
// its work is done under its lock.

#include "../address_space/random_operations.hpp"

#include "workloads/replay_order.hpp"
#include "workloads/replay_state.hpp"

#include <doctest/doctest.h>

#include <manylock/address_space/space.hpp>
#include <manylock/policies/no_wait.hpp>

#include <cstdint>
#include <map>
#include <random>
#include <vector>

namespace manylock::stress {
namespace {

namespace space = address_space;
using serial_space = space::basic_address_space<policies::no_wait>;

constexpr space::address window = 0x10'0000'0000;
constexpr std::size_t window_pages = 24;

/// Many threads at work in a few pages under a stack, so that everything meets everything.
replay::recorded_program random_program(std::uint64_t seed, std::size_t items) {
    replay::recorded_program program;
    program.globals.start_brk = program.globals.brk = 0x1000'0000;
    auto& stack = program.initial.emplace_back();
    stack.start = window + (window_pages + 2) * space::page_size;
    stack.end = stack.start + 4 * space::page_size;
    stack.has_flags = true;
    stack.flags = "rd wr mr mw me gd ac";
    program.threads.resize(5);
    space::random_operations operations{
        seed, window, window_pages, {.globals = true, .holes = false, .keep_source = true}};
    for (std::size_t i = 0; i < items; ++i) {
        auto& item = program.items.emplace_back();
        item.thread = static_cast<std::uint32_t>(operations.below(program.threads.size()));
        item.op = operations.next(initial_globals(program));
        // Few of those that meet everything, and fewer of those that empty the window.
        bool const rare =
            item.op.what == space::call::lock_all || item.op.what == space::call::unlock_all;
        if (rare && operations.below(4) != 0) item.op = {};
    }
    return program;
}

/// The map, with identities numbered by first appearance: which numbers were drawn is chance.
std::vector<space::vma> final_map(serial_space& done) {
    auto areas = done.vmas();
    std::map<std::uint64_t, std::uint64_t> numbers;
    auto const renumber = [&](std::uint64_t& id) {
        id = numbers.emplace(id, numbers.size() + 1).first->second;
    };
    for (auto& area : areas) {
        if (area.anon.set()) renumber(area.anon.id);
        if ((area.file.open_file & space::fresh_file_bit) != 0) renumber(area.file.open_file);
    }
    return areas;
}

/// Replays in recorded order without a generator, else in a random order that keeps the edges.
std::vector<space::vma> replayed(replay::recorded_program const& program,
                                 replay::execution_order const* order, std::mt19937_64* random) {
    serial_space target{initial_globals(program)};
    place_initial(target, program);
    serial_space::worker me;
    if (random == nullptr) {
        for (auto const& item : program.items) target.apply(me, item.op);
        return final_map(target);
    }
    std::vector<std::vector<std::uint32_t>> queues(program.threads.size());
    for (std::uint32_t i = 0; i < program.items.size(); ++i)
        queues[program.items[i].thread].push_back(i);
    std::vector<std::size_t> next(queues.size(), 0);
    std::vector<bool> done(program.items.size(), false);
    for (std::size_t left = program.items.size(); left > 0;) {
        auto const thread = (*random)() % queues.size();
        if (next[thread] == queues[thread].size()) continue;
        auto const item = queues[thread][next[thread]];
        bool ready = true;
        for (auto const before : order->waits(item)) ready = ready && done[before];
        if (!ready) continue;
        target.apply(me, program.items[item].op);
        done[item] = true;
        ++next[thread];
        --left;
    }
    return final_map(target);
}

}  // namespace

TEST_CASE("any order that keeps the edges ends in the map of the recorded order") {
    std::size_t free_pairs = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        CAPTURE(seed);
        auto const program = random_program(seed, 80);
        auto const order = order_of(program, record_footprints(program), false);
        free_pairs += program.items.size() - order.levels;
        auto const expected = replayed(program, nullptr, nullptr);
        std::mt19937_64 random{seed};
        for (int round = 0; round < 6; ++round) {
            REQUIRE(replayed(program, &order, &random) == expected);
        }
    }
    CHECK(free_pairs > 60 * 10);  // the orders are not all one
}

TEST_CASE("a page fault does its work under the read lock of its VMA") {
    serial_space target;
    serial_space::worker me;
    space::operation map;
    map.what = space::call::map;
    map.start = 0x10'0000'0000;
    map.length = space::page_size;
    map.prot = 1;
    map.flags = 0x32;
    target.apply(me, map);
    space::operation fault;
    fault.start = map.start;
    int worked = 0;
    CHECK(target.apply(me, fault, [&] { ++worked; }) == 0);
    CHECK(worked == 1);
    CHECK(me.faults.success == 1);
    fault.flags = space::fault_write;
    CHECK(target.apply(me, fault, [&] { ++worked; }) == -13);  // refused: nothing to work on
    CHECK(worked == 1);
    CHECK_THROWS_AS(target.apply(me, space::operation{.start = map.start}, [] { throw 1; }), int);
    CHECK(target.apply(me, map) >= 0);  // the read lock was given back
}

}  // namespace manylock::stress

// The order pre-pass on cases small enough to draw, and against a quadratic definition of it on
// random ones.

#include "replay/order.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

namespace manylock::replay {
namespace {

using edges = std::vector<std::uint32_t>;

edges waits_of(execution_order const& order, std::size_t item) {
    auto const waits = order.waits(item);
    return {waits.begin(), waits.end()};
}

void add(footprint_list& list, std::uint32_t thread, std::uint64_t start, std::uint64_t end,
         bool writes) {
    list.begin_item(thread);
    list.touch(start, end, writes);
}

bool meet(footprint_list const& list, footprint const& left, footprint const& right) {
    if ((left.globals_written & (right.globals_written | right.globals_read)) != 0 ||
        (left.globals_read & right.globals_written) != 0) {
        return true;
    }
    for (std::uint32_t a = 0; a < left.interval_count; ++a) {
        touched_interval const& one = list.intervals[left.first_interval + a];
        for (std::uint32_t b = 0; b < right.interval_count; ++b) {
            touched_interval const& two = list.intervals[right.first_interval + b];
            if (one.start < two.end && two.start < one.end && (one.writes || two.writes)) {
                return true;
            }
        }
    }
    return false;
}

/// reach[i][j]: j happens before i along program order, barriers and the kept edges.
std::vector<std::vector<bool>> reachable(footprint_list const& list, execution_order const& order) {
    std::size_t const count = list.items.size();
    std::vector<std::vector<bool>> reach(count, std::vector<bool>(count, false));
    for (std::size_t item = 0; item < count; ++item) {
        auto const follow = [&](std::size_t earlier) {
            reach[item][earlier] = true;
            for (std::size_t at = 0; at < earlier; ++at) {
                reach[item][at] = reach[item][at] || reach[earlier][at];
            }
        };
        for (std::size_t earlier = 0; earlier < item; ++earlier) {
            if (list.items[earlier].thread == list.items[item].thread ||
                order.barrier_of[earlier] < order.barrier_of[item]) {
                follow(earlier);
            }
        }
        for (std::uint32_t const earlier : order.waits(item)) {
            follow(earlier);
        }
    }
    return reach;
}

footprint_list random_footprints(std::uint32_t seed) {
    std::mt19937 random{seed};
    auto const below = [&](std::uint32_t bound) {
        return static_cast<std::uint32_t>(random() % bound);
    };
    footprint_list list;
    for (std::uint32_t item = 0; item < 60; ++item) {
        list.begin_item(item < 4 ? item : below(4));
        for (std::uint32_t count = below(3); count > 0; --count) {
            std::uint64_t const start = below(20);
            list.touch(start, start + 1 + below(6), below(3) == 0);
        }
        if (below(12) == 0) {
            list.touch_globals(below(2), below(2));
        }
    }
    return list;
}

}  // namespace

TEST_CASE("disjoint items wait for nothing and share a level") {
    footprint_list list;
    for (std::uint32_t thread = 0; thread < 4; ++thread) {
        add(list, thread, thread * 16U, thread * 16U + 16U, true);
    }
    auto const order = compute_order(list);
    CHECK(order.edges_kept == 0);
    CHECK(order.levels == 1);
    CHECK(order.width_max == 4);
}

TEST_CASE("a write waits for the writer before it and touching ends do not meet") {
    footprint_list list;
    add(list, 0, 0x1000, 0x2000, true);
    add(list, 1, 0x2000, 0x3000, true);
    add(list, 2, 0x1fff, 0x2001, true);
    auto const order = compute_order(list);
    CHECK(waits_of(order, 1).empty());
    CHECK(waits_of(order, 2) == edges{0, 1});
    CHECK(order.levels == 2);
}

TEST_CASE("readers do not wait for each other, the next writer waits for all of them") {
    footprint_list list;
    add(list, 0, 0, 64, true);
    add(list, 1, 0, 64, false);
    add(list, 2, 32, 48, false);
    add(list, 3, 0, 64, false);
    add(list, 0, 40, 41, true);
    auto const order = compute_order(list);
    CHECK(waits_of(order, 1) == edges{0});
    CHECK(waits_of(order, 2) == edges{0});
    CHECK(waits_of(order, 4) == edges{1, 2, 3});
    CHECK(order.width_max == 3);
}

TEST_CASE("one thread's own items need no edge") {
    footprint_list list;
    for (int count = 0; count < 5; ++count) {
        add(list, 0, 0, 16, true);
    }
    auto const order = compute_order(list);
    CHECK(order.edges_kept == 0);
    CHECK(order.levels == 5);
    CHECK(order.width_max == 1);
}

TEST_CASE("an edge that an earlier wait implies is dropped") {
    footprint_list list;
    add(list, 0, 0, 16, true);
    add(list, 1, 0, 16, true);   // waits for 0
    add(list, 1, 0, 16, false);  // implied: the writer is its own
    add(list, 0, 32, 48, true);
    add(list, 2, 0, 16, true);   // waits for 2, which knows 0
    add(list, 2, 0, 48, false);  // waits for 3
    add(list, 1, 0, 48, true);   // waits for 5, which knows 3
    auto const order = compute_order(list);
    CHECK(waits_of(order, 1) == edges{0});
    CHECK(waits_of(order, 2).empty());
    CHECK(waits_of(order, 4) == edges{2});
    CHECK(waits_of(order, 5) == edges{3});
    CHECK(waits_of(order, 6) == edges{5});
    CHECK(order.edges_dropped > 0);
}

TEST_CASE("process globals order like addresses") {
    footprint_list list;
    list.begin_item(0);
    list.touch_globals(0, global_break);
    list.begin_item(1);
    list.touch_globals(global_break, 0);
    list.begin_item(2);
    list.touch_globals(global_default_flags, global_map_count);
    list.begin_item(2);
    list.touch_globals(0, global_break);
    auto const order = compute_order(list);
    CHECK(waits_of(order, 1) == edges{0});
    CHECK(waits_of(order, 2).empty());
    CHECK(waits_of(order, 3) == edges{1});
}

TEST_CASE("a barrier stands for all edges across it") {
    footprint_list list;
    add(list, 0, 0, 16, true);
    add(list, 1, 32, 48, true);
    add(list, 1, 0, 16, true);
    add(list, 2, 0, 16, true);
    auto const order = compute_order(list, {.barriers = {2}});
    CHECK(order.barrier_of == std::vector<std::uint32_t>{0, 0, 1, 1});
    CHECK(waits_of(order, 2).empty());
    CHECK(waits_of(order, 3) == edges{2});
    CHECK(order.levels == 3);
}

TEST_CASE("the ends of the address range, repeated barriers and empty lists are fine") {
    CHECK(compute_order({}).first_edge == std::vector<std::size_t>{0});
    footprint_list list;
    add(list, 0, 0, UINT64_MAX, true);
    add(list, 1, UINT64_MAX - 1, UINT64_MAX, false);
    auto const order = compute_order(list, {.barriers = {0, 0, 1, 9}});
    CHECK(order.barrier_of == std::vector<std::uint32_t>{2, 3});
    CHECK(order.edges_kept == 0);
}

TEST_CASE("a list that contradicts itself is refused") {
    footprint_list empty;
    add(empty, 0, 16, 16, true);
    CHECK_THROWS_AS((void)compute_order(empty), std::invalid_argument);
    footprint_list sparse;
    add(sparse, 7, 0, 16, true);
    CHECK_THROWS_AS((void)compute_order(sparse), std::invalid_argument);
    footprint_list beyond;
    add(beyond, 0, 0, 16, true);
    beyond.items[0].interval_count = 2;
    CHECK_THROWS_AS((void)compute_order(beyond), std::invalid_argument);
}

TEST_CASE("every meeting pair stays ordered, and no kept edge is implied by the others") {
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        footprint_list const list = random_footprints(seed);
        order_options options;
        if (seed % 3 == 0) {
            options.barriers = {20, 41};
        }
        auto const order = compute_order(list, options);
        auto const reach = reachable(list, order);
        std::size_t unordered = 0;
        std::size_t needless = 0;
        for (std::size_t item = 0; item < list.items.size(); ++item) {
            for (std::size_t earlier = 0; earlier < item; ++earlier) {
                bool const meets = list.items[item].thread != list.items[earlier].thread &&
                                   meet(list, list.items[item], list.items[earlier]);
                unordered += meets && !reach[item][earlier] ? 1U : 0U;
            }
            for (std::uint32_t const kept : order.waits(item)) {
                needless += meet(list, list.items[item], list.items[kept]) ? 0U : 1U;
                for (std::uint32_t const other : order.waits(item)) {
                    needless += other != kept && reach[other][kept] ? 1U : 0U;
                }
            }
        }
        CHECK(unordered == 0);
        CHECK(needless == 0);
    }
}

}  // namespace manylock::replay

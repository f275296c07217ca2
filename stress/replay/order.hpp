// Which recorded items may run at once, and which must wait for which.
// The pre-pass walks the items in recorded order and keeps an edge wherever two items of different
// threads meet in an address interval or a process global and at least one of them writes. Replay
// with one thread per recorded thread then waits along the kept edges only, so that it ends in the
// same map as the serial replay while everything else runs freely.
// Edges that a thread's own program order already implies are dropped.
#pragma once

#include "manylock/address_space/rules/operation.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace manylock::replay {

/// An address interval [start, end) that an item read or wrote. Neighbours that it may merge with
/// and gaps that it may fill belong to it.
struct touched_interval {
    address_space::address start = 0;
    address_space::address end = 0;
    bool writes = false;
};

/// Process-wide state outside the intervals, one bit each.
enum global_state : std::uint32_t {
    global_break = 1,
    global_default_flags = 2,
    global_map_count = 4
};

struct footprint {
    std::uint32_t thread = 0;          ///< dense: 0 .. threads - 1
    std::uint32_t first_interval = 0;  ///< into footprint_list::intervals
    std::uint32_t interval_count = 0;
    std::uint32_t globals_read = 0;
    std::uint32_t globals_written = 0;
};

/// Footprints of all items in recorded order, their intervals side by side in one array.
struct footprint_list {
    std::vector<footprint> items;
    std::vector<touched_interval> intervals;

    /// Appends an item; its intervals follow through `touch`.
    void begin_item(std::uint32_t thread);
    void touch(address_space::address start, address_space::address end, bool writes);
    void touch_globals(std::uint32_t read, std::uint32_t written);
};

struct order_options {
    /// Items counted from 0 before which every earlier item must be done, and no later one begun.
    std::vector<std::size_t> barriers;
};

struct execution_order {
    /// waits_for[first_edge[i] .. first_edge[i + 1]) are the items that item i waits for; ascending,
    /// at most one per other thread.
    std::vector<std::size_t> first_edge;
    std::vector<std::uint32_t> waits_for;
    /// barrier_of[i]: number of barriers that lie before item i.
    std::vector<std::uint32_t> barrier_of;
    std::size_t edges_kept = 0;
    std::size_t edges_dropped = 0;  ///< met, but implied by another edge or program order
    std::size_t levels = 0;         ///< longest chain of items that must follow each other
    std::size_t width_max = 0;      ///< most items that share a level: the parallel width
    double width_mean = 0;          ///< items / levels

    [[nodiscard]] std::span<std::uint32_t const> waits(std::size_t item) const {
        return {waits_for.data() + first_edge[item], first_edge[item + 1] - first_edge[item]};
    }
};

/// Throws std::invalid_argument when the list contradicts itself (interval out of range, empty).
[[nodiscard]] execution_order compute_order(footprint_list const& list,
                                            order_options const& options = {});

}  // namespace manylock::replay

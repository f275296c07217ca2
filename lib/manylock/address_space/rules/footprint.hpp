// Which part of an address space an operation needs to see before it can be planned, and what else.
// The first guess only: a plan that looks further says so (`outcome::needs_more`) and the runner
// widens. The guess is one page wider than the range on each side where a merge may happen there.
#pragma once

#include <manylock/address_space/rules/plan.hpp>

#include <array>

namespace manylock::address_space {

struct footprint {
    std::array<interval, 2> ranges{};  ///< ascending; empty ones count for nothing
    bool writes = false;               ///< may change VMAs; else reading them is enough
    bool uses_break = false;           ///< reads and writes brk or the default flags
};

namespace detail {

[[nodiscard]] constexpr interval bounded(address start, address end, address limit) noexcept {
    start = page_floor(start);
    end = end < start || end > limit ? limit : page_ceil(end);
    return {start, end};
}

[[nodiscard]] constexpr interval with_borders(address start, std::uint64_t length,
                                              address limit) noexcept {
    interval const inner = bounded(start, start + length, limit);
    return bounded(inner.start >= page_size ? inner.start - page_size : 0, inner.end + page_size,
                   limit);
}

[[nodiscard]] constexpr footprint remap_footprint(operation const& op, address limit) noexcept {
    footprint f{.writes = true};
    bool const grows = page_ceil(op.new_length) > page_ceil(op.length);
    interval const source = bounded(op.start, op.start + (op.length ? op.length : 1), limit);
    f.ranges[0] = grows && !(op.flags & (abi::mremap_fixed | abi::mremap_dontunmap))
                      ? bounded(op.start, op.start + op.new_length + page_size, limit)
                      : source;
    address place = 0;
    if (op.flags & abi::mremap_fixed) {
        place = op.new_start;
    } else if (op.placed && static_cast<address>(op.result) != op.start && op.result > 0) {
        place = static_cast<address>(op.result);
    }
    if (place == 0) return f;
    f.ranges[1] = with_borders(place, op.new_length, limit);
    if (f.ranges[1].start < f.ranges[0].start) {
        interval const low = f.ranges[1];
        f.ranges[1] = f.ranges[0];
        f.ranges[0] = low;
    }
    return f;
}

}  // namespace detail

[[nodiscard]] constexpr footprint footprint_of(operation const& op, mm_globals const& g) noexcept {
    footprint f;
    f.writes = true;
    address const limit = g.address_limit;
    switch (op.what) {
        case call::map: {
            address const place = op.placed ? static_cast<address>(op.result) : op.start;
            f.ranges[0] = detail::with_borders(place, op.length, limit);
            break;
        }
        case call::unmap:
            f.ranges[0] = detail::bounded(op.start, op.start + op.length, limit);
            break;
        case call::remap: return detail::remap_footprint(op, limit);
        case call::set_break: {
            address const old_end = page_ceil(g.brk);
            address const low = op.start < old_end ? op.start : old_end;
            address const high = op.start < old_end ? old_end : op.start;
            f.uses_break = true;
            if (op.start < g.start_brk || page_ceil(op.start) == old_end) break;
            if (op.start < old_end) {
                f.ranges[0] = detail::bounded(low, high, limit);
            } else {
                f.ranges[0] = detail::bounded(low >= page_size ? low - page_size : 0,
                                              page_ceil(high) + page_size + stack_guard_gap, limit);
            }
            break;
        }
        case call::advise:
            f.writes = detail::advice_writes(op.advice);
            f.ranges[0] = f.writes ? detail::with_borders(op.start, op.length, limit)
                                   : detail::bounded(op.start, op.start + op.length, limit);
            break;
        case call::protect:
        case call::lock_range:
        case call::unlock_range:
        case call::seal:
        case call::set_name:
        case call::set_policy:
        case call::remap_file:
            f.ranges[0] = detail::with_borders(op.start, op.length, limit);
            break;
        case call::lock_all:
        case call::unlock_all:
            f.uses_break = true;
            f.ranges[0] = {0, limit};
            break;
        case call::fault:
        case call::grow_stack: f.ranges[0] = detail::bounded(op.start, op.start + 1, limit); break;
    }
    return f;
}

}  // namespace manylock::address_space

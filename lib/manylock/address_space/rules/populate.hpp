// Touching memory: what populating a range (MAP_POPULATE, mlock, MADV_POPULATE_WRITE) and a single
// page fault do to the set of VMAs. Reading changes nothing. The first private write to a VMA gives
// it an anon_vma. A fault in the hole below a stack moves the stack's start down.
// Source: traces of Linux 6.18; Linux mm/{gup,memory,vma}.c.
#pragma once

#include <manylock/address_space/rules/globals.hpp>
#include <manylock/address_space/rules/merge.hpp>

namespace manylock::address_space {

enum class on_refusal : std::uint8_t { ignore, stop };

/// Touches every VMA in `range`. Returns 0, or the error of mlock where it was told to stop.
inline std::int64_t populate(draft& d, interval range, std::uint64_t& next_id, on_refusal refusal) {
    for (address at = range.start; at < range.end;) {
        std::size_t const i = d.find(at, range.end);
        if (i == draft::none) break;
        vma const& area = d[i];
        at = area.end;
        if (area.flags & (vm_io | vm_pfnmap | vm_lock_on_fault)) continue;
        if ((area.flags & vm_access) == 0) {
            if (refusal == on_refusal::stop) return abi::enomem;
            continue;
        }
        if ((area.flags & (vm_write | vm_shared)) == vm_write) prepare_anon(d, i, next_id);
    }
    return 0;
}

enum class touch : std::uint8_t { done, refused, needs_anon };

/// What a fault of kind `flags` at `at` comes to. Reads one VMA, changes nothing.
[[nodiscard]] constexpr touch classify_fault(vma const& area, address at,
                                             std::uint32_t flags) noexcept {
    constexpr address huge = address{1} << 21U;
    if (flags & fault_write) {
        if (!(area.flags & vm_write)) return touch::refused;
        bool const first = !(area.flags & vm_shared) && !area.anon.set();
        return first ? touch::needs_anon : touch::done;
    }
    if (!(area.flags & ((flags & fault_exec) ? vma_flags{vm_exec} : vm_access)))
        return touch::refused;
    // A huge page is backed at once, even for a read, where its whole range fits.
    bool const huge_fits =
        (at & ~(huge - 1)) >= area.start && (at & ~(huge - 1)) + huge <= area.end;
    bool const backs_huge = (area.flags & vm_hugepage) && area.anonymous() && huge_fits &&
                            !(flags & fault_present) && !area.anon.set();
    return backs_huge ? touch::needs_anon : touch::done;
}

namespace detail {

/// Moves the start of the stack `i` down to the page of `at`. Returns 0 or an error.
[[nodiscard]] inline std::int64_t grow_down(draft& d, std::size_t i, address at,
                                            std::uint64_t& next_id) {
    address const start = page_floor(at);
    if (!(d[i].flags & vm_growsdown)) return abi::efault;
    address const guard = start > stack_guard_gap ? start - stack_guard_gap : 0;
    std::size_t nearest = draft::none;
    for (std::size_t j = d.find(guard, start); j != draft::none; j = d.find(d[j].end, start))
        nearest = j;
    if (nearest != draft::none && !(d[nearest].flags & vm_growsdown) &&
        (d[nearest].flags & vm_access))
        return abi::enomem;
    prepare_anon(d, i, next_id);
    move_start(d[i], start);
    return 0;
}

[[nodiscard]] inline std::int64_t plan_fault(draft& d, operation const& op, mm_globals& g) {
    if (op.start >= d.limit()) return -abi::efault;
    std::size_t i = d.find(op.start, d.limit());
    if (i == draft::none) return -abi::efault;
    if (d[i].start > op.start) {
        if (std::int64_t const error = grow_down(d, i, op.start, g.next_id)) return -error;
        i = d.at(op.start);
        if (i == draft::none) return -abi::efault;
    }
    switch (classify_fault(d[i], op.start, op.flags)) {
        case touch::refused: return -abi::eacces;
        case touch::needs_anon: prepare_anon(d, i, g.next_id); return 0;
        case touch::done: break;
    }
    return 0;
}

[[nodiscard]] inline std::int64_t plan_grow(draft& d, operation const& op, mm_globals& g) {
    std::size_t const i = d.find(op.start, d.limit());
    if (i == draft::none) return -abi::efault;
    if (d[i].start <= op.start) return 0;  // a fault recorded beside it did it already
    return -grow_down(d, i, op.start, g.next_id);
}

}  // namespace detail

}  // namespace manylock::address_space

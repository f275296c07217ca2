// mmap, munmap and brk on a draft.
// Source: traces of Linux 6.18; Linux mm/mmap.c for the order of checks.
#pragma once

#include <manylock/address_space/rules/populate.hpp>

namespace manylock::address_space::detail {

[[nodiscard]] constexpr std::int64_t fail(std::int64_t error) noexcept {
    return -error;
}

[[nodiscard]] inline vma_flags flags_of_map(operation const& op, mm_globals const& g) noexcept {
    vma_flags flags = (op.prot & vm_access) | vm_may_access | g.default_flags;
    if (op.flags & abi::map_growsdown) flags |= vm_growsdown;
    if (op.flags & abi::map_locked) flags |= vm_locked;
    if (op.flags & abi::map_noreserve) flags |= vm_noreserve;
    if (op.flags & abi::map_stack) flags |= vm_nohugepage;
    std::uint32_t const type = op.flags & abi::map_type;
    if (type == abi::map_shared || type == abi::map_shared_validate) {
        flags |= vm_shared | vm_may_share;
        if (!(op.flags & abi::map_anonymous) && op.file.read_only_file)
            flags &= ~(vm_shared | vm_may_write);
    } else if ((flags & (vm_write | vm_noreserve)) == vm_write) {
        flags |= vm_account;
    }
    return flags;
}

[[nodiscard]] inline std::int64_t check_map(operation const& op, std::uint64_t length,
                                            address limit) noexcept {
    std::uint32_t const type = op.flags & abi::map_type;
    if (op.length == 0) return abi::einval;
    if (length == 0 || length > limit) return abi::enomem;
    if (type < abi::map_shared || type > abi::map_shared_validate) return abi::einval;
    if (!page_aligned(op.offset)) return abi::einval;
    if (op.flags & (abi::map_fixed | abi::map_fixed_noreplace)) {
        if (!page_aligned(op.start)) return abi::einval;
        if (op.start > limit - length) return abi::enomem;
    }
    bool const shared_file = type != abi::map_private && !(op.flags & abi::map_anonymous);
    if (shared_file && op.file.read_only_file && (op.prot & abi::prot_write)) return abi::eacces;
    return 0;
}

/// Requires: the place is chosen (`op.start`), as `needs_place` tells.
[[nodiscard]] inline std::int64_t plan_map(draft& d, operation const& op, mm_globals& g) {
    std::uint64_t const length = page_ceil(op.length);
    if (std::int64_t const error = check_map(op, length, d.limit())) return fail(error);
    if (d.map_count() > d.map_count_max()) return fail(abi::enomem);
    interval const range{op.start, op.start + length};
    bool const replaces = (op.flags & abi::map_fixed) && !(op.flags & abi::map_fixed_noreplace);
    if (!replaces && !d.free(range)) return fail(abi::eexist);
    if (std::int64_t const error = remove_range(d, range)) return fail(error);

    vma area{.start = range.start,
             .end = range.end,
             .flags = flags_of_map(op, g),
             .page_offset = op.start / page_size};
    if (!(op.flags & abi::map_anonymous)) {
        area.file = op.file;
        area.page_offset = op.offset / page_size;
    } else if ((op.flags & abi::map_type) != abi::map_private) {
        area.file = op.file;  // shared anonymous memory is a file of its own, never seen before
        area.file.open_file = fresh_file_bit | g.next_id++;
        area.file.shared_memory = true;
        area.page_offset = 0;
    }
    add_range(d, area);
    bool const asked = (op.flags & (abi::map_populate | abi::map_nonblock)) == abi::map_populate;
    if (asked || (area.flags & vm_locked)) populate(d, range, g.next_id, on_refusal::ignore);
    return static_cast<std::int64_t>(range.start);
}

/// A recorded mmap that the kernel refused stays refused, whatever the reason; where the reason is a
/// seal, the split at the start of the range is done nevertheless.
[[nodiscard]] inline std::int64_t refused_map(draft& d, operation const& op) {
    std::uint64_t const length = page_ceil(op.length);
    bool const in_reach = length != 0 && length <= d.limit() && op.start <= d.limit() - length &&
                          page_aligned(op.start);
    if (op.result != fail(abi::eperm) || !(op.flags & abi::map_fixed) || !in_reach)
        return op.result;
    interval const range{op.start, op.start + length};
    for (std::size_t i = d.find(range.start, range.end); i != draft::none;
         i = d.find(d[i].end, range.end))
        if (d[i].flags & vm_sealed) return fail(remove_range(d, range));
    return op.result;
}

[[nodiscard]] inline std::int64_t plan_unmap(draft& d, operation const& op) {
    std::uint64_t const length = page_ceil(op.length);
    if (!page_aligned(op.start) || length == 0 || op.start > d.limit() ||
        length > d.limit() - op.start)
        return fail(abi::einval);
    return fail(remove_range(d, {op.start, op.start + length}));
}

[[nodiscard]] inline std::int64_t plan_break(draft& d, operation const& op, mm_globals& g) {
    auto const unchanged = static_cast<std::int64_t>(g.brk);
    if (op.start < g.start_brk || op.start >= d.limit()) return unchanged;
    address const old_end = page_ceil(g.brk);
    address const new_end = page_ceil(op.start);
    if (new_end < old_end) {
        std::size_t const i = d.find(new_end, old_end);
        if (i == draft::none) return unchanged;
        if (remove_range(d, {new_end, old_end})) return unchanged;
    } else if (new_end > old_end) {
        // One page must stay free above the heap, and the guard gap too where a stack follows.
        std::size_t const next = d.find(old_end, new_end + page_size + stack_guard_gap);
        if (next != draft::none) {
            bool const stack = (d[next].flags & vm_growsdown) != 0;
            if (d[next].start < new_end + page_size + (stack ? stack_guard_gap : 0))
                return unchanged;
        }
        if (d.map_count() > d.map_count_max()) return unchanged;
        vma_flags const flags = vm_read | vm_write | vm_may_access | vm_account | g.default_flags;
        add_range(
            d,
            {.start = old_end, .end = new_end, .flags = flags, .page_offset = old_end / page_size});
        if (g.default_flags & vm_locked)
            populate(d, {old_end, new_end}, g.next_id, on_refusal::ignore);
    }
    g.brk = op.start;
    return static_cast<std::int64_t>(g.brk);
}

}  // namespace manylock::address_space::detail

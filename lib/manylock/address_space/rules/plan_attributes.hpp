// What a range of VMAs is given apart from mprotect, mlock and madvise: a seal (mseal), a name (prctl
// PR_SET_VMA_ANON_NAME), a NUMA policy (mbind); and remap_file_pages. Each attribute is part of a
// VMA's identity, so it splits and merges.
// Source: Linux 6.18, called and looked at in /proc/PID/maps; for names, which that kernel was built
// without, Linux mm/madvise.c.
#pragma once

#include <manylock/address_space/rules/plan_protect.hpp>

namespace manylock::address_space::detail {

/// The range of a call that takes whole pages from an aligned start. False: EINVAL.
[[nodiscard]] constexpr bool whole_pages(operation const& op, interval& range) noexcept {
    std::uint64_t const length = page_ceil(op.length);
    range = {op.start, op.start + length};
    return page_aligned(op.start) && (length != 0 || op.length == 0) && range.end >= range.start;
}

/// mseal looks for holes first, so that one leaves everything as it was.
[[nodiscard]] inline std::int64_t plan_seal(draft& d, operation const& op) {
    interval range;
    if (op.flags != 0 || !whole_pages(op, range)) return fail(abi::einval);
    auto const nothing = [](std::size_t i, interval) { return step{i, 0}; };
    if (std::int64_t const hole = walk_mapped(d, range, nothing)) return fail(hole);
    return fail(walk_mapped(d, range, [&](std::size_t i, interval piece) {
        if (d[i].flags & vm_sealed) return step{i, 0};
        return change_flags(d, i, piece, d[i].flags | vm_sealed);
    }));
}

/// Walks over holes and reports them at the end, as madvise does; a file ends the walk.
[[nodiscard]] inline std::int64_t plan_name(draft& d, operation const& op) {
    // A kernel built without names, or a name that it does not take.
    bool const walked = op.result == 0 || op.result == fail(abi::enomem) ||
                        op.result == fail(abi::ebadf) || op.result == fail(abi::eagain);
    if (!walked) return op.result;
    interval range;
    if (!whole_pages(op, range)) return fail(abi::einval);
    return fail(walk_over_holes(d, range, abi::enomem, [&](std::size_t i, interval piece) {
        if (d[i].file.open_file != 0 && !d[i].file.shared_memory) return step{i, abi::ebadf};
        if (d[i].name == op.file.path) return step{i, 0};
        step changed = change_part(d, i, piece, [&](vma& part) { part.name = op.file.path; });
        if (changed.error) changed.error = abi::eagain;  // the limit on VMAs, as Linux says it here
        return changed;
    }));
}

/// mbind. A hole is an error before anything is changed, but the default policy bears holes; a range
/// that has no VMA at all is one in any case.
[[nodiscard]] inline std::int64_t plan_policy(draft& d, operation const& op) {
    // Which nodes exist, and where pages lie, is outside the model.
    if (op.result != 0 && op.result != fail(abi::enomem)) return op.result;
    interval range;
    if (!whole_pages(op, range)) return fail(abi::einval);
    if (range.empty()) return 0;
    if (d.free(range)) return fail(abi::efault);
    if (op.flags != 0) {
        auto const nothing = [](std::size_t i, interval) { return step{i, 0}; };
        if (walk_mapped(d, range, nothing) != 0) return fail(abi::efault);
    }
    return fail(walk_over_holes(d, range, 0, [&](std::size_t i, interval piece) {
        if (d[i].policy == op.flags) return step{i, 0};
        return change_part(d, i, piece, [&](vma& part) { part.policy = op.flags; });
    }));
}

/// remap_file_pages: another part of the same file, as a fixed shared mmap would map it. The range
/// may span several VMAs that differ in nothing but their offsets.
[[nodiscard]] inline std::int64_t plan_remap_file(draft& d, operation const& op, mm_globals& g) {
    constexpr std::uint64_t file_pages_max = (std::uint64_t{1} << 63U) / page_size;
    address const start = page_floor(op.start);
    interval const range{start, start + page_floor(op.length)};
    std::uint64_t const past = op.offset + page_floor(op.length) / page_size;
    if (op.prot != 0 || range.end <= range.start || past < op.offset) return fail(abi::einval);
    std::size_t i = d.at(start);
    if (i == draft::none || !(d[i].flags & vm_shared)) return fail(abi::einval);
    vma const area = d[i];
    while (d[i].end < range.end) {
        i = d.starting_at(d[i].end);
        if (i == draft::none || d[i].file != area.file || d[i].flags != area.flags)
            return fail(abi::einval);
    }
    // Some file systems take less.
    if (past > file_pages_max || op.result == fail(abi::eoverflow)) return fail(abi::eoverflow);
    operation map;
    map.what = call::map;
    map.start = start;
    map.length = range.end - start;
    map.prot = area.flags & vm_access;
    map.flags = abi::map_shared | abi::map_fixed;
    if (area.flags & vm_locked) map.flags |= abi::map_locked;
    map.offset = op.offset * page_size;
    map.file = area.file;
    std::int64_t const result = plan_map(d, map, g);
    return result < 0 ? result : 0;
}

}  // namespace manylock::address_space::detail

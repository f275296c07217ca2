// mprotect, mlock, munlock, mlockall, munlockall on a draft. A range is walked VMA by VMA and the
// walk stops at the first hole or refusal; what lies before stays changed.
// Source: traces of Linux 6.18; Linux mm/{mprotect,mlock}.c for the order of checks.
#pragma once

#include <manylock/address_space/rules/plan_map.hpp>

namespace manylock::address_space::detail {

/// One VMA's share of mprotect. `d[i]` contains the start of `range`.
[[nodiscard]] inline step protect_part(draft& d, std::size_t i, interval range, operation const& op,
                                       mm_globals& g) {
    vma_flags const old = d[i].flags;
    vma_flags flags = (old & ~vm_access) | (op.prot & vm_access);
    if ((flags & vm_access) & ~(flags >> 4U)) return {i, abi::eacces};
    // A file opened read-only is invisible in the recorded mmap; its refusal here reveals it.
    bool const hidden_read_only = op.result == fail(abi::eacces) && (old & vm_may_share) &&
                                  (flags & vm_write) && !(old & vm_write);
    if (hidden_read_only) return {i, abi::eacces};
    if (old & vm_sealed) return {i, abi::eperm};
    if (flags == old) return {i, 0};
    if (flags & vm_write) {
        if (!(old & (vm_account | vm_write | vm_shared | vm_noreserve))) flags |= vm_account;
    } else if ((old & vm_account) && d[i].anonymous() && !d[i].anon.set()) {
        flags &= ~vm_account;
    }
    step const changed = change_flags(d, i, range, flags);
    bool const must_touch = (old & (vm_write | vm_shared | vm_locked)) == vm_locked;
    if (changed.error == 0 && must_touch && (flags & vm_write))
        populate(d, range, g.next_id, on_refusal::ignore);
    return changed;
}

/// Calls `part(i, range)` for each VMA from `start` on, until a hole, an error or `end`.
template <class Part>
[[nodiscard]] std::int64_t walk_mapped(draft& d, interval range, Part&& part) {
    for (address at = range.start; at < range.end;) {
        std::size_t const i = d.at(at);
        if (i == draft::none) return abi::enomem;
        interval const piece{at, d[i].end < range.end ? d[i].end : range.end};
        step const changed = part(i, piece);
        if (changed.error) return changed.error;
        at = piece.end;
    }
    return 0;
}

/// Calls `part` for each mapped piece of the range, over holes, until one fails. Else the result is
/// `on_hole` if there was a hole, or 0.
template <class Part>
[[nodiscard]] std::int64_t walk_over_holes(draft& d, interval range, std::int64_t on_hole,
                                           Part&& part) {
    std::int64_t result = 0;
    for (address at = range.start; at < range.end;) {
        std::size_t const i = d.find(at, range.end);
        if (i == draft::none) return on_hole;
        if (d[i].start > at) result = on_hole;
        interval const piece{d[i].start > at ? d[i].start : at,
                             d[i].end < range.end ? d[i].end : range.end};
        step const changed = part(i, piece);
        if (changed.error) return changed.error;
        at = piece.end;
    }
    return result;
}

[[nodiscard]] inline std::int64_t plan_protect(draft& d, operation const& op, mm_globals& g) {
    std::uint32_t const grows = op.prot & (abi::prot_growsdown | abi::prot_growsup);
    if (grows == (abi::prot_growsdown | abi::prot_growsup)) return fail(abi::einval);
    if (!page_aligned(op.start)) return fail(abi::einval);
    if (op.length == 0) return 0;
    interval range{op.start, op.start + page_ceil(op.length)};
    if (range.empty()) return fail(abi::enomem);
    std::uint32_t const known = vm_access | abi::prot_sem | grows;
    if (op.prot & ~known) return fail(abi::einval);
    if (grows) {
        std::size_t const i = d.find(range.start, range.end);
        if (i == draft::none) return fail(abi::enomem);
        if (grows == abi::prot_growsup || !(d[i].flags & vm_growsdown)) return fail(abi::einval);
        range.start = d[i].start;
    }
    return fail(walk_mapped(
        d, range, [&](std::size_t i, interval piece) { return protect_part(d, i, piece, op, g); }));
}

[[nodiscard]] inline step lock_part(draft& d, std::size_t i, interval piece, vma_flags wanted) {
    vma_flags const flags = (d[i].flags & ~vm_lock_mask) | wanted;
    if (flags == d[i].flags || (d[i].flags & vm_special)) return {i, 0};
    return change_flags(d, i, piece, flags);
}

[[nodiscard]] inline std::int64_t plan_lock(draft& d, operation const& op, mm_globals& g) {
    vma_flags wanted = 0;
    if (op.what == call::lock_range) {
        if (op.flags & ~abi::mlock_onfault) return fail(abi::einval);
        wanted = vm_locked | ((op.flags & abi::mlock_onfault) ? vm_lock_on_fault : 0U);
    }
    address const start = page_floor(op.start);
    interval const range{start, start + page_ceil(op.length + (op.start - start))};
    if (range.end < range.start) return fail(abi::einval);
    std::int64_t const error = walk_mapped(
        d, range, [&](std::size_t i, interval piece) { return lock_part(d, i, piece, wanted); });
    if (error || wanted == 0) return fail(error);
    return fail(populate(d, range, g.next_id, on_refusal::stop));
}

[[nodiscard]] inline std::int64_t plan_lock_all(draft& d, operation const& op, mm_globals& g) {
    bool const locks = op.what == call::lock_all;
    if (locks) {
        std::uint32_t const known = abi::mcl_current | abi::mcl_future | abi::mcl_onfault;
        if (op.flags == 0 || (op.flags & ~known) || op.flags == abi::mcl_onfault)
            return fail(abi::einval);
    }
    vma_flags const wanted =
        locks ? vm_locked | ((op.flags & abi::mcl_onfault) ? vm_lock_on_fault : 0U) : 0U;
    g.default_flags &= ~vm_lock_mask;
    if (locks && (op.flags & abi::mcl_future)) {
        g.default_flags |= wanted;
        if (!(op.flags & abi::mcl_current)) return 0;
    }
    for (address at = 0; at < d.limit();) {
        std::size_t const i = d.find(at, d.limit());
        if (i == draft::none) break;
        at = d[i].end;
        static_cast<void>(lock_part(d, i, {d[i].start, d[i].end}, wanted));
    }
    if (locks) populate(d, {0, d.limit()}, g.next_id, on_refusal::ignore);
    return 0;
}

}  // namespace manylock::address_space::detail

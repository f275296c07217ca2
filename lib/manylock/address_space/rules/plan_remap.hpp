// mremap on a draft: shrink, grow in place, move, duplicate, and moving several VMAs at once.
// Source: traces of Linux 6.18; Linux mm/mremap.c for the order of checks.
#pragma once

#include <manylock/address_space/rules/plan_map.hpp>

namespace manylock::address_space::detail {

/// One mremap under way. `place` is where the new mapping goes; chosen already if `placed`.
struct remap_request {
    address start;
    std::uint64_t old_length;
    std::uint64_t new_length;
    address place;
    bool fixed;
    bool may_move;
    bool keep_source;
    bool placed;
    std::uint64_t hole_length = 0;  ///< set where a place is needed and none is chosen

    [[nodiscard]] bool names_place() const noexcept { return fixed || keep_source; }
    [[nodiscard]] bool grows() const noexcept { return new_length > old_length; }
};

[[nodiscard]] inline std::int64_t check_remap(draft const& d, operation const& op,
                                              remap_request const& r) noexcept {
    std::uint32_t const known = abi::mremap_maymove | abi::mremap_fixed | abi::mremap_dontunmap;
    if ((op.flags & ~known) || !page_aligned(op.start)) return abi::einval;
    if (r.new_length == 0 || r.new_length > d.limit()) return abi::einval;
    if (!r.names_place()) return 0;
    if (!page_aligned(op.new_start) || op.new_start > d.limit() - r.new_length) return abi::einval;
    if (!r.may_move) return abi::einval;
    if (r.keep_source && r.old_length != r.new_length) return abi::einval;
    bool const overlap =
        op.start + r.old_length > op.new_start && op.new_start + r.new_length > op.start;
    if (overlap) return abi::einval;
    return d.map_count() + 4 > d.map_count_max() ? abi::enomem : 0;
}

/// The checks that look at the source VMA `i` (none: nothing mapped at the start).
[[nodiscard]] inline std::int64_t check_source(draft const& d, std::size_t i,
                                               remap_request const& r) noexcept {
    if (i == draft::none) return abi::efault;
    vma const& area = d[i];
    if (area.flags & vm_sealed) return abi::eperm;
    if (!r.grows() && !r.names_place()) return 0;  // shrinks in place or stays as it is
    if (r.old_length == 0 && !(area.flags & (vm_shared | vm_may_share))) return abi::einval;
    if (r.keep_source && (area.flags & (vm_dontexpand | vm_pfnmap))) return abi::einval;
    std::uint64_t const kept = r.grows() ? r.old_length : r.new_length;  // a tail goes first
    if (kept > area.end - r.start) return abi::efault;
    if (!r.grows()) return 0;
    return area.flags & (vm_dontexpand | vm_pfnmap) ? abi::efault : 0;
}

/// Copies [start, start + old_length) of VMA `i` to the place and unmaps or empties the source.
[[nodiscard]] inline std::int64_t move_vma(draft& d, std::size_t i, remap_request const& r) {
    interval const source{r.start, r.start + r.old_length};
    vma copy = d[i];
    copy.page_offset = copy.offset_at(r.start);
    copy.start = r.place;
    copy.end = r.place + r.new_length;
    if (copy.anonymous() && !copy.anon.set()) copy.page_offset = r.place / page_size;
    interval const whole{d[i].start, d[i].end};
    std::size_t const target = add_range(d, copy);
    if (!r.keep_source) {
        if (r.old_length != 0) return remove_range(d, source);
        return 0;
    }
    i = d.at(r.start);
    d[i].flags &= ~vm_lock_mask;  // of the whole source, without a split
    if (i != target && whole == source) d[i].anon = {};
    return 0;
}

[[nodiscard]] inline std::int64_t grow_or_move(draft& d, std::size_t i, remap_request& r) {
    vma const area = d[i];
    interval const more{r.start + r.old_length, r.start + r.new_length};
    bool const at_end = area.end == more.start;
    if (at_end && more.end <= d.limit() && d.free(more)) {
        vma extension = area;
        extension.start = more.start;
        extension.end = more.end;
        extension.page_offset = area.offset_at(more.start);
        if (area.flags & vm_special) return abi::enomem;
        add_range(d, extension);
        r.place = r.start;
        return 0;
    }
    if (!r.may_move) return abi::enomem;
    if (!r.placed) {
        r.hole_length = r.new_length;
        return 0;
    }
    if (!d.free({r.place, r.place + r.new_length})) return abi::eexist;
    return move_vma(d, i, r);
}

/// The forms that name the new place (MREMAP_FIXED, MREMAP_DONTUNMAP), for one source VMA.
[[nodiscard]] inline std::int64_t remap_to(draft& d, std::size_t i, remap_request& r) {
    if (r.fixed) {
        if (std::int64_t const error = remove_range(d, {r.place, r.place + r.new_length}))
            return error;
        i = d.at(r.start);
        if (i == draft::none) return abi::efault;
    } else if (!r.placed) {
        r.hole_length = r.new_length;
        return 0;
    }
    if (r.old_length > r.new_length) {
        if (std::int64_t const error =
                remove_range(d, {r.start + r.new_length, r.start + r.old_length}))
            return error;
        r.old_length = r.new_length;
        i = d.at(r.start);
    }
    if (!r.fixed && !d.free({r.place, r.place + r.new_length})) return abi::eexist;
    return move_vma(d, i, r);
}

/// A pure move (MREMAP_FIXED, same length): each VMA by itself, holes between them preserved.
[[nodiscard]] inline std::int64_t remap_pieces(draft& d, remap_request const& whole) {
    interval const source{whole.start, whole.start + whole.old_length};
    std::int64_t result = fail(abi::efault);
    address place = whole.place;
    address last_end = 0;
    bool seen = false;
    for (address at = source.start; at < source.end;) {
        std::size_t const i = d.find(at, source.end);
        if (i == draft::none) break;
        if (!seen && d[i].start > source.start) return fail(abi::efault);
        remap_request piece = whole;
        piece.start = d[i].start > source.start ? d[i].start : source.start;
        piece.old_length = (d[i].end < source.end ? d[i].end : source.end) - piece.start;
        piece.new_length = piece.old_length;
        piece.place = place + (seen ? d[i].start - last_end : 0);
        last_end = d[i].end;
        std::int64_t error = check_source(d, i, piece);
        if (!error) error = remap_to(d, i, piece);
        if (error) return fail(error);
        if (!seen) result = static_cast<std::int64_t>(piece.place);
        place = piece.place + piece.new_length;
        at = piece.start + piece.old_length;
        seen = true;
    }
    return result;
}

/// `hole_length` is set where the caller has to choose a place first.
[[nodiscard]] inline std::int64_t plan_remap(draft& d, operation const& op, mm_globals& g,
                                             std::uint64_t& hole_length) {
    remap_request r{op.start,
                    page_ceil(op.length),
                    page_ceil(op.new_length),
                    op.new_start,
                    (op.flags & abi::mremap_fixed) != 0,
                    (op.flags & abi::mremap_maymove) != 0,
                    (op.flags & abi::mremap_dontunmap) != 0,
                    op.placed};
    if (op.placed && !r.fixed) r.place = static_cast<address>(op.result);
    if (std::int64_t const error = check_remap(d, op, r)) return fail(error);
    if (r.fixed && r.old_length == r.new_length) return remap_pieces(d, r);

    std::size_t const i = d.at(r.start);
    if (std::int64_t const error = check_source(d, i, r)) return fail(error);
    bool const fills = r.grows() && (d[i].flags & vm_locked);
    std::uint64_t const old_length = r.old_length;
    std::int64_t error = 0;
    if (r.names_place()) {
        error = remap_to(d, i, r);
    } else if (r.grows()) {
        error = grow_or_move(d, i, r);
    } else {
        r.place = r.start;
        if (r.new_length < r.old_length)
            error = remove_range(d, {r.start + r.new_length, r.start + r.old_length});
    }
    hole_length = r.hole_length;
    if (error) return fail(error);
    if (fills && hole_length == 0)
        populate(d, {r.place + old_length, r.place + r.new_length}, g.next_id, on_refusal::ignore);
    return static_cast<std::int64_t>(r.place);
}

}  // namespace manylock::address_space::detail

// Splitting and merging in a draft: the three ways in which Linux changes its set of VMAs.
//   change_part   a part of one VMA gets other attributes and may join its neighbours
//   add_range     a new range joins what borders it, or becomes a VMA
//   remove_range  whatever lies in a range goes
// Which VMA survives a merge follows Linux (mm/vma.c), because it decides which anon_vma stays.
#pragma once

#include <manylock/address_space/rules/abi.hpp>
#include <manylock/address_space/rules/draft.hpp>

namespace manylock::address_space {

/// A step's result: the entry that now holds the range, or an error (0 is none).
struct step {
    std::size_t index = draft::none;
    std::int64_t error = 0;
};

namespace detail {

/// What a merge does to the survivor apart from its bounds.
inline void absorb(vma& survivor, vma const& gone) noexcept {
    if (!survivor.anon.set()) survivor.anon = gone.anon;
    survivor.flags |= gone.flags & vm_sticky;
}

inline void move_start(vma& area, address start) noexcept {
    area.page_offset = area.offset_at(start);
    area.start = start;
}

struct sides {
    std::size_t left = draft::none;
    std::size_t right = draft::none;
};

/// Which neighbours may `part` join? Where they exclude each other the left one wins.
[[nodiscard]] inline sides joinable(draft const& d, vma const& part, std::size_t left,
                                    std::size_t right) noexcept {
    sides found;
    if (left != draft::none && mergeable(d[left], part)) found.left = left;
    if (right == draft::none || !mergeable(part, d[right])) return found;
    if (found.left == draft::none || anon_bridgeable(d[left].anon, d[right].anon))
        found.right = right;
    return found;
}

/// `part` is entry `i` or an edge of it, with new attributes; at least one side is joinable.
[[nodiscard]] inline std::size_t join(draft& d, std::size_t i, vma const& part, sides with) {
    bool const whole = part.start == d[i].start && part.end == d[i].end;
    if (with.left != draft::none) {
        vma& left = d[with.left];
        absorb(left, part);
        left.end = part.end;
        if (with.right != draft::none) {
            absorb(left, d[with.right]);
            left.end = d[with.right].end;
            d.erase(with.right);
        }
        if (whole) {
            d.erase(i);
        } else {
            move_start(d[i], part.end);
        }
        return with.left;
    }
    vma& right = d[with.right];
    absorb(right, part);
    move_start(right, part.start);
    if (!whole) {
        d[i].end = part.start;
        return with.right;
    }
    d.erase(i);
    return with.right - 1;
}

}  // namespace detail

/// Edits the attributes of [range) inside entry `i`: merged with a neighbour, or split off.
template <class Edit>
[[nodiscard]] step change_part(draft& d, std::size_t i, interval range, Edit&& edit) {
    vma part = d[i];
    detail::move_start(part, range.start);
    part.end = range.end;
    edit(part);
    std::size_t const left = range.start == d[i].start ? d.before(i) : draft::none;
    std::size_t const right = range.end == d[i].end ? d.after(i) : draft::none;
    detail::sides const with = detail::joinable(d, part, left, right);
    if (with.left != draft::none || with.right != draft::none)
        return {detail::join(d, i, part, with), 0};
    if (range.start != d[i].start) {
        if (d.map_count() >= d.map_count_max()) return {i, abi::enomem};
        d.split(i, range.start, draft::keeps_origin::high);
        ++i;
    }
    if (range.end != d[i].end) {
        if (d.map_count() >= d.map_count_max()) return {i, abi::enomem};
        d.split(i, range.end, draft::keeps_origin::low);
    }
    edit(d[i]);
    return {i, 0};
}

[[nodiscard]] inline step change_flags(draft& d, std::size_t i, interval range, vma_flags flags) {
    return change_part(d, i, range, [=](vma& part) { part.flags = flags; });
}

/// Adds `area` where nothing is mapped; returns the entry that holds it.
inline std::size_t add_range(draft& d, vma const& area) {
    std::size_t const left = d.ending_at(area.start);
    std::size_t const right = d.starting_at(area.end);
    detail::sides const found = detail::joinable(d, area, left, right);
    if (found.left != draft::none) {
        vma& low = d[found.left];
        detail::absorb(low, area);
        low.end = area.end;
        if (found.right != draft::none) {
            detail::absorb(low, d[found.right]);
            low.end = d[found.right].end;
            d.erase(found.right);
        }
        return found.left;
    }
    if (found.right != draft::none) {
        detail::absorb(d[found.right], area);
        detail::move_start(d[found.right], area.start);
        return found.right;
    }
    d.insert(area);
    return d.at(area.start);
}

/// Unmaps [range). Fails where a hole punched into one VMA would exceed the limit on VMAs, and
/// where a VMA is sealed; then nothing is unmapped, but the split at the start remains.
[[nodiscard]] inline std::int64_t remove_range(draft& d, interval range) {
    std::size_t i = d.find(range.start, range.end);
    if (i == draft::none) return 0;
    if (d[i].start < range.start) {
        if (d[i].end > range.end && d.map_count() >= d.map_count_max()) return abi::enomem;
        if (d[i].flags & vm_sealed) return abi::eperm;
        d.split(i, range.start, draft::keeps_origin::low);
        ++i;
    }
    for (std::size_t j = i; j != draft::none; j = d.find(d[j].end, range.end))
        if (d[j].flags & vm_sealed) return abi::eperm;
    while (i != draft::none) {
        if (d[i].end > range.end) d.split(i, range.end, draft::keeps_origin::high);
        d.unmap(i);
        i = d.find(range.start, range.end);
    }
    return 0;
}

/// Gives entry `i` an anon_vma unless it has one: a neighbour's that may be shared, else a new one.
inline void prepare_anon(draft& d, std::size_t i, std::uint64_t& next_id) {
    if (d[i].anon.set()) return;
    auto const usable = [&](std::size_t other) {
        return d[other].anon.set() && !d[other].anon.inherited;
    };
    std::size_t const right = d.after(i);
    if (right != draft::none && shares_anon(d[i], d[right]) && usable(right)) {
        d[i].anon = d[right].anon;
        return;
    }
    std::size_t const left = d.before(i);
    if (left != draft::none && shares_anon(d[left], d[i]) && usable(left)) {
        d[i].anon = d[left].anon;
        return;
    }
    d[i].anon = {next_id++, false};
}

}  // namespace manylock::address_space

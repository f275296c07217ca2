// A scratch copy of the part of an address space that one operation works on. The operation edits
// the draft; whoever runs it then turns the draft into the real thing, or throws it away.
//
// A draft covers some intervals: inside them every VMA is present, and what is absent is unmapped.
// Outside nothing is known. An operation that asks for the first VMA in a range gets "none" where
// the draft does not reach, and the draft remembers the question (`missing`): the runner adds the
// range up to and including its first VMA, and plans again.
//
// `origin` follows a VMA through the edit: the entry with origin k is the k-th VMA given in,
// perhaps with other bounds or flags; origin `fresh` is new. At most one entry carries each origin.
#pragma once

#include <manylock/address_space/rules/vma.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace manylock::address_space {

struct interval {
    address start = 0;
    address end = 0;

    [[nodiscard]] constexpr bool empty() const noexcept { return start >= end; }
    friend constexpr bool operator==(interval const&, interval const&) = default;
};

class draft {
public:
    static constexpr std::int32_t fresh = -1;
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    struct entry {
        vma area;
        std::int32_t origin;
    };

    void reset(std::uint64_t map_count, std::uint64_t map_count_max,
               address limit = address_limit) {
        entries_.clear();
        covered_.clear();
        unmapped_.clear();
        missing_ = {};
        map_count_ = map_count;
        map_count_max_ = map_count_max;
        limit_ = limit;
    }
    /// Requires: intervals and VMAs come in ascending order; VMAs lie inside covered intervals.
    void cover(interval known) {
        if (!covered_.empty() && covered_.back().end >= known.start) {
            if (known.end > covered_.back().end) covered_.back().end = known.end;
        } else if (!known.empty()) {
            covered_.push_back(known);
        }
    }
    void add(vma const& area) {
        entries_.push_back({area, static_cast<std::int32_t>(entries_.size())});
    }

    [[nodiscard]] std::vector<entry> const& entries() const noexcept { return entries_; }
    [[nodiscard]] std::vector<interval> const& covered() const noexcept { return covered_; }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] vma& operator[](std::size_t i) noexcept { return entries_[i].area; }
    [[nodiscard]] vma const& operator[](std::size_t i) const noexcept { return entries_[i].area; }
    [[nodiscard]] std::uint64_t map_count() const noexcept { return map_count_; }
    [[nodiscard]] std::uint64_t map_count_max() const noexcept { return map_count_max_; }
    /// First address that no VMA may contain.
    [[nodiscard]] address limit() const noexcept { return limit_; }
    [[nodiscard]] interval missing() const noexcept { return missing_; }

    /// The first VMA that ends above `a`, if it starts below `limit`; none otherwise.
    [[nodiscard]] std::size_t find(address a, address limit) {
        std::size_t const i = index_above(a);
        bool const hit = i < entries_.size() && entries_[i].area.start < limit;
        address const seen = hit ? entries_[i].area.start : limit;
        if (seen > a) need({a, seen});
        return hit ? i : none;
    }
    /// The VMA that contains `a`.
    [[nodiscard]] std::size_t at(address a) { return find(a, a + 1); }

    [[nodiscard]] bool free(interval wanted) {
        return wanted.empty() || find(wanted.start, wanted.end) == none;
    }

    /// The VMA that ends exactly where entry `i` starts, and the one that starts where it ends.
    [[nodiscard]] std::size_t before(std::size_t i) { return ending_at(entries_[i].area.start); }
    [[nodiscard]] std::size_t after(std::size_t i) { return starting_at(entries_[i].area.end); }

    [[nodiscard]] std::size_t ending_at(address a) {
        if (a == 0) return none;
        std::size_t const i = at(a - 1);
        return i != none && entries_[i].area.end == a ? i : none;
    }
    [[nodiscard]] std::size_t starting_at(address a) {
        if (a >= limit_) return none;
        std::size_t const i = at(a);
        return i != none && entries_[i].area.start == a ? i : none;
    }

    /// Cuts entry `i` in two at `a`. The part that is named keeps the origin.
    enum class keeps_origin : std::uint8_t { low, high };
    void split(std::size_t i, address a, keeps_origin who) {
        entry low = entries_[i];
        entry high = entries_[i];
        low.area.end = a;
        high.area.page_offset = low.area.offset_at(a);
        high.area.start = a;
        (who == keeps_origin::low ? high : low).origin = fresh;
        entries_[i] = low;
        entries_.insert(position(i + 1), high);
        ++map_count_;
    }

    void erase(std::size_t i) {
        entries_.erase(position(i));
        --map_count_;
    }
    /// As erase, where it is not another entry that takes the pages over.
    void unmap(std::size_t i) {
        unmapped_.push_back({entries_[i].area.start, entries_[i].area.end});
        erase(i);
    }
    /// Pages of [range) were unmapped, and perhaps mapped again.
    [[nodiscard]] bool has_unmapped_in(interval range) const noexcept {
        for (interval const& gone : unmapped_)
            if (gone.start < range.end && gone.end > range.start) return true;
        return false;
    }
    void insert(vma const& area) {
        entries_.insert(position(index_above(area.start)), {area, fresh});
        ++map_count_;
    }

private:
    [[nodiscard]] std::vector<entry>::iterator position(std::size_t i) {
        return entries_.begin() + static_cast<std::ptrdiff_t>(i);
    }
    [[nodiscard]] std::size_t index_above(address a) const noexcept {
        std::size_t low = 0;
        std::size_t high = entries_.size();
        while (low < high) {
            std::size_t const middle = low + (high - low) / 2;
            if (entries_[middle].area.end <= a) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }
    /// Remembers the first part of `wanted` that no covered interval tells about.
    void need(interval wanted) {
        if (!missing_.empty()) return;
        for (interval const& known : covered_) {
            if (known.end <= wanted.start) continue;
            if (known.start > wanted.start) break;
            wanted.start = known.end;
            if (wanted.empty()) return;
        }
        if (wanted.end > limit_) wanted.end = limit_;
        missing_ = wanted;
    }

    std::vector<entry> entries_;
    std::vector<interval> covered_;
    std::vector<interval> unmapped_;
    interval missing_{};
    std::uint64_t map_count_ = 0;
    std::uint64_t map_count_max_ = 0;
    address limit_ = address_limit;
};

}  // namespace manylock::address_space

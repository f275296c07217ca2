// The address space in its plainest form: one thread, a std::map of VMAs, every operation carried
// out through its plan. It proves the semantics by themselves, apart from any locking, and is the
// yardstick that the concurrent forms are held against.
#pragma once

#include <manylock/address_space/rules/footprint.hpp>
#include <manylock/address_space/rules/maps_row.hpp>

#include <cstdint>
#include <algorithm>
#include <map>
#include <stdexcept>
#include <vector>

namespace manylock::address_space {

class serial_space {
public:
    explicit serial_space(mm_globals const& g = {}) : globals_{g} {}

    /// Puts a VMA there as it is, without any merging. Requires: nothing else is there.
    void place(vma const& area) { vmas_.emplace(area.start, area); }
    [[nodiscard]] mm_globals& globals() noexcept { return globals_; }
    [[nodiscard]] std::map<address, vma> const& vmas() const noexcept { return vmas_; }
    [[nodiscard]] std::uint64_t fresh_id() noexcept { return globals_.next_id++; }

    std::int64_t apply(operation op) {
        for (;;) {
            mm_globals g = globals_;
            outcome const out = plan(op, g);
            if (out.what == outcome::kind::done) {
                commit();
                globals_ = g;
                return out.result;
            }
            address const hole = find_hole(out.hole_length, op);
            if (hole == 0) return -abi::enomem;
            op = placed_at(op, hole);
        }
    }

    [[nodiscard]] std::vector<maps_row> rows() const {
        std::vector<maps_row> all;
        for (auto const& [start, area] : vmas_) all.push_back(row_of(area, globals_));
        return all;
    }

private:
    [[nodiscard]] outcome plan(operation const& op, mm_globals& g) {
        footprint const f = footprint_of(op, globals_);
        std::vector<interval> wanted;
        for (interval const& range : f.ranges)
            if (!range.empty()) wanted.push_back(range);
        for (;;) {
            gather(wanted);
            outcome const out = run_plan(draft_, op, g);
            if (out.what != outcome::kind::needs_more) return out;
            wanted = draft_.covered();
            wanted.push_back(up_to_first_vma(draft_.missing()));
            g = globals_;
        }
    }

    [[nodiscard]] interval up_to_first_vma(interval range) const {
        interval const first = region_at(range.start);
        bool const hole = !vmas_.contains(first.start);
        return {range.start, std::min(range.end, first.end + (hole ? page_size : 0))};
    }

    /// Fills the draft with every region, hole or VMA, that meets a wanted interval.
    void gather(std::vector<interval> wanted) {
        std::map<address, interval> regions;
        for (interval const& range : wanted)
            for (address at = range.start; at < range.end;) {
                interval const region = region_at(at);
                regions.emplace(region.start, region);
                at = region.end;
            }
        draft_.reset(vmas_.size(), globals_.map_count_max);
        for (auto const& [start, region] : regions) {
            draft_.cover(region);
            auto const found = vmas_.find(start);
            if (found != vmas_.end()) draft_.add(found->second);
        }
    }

    [[nodiscard]] interval region_at(address at) const {
        auto const next = vmas_.upper_bound(at);
        address low = 0;
        if (next != vmas_.begin()) {
            vma const& below = std::prev(next)->second;
            if (below.contains(at)) return {below.start, below.end};
            low = below.end;
        }
        return {low, next == vmas_.end() ? address_limit : next->first};
    }

    void commit() {
        for (interval const& known : draft_.covered())
            vmas_.erase(vmas_.lower_bound(known.start), vmas_.lower_bound(known.end));
        for (draft::entry const& e : draft_.entries())
            if (!vmas_.emplace(e.area.start, e.area).second)
                throw std::logic_error("a plan left two VMAs with one start");
    }

    /// Top-down first fit below mmap_base; a free hint is taken as it is.
    [[nodiscard]] address find_hole(std::uint64_t length, operation const& op) const {
        address const hint = op.what == call::map ? page_ceil(op.start) : 0;
        if (hint != 0) {
            interval const there = region_at(hint);
            if (!vmas_.contains(there.start) && there.end - hint >= length) return hint;
        }
        address high = globals_.mmap_base;
        for (auto below = vmas_.lower_bound(high);;) {
            address const low = std::max(globals_.mmap_floor,
                                         below == vmas_.begin() ? 0 : std::prev(below)->second.end);
            if (low < high && high - low >= length) return high - length;
            if (low == globals_.mmap_floor) return 0;
            --below;
            if (below->first < high) high = below->first;
        }
    }

    std::map<address, vma> vmas_;
    mm_globals globals_;
    draft draft_;
};

}  // namespace manylock::address_space

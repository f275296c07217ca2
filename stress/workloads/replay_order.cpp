#include "replay_order.hpp"

#include "replay_state.hpp"

#include <algorithm>
#include <iterator>
#include <manylock/address_space/space.hpp>
#include <manylock/policies/no_wait.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

namespace manylock::stress {
namespace {

namespace space = address_space;
using serial_space = space::basic_address_space<policies::no_wait>;

class recorder {
public:
    explicit recorder(replay::recorded_program const& program)
        : program_(program), space_(initial_globals(program)) {
        place_initial(space_, program);
        before_ = space_.vmas();
    }

    replay::footprint_list run() {
        for (auto const& item : program_.items) {
            list_.begin_item(number_of(item.thread));
            auto const& op = item.op;
            if (op.what == space::call::fault) {
                fault(op);
            } else {
                call(op);
            }
        }
        return std::move(list_);
    }

private:
    /// Threads with items, counted from 0 without a gap.
    std::uint32_t number_of(std::uint32_t thread) {
        return numbers_.try_emplace(thread, static_cast<std::uint32_t>(numbers_.size()))
            .first->second;
    }

    void fault(space::operation const& op) {
        auto const retries = worker_.faults.retry;
        space_.apply(worker_, op);
        bool const updated = worker_.faults.retry != retries;
        auto const page = space::page_floor(op.start);
        auto const at = first_above(op.start);
        bool const mapped = at != before_.end() && at->contains(op.start);
        if (!mapped) {
            // Whether a stack lies above decides.
            read_page(page, at == before_.end() ? page + space::page_size : at->start + 1);
        } else if (may_back_huge(*at, op)) {
            auto const huge = op.start & ~(huge_size - 1);
            read(before(huge), huge + huge_size + space::page_size);
        }
        read_page(page, page + space::page_size);  // whatever VMA the page belongs to
        if (!updated) return;
        read(page, page + space::page_size);
        if (!mapped) read_guard_gap(page);
        write_changes();
    }

    /// Whether it does depends on the VMA's bounds.
    static bool may_back_huge(space::vma const& area, space::operation const& op) {
        return (area.flags & space::vm_hugepage) != 0 && area.anonymous() && !area.anon.set() &&
               (op.flags & (space::fault_write | space::fault_present)) == 0;
    }

    void call(space::operation const& op) {
        auto const seen = space::footprint_of(op, space_.globals());
        for (auto const& range : seen.ranges) {
            if (range.empty()) continue;
            if (seen.writes) {
                // A moved VMA is asked whether the range is all of it.
                auto const border = op.what == space::call::remap ? space::page_size : 0;
                read(border == 0 ? range.start : before(range.start), range.end + border);
            } else {
                read_page(range.start, range.end);
            }
        }
        if (op.what == space::call::grow_stack) read_guard_gap(space::page_floor(op.start));
        auto const count = before_.size();
        space_.apply(worker_, op);
        bool const uses_break = op.what == space::call::set_break;
        bool const sets_default =
            op.what == space::call::lock_all || op.what == space::call::unlock_all;
        list_.touch_globals(replay::global_default_flags | (uses_break ? replay::global_break : 0U),
                            (uses_break ? replay::global_break : 0U) |
                                (sets_default ? replay::global_default_flags : 0U));
        if (seen.writes || seen.uses_break) write_changes();
        // Far from the limit nobody asks how many VMAs there are.
        auto const near_limit = space_.globals().map_count_max / 2;
        if (std::max(count, before_.size()) >= near_limit) {
            list_.touch_globals(replay::global_map_count,
                                count == before_.size() ? 0U : replay::global_map_count);
        }
    }

    static space::address before(space::address at) {
        return at < space::page_size ? 0 : at - space::page_size;
    }
    void read_page(space::address start, space::address end) {
        if (start < end) list_.touch(start, end, false);
    }
    void read(space::address start, space::address end) {
        if (start >= end) return;
        list_.touch(start, end, false);
        list_.touch(start + border_plane, end + border_plane, false);
    }
    void read_guard_gap(space::address page) {
        read(page < space::stack_guard_gap ? 0 : page - space::stack_guard_gap, page);
    }

    [[nodiscard]] std::vector<space::vma>::const_iterator first_above(space::address at) const {
        return std::upper_bound(
            before_.begin(), before_.end(), at,
            [](space::address where, space::vma const& area) { return where < area.end; });
    }

    /// Both planes of what an update changed, with a page on either side read: at a merge the
    /// neighbours were asked, even where they were left alone.
    void write_changes() {
        auto after = space_.vmas();
        std::vector<space::vma> gone;
        std::vector<space::vma> come;
        auto const by_start = [](space::vma const& a, space::vma const& b) {
            return a.start < b.start;
        };
        auto const unlike = [&](std::vector<space::vma> const& from,
                                std::vector<space::vma> const& in, std::vector<space::vma>& to) {
            for (auto const& area : from) {
                auto const at = std::lower_bound(in.begin(), in.end(), area, by_start);
                if (at == in.end() || !(*at == area)) to.push_back(area);
            }
        };
        unlike(before_, after, gone);
        unlike(after, before_, come);
        write_pages(gone, come);
        write_borders(gone, come);
        before_ = std::move(after);
    }

    /// The pages that are not what they were, VMA boundaries apart.
    void write_pages(std::vector<space::vma> const& gone, std::vector<space::vma> const& come) {
        std::vector<space::address> cuts;
        for (auto const* list : {&gone, &come}) {
            for (auto const& area : *list) {
                cuts.push_back(area.start);
                cuts.push_back(area.end);
            }
        }
        std::sort(cuts.begin(), cuts.end());
        cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
        for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
            auto const* const old = covering(gone, cuts[i]);
            auto const* const now = covering(come, cuts[i]);
            if (same_page(old, now, cuts[i])) continue;
            list_.touch(cuts[i], cuts[i + 1], true);
            read(before(cuts[i]), cuts[i + 1] + space::page_size);
        }
    }

    /// The pages at which a VMA begins and none did, or the other way round.
    void write_borders(std::vector<space::vma> const& gone, std::vector<space::vma> const& come) {
        std::vector<space::address> old;
        std::vector<space::address> now;
        for (auto const& area : gone) old.push_back(area.start);
        for (auto const& area : come) now.push_back(area.start);
        std::vector<space::address> changed;
        std::set_symmetric_difference(old.begin(), old.end(), now.begin(), now.end(),
                                      std::back_inserter(changed));
        for (auto const at : changed) {
            list_.touch(at + border_plane, at + space::page_size + border_plane, true);
            read(before(at), at + space::page_size);
        }
    }

    static space::vma const* covering(std::vector<space::vma> const& areas, space::address at) {
        auto const found = std::find_if(areas.begin(), areas.end(),
                                        [&](space::vma const& area) { return area.contains(at); });
        return found == areas.end() ? nullptr : &*found;
    }
    static bool same_page(space::vma const* a, space::vma const* b, space::address at) {
        if (a == nullptr || b == nullptr) return a == b;
        return a->flags == b->flags && a->anon == b->anon && a->file == b->file &&
               a->offset_at(at) == b->offset_at(at);
    }

    static constexpr space::address huge_size = space::address{1} << 21U;
    /// Addresses of the second plane are shifted by this.
    static constexpr space::address border_plane = space::address{1} << 62U;

    replay::recorded_program const& program_;
    serial_space space_;
    serial_space::worker worker_;
    std::vector<space::vma> before_;
    std::unordered_map<std::uint32_t, std::uint32_t> numbers_;
    replay::footprint_list list_;
};

}  // namespace

replay::footprint_list record_footprints(replay::recorded_program const& program) {
    return recorder(program).run();
}

replay::execution_order order_of(replay::recorded_program const& program,
                                 replay::footprint_list const& footprints, bool checkpoints) {
    replay::order_options options;
    if (checkpoints) {
        for (auto const& point : program.checkpoints)
            options.barriers.push_back(point.items_before);
    }
    return replay::compute_order(footprints, options);
}

}  // namespace manylock::stress

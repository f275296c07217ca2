#include "replay_order.hpp"

#include "replay_state.hpp"

#include <algorithm>
#include <manylock/address_space/space.hpp>
#include <manylock/policies/no_wait.hpp>
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
            list_.begin_item(item.thread);
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
    void fault(space::operation const& op) {
        auto const retries = worker_.faults.retry;
        space_.apply(worker_, op);
        auto const page = space::page_floor(op.start);
        if (worker_.faults.retry == retries) {
            list_.touch(page, page + space::page_size, false);  // whatever VMA the page belongs to
            return;
        }
        read(page, page + space::page_size);
        read(page < space::stack_guard_gap ? 0 : page - space::stack_guard_gap, page);
        write_changes();
    }

    void call(space::operation const& op) {
        auto const globals = space_.globals();
        auto const seen = space::footprint_of(op, globals);
        for (auto const& range : seen.ranges) read(range.start, range.end);
        if (op.what == space::call::grow_stack) {
            auto const page = space::page_floor(op.start);
            read(page < space::stack_guard_gap ? 0 : page - space::stack_guard_gap, page);
        }
        space_.apply(worker_, op);
        bool const uses_break = op.what == space::call::set_break;
        bool const sets_default =
            op.what == space::call::lock_all || op.what == space::call::unlock_all;
        list_.touch_globals(replay::global_default_flags | (uses_break ? replay::global_break : 0U),
                            (uses_break ? replay::global_break : 0U) |
                                (sets_default ? replay::global_default_flags : 0U));
        write_changes();
    }

    void read(space::address start, space::address end) {
        if (start >= end) return;
        list_.touch(start, end, false);
        list_.touch(start + vma_plane, end + vma_plane, false);
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
        for (auto const* list : {&gone, &come}) {
            for (auto const& area : *list) {
                list_.touch(area.start + vma_plane, area.end + vma_plane, true);
                read(area.start < space::page_size ? 0 : area.start - space::page_size,
                     area.end + space::page_size);
            }
        }
        write_pages(gone, come);
        before_ = std::move(after);
    }

    /// The pages that are not what they were, VMA boundaries apart.
    void write_pages(std::vector<space::vma> const& gone, std::vector<space::vma> const& come) {
        std::vector<space::address> borders;
        for (auto const* list : {&gone, &come}) {
            for (auto const& area : *list) {
                borders.push_back(area.start);
                borders.push_back(area.end);
            }
        }
        std::sort(borders.begin(), borders.end());
        borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
        for (std::size_t i = 0; i + 1 < borders.size(); ++i) {
            auto const* const old = covering(gone, borders[i]);
            auto const* const now = covering(come, borders[i]);
            if (!same_page(old, now, borders[i])) list_.touch(borders[i], borders[i + 1], true);
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

    /// Addresses of the second plane are shifted by this.
    static constexpr space::address vma_plane = space::address{1} << 62U;

    replay::recorded_program const& program_;
    serial_space space_;
    serial_space::worker worker_;
    std::vector<space::vma> before_;
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

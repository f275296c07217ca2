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
        read(page, page + space::page_size);
        if (worker_.faults.retry == retries) return;
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
        if (start < end) list_.touch(start, end, false);
    }

    /// Every VMA that is not the same before and after, with a page on either side read: at a merge
    /// its neighbours were asked, even where they were left alone.
    void write_changes() {
        auto after = space_.vmas();
        auto old = before_.begin();
        auto now = after.begin();
        while (old != before_.end() || now != after.end()) {
            if (old != before_.end() && now != after.end() && *old == *now) {
                ++old;
                ++now;
            } else if (now == after.end() || (old != before_.end() && old->start <= now->start)) {
                changed(*old++);
            } else {
                changed(*now++);
            }
        }
        before_ = std::move(after);
    }
    void changed(space::vma const& area) {
        list_.touch(area.start, area.end, true);
        read(area.start < space::page_size ? 0 : area.start - space::page_size,
             area.end + space::page_size);
    }

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

// Replays a recorded program on an address space, on any stage: on one thread in the recorded order;
// on one thread per recorded thread, where each item waits for those that the pre-pass found it to
// depend on and all else runs freely; or by several users, each of whom replays all of it.
#pragma once

#include "replay_state.hpp"
#include "space_statistics.hpp"
#include "stage.hpp"
#include "traced_crew.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace manylock::stress {

template <class Stage, class Policy>
class replay_run {
public:
    explicit replay_run(replay_request const& request)
        : program_(*request.program),
          request_(request),
          space_(request.users != nullptr
                     ? globals_for_users(program_, request.threads, request.disjoint)
                     : initial_globals(program_)) {
        auto const copies = request.users != nullptr && request.disjoint ? request.threads : 1;
        for (std::uint64_t k = 0; k < copies; ++k) place_initial(space_, program_, k * region_size);
    }

    row_outcome run() {
        row_outcome row;
        space_window<Stage, domain_type> window(space_.domain());
        window.mark(true);
        if (request_.users != nullptr) {
            row.seconds = replay_users();
        } else if (request_.order != nullptr) {
            row.seconds = replay_traced(row);
        } else {
            row.seconds = replay_in_order();
        }
        window.mark(false);
        throw_if_interrupted();
        row.page_faults.emplace();
        for (auto const& one : recorders_) {
            row.measured.add(one->all);
            row.page_faults->add(one->faults);
        }
        window.report(row);
        if (request_.check) verify(row);
        return row;
    }

private:
    using space_type = typename Stage::template address_space<Policy>;
    using domain_type = typename space_type::domain_type;
    using worker = typename space_type::worker;
    using operation = address_space::operation;

    struct recorder {
        measurement all;
        fault_measurement faults;
    };

    /// What one thread of control needs; its measurements stay when it ends, for a later thread to go
    /// on with.
    class hand {
    public:
        explicit hand(replay_run& run)
            : run_(run),
              entry_("replaying thread", run.hands_.next()),
              mine_(run.take_recorder()) {}
        hand(hand const&) = delete;
        hand& operator=(hand const&) = delete;
        ~hand() {
            mine_->faults.success += me_.faults.success;
            mine_->faults.abort += me_.faults.abort;
            mine_->faults.retry += me_.faults.retry;
            mine_->faults.miss += me_.faults.miss;
            run_.give_back(mine_);
        }

        /// `item`: the recorded one that `op` stands for.
        void carry_out(operation const& op, std::uint32_t item) {
            entry_.step();
            auto const ns = run_.work_of_item(item);
            auto const start = Stage::now();
            run_.space_.apply(me_, op, [ns] {
                Stage::think(own_work::operation, 1);
                Stage::work_for(ns, false);
            });
            auto const took = Stage::nanoseconds_since(start);
            mine_->all.latency.record(took);
            ++mine_->all.commits;
            if (op.what == address_space::call::fault) mine_->faults.latency.record(took);
        }

    private:
        replay_run& run_;
        typename Stage::worker_entry entry_;
        recorder* mine_;
        worker me_;
    };

    [[nodiscard]] std::uint32_t work_of_item(std::uint32_t item) const {
        bool const any = request_.work_ns != nullptr && !request_.work_ns->empty();
        return any ? (*request_.work_ns)[item] : 0;
    }

    recorder* take_recorder() {
        std::lock_guard const guard(recorders_mutex_);
        if (idle_.empty()) {
            recorders_.push_back(std::make_unique<recorder>());
            idle_.reserve(recorders_.size());
            return recorders_.back().get();
        }
        auto* const one = idle_.back();
        idle_.pop_back();
        return one;
    }
    void give_back(recorder* one) {
        std::lock_guard const guard(recorders_mutex_);
        idle_.push_back(one);
    }

    double replay_in_order() {
        std::size_t point = 0;
        auto const seconds = Stage::run_alone([&] {
            hand mine(*this);
            for (std::uint32_t i = 0; i < program_.items.size() && !Stage::stopping(); ++i) {
                pass_checkpoints(point, i);
                mine.carry_out(program_.items[i].op, i);
            }
        });
        if (!Stage::stopping()) pass_checkpoints(point, program_.items.size());
        return seconds;
    }

    void pass_checkpoints(std::size_t& point, std::size_t done) {
        if (!request_.check) return;
        while (point < program_.checkpoints.size() &&
               program_.checkpoints[point].items_before <= done) {
            compare_checkpoint(point++);
        }
    }

    void compare_checkpoint(std::size_t point) {
        auto const& expected = program_.checkpoints[point];
        auto text = row_differences("the map at " + expected.name, expected.rows,
                                    printed_rows(space_.rows(), program_.paths));
        if (!text.empty()) faults_.push_back(std::move(text));
    }

    double replay_traced(row_outcome& row) {
        traced_crew<Stage> crew(*request_.lives, *request_.order,
                                request_.check ? program_.checkpoints.size() : 0);
        auto const seconds = crew.run(
            [this](typename traced_crew<Stage>::member& me) {
                hand mine(*this);
                // After a signal the items are only ticked off, so that nobody waits for ever.
                while (auto const i = me.next()) {
                    if (!Stage::stopping()) mine.carry_out(program_.items[*i].op, *i);
                }
            },
            [this](std::size_t point) { compare_checkpoint(point); });
        row.live_threads_max = crew.live_max();
        return seconds;
    }

    double replay_users() {
        return run_side_by_side<Stage>(request_.threads, [this](std::uint64_t user) {
            hand mine(*this);
            auto const shift = request_.disjoint ? user * region_size : 0;
            for (auto const& item : request_.users->items) {
                if (Stage::stopping()) return;
                mine.carry_out(shifted(item.op, shift), item.recorded);
            }
        });
    }

    void verify(row_outcome& row) {
        row.checked = true;
        row.faults = std::move(faults_);
        if (request_.users == nullptr) {
            compare_final(row, "the final map", printed_rows(space_.rows(), program_.paths));
        } else if (request_.disjoint) {
            compare_users(row);
        }
        // An mremap that leaves its source leaves neighbours that could be one.
        if (auto broken = space_.broken_invariant(false); !broken.empty()) {
            row.faults.push_back(std::move(broken));
        }
    }

    void compare_final(row_outcome& row, std::string const& what,
                       std::vector<replay::maps_row> const& actual) {
        auto text = row_differences(what, program_.final_rows, actual);
        if (!text.empty()) row.faults.push_back(std::move(text));
    }

    /// Each user's region, as if it were a process's own.
    void compare_users(row_outcome& row) {
        auto const all = space_.vmas();
        auto const expected =
            request_.users->complete() ? program_.final_rows : rows_of(alone(), 0);
        for (std::uint64_t user = 0; user < request_.threads; ++user) {
            auto text = row_differences("the final map of user " + std::to_string(user), expected,
                                        rows_of(all, user * region_size));
            if (!text.empty()) row.faults.push_back(std::move(text));
        }
    }

    [[nodiscard]] std::vector<replay::maps_row> rows_of(std::vector<address_space::vma> const& all,
                                                        address_space::address region) const {
        std::vector<address_space::maps_row> rows;
        for (auto const& area : all) {
            bool const of_kernel = area.start >= request_.threads * region_size;
            if (!of_kernel && (area.start < region || area.start - region >= region_size)) continue;
            auto moved = area;
            if (!of_kernel) moved.start -= region, moved.end -= region;
            rows.push_back(row_of(moved, request_.users->final_globals));
        }
        return printed_rows(rows, program_.paths);
    }

    /// What one user by itself ends in: the yardstick where calls were left out.
    [[nodiscard]] std::vector<address_space::vma> alone() const {
        space_type space(globals_for_users(program_, 1, true));
        place_initial(space, program_);
        worker me;
        for (auto const& item : request_.users->items) space.apply(me, item.op);
        return space.vmas();
    }

    replay::recorded_program const& program_;
    replay_request request_;
    space_type space_;
    typename Stage::domain_entry watched_{space_.domain()};
    std::vector<std::string> faults_;
    typename Stage::counter hands_;
    typename Stage::mutex recorders_mutex_;  ///< guards the two below
    std::vector<std::unique_ptr<recorder>> recorders_;
    std::vector<recorder*> idle_;
};

}  // namespace manylock::stress

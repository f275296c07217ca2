// Replays a recorded program on an address space: on one thread in the recorded order, or on
// several, where each item waits for those that the pre-pass found it to depend on and all else
// runs freely.
#pragma once

#include "replay_state.hpp"
#include "space_statistics.hpp"

#include <atomic>
#include <barrier>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace manylock::stress {

template <class Policy>
class replay_run {
public:
    explicit replay_run(replay_request const& request)
        : program_(*request.program), request_(request), space_(initial_globals(program_)) {
        place_initial(space_, program_);
    }

    row_outcome run() {
        row_outcome row;
        counter_window<domain_type> window(space_.domain());
        window.mark(true);
        if (request_.threads == 1) {
            row.seconds = replay_in_order(row.measured);
        } else {
            row.seconds = replay_in_parallel(row.measured);
        }
        window.mark(false);
        throw_if_interrupted();
        take_restarts(row, window);
        if (request_.check) verify(row);
        return row;
    }

private:
    using space_type = address_space::basic_address_space<Policy>;
    using domain_type = typename space_type::domain_type;
    using worker = typename space_type::worker;
    using item = replay::item;

    [[nodiscard]] static bool stopping() noexcept {
        return interrupt_requested.load(std::memory_order_relaxed);  // relaxed: a flag
    }

    void carry_out(item const& what, worker& me, measurement& mine) {
        auto const start = measuring_clock::now();
        space_.apply(me, what.op);
        mine.latency.record(nanoseconds_since(start));
        ++mine.commits;
    }

    double replay_in_order(measurement& mine) {
        worker me;
        std::size_t point = 0;
        auto const start = measuring_clock::now();
        for (std::size_t i = 0; i < program_.items.size() && !stopping(); ++i) {
            pass_checkpoints(point, i);
            carry_out(program_.items[i], me, mine);
        }
        auto const seconds = static_cast<double>(nanoseconds_since(start)) * 1e-9;
        if (!stopping()) pass_checkpoints(point, program_.items.size());
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

    /// What the threads of a parallel replay share.
    struct meeting {
        meeting(std::size_t items, std::ptrdiff_t threads, std::function<void()> on_checkpoint)
            : done(items),
              start(threads + 1),
              checkpoint(threads, call{std::move(on_checkpoint)}) {}

        struct call {
            std::function<void()> what;
            void operator()() noexcept { what(); }
        };
        std::vector<std::atomic<std::uint32_t>> done;
        std::barrier<> start;
        std::barrier<call> checkpoint;
    };

    double replay_in_parallel(measurement& total) {
        auto const threads = static_cast<std::size_t>(request_.threads);
        std::vector<std::vector<std::uint32_t>> share(threads);
        for (std::size_t i = 0; i < program_.items.size(); ++i) {
            share[program_.items[i].thread % threads].push_back(static_cast<std::uint32_t>(i));
        }
        std::vector<std::unique_ptr<measurement>> measured;
        for (std::size_t t = 0; t < threads; ++t)
            measured.push_back(std::make_unique<measurement>());
        std::size_t point = 0;
        meeting at(program_.items.size(), static_cast<std::ptrdiff_t>(threads),
                   [&] { compare_checkpoint(point++); });
        measuring_clock::time_point start;
        {
            std::vector<std::jthread> crew;
            crew.reserve(threads);
            for (std::size_t t = 0; t < threads; ++t) {
                crew.emplace_back([&, t] { replay_share(share[t], at, *measured[t]); });
            }
            at.start.arrive_and_wait();
            start = measuring_clock::now();
        }
        auto const seconds = static_cast<double>(nanoseconds_since(start)) * 1e-9;
        for (auto const& m : measured) total.add(*m);
        return seconds;
    }

    void replay_share(std::vector<std::uint32_t> const& share, meeting& at, measurement& mine) {
        worker me;
        std::uint32_t passed = 0;
        auto const checkpoints =
            request_.check ? static_cast<std::uint32_t>(program_.checkpoints.size()) : 0U;
        auto const pass = [&](std::uint32_t until) {
            for (; passed < std::min(until, checkpoints); ++passed) at.checkpoint.arrive_and_wait();
        };
        at.start.arrive_and_wait();
        for (auto const i : share) {
            pass(request_.order->barrier_of[i]);
            for (auto const before : request_.order->waits(i)) {
                // acquire; pairs with the release below: what the earlier item did is done for us
                // too
                at.done[before].wait(0, std::memory_order_acquire);
            }
            // After a signal the items are only ticked off, so that nobody waits for ever.
            if (!stopping()) carry_out(program_.items[i], me, mine);
            at.done[i].store(1, std::memory_order_release);  // release; pairs with the wait
            at.done[i].notify_all();
        }
        pass(checkpoints);
    }

    void verify(row_outcome& row) {
        row.checked = true;
        row.faults = std::move(faults_);
        auto text = row_differences("the final map", program_.final_rows,
                                    printed_rows(space_.rows(), program_.paths));
        if (!text.empty()) row.faults.push_back(std::move(text));
        // An mremap that leaves its source leaves neighbours that could be one.
        if (auto broken = space_.broken_invariant(false); !broken.empty()) {
            row.faults.push_back(std::move(broken));
        }
    }

    replay::recorded_program const& program_;
    replay_request request_;
    space_type space_;
    std::vector<std::string> faults_;
};

}  // namespace manylock::stress

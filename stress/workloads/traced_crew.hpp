// The threads of a replay with one thread per recorded thread: each is started by its creator, does
// its items in its own order, waits before each for the items that it depends on, and ends. Knows
// nothing of address spaces or policies.
#pragma once

#include "../replay/order.hpp"
#include "replay_lifetimes.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace manylock::stress {

class traced_crew {
public:
    /// One live thread's view.
    class member {
    public:
        /// The number of this thread's next item, once all that it waits for is done; nothing when
        /// the thread is over. The item before is done with this call.
        std::optional<std::uint32_t> next();

    private:
        friend class traced_crew;
        member(traced_crew& crew, thread_life const& life) : crew_(&crew), life_(&life) {}

        traced_crew* crew_;
        thread_life const* life_;
        std::size_t position_ = 0;
        std::size_t next_child_ = 0;
    };

    /// `checkpoints`: how many of them `order` counts as barriers; 0: none. All must outlive this.
    traced_crew(lifetimes const& lives, replay::execution_order const& order,
                std::size_t checkpoints);

    /// Runs `work` on each thread, which calls next() until it returns nothing. `at_checkpoint` is
    /// called with its number on one thread while all others wait. Returns the seconds it took.
    /// Rethrows the first exception of a thread; the items left then are skipped.
    double run(std::function<void(member&)> work, std::function<void(std::size_t)> at_checkpoint);

    /// The most threads that were alive at the same time; after run().
    [[nodiscard]] std::size_t live_max() const noexcept { return live_max_; }

private:
    void start(std::uint32_t thread);
    void body(std::uint32_t thread);
    void leave(std::uint32_t thread);
    void join_finished();
    void wait_for(std::uint32_t item);
    void finish(std::uint32_t item);
    void pass_checkpoints(std::size_t point);
    void give_up(std::exception_ptr error);
    [[nodiscard]] bool failed() const noexcept;

    lifetimes const& lives_;
    replay::execution_order const& order_;
    std::size_t checkpoints_;
    std::function<void(member&)> work_;
    std::function<void(std::size_t)> at_checkpoint_;

    std::vector<std::atomic<std::uint32_t>> done_;  ///< by item
    std::vector<std::atomic<std::uint32_t>> left_;  ///< items before the next checkpoint
    std::atomic<std::size_t> passed_{0};            ///< checkpoints
    std::atomic<std::size_t> ended_{0};             ///< threads, in the order of their ranks
    std::atomic<std::size_t> live_{0};
    std::atomic<bool> go_{false};
    std::atomic<bool> failed_{false};

    std::mutex threads_;  ///< guards what follows
    std::vector<std::thread> handles_;
    std::vector<bool> has_ended_;  ///< by rank
    std::vector<std::uint32_t> finished_;
    std::size_t live_max_ = 0;
    std::exception_ptr error_;
};

/// Runs `work(number)` on `threads` threads that begin together. Returns the seconds it took; rethrows
/// the first exception.
double run_side_by_side(std::uint64_t threads, std::function<void(std::uint64_t)> const& work);

}  // namespace manylock::stress

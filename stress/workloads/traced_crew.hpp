// The threads of a replay with one thread per recorded thread: each is started by its creator, does
// its items in its own order, waits before each for the items that it depends on, and ends. Knows
// nothing of address spaces or policies.
#pragma once

#include "../replay/order.hpp"
#include "replay_lifetimes.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace manylock::stress {

/// On the threads of a stage (stage.hpp).
template <class Stage>
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
    template <class T>
    using atomic = typename Stage::template atomic<T>;
    static constexpr auto everything = std::numeric_limits<std::size_t>::max();

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

    std::vector<atomic<std::uint32_t>> done_;  ///< by item
    std::vector<atomic<std::uint32_t>> left_;  ///< items before the next checkpoint
    atomic<std::size_t> passed_{0};            ///< checkpoints
    atomic<std::size_t> ended_{0};             ///< threads, in the order of their ranks
    atomic<std::size_t> live_{0};
    atomic<bool> go_{false};
    atomic<bool> failed_{false};

    typename Stage::mutex threads_;  ///< guards what follows
    std::vector<typename Stage::thread> handles_;
    std::vector<bool> has_ended_;  ///< by rank
    std::vector<std::uint32_t> finished_;
    std::size_t live_max_ = 0;
    std::exception_ptr error_;
};

template <class Stage>
traced_crew<Stage>::traced_crew(lifetimes const& lives, replay::execution_order const& order,
                                std::size_t checkpoints)
    : lives_(lives),
      order_(order),
      checkpoints_(checkpoints),
      done_(order.barrier_of.size()),
      left_(checkpoints + 1),
      handles_(lives.threads.size()),
      has_ended_(lives.started, false) {
    if (checkpoints_ == 0) return;
    // relaxed, here and below: alone
    for (auto const point : order.barrier_of) left_[point].fetch_add(1, std::memory_order_relaxed);
}

template <class Stage>
double traced_crew<Stage>::run(std::function<void(member&)> work,
                               std::function<void(std::size_t)> at_checkpoint) {
    work_ = std::move(work);
    at_checkpoint_ = std::move(at_checkpoint);
    if (checkpoints_ > 0 && left_[0].load(std::memory_order_relaxed) == 0) pass_checkpoints(0);
    try {
        for (auto const root : lives_.roots) start(root);
    } catch (...) {
        give_up(std::current_exception());
    }
    auto const begin = Stage::now();
    // release; pairs with the acquire in body(): all is set up
    go_.store(true, std::memory_order_release);
    Stage::wake_all(go_);
    // acquire; pairs with leave(): what the threads measured
    for (auto live = live_.load(std::memory_order_acquire); live != 0;
         live = live_.load(std::memory_order_acquire)) {
        Stage::wait_while(live_, live);
    }
    auto const seconds = static_cast<double>(Stage::nanoseconds_since(begin)) * 1e-9;
    join_finished();
    if (error_) std::rethrow_exception(error_);
    return seconds;
}

template <class Stage>
bool traced_crew<Stage>::failed() const noexcept {
    return failed_.load(std::memory_order_relaxed);  // relaxed: a flag; results are thrown away
}

/// Requires: the calling thread is alive itself, or nobody is yet.
template <class Stage>
void traced_crew<Stage>::start(std::uint32_t thread) {
    auto const needed = lives_.threads[thread].starts_after;
    // acquire; pairs with leave(): its thread is in finished_
    for (auto ended = ended_.load(std::memory_order_acquire); ended < needed && !failed();
         ended = ended_.load(std::memory_order_acquire)) {
        Stage::wait_while(ended_, ended);
    }
    if (failed()) return;
    join_finished();
    std::lock_guard const guard(threads_);
    // relaxed: the mutex orders it
    auto const live = live_.fetch_add(1, std::memory_order_relaxed) + 1;
    live_max_ = std::max(live_max_, live);
    try {
        handles_[thread] = Stage::start_thread([this, thread] { body(thread); });
    } catch (...) {
        live_.fetch_sub(1, std::memory_order_relaxed);  // relaxed: the caller is alive
        throw;
    }
}

template <class Stage>
void traced_crew<Stage>::body(std::uint32_t thread) {
    Stage::wait_while(go_, false);  // acquire; pairs with run()
    try {
        member me(*this, lives_.threads[thread]);
        work_(me);
    } catch (...) {
        give_up(std::current_exception());
    }
    leave(thread);
}

template <class Stage>
void traced_crew<Stage>::leave(std::uint32_t thread) {
    std::lock_guard const guard(threads_);
    finished_.push_back(thread);
    has_ended_[lives_.threads[thread].rank] = true;
    // relaxed: written under the mutex only
    auto ended = ended_.load(std::memory_order_relaxed);
    while (ended < has_ended_.size() && has_ended_[ended]) ++ended;
    bool const last = live_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // pairs with run()
    if (!failed()) ended_.store(ended, std::memory_order_release);         // pairs with start()
    Stage::wake_all(ended_);
    if (last) Stage::wake_all(live_);
}

/// Threads that have left end at once: joining them does not block for long.
template <class Stage>
void traced_crew<Stage>::join_finished() {
    std::vector<typename Stage::thread> over;
    {
        std::lock_guard const guard(threads_);
        for (auto const thread : finished_) over.push_back(std::move(handles_[thread]));
        finished_.clear();
    }
    for (auto& thread : over) thread.join();
}

template <class Stage>
void traced_crew<Stage>::wait_for(std::uint32_t item) {
    for (auto const before : order_.waits(item)) {
        // acquire; pairs with finish(): what the earlier item did is done for us too
        Stage::wait_while(done_[before], 0);
    }
    if (checkpoints_ == 0) return;
    auto const needed = order_.barrier_of[item];
    // acquire; pairs with pass_checkpoints()
    for (auto passed = passed_.load(std::memory_order_acquire); passed < needed && !failed();
         passed = passed_.load(std::memory_order_acquire)) {
        Stage::wait_while(passed_, passed);
    }
}

template <class Stage>
void traced_crew<Stage>::finish(std::uint32_t item) {
    done_[item].store(1, std::memory_order_release);  // pairs with wait_for()
    Stage::wake_all(done_[item]);
    if (checkpoints_ == 0) return;
    auto const point = order_.barrier_of[item];
    // acq_rel: the last one sees what the others did
    if (left_[point].fetch_sub(1, std::memory_order_acq_rel) == 1) pass_checkpoints(point);
}

/// Everything before checkpoint `point` is done, and nothing behind it has begun.
template <class Stage>
void traced_crew<Stage>::pass_checkpoints(std::size_t point) {
    while (point < checkpoints_) {
        at_checkpoint_(point++);
        // relaxed: no item between two checkpoints, so nobody has counted it
        if (left_[point].load(std::memory_order_relaxed) != 0) break;
    }
    passed_.store(point, std::memory_order_release);  // pairs with wait_for()
    Stage::wake_all(passed_);
}

/// Lets all who wait go on; they see that the replay has failed.
template <class Stage>
void traced_crew<Stage>::give_up(std::exception_ptr error) {
    {
        std::lock_guard const guard(threads_);
        if (!error_) error_ = std::move(error);
        failed_.store(true, std::memory_order_relaxed);  // relaxed: a flag
        ended_.store(everything, std::memory_order_release);
    }
    // release, all: those who wake see the flag
    Stage::wake_all(ended_);
    passed_.store(everything, std::memory_order_release);
    Stage::wake_all(passed_);
    for (auto& done : done_) {
        done.store(1, std::memory_order_release);
        Stage::wake_all(done);
    }
}

template <class Stage>
std::optional<std::uint32_t> traced_crew<Stage>::member::next() {
    if (position_ > 0 && !crew_->failed()) crew_->finish(life_->items[position_ - 1]);
    auto const& children = life_->children;
    while (next_child_ < children.size() && children[next_child_].position == position_) {
        crew_->start(children[next_child_++].thread);
    }
    if (position_ == life_->items.size() || crew_->failed()) return std::nullopt;
    auto const item = life_->items[position_++];
    crew_->wait_for(item);
    if (crew_->failed()) return std::nullopt;
    return item;
}

/// Runs `work(number)` on `threads` threads of the stage that begin together. Returns the seconds it took;
/// rethrows the first exception.
template <class Stage>
double run_side_by_side(std::uint64_t threads, std::function<void(std::uint64_t)> const& work) {
    enum : int { wait, run, stop };
    typename Stage::template atomic<int> phase{wait};
    std::vector<std::exception_ptr> errors(threads);
    std::vector<typename Stage::thread> all;
    all.reserve(threads);
    auto const tell = [&](int what) {
        phase.store(what, std::memory_order_release);  // pairs with the wait
        Stage::wake_all(phase);
    };
    auto const join = [&] {
        for (auto& thread : all) thread.join();
    };
    try {
        for (std::uint64_t t = 0; t < threads; ++t) {
            all.push_back(Stage::start_thread([&, t] {
                Stage::wait_while(phase, wait);  // pairs with the store
                // relaxed: seen above
                if (phase.load(std::memory_order_relaxed) == stop) return;
                try {
                    work(t);
                } catch (...) {
                    errors[t] = std::current_exception();
                }
            }));
        }
    } catch (...) {
        tell(stop);
        join();
        throw;
    }
    auto const begin = Stage::now();
    tell(run);
    join();
    auto const seconds = static_cast<double>(Stage::nanoseconds_since(begin)) * 1e-9;
    for (auto const& error : errors) {
        if (error) std::rethrow_exception(error);
    }
    return seconds;
}

}  // namespace manylock::stress

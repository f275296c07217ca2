#include "traced_crew.hpp"

#include "crew.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace manylock::stress {
namespace {

constexpr auto everything = std::numeric_limits<std::size_t>::max();

std::thread new_thread(std::function<void()> body) {
    try {
        return std::thread(std::move(body));
    } catch (std::system_error const& error) {
        throw std::runtime_error(std::string("the system refuses another thread (") +
                                 error.code().message() + "); replay with fewer of them");
    }
}

}  // namespace

traced_crew::traced_crew(lifetimes const& lives, replay::execution_order const& order,
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

double traced_crew::run(std::function<void(member&)> work,
                        std::function<void(std::size_t)> at_checkpoint) {
    work_ = std::move(work);
    at_checkpoint_ = std::move(at_checkpoint);
    if (checkpoints_ > 0 && left_[0].load(std::memory_order_relaxed) == 0) pass_checkpoints(0);
    try {
        for (auto const root : lives_.roots) start(root);
    } catch (...) {
        give_up(std::current_exception());
    }
    auto const begin = measuring_clock::now();
    // release; pairs with the acquire in body(): all is set up
    go_.store(true, std::memory_order_release);
    go_.notify_all();
    // acquire; pairs with leave(): what the threads measured
    for (auto live = live_.load(std::memory_order_acquire); live != 0;
         live = live_.load(std::memory_order_acquire)) {
        live_.wait(live, std::memory_order_acquire);
    }
    auto const seconds = static_cast<double>(nanoseconds_since(begin)) * 1e-9;
    join_finished();
    if (error_) std::rethrow_exception(error_);
    return seconds;
}

bool traced_crew::failed() const noexcept {
    return failed_.load(std::memory_order_relaxed);  // relaxed: a flag; results are thrown away
}

/// Requires: the calling thread is alive itself, or nobody is yet.
void traced_crew::start(std::uint32_t thread) {
    auto const needed = lives_.threads[thread].starts_after;
    // acquire; pairs with leave(): its thread is in finished_
    for (auto ended = ended_.load(std::memory_order_acquire); ended < needed && !failed();
         ended = ended_.load(std::memory_order_acquire)) {
        ended_.wait(ended, std::memory_order_acquire);
    }
    if (failed()) return;
    join_finished();
    std::lock_guard const guard(threads_);
    // relaxed: the mutex orders it
    auto const live = live_.fetch_add(1, std::memory_order_relaxed) + 1;
    live_max_ = std::max(live_max_, live);
    try {
        handles_[thread] = new_thread([this, thread] { body(thread); });
    } catch (...) {
        live_.fetch_sub(1, std::memory_order_relaxed);  // relaxed: the caller is alive
        throw;
    }
}

void traced_crew::body(std::uint32_t thread) {
    go_.wait(false, std::memory_order_acquire);  // acquire; pairs with run()
    try {
        member me(*this, lives_.threads[thread]);
        work_(me);
    } catch (...) {
        give_up(std::current_exception());
    }
    leave(thread);
}

void traced_crew::leave(std::uint32_t thread) {
    std::lock_guard const guard(threads_);
    finished_.push_back(thread);
    has_ended_[lives_.threads[thread].rank] = true;
    // relaxed: written under the mutex only
    auto ended = ended_.load(std::memory_order_relaxed);
    while (ended < has_ended_.size() && has_ended_[ended]) ++ended;
    bool const last = live_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // pairs with run()
    if (!failed()) ended_.store(ended, std::memory_order_release);         // pairs with start()
    ended_.notify_all();
    if (last) live_.notify_all();
}

/// Threads that have left end at once: joining them does not block for long.
void traced_crew::join_finished() {
    std::vector<std::thread> over;
    {
        std::lock_guard const guard(threads_);
        for (auto const thread : finished_) over.push_back(std::move(handles_[thread]));
        finished_.clear();
    }
    for (auto& thread : over) thread.join();
}

void traced_crew::wait_for(std::uint32_t item) {
    for (auto const before : order_.waits(item)) {
        // acquire; pairs with finish(): what the earlier item did is done for us too
        done_[before].wait(0, std::memory_order_acquire);
    }
    if (checkpoints_ == 0) return;
    auto const needed = order_.barrier_of[item];
    // acquire; pairs with pass_checkpoints()
    for (auto passed = passed_.load(std::memory_order_acquire); passed < needed && !failed();
         passed = passed_.load(std::memory_order_acquire)) {
        passed_.wait(passed, std::memory_order_acquire);
    }
}

void traced_crew::finish(std::uint32_t item) {
    done_[item].store(1, std::memory_order_release);  // pairs with wait_for()
    done_[item].notify_all();
    if (checkpoints_ == 0) return;
    auto const point = order_.barrier_of[item];
    // acq_rel: the last one sees what the others did
    if (left_[point].fetch_sub(1, std::memory_order_acq_rel) == 1) pass_checkpoints(point);
}

/// Everything before checkpoint `point` is done, and nothing behind it has begun.
void traced_crew::pass_checkpoints(std::size_t point) {
    while (point < checkpoints_) {
        at_checkpoint_(point++);
        // relaxed: no item between two checkpoints, so nobody has counted it
        if (left_[point].load(std::memory_order_relaxed) != 0) break;
    }
    passed_.store(point, std::memory_order_release);  // pairs with wait_for()
    passed_.notify_all();
}

/// Lets all who wait go on; they see that the replay has failed.
void traced_crew::give_up(std::exception_ptr error) {
    {
        std::lock_guard const guard(threads_);
        if (!error_) error_ = std::move(error);
        failed_.store(true, std::memory_order_relaxed);  // relaxed: a flag
        ended_.store(everything, std::memory_order_release);
    }
    // release, all: those who wake see the flag
    ended_.notify_all();
    passed_.store(everything, std::memory_order_release);
    passed_.notify_all();
    for (auto& done : done_) {
        done.store(1, std::memory_order_release);
        done.notify_all();
    }
}

std::optional<std::uint32_t> traced_crew::member::next() {
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

double run_side_by_side(std::uint64_t threads, std::function<void(std::uint64_t)> const& work) {
    enum : int { wait, run, stop };
    std::atomic<int> phase{wait};
    std::vector<std::exception_ptr> errors(threads);
    std::vector<std::thread> all;
    all.reserve(threads);
    auto const tell = [&](int what) {
        phase.store(what, std::memory_order_release);  // pairs with the wait
        phase.notify_all();
    };
    auto const join = [&] {
        for (auto& thread : all) thread.join();
    };
    try {
        for (std::uint64_t t = 0; t < threads; ++t) {
            all.push_back(new_thread([&, t] {
                phase.wait(wait, std::memory_order_acquire);  // pairs with the store
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
    auto const begin = measuring_clock::now();
    tell(run);
    join();
    auto const seconds = static_cast<double>(nanoseconds_since(begin)) * 1e-9;
    for (auto const& error : errors) {
        if (error) std::rethrow_exception(error);
    }
    return seconds;
}

}  // namespace manylock::stress

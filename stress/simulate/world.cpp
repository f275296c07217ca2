#include "world.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <utility>

namespace manylock::simulate {

char const* name(outcome o) noexcept {
    switch (o) {
        case outcome::finished: return "finished";
        case outcome::deadlock: return "deadlock";
        case outcome::lost_wakeup: return "lost wake-up";
        case outcome::livelock: return "livelock";
        case outcome::broken: return "broken invariant";
    }
    return "";
}

outcome world::run(scenario& what, chooser& who) {
    what_ = &what;
    who_ = &who;
    active_ = this;
    auto const count = what.threads();
    if (count == 0 || count > 64) throw std::invalid_argument{"a world has 1 to 64 threads"};
    threads_.resize(count);
    for (unsigned i = 0; i < count; ++i) {
        threads_[i].runs = std::make_unique<fiber>([this, i] {
            try {
                what_->thread(i);
            } catch (std::exception const& e) {
                fail(outcome::broken,
                     "thread " + std::to_string(i) + " ended by an exception: " + e.what());
            } catch (...) {
                fail(outcome::broken, "thread " + std::to_string(i) + " ended by an exception");
            }
            threads_[i].is = state::ended;
        });
    }
    running_ = 0;
    (void)choose(false);  // all are ready
    while (outcome_ == outcome::finished) {
        running_ = next_;
        current_ = this;
        on_fiber_ = true;
        threads_[running_].runs->resume();
        on_fiber_ = false;
        current_ = nullptr;
        if (outcome_ != outcome::finished) break;
        if (threads_[running_].is != state::ended) continue;
        what_->after_step();
        if (std::all_of(threads_.begin(), threads_.end(),
                        [](thread_state const& t) { return t.is == state::ended; })) {
            what_->at_end();
            break;
        }
        if (outcome_ == outcome::finished && !choose(false)) nobody_can_go_on();
    }
    return outcome_;
}

/// Picks who takes the next step. False if nobody can.
bool world::choose(bool can_go_on) {
    std::uint64_t ready = 0;
    for (unsigned i = 0; i < threads_.size(); ++i) {
        if (threads_[i].is == state::ready) ready |= std::uint64_t{1} << i;
    }
    for (unsigned i = 0; i < threads_.size(); ++i) {
        auto& t = threads_[i];
        if (t.is == state::gave_way && (t.others_first & ready) == 0) {
            t.is = state::ready;
        }
    }
    candidates_.clear();
    for (unsigned i = 0; i < threads_.size(); ++i) {
        auto const& t = threads_[i];
        if (t.is == state::ready || (t.is == state::blocked && t.has_deadline))
            candidates_.push_back(i);
    }
    if (candidates_.empty()) return false;
    next_ = who_->pick({candidates_, running_, can_go_on});
    taken_.add(next_);
    auto& chosen = threads_[next_];
    if (chosen.is == state::blocked) {  // its time has come
        chosen.is = state::ready;
        if (chosen.deadline > now()) leapt_ += chosen.deadline - now();
    }
    for (auto& t : threads_) t.others_first &= ~(std::uint64_t{1} << next_);
    return true;
}

void world::switch_away() {
    threads_[running_].runs->give_way();
}

void world::nobody_can_go_on() {
    if (what_->waits_in_circle()) {
        fail(outcome::deadlock, "all threads wait, some of them for each other");
    } else {
        fail(outcome::lost_wakeup, "all threads wait, and nobody is left to wake them");
    }
}

void world::step() {
    ++steps_;
    {
        quiet const onlooker;
        what_->after_step();
    }
    if (steps_ - progress_at_ > limits_.steps_without_progress) {
        fail(outcome::livelock,
             "no commit within " + std::to_string(limits_.steps_without_progress) + " steps");
    }
    (void)choose(true);  // whoever calls is ready
    if (next_ != running_) switch_away();
}

void world::give_way() {
    auto& me = threads_[running_];
    me.is = state::gave_way;
    me.others_first = 0;
    for (unsigned i = 0; i < threads_.size(); ++i) {
        if (i != running_ && threads_[i].is == state::ready)
            me.others_first |= std::uint64_t{1} << i;
    }
    who_->gave_way(running_);
    ++steps_;
    if (steps_ - progress_at_ > limits_.steps_without_progress) {
        fail(outcome::livelock,
             "no commit within " + std::to_string(limits_.steps_without_progress) + " steps");
    }
    (void)choose(false);  // at least ourselves
    if (next_ != running_) switch_away();
}

void world::block(void const* address, std::uint64_t const* deadline) {
    auto& me = threads_[running_];
    me.is = state::blocked;
    me.address = address;
    me.has_deadline = deadline != nullptr;
    me.deadline = deadline != nullptr ? *deadline : 0;
    me.blocked_at = steps_;
    ++steps_;
    if (!choose(false)) {
        nobody_can_go_on();
        return;
    }
    if (next_ != running_) switch_away();
    me.address = nullptr;
}

void world::wake_one(void const* address) noexcept {
    thread_state* first = nullptr;
    for (auto& t : threads_) {
        if (t.is == state::blocked && t.address == address &&
            (first == nullptr || t.blocked_at < first->blocked_at)) {
            first = &t;
        }
    }
    if (first != nullptr) first->is = state::ready;
}

void world::fail(outcome kind, std::string complaint) {
    if (outcome_ == outcome::finished) {
        outcome_ = kind;
        complaint_ = std::move(complaint);
    }
    if (on_fiber_) {  // which is left behind here
        switch_away();
        std::abort();  // never resumed
    }
}

}  // namespace manylock::simulate

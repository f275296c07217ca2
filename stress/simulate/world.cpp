#include "world.hpp"

#include <bit>
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
            ended_ |= bit(i);
            ready_ &= ~bit(i);
        });
    }
    auto const ready_at_first = count == 64 ? ~std::uint64_t{0} : bit(count) - 1;
    ready_ = ready_at_first;
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
        if ((ended_ & bit(running_)) == 0) continue;
        what_->after_step();
        if (ended_ == ready_at_first) {
            what_->at_end();
            break;
        }
        if (outcome_ == outcome::finished && !choose(false)) nobody_can_go_on();
    }
    return outcome_;
}

/// Picks who takes the next step. False if nobody can.
bool world::choose(bool can_go_on) {
    if (gave_way_ != 0) {
        auto const ready = ready_;
        for (auto left = gave_way_; left != 0; left &= left - 1) {
            auto const t = static_cast<unsigned>(std::countr_zero(left));
            if ((threads_[t].others_first & ready) != 0) continue;
            gave_way_ &= ~bit(t);
            ready_ |= bit(t);
        }
    }
    if ((ready_ | timed_) == 0) return false;
    next_ = who_->pick({ready_ | timed_, running_, can_go_on});
    if (next_ >= threads_.size() || ((ready_ | timed_) & bit(next_)) == 0) {
        next_ = static_cast<unsigned>(std::countr_zero(ready_ | timed_));
        fail(outcome::broken,
             "the same choices gave another run: the scenario is not deterministic");
    }
    taken_.add(next_);
    if ((timed_ & bit(next_)) != 0) {  // its time has come
        timed_ &= ~bit(next_);
        ready_ |= bit(next_);
        if (threads_[next_].deadline > now()) leapt_ += threads_[next_].deadline - now();
    }
    for (auto left = gave_way_; left != 0; left &= left - 1) {
        threads_[static_cast<unsigned>(std::countr_zero(left))].others_first &= ~bit(next_);
    }
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

void world::check_progress() {
    if (steps_ - progress_at_ <= limits_.steps_without_progress) return;
    fail(outcome::livelock,
         "no commit within " + std::to_string(limits_.steps_without_progress) + " steps");
}

void world::step() {
    ++steps_;
    {
        quiet const onlooker;
        what_->after_step();
    }
    check_progress();
    (void)choose(true);  // whoever calls is ready
    if (next_ != running_) switch_away();
}

void world::give_way() {
    ++steps_;
    check_progress();
    ready_ &= ~bit(running_);
    gave_way_ |= bit(running_);
    threads_[running_].others_first = ready_;
    who_->gave_way(running_);
    (void)choose(false);  // at least ourselves
    if (next_ != running_) switch_away();
}

void world::block(void const* address, std::uint64_t const* deadline) {
    ++steps_;
    auto& me = threads_[running_];
    ready_ &= ~bit(running_);
    if (deadline != nullptr) {
        timed_ |= bit(running_);
        me.deadline = *deadline;
    }
    me.address = address;
    me.blocked_at = steps_;
    if (!choose(false)) {
        nobody_can_go_on();
        return;
    }
    if (next_ != running_) switch_away();
    me.address = nullptr;
}

void world::wake_one(void const* address) noexcept {
    unsigned first = none;
    for (unsigned t = 0; t < threads_.size(); ++t) {
        if (threads_[t].address != address || (ready_ & bit(t)) != 0) continue;
        if (first == none || threads_[t].blocked_at < threads_[first].blocked_at) first = t;
    }
    if (first == none) return;
    timed_ &= ~bit(first);
    ready_ |= bit(first);
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

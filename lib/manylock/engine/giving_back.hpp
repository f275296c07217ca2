// What happens when holders or queue have shrunk: whoever can be served is served, and those behind are asked again.
//
// INV-Q3 Once the latch is free nobody queued could be granted, for whoever changes holders or queue grants; or the lock
//        was left free with its queue open, and a waiter is awake that will look. Readers may have passed since, whom a
//        queued reader could join, and others may have queued: the one that is awake serves the queue when it looks.
#pragma once

#include <manylock/engine/conflicts.hpp>

namespace manylock::detail {

template <class Config>
class giving_back {
    using holding = holders<Config>;
    using queue = wait_queue<Config>;
    using rules = conflicts<Config>;

public:
    using lock_type = queued_lock<Config>;
    using block = control_block<Config>;
    using hold_type = hold<Config>;

    /// Requires: the fast path failed (latched, or waiters).
    [[gnu::noinline]] static void release(lock_type& lock, mode m, hold_type* h) noexcept {
        if (m == mode::exclusive && lock.try_release_open()) return;
        serve(lock, holding::remove(queue::latch(lock), m, h));
    }
    /// Ends a single-object read.
    static void release_single(lock_type& lock) noexcept {
        if (lock.try_remove_reader(holding::single_unit)) return;
        serve(lock, queue::latch(lock).minus_reader(holding::single_unit));
    }
    /// Requires: held exclusively by the caller. All waiters leave with `stale`, and whoever comes later.
    static void detach(lock_type& lock) noexcept {
        auto const w = queue::latch(lock).detached();
        typename queue::leavers leaving;
        while (auto* const b = queue::first(lock)) {
            queue::dequeue(lock, *b);
            leaving.add(*b);
        }
        queue::unlatch(lock, w);
        leaving.tell(signal::stale);
    }
    /// Serves the queue, and frees the latch. An open queue is not served but told: the lock stays free for whoever
    /// runs, instead of waiting for one that sleeps.
    static void serve(lock_type& lock, lock_word w) noexcept {
        if (w.is_free() && queue::first(lock) != nullptr && !queue::is_closed(lock)) {
            auto* const told = w.is_awake() ? nullptr : queue::first(lock);
            queue::unlatch(lock, w.awake());
            if (told != nullptr) told->park.deliver(signal::poke);
            return;
        }
        typename queue::leavers granted;
        typename rules::pokes poked;
        w = queue::grant(lock, w, granted);
        for (auto* b = granted.first(); b != nullptr; b = queue::next(*b)) {
            if (!b->is_single_read())
                rules::ask_again(queue::first(lock), *b, queue::mode_of(*b), poked);
        }
        queue::unlatch(lock, w);
        poked.deliver();
        granted.tell(signal::granted);
    }
};

}  // namespace manylock::detail

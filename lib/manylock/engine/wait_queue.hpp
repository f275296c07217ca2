// Latch and wait queue of one queued lock: mechanism only, no decision.
//
// INV-Q1 The queue is: upgrades first, then oldest first (stamps) or first come first (no stamps).
// INV-Q2 Word and queue change only under the latch; the word also by compare-exchange from an unlatched word
//        that has no waiters, or is open.
// INV-Q4 `wait` is odd exactly while queued, and moves on under the latch.
// Walkers read first() and next() without the latch; they check `wait` around each step.
#pragma once

#include <cstdint>

#include <manylock/engine/holders.hpp>

namespace manylock::detail {

template <class Config>
class wait_queue {
public:
    using platform = typename Config::platform;
    using lock_type = queued_lock<Config>;
    using block = control_block<Config>;

    static lock_word latch(lock_type& lock) noexcept {
        for (unsigned tries = 0;; ++tries) {
            auto seen = lock.word_.load(platform::relaxed);  // relaxed: the exchange decides
            lock_word const w{seen};
            // (L1) acquire; pairs (L2); sees word and queue as the last latch holder left them
            if (!w.is_latched() &&
                lock.word_.compare_exchange_weak(seen, w.latched().bits, platform::acquire,
                                                 platform::relaxed)) {
                return w;
            }
            if (tries < Config::knobs.spin_limit) {
                platform::pause();
            } else {
                platform::yield();  // the holder of the latch may have been preempted
            }
        }
    }
    static void unlatch(lock_type& lock, lock_word w) noexcept {
        w = first(lock) == nullptr ? w.without_waiters() : w.with_waiters(is_closed(lock));
        // (L2) release; pairs (L1), and the acquire of queued_lock's fast paths
        lock.word_.store(w.bits, platform::release);
    }
    /// For one who looks on while nobody moves (onlooker.hpp).
    [[nodiscard]] static lock_word look_at_word(lock_type const& lock) noexcept {
        return {lock.word_.load(platform::relaxed)};  // relaxed: nothing moves
    }
    [[nodiscard]] static block* first(lock_type const& lock) noexcept {
        return lock.queue_.load(platform::acquire);  // (Q2) acquire; pairs (Q1)
    }
    [[nodiscard]] static block* next(block const& b) noexcept {
        return b.next.load(platform::acquire);  // (Q3) acquire; pairs (Q1, Q5)
    }
    [[nodiscard]] static mode mode_of(block const& b) noexcept {
        return b.wait_mode.load(platform::acquire);  // (Q4) acquire; before the check of `wait`
    }

    // --- all below: under the latch ----------------------------------------------------------------
    [[nodiscard]] static bool may_be_passed(block const& b) noexcept {
        return (Config::may_pass_holders || !b.wait_restartable) &&
               b.wait_passes < Config::knobs.pass_limit;
    }
    /// True if a newcomer must not take the lock past those who wait. Where some must not be passed, a queue that is too
    /// long to look through is closed too.
    [[nodiscard]] static bool is_closed(lock_type const& lock) noexcept {
        auto const* b = first(lock);
        if constexpr (Config::may_pass_holders) {
            return b != nullptr && !may_be_passed(*b);
        } else {
            for (int looks = 0; b != nullptr; b = next(*b)) {
                if (++looks > 4 || !may_be_passed(*b)) return true;
            }
            return false;
        }
    }
    /// True if `a`, arriving now, queues ahead of `b`, which is queued already (INV-Q1).
    [[nodiscard]] static bool goes_ahead(stamp a, bool a_upgrades, block const& b) noexcept {
        if (a_upgrades != b.wait_upgrade) return a_upgrades;
        if constexpr (Config::needs.stamps) return a.older_than(b.current_stamp());
        return false;
    }
    /// Requires: the wait_ fields of `me` are set.
    static void enqueue(lock_type& lock, block& me) noexcept {
        auto const age = me.current_stamp();
        auto* const head = first(lock);
        auto* after = head;  // the one we go ahead of; from the tail, like the kernel's list
        block* before = nullptr;
        if (head != nullptr) {
            before = head->previous;
            after = nullptr;
            while (before != nullptr && goes_ahead(age, me.wait_upgrade, *before)) {
                after = before;
                block* const ahead = before->previous;
                before = before == head ? nullptr : ahead;
            }
        }
        // (Q5) release; pairs (Q3) and a snapshot's load: who sees these sees that our last wait is over
        me.next.store(after, platform::release);
        me.wait_lock.store(&lock, platform::release);
        // (Q6) release; pairs with the acquire of `wait` in the graph view and in snapshots: they see the
        // request whole. The load is relaxed: nobody else changes it while we are not queued.
        me.wait.store(me.wait.load(platform::relaxed) + 1, platform::release);
        if (before == nullptr) {
            me.previous = head != nullptr ? head->previous : &me;
            if (head != nullptr) head->previous = &me;
            lock.queue_.store(&me, platform::release);  // (Q1) release; pairs (Q2)
        } else {
            me.previous = before;
            before->next.store(&me, platform::release);  // (Q1) release; pairs (Q3)
            (after != nullptr ? after : head)->previous = &me;
        }
    }
    static void dequeue(lock_type& lock, block& b) noexcept {
        auto* const head = first(lock);
        auto* const following = next(b);
        // (Q1) release; pairs (Q2, Q3)
        if (head == &b) {
            lock.queue_.store(following, platform::release);
            if (following != nullptr) following->previous = b.previous;
        } else {
            b.previous->next.store(following, platform::release);
            (following != nullptr ? following : head)->previous = b.previous;
        }
        // relaxed: nothing is read on the strength of its being over; whoever sees what is stored from here
        // on (Q5, the hold list) sees this too
        b.wait.store(b.wait.load(platform::relaxed) + 1, platform::relaxed);
    }

    /// A chain of blocks that have left the queue and are still to be told so.
    class leavers {
    public:
        void add(block& b) noexcept {
            b.next.store(nullptr, platform::release);  // release: as (Q5)
            if (last_ == nullptr) {
                first_ = &b;
            } else {
                last_->next.store(&b, platform::release);  // release: as (Q5)
            }
            last_ = &b;
        }
        [[nodiscard]] block* first() const noexcept { return first_; }
        /// Call without the latch. A block may begin another wait right after its signal.
        void tell(std::uint32_t signals) noexcept {
            for (auto* b = first_; b != nullptr;) {
                auto* const following = next(*b);
                b->park.deliver(signals);
                b = following;
            }
        }

    private:
        block* first_ = nullptr;
        block* last_ = nullptr;
    };

    /// True if a holder is in the way of `b`, which is queued and wants `m`.
    [[nodiscard]] static bool is_held_up(lock_word w, block const& b, mode m) noexcept {
        return holders<Config>::are_in_the_way(w, b, m, b.wait_upgrade, b.is_single_read());
    }
    /// Takes the request of `b` from the queue and makes `b` a holder. Returns the new word.
    [[nodiscard]] static lock_word admit(lock_type& lock, lock_word w, block& b) noexcept {
        dequeue(lock, b);
        hold<Config>* const h = b.wait_hold;
        // It may have been the one that was awake.
        return holders<Config>::add(w.not_awake(), b, mode_of(b), b.wait_upgrade ? h : nullptr, h);
    }
    /// Moves everybody who can be served to `granted`, in queue order. Returns the new word.
    [[nodiscard]] static lock_word grant(lock_type& lock, lock_word w, leavers& granted) noexcept {
        mode_set waiting_ahead;
        for (auto* b = first(lock); b != nullptr && !waiting_ahead.conflicts_with_all();) {
            auto* const following = next(*b);
            auto const m = mode_of(*b);
            if (waiting_ahead.conflicts_with(m) || is_held_up(w, *b, m)) {
                waiting_ahead.add(m);
            } else {
                w = admit(lock, w, *b);
                granted.add(*b);
            }
            b = following;
        }
        return w;
    }
    /// Takes the latch. Grants the queued request of `b` past those ahead of it, if no holder is in its way and it is
    /// still in wait `wait_number`. Requires: the lock's memory is protected by a read section.
    static bool let_pass(lock_type& lock, block& b, std::uint64_t wait_number) noexcept {
        auto w = latch(lock);
        // relaxed: changes only under this latch
        if (b.wait.load(platform::relaxed) != wait_number || is_held_up(w, b, mode_of(b))) {
            unlatch(lock, w);
            return false;
        }
        w = admit(lock, w, b);
        unlatch(lock, w);
        b.park.deliver(signal::granted);
        return true;
    }
};

}  // namespace manylock::detail

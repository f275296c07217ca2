// Latch, wait queue and holders of one queued lock: mechanism only, no decision.
//
// INV-Q1 The queue is: upgrades first, then oldest first (stamps) or first come first (no stamps).
// INV-Q2 Word and queue change only under the latch; the word also by compare-exchange from an unlatched word
//        that has no waiters, or is open.
// INV-Q4 `wait` is odd exactly while queued, and moves on under the latch.
// Walkers read first() and next() without the latch; they check `wait` around each step.
#pragma once

#include <cstdint>

#include <manylock/lock.hpp>

namespace manylock::detail {

template <class Config>
class wait_queue {
public:
    using platform = typename Config::platform;
    using lock_type = queued_lock<Config>;
    using block = control_block<Config>;
    using entry = hold<Config>;
    static constexpr word::type single_unit =
        Config::known_readers ? word::single_one : word::payload_one;

    /// What a shared request adds to the word, where it is a number.
    [[nodiscard]] static constexpr word::type unit_of(entry const* e) noexcept {
        return e == nullptr ? single_unit : word::payload_one;
    }

    static word::type latch(lock_type& lock) noexcept {
        for (unsigned tries = 0;; ++tries) {
            auto w = lock.word_.load(platform::relaxed);  // relaxed: the exchange decides
            // (L1) acquire; pairs (L2); sees word and queue as the last latch holder left them
            if ((w & word::latch) == 0 &&
                lock.word_.compare_exchange_weak(w, w | word::latch, platform::acquire,
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
    static void unlatch(lock_type& lock, word::type w) noexcept {
        w &= ~(word::waiters | word::closed);
        if (first(lock) == nullptr) {
            w &= ~word::awake;
        } else {
            w |= word::waiters | (is_closed(lock) ? word::closed : 0);
        }
        // (L2) release; pairs (L1), and the acquire of lock.hpp's fast paths
        lock.word_.store(w, platform::release);
    }
    /// For one who looks on while nobody moves (onlooker.hpp).
    [[nodiscard]] static word::type look_at_word(lock_type const& lock) noexcept {
        return lock.word_.load(platform::relaxed);  // relaxed: nothing moves
    }
    /// Stores change(word) under the latch, unless one of the bits `unless` is set, the latch, or somebody changes the word
    /// meanwhile: then false. Requires: `unless` has bit `waiters`, since the queue is not looked at.
    template <class F>
    static bool change_at_once(lock_type& lock, word::type unless, F change) noexcept {
        auto w = lock.word_.load(platform::relaxed);  // relaxed: the exchange decides
        // (L1) acquire, as in latch
        if ((w & (unless | word::latch)) != 0 ||
            !lock.word_.compare_exchange_strong(w, w | word::latch, platform::acquire, platform::relaxed)) {
            return false;
        }
        lock.word_.store(change(w), platform::release);  // (L2) release, as in unlatch
        return true;
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
        return (Config::may_pass_holders || !b.wait_holding) && b.wait_misses < Config::knobs.pass_limit;
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
        void signal(std::uint32_t bits) noexcept {
            for (auto* b = first_; b != nullptr;) {
                auto* const following = next(*b);
                b->park.deliver(bits);
                b = following;
            }
        }

    private:
        block* first_ = nullptr;
        block* last_ = nullptr;
    };

    /// True if a holder other than `me` conflicts with `wanted`. An upgrader ignores its own hold.
    /// `single`: a reader without an entry, for which the word must have room.
    [[nodiscard]] static bool blocked_by_holders(word::type w, block const& me, mode wanted,
                                                 bool upgrade, bool single) noexcept {
        if ((w & word::exclusive) != 0) return true;
        if (compatible(mode::shared, wanted)) {
            return single && lock_type::reader_field_full(w, single_unit);
        }
        if constexpr (Config::known_readers) {
            if ((w & word::single_mask) != 0) return true;
            auto const* const reader = word::pointer<entry>(w);
            if (reader == nullptr) return false;
            return reader->holder != &me || reader->next != nullptr;
        } else {
            return word::count(w) > (upgrade ? 1U : 0U);
        }
    }
    /// The word with `b` as a holder. `held` is its weaker hold, if this is an upgrade.
    [[nodiscard]] static word::type add_holder(word::type w, block& b, mode m, entry* held,
                                               entry* e) noexcept {
        if (m == mode::exclusive) {  // an upgrader was the only reader: the payload is replaced
            if constexpr (Config::known_readers) {
                if (held != nullptr) (void)unlink(w, *held);  // it was the only one
            }
            return (w & ~word::payload_mask) | word::payload(&b) | word::exclusive;
        }
        if (e == nullptr) return w + single_unit;
        if constexpr (Config::known_readers) {
            auto* const head = word::pointer<entry>(w);
            e->holder = &b;
            e->next = head;
            e->previous = nullptr;
            if (head != nullptr) head->previous = e;
            return (w & ~word::payload_mask) | word::payload(e);
        } else {
            return w + word::payload_one;
        }
    }
    [[nodiscard]] static word::type remove_holder(word::type w, mode m, entry* e) noexcept {
        if (m == mode::exclusive) return w & ~(word::payload_mask | word::exclusive);
        if constexpr (Config::known_readers) {
            return unlink(w, *e);
        } else {
            return w - word::payload_one;
        }
    }
    /// Calls f(block&) for each holder that has an identity.
    template <class F>
    static void for_each_known_holder(word::type w, F f) noexcept {
        if ((w & word::exclusive) != 0) {
            f(*word::pointer<block>(w));
        } else if constexpr (Config::known_readers) {
            for (auto* e = word::pointer<entry>(w); e != nullptr; e = e->next) f(*e->holder);
        }
    }
    /// Moves everybody who can be served to `granted`, in queue order. Returns the new word.
    [[nodiscard]] static word::type grant(lock_type& lock, word::type w, leavers& granted) noexcept {
        mode_set passed_over;
        for (auto* b = first(lock); b != nullptr && !passed_over.conflicts_with_all();) {
            auto* const following = next(*b);
            auto const m = mode_of(*b);
            if (passed_over.conflicts_with(m) || blocked_by_holders(w, *b, m, b->wait_upgrade,
                                                                    b->wait_entry == nullptr)) {
                passed_over.add(m);
            } else {
                w = admit(lock, w, *b);
                granted.add(*b);
            }
            b = following;
        }
        return w;
    }

    /// Takes the latch. Grants the queued request of `b` out of turn if no holder is in its way and it is
    /// still in wait `wait_number`. Requires: the lock's memory is protected by a read section.
    static bool overtake(lock_type& lock, block& b, std::uint64_t wait_number) noexcept {
        auto w = latch(lock);
        // relaxed: changes only under this latch
        if (b.wait.load(platform::relaxed) != wait_number ||
            blocked_by_holders(w, b, mode_of(b), b.wait_upgrade, b.wait_entry == nullptr)) {
            unlatch(lock, w);
            return false;
        }
        w = admit(lock, w, b);
        unlatch(lock, w);
        b.park.deliver(signal::granted);
        return true;
    }

protected:
    /// Takes the request of `b` from the queue and makes `b` a holder. Returns the new word.
    [[nodiscard]] static word::type admit(lock_type& lock, word::type w, block& b) noexcept {
        dequeue(lock, b);
        entry* const e = b.wait_entry;
        // It may have been the one that was awake.
        return add_holder(w & ~word::awake, b, mode_of(b), b.wait_upgrade ? e : nullptr, e);
    }

private:
    [[nodiscard]] static word::type unlink(word::type w, entry& e) noexcept {
        if (e.next != nullptr) e.next->previous = e.previous;
        if (e.previous != nullptr) {
            e.previous->next = e.next;
            return w;
        }
        return (w & ~word::payload_mask) | word::payload(e.next);
    }
};

}  // namespace manylock::detail

// What happens to a request that meets a conflict: it is granted, told to restart, or waits until somebody
// decides. evaluation.hpp asks the policy.
//
// INV-E3 Whoever dequeues a request under the latch decides its outcome: the waiter itself (restart,
//        time-out, cancel) or another (granted, stale). So exactly one of grant and restart wins, and a
//        grant is never dropped: a waiter that finds itself dequeued takes what it was given.
#pragma once

#include <cstdint>
#include <mutex>

#include <manylock/evaluation.hpp>
#include <manylock/onlooker.hpp>
#include <manylock/wait_graph_view.hpp>

namespace manylock::detail {

template <class Config>
class arbiter : public evaluation<Config> {
public:
    using base = evaluation<Config>;
    using typename base::block;
    using typename base::entry;
    using typename base::leavers;
    using typename base::lock_type;
    using typename base::platform;
    using typename base::policy;
    using typename base::request_type;
    using typename base::shared_state;

    /// Requires: the fast path failed. Blocks as the request allows. Returns granted, busy, timed_out,
    /// cancelled or a restart; on granted the lock shows us as a holder.
    static acquire_result acquire(shared_state& shared, block& me, request_type const& r) {
        if (taken_in_passing(me, r)) return status::granted;
        auto w = base::latch(r.lock);
        if constexpr (Config::distributed_readers) {
            if ((w & word::distributed) != 0) w = count_distributed(shared, r.lock, w);
        }
        if ((w & word::detached) != 0) {
            base::unlatch(r.lock, w);
            return restart_reason::stale;
        }
        bool const upgrade = r.held != nullptr;
        bool blocked = base::blocked_by_holders(w, me, r.wanted, upgrade, r.entry == nullptr);
        if (Config::needs.stamps && (blocked || base::first(r.lock) != nullptr)) {
            base::draw_stamps(shared, w, me);
        }
        // A free lock is open to all: the queue bars nobody.
        blocked = blocked || (!word::is_free(w) && base::blocked_by_queue(r.lock, me, r.wanted, upgrade));
        if (!blocked) {
            marks wounded;
            w = base::add_holder(w, me, r.wanted, r.held, r.entry);
            // A single-object reader waits for nobody while it holds: nobody need fear it.
            if (r.entry != nullptr) base::retest(base::first(r.lock), me, r.wanted, wounded);
            base::unlatch(r.lock, w);
            wounded.deliver();
            return status::granted;
        }
        if (!r.may_wait) {
            base::unlatch(r.lock, w);
            return status::busy;
        }
        me.park.reset();  // before looking for wounds: a later one leaves its poke
        marks wounded;
        if (r.holding && (me.is_wounded() || base::must_die(r, w, me, wounded))) {
            onlooker<Config>::refused(shared, me, r);
            if (r.pin != nullptr) r.pin->enter();
            base::unlatch(r.lock, w);
            wounded.deliver();
            return policy::reason;
        }
        me.wait_mode.store(r.wanted, platform::release);  // release; pairs (Q4), as (Q5)
        me.wait_entry = upgrade ? r.held : r.entry;
        me.wait_upgrade = upgrade;
        me.wait_holding = r.holding;
        me.wait_misses = 0;
        base::enqueue(r.lock, me);
        base::retest(base::next(me), me, r.wanted, wounded);
        if (r.holding) onlooker<Config>::waits(shared, me);
        base::unlatch(r.lock, w);
        wounded.deliver();
        return wait(shared, me, r);
    }

    /// Links `me` as a reader with entry `e` if nobody is in its way or waits. Requires: `me` does not hold the lock.
    static bool try_link_reader(lock_type& lock, block& me, entry& e) noexcept {
        return base::change_at_once(lock, word::blocks_shared | word::distributed, [&](word::type w) {
            return base::add_holder(w, me, mode::shared, nullptr, &e);
        });
    }
    static bool try_unlink_reader(lock_type& lock, entry& e) noexcept {
        return base::change_at_once(lock, word::waiters, [&](word::type w) {
            return base::remove_holder(w, mode::shared, &e);
        });
    }
    /// Requires: the fast path failed (latched, or waiters).
    [[gnu::noinline]] static void release(lock_type& lock, mode m, entry* e) noexcept {
        if (m == mode::exclusive && lock.try_release_open()) return;
        base::hand_on(lock, base::remove_holder(base::latch(lock), m, e));
    }
    /// Ends a single-object read.
    static void release_single(lock_type& lock) noexcept {
        if (lock.try_remove_reader(base::single_unit)) return;
        base::hand_on(lock, base::latch(lock) - base::single_unit);
    }
    /// Requires: held exclusively by the caller. All waiters leave with `stale`, and whoever comes later.
    static void detach(lock_type& lock) noexcept {
        auto const w = base::latch(lock) | word::detached;
        leavers leaving;
        while (auto* const b = base::first(lock)) {
            base::dequeue(lock, *b);
            leaving.add(*b);
        }
        base::unlatch(lock, w);
        leaving.signal(signal::stale);
    }

private:
    using marks = typename base::marks;

    /// Under the latch: looks through all hold lists for readers that the lock does not know of, and makes it know them.
    /// Cost: a look at every entry of every list of the domain.
    static word::type count_distributed(shared_state& shared, lock_type& lock, word::type w) noexcept {
        w &= ~word::distributed;
        // relaxed: the fence orders it. Latched, so nobody else changes it.
        lock.word_.store(w | word::latch, platform::relaxed);
        platform::fence();  // (D4) partner: the one in basic_transaction::joined_distributed (D1)
        shared.pool.for_each_unlocked([&](block& each) {
            auto const size = each.holds.size();
            for (std::uint32_t i = 0; i < size; ++i) {
                auto& e = each.holds.at(i);
                if (e.count_distributed(&lock)) w = base::add_holder(w, each, mode::shared, nullptr, &e);
            }
        });
        return w;
    }

    // --- taking a lock that is free, or soon will be -------------------------------------------------
    /// Looks a moment for the lock to become free, before it queues, and takes it. Bounded, so no undetected wait; passes
    /// nobody who must not be passed; ends when we are told to restart. Not for those who would restart rather than wait.
    static bool taken_in_passing(block& me, request_type const& r) noexcept {
        if (r.held != nullptr) return false;
        if (Config::known_readers && r.wanted == mode::shared && r.entry != nullptr) return false;
        bool waits = r.may_wait;
        if constexpr (!Config::needs.holders) {
            waits = waits && !(r.holding && policy::on_conflict({.in_order = r.in_order}) == decision::die);
        }
        auto const looks = waits ? Config::knobs.spin_limit : 0;
        for (unsigned i = 0;; ++i) {
            auto const answer = r.lock.try_pass(me, r.wanted, base::unit_of(r.entry));
            if (answer != lock_type::passed::not_yet) return answer == lock_type::passed::yes;
            if (i >= looks || (r.holding && me.is_wounded())) return false;
            platform::pause();
        }
    }
    /// Poked: takes the lock if it was left free, wherever we stand in the queue, which is open then.
    static bool takes_open_lock(block& me, request_type const& r) noexcept {
        if (!Config::may_pass_holders && r.holding) return false;  // it is handed on to us
        typename platform::read_section const alive;
        // While no outcome has been signalled, the lock cannot be freed before this section ends.
        if ((me.park.signals() & (signal::granted | signal::stale)) != 0) return false;
        auto w = base::latch(r.lock);
        if (!me.queued()) {
            base::unlatch(r.lock, w);
            return false;
        }
        w &= ~word::awake;
        if (!word::is_free(w)) {
            // No further than to the limit: the number does not wrap.
            if (base::first(r.lock) == &me && base::may_be_passed(me)) {
                me.wait_misses = static_cast<std::uint16_t>(me.wait_misses + 1);
            }
            base::hand_on(r.lock, w);  // if it was readers who passed, other readers can join them
            return false;
        }
        w = base::admit(r.lock, w, me);
        base::hand_on(r.lock, w);  // to those who can share it
        return true;
    }

    // --- waiting -----------------------------------------------------------------------------------
    static acquire_result wait(shared_state& shared, block& me, request_type const& r) {
        if (r.section != nullptr) r.section->leave();
        if (r.pin != nullptr) r.pin->leave();  // of the restart before: the queue keeps the lock alive now
        me.count.add(counter::waits);
        auto const begin = platform::now();
        auto const result = wait_for_outcome(shared, me, r);
        me.count.add(counter::wait_ns, platform::ns_between(begin, platform::now()));
        return result;
    }
    /// Spins, looks for a cycle, yields, parks: in this order, so that what a walk would find does not
    /// wait for a scheduler, and short holds cost no walk. Once more after each poke. Every step polls every signal.
    static acquire_result wait_for_outcome(shared_state& shared, block& me, request_type const& r) {
        pause_until_signal(me);
        bool walked = !Config::needs.held_list;  // one that holds nothing may bar those behind it
        bool yielded = false;
        for (;;) {
            auto const seen = me.park.signals();
            if ((seen & signal::granted) != 0) return status::granted;
            if ((seen & signal::stale) != 0) return restart_reason::stale;
            bool const late = r.deadline != nullptr && platform::now() >= *r.deadline;
            bool const cancelled = r.cancelled != nullptr && r.cancelled(r.cancel_token);
            if ((seen & signal::poke) != 0 || late || cancelled) {
                me.park.clear(signal::poke);
                if (takes_open_lock(me, r)) return status::granted;
                auto const result = look_again(shared, me, r, late, cancelled);
                if (result.what() != status::busy) return result;
                pause_until_signal(me);  // whoever was faster may be done soon
                yielded = false;
            } else if (!walked) {
                walked = true;
                if (must_restart_after_walk(shared, me, r)) {
                    return leave(shared, me, r, policy::reason);
                }
            } else if (!yielded) {
                yielded = true;
                yield_until_signal(me);
            } else {
                me.count.add(counter::parks);
                me.park.wait(r.deadline);
            }
        }
    }
    static void pause_until_signal(block const& me) noexcept {
        for (unsigned i = 0; i < Config::knobs.spin_limit && me.park.signals() == 0; ++i) {
            platform::pause();
        }
    }
    static void yield_until_signal(block const& me) noexcept {
        for (unsigned i = 0; i < Config::knobs.yield_limit && me.park.signals() == 0; ++i) {
            platform::yield();
        }
    }
    static bool must_restart_after_walk(shared_state& shared, block& me, request_type const& r) {
        if constexpr (Config::needs.held_list) {
            try {
                // (F1) full fence between publishing our request and looking at the others' requests;
                // partner: this same fence in whoever closes the cycle from another side.
                //   this: [W] enqueue self    | other: [W] enqueue self
                //             fence           |            fence
                //         [R] others' queues  |        [R] our queue
                platform::fence();
                typename platform::read_section const alive;
                wait_graph_view<Config> view{shared, me};
                return policy::on_wait(view);
            } catch (...) {  // no memory for the walk: give the place in the queue back, unless granted
                if (give_up(shared, me, r, status::busy) == status::busy) throw;
                return false;
            }
        } else {
            (void)shared, (void)me, (void)r;
            return false;
        }
    }
    /// Poked, late or cancelled: finds out whether that ends the wait. `busy` means: go on waiting.
    static acquire_result look_again(shared_state& shared, block& me, request_type const& r, bool late,
                                     bool cancelled) {
        if constexpr (Config::needs.held_list) {
            if (r.holding && me.is_victim()) return leave(shared, me, r, policy::reason);
        }
        if constexpr (Config::needs.holders) {
            if (r.holding && me.is_wounded()) return give_up(shared, me, r, policy::reason);
            if (r.holding && dies_in_queue(me, r)) return give_up(shared, me, r, policy::reason);
        }
        if (cancelled) return give_up(shared, me, r, status::cancelled);
        if (late) return give_up(shared, me, r, status::timed_out);
        return status::busy;
    }
    /// Leaves for another reason than being a cycle's victim. Not between a detector's last look at a cycle and its choice of a victim,
    /// or that one would restart for a cycle which is gone.
    static acquire_result give_up(shared_state& shared, block& me, request_type const& r,
                                  acquire_result result) noexcept {
        if constexpr (Config::needs.held_list) {
            std::lock_guard const nobody_chooses{shared.choosing};
            return leave(shared, me, r, result);
        } else {
            return leave(shared, me, r, result);
        }
    }
    static bool dies_in_queue(block& me, request_type const& r) noexcept {
        typename platform::read_section const alive;
        // While no outcome has been signalled, the lock cannot be freed before this section ends.
        if ((me.park.signals() & (signal::granted | signal::stale)) != 0) return false;
        auto const w = base::latch(r.lock);
        marks wounded;
        bool const dies = me.queued() && base::must_die(r, w, me, wounded);
        base::unlatch(r.lock, w);
        wounded.deliver();
        return dies;
    }
    /// Leaves the queue with `result`, unless somebody else has decided the outcome already.
    static acquire_result leave(shared_state& shared, block& me, request_type const& r,
                                acquire_result result) noexcept {
        typename platform::read_section alive;
        if ((me.park.signals() & (signal::granted | signal::stale)) == 0) {
            auto const w = base::latch(r.lock);
            if (me.queued()) {
                if (result.is_restart()) {
                    onlooker<Config>::leaves_queue(shared, me);
                    if (r.pin != nullptr) r.pin->enter();
                }
                base::dequeue(r.lock, me);
                base::hand_on(r.lock, w & ~word::awake);  // those behind us may be served now
                return result;
            }
            base::unlatch(r.lock, w);
        }
        alive.leave();
        for (;;) {  // dequeued by another: its signal is on the way
            auto const seen = me.park.signals();
            if ((seen & signal::granted) != 0) return status::granted;
            if ((seen & signal::stale) != 0) return restart_reason::stale;
            platform::yield();
        }
    }
};

}  // namespace manylock::detail

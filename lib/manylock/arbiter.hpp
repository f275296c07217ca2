// What happens to a request that meets a conflict: evaluation by the policy, waiting, leaving, granting.
//
// INV-Q3 Nobody queued could be granted once the latch is free: whoever changes holders or queue grants.
// INV-E3 Whoever dequeues a request under the latch decides its outcome: the waiter itself (restart,
//        time-out, cancel) or another (granted, stale). So exactly one of grant and restart wins, and a
//        grant is never dropped: a waiter that finds itself dequeued takes what it was given.
// Sources: [RSL78] wound-wait and wait-die; kernel ww_mutex: sorted list, lazy wound, the zero-lock rule.
#pragma once

#include <array>
#include <cstdint>

#include <manylock/wait_graph_view.hpp>
#include <manylock/wait_queue.hpp>

namespace manylock::detail {

/// One acquisition on its way through the arbiter.
template <class Config>
struct request {
    queued_lock<Config>& lock;
    mode wanted;
    hold<Config>* held = nullptr;   ///< our weaker hold of the same lock: an upgrade
    hold<Config>* entry = nullptr;  ///< reserved entry to fill; null for single-object readers
    bool holding = false;           ///< holds anything: may be made to restart
    bool may_wait = true;
    bool in_order = true;           ///< ranks above everything held (needs.rank)
    typename Config::platform::time_point const* deadline = nullptr;
    bool (*cancelled)(void const*) noexcept = nullptr;
    void const* cancel_token = nullptr;
    typename Config::platform::read_section* section = nullptr;  ///< left before waiting
    typename Config::platform::restart_pin* pin = nullptr;       ///< entered with a restart
};

template <class Config>
class arbiter : public wait_queue<Config> {
public:
    using base = wait_queue<Config>;
    using typename base::block;
    using typename base::entry;
    using typename base::leavers;
    using typename base::lock_type;
    using typename base::platform;
    using policy = typename Config::policy;
    using shared_state = arbitration<Config>;
    using request_type = request<Config>;

    /// The stamp of `b`, drawn now if it has none. The compare-exchange settles who drew it.
    static stamp ensure_stamp(shared_state& shared, block& b) noexcept {
        if (auto const s = b.current_stamp(); s.drawn()) return s;
        // relaxed: only unique and increasing
        auto const drawn = shared.last_stamp.fetch_add(1, platform::relaxed) + 1;
        // relaxed: for reports. Before the stamp, so that nobody sees a stamp with an earlier one's time.
        b.stamped_ns.store(platform::ns_between({}, platform::now()), platform::relaxed);
        std::uint64_t none = 0;
        // acq_rel: whoever compares with the stamp sees it, and we see the one that came first
        if (b.age.compare_exchange_strong(none, drawn, platform::acq_rel, platform::acquire)) {
            return {drawn};
        }
        return {none};
    }

    /// Requires: the fast path failed. Blocks as the request allows. Returns granted, busy, timed_out,
    /// cancelled or a restart; on granted the lock shows us as a holder.
    static acquire_result acquire(shared_state& shared, block& me, request_type const& r) {
        auto w = base::latch(r.lock);
        if ((w & word::detached) != 0) {
            base::unlatch(r.lock, w);
            return restart_reason::stale;
        }
        bool const upgrade = r.held != nullptr;
        bool blocked = base::blocked_by_holders(w, me, r.wanted, upgrade, r.entry == nullptr);
        if (Config::needs.stamps && (blocked || base::first(r.lock) != nullptr)) {
            draw_stamps(shared, w, me);
        }
        blocked = blocked || blocked_by_queue(r.lock, me, r.wanted, upgrade);
        if (!blocked) {
            marks wounded;
            w = base::add_holder(w, me, r.wanted, r.held, r.entry);
            // A single-object reader waits for nobody while it holds: nobody need fear it.
            if (r.entry != nullptr) retest(base::first(r.lock), me, r.wanted, wounded);
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
        if (r.holding && (me.is_wounded() || must_die(r, w, me, wounded))) {
            if (r.pin != nullptr) r.pin->enter();
            base::unlatch(r.lock, w);
            wounded.deliver();
            return policy::reason;
        }
        me.wait_mode.store(r.wanted, platform::release);  // release; pairs (Q4), as (Q5)
        me.wait_entry = upgrade ? r.held : r.entry;
        me.wait_upgrade = upgrade;
        me.wait_holding = r.holding;
        base::enqueue(r.lock, me);
        retest(base::next(me), me, r.wanted, wounded);
        base::unlatch(r.lock, w);
        wounded.deliver();
        return wait(shared, me, r);
    }

    /// Requires: the fast path failed (latched, waiters, or linked readers).
    static void release(lock_type& lock, mode m, entry* e) noexcept {
        hand_on(lock, base::remove_holder(base::latch(lock), m, e));
    }
    /// Ends a single-object read.
    static void release_single(lock_type& lock) noexcept {
        if (lock.try_remove_reader(base::single_unit)) return;
        hand_on(lock, base::latch(lock) - base::single_unit);
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
    /// Blocks to poke once the latch is free, so that waking them does not lengthen the time under it;
    /// the ninth and later are poked at once.
    class marks {
    public:
        void add(block& b) noexcept {
            if (count_ < blocks_.size()) {
                blocks_[count_++] = &b;
            } else {
                b.park.deliver(signal::poke);
            }
        }
        void deliver() noexcept {
            for (std::size_t i = 0; i < count_; ++i) blocks_[i]->park.deliver(signal::poke);
        }

    private:
        std::array<block*, 8> blocks_{};
        std::size_t count_ = 0;
    };

    /// Incumbents first, so that they come out older and are wounded less often.
    static void draw_stamps(shared_state& shared, word::type w, block& me) noexcept {
        base::for_each_known_holder(w, [&](block& holder) { ensure_stamp(shared, holder); });
        ensure_stamp(shared, me);
    }
    /// Calls f(block&) for each request that is or would be queued ahead of `me`, first one first.
    /// Stops when f returns false.
    template <class F>
    static void for_each_ahead(lock_type const& lock, block const& me, bool upgrade, F f) noexcept {
        auto const age = me.current_stamp();
        for (auto* b = base::first(lock); b != nullptr && b != &me; b = base::next(*b)) {
            if (!me.queued() && base::goes_ahead(age, upgrade, *b)) return;
            if (!f(*b)) return;
        }
    }
    [[nodiscard]] static bool blocked_by_queue(lock_type const& lock, block const& me, mode wanted,
                                               bool upgrade) noexcept {
        bool blocked = false;
        for_each_ahead(lock, me, upgrade, [&](block const& b) {
            blocked = !compatible(base::mode_of(b), wanted);
            return !blocked;
        });
        return blocked;
    }

    /// Asks the policy about everyone in the way of `me`, wounding as told. True if `me` must restart.
    ///
    /// In the way is also a holder that `me` is compatible with but that bars a conflicting waiter ahead:
    /// such a waiter may hold nothing and therefore never wound, so whoever queues behind it must do so in
    /// its place, or a younger holder could wait for us while we wait for it.
    static bool must_die(request_type const& r, word::type w, block& me, marks& wounded) noexcept {
        bool const upgrade = r.held != nullptr;
        if constexpr (!Config::needs.holders) {
            return policy::on_conflict({.requester = me.current_stamp(),
                                        .in_order = r.in_order,
                                        .is_upgrade = upgrade}) == decision::die;
        } else {
            auto const holder_mode = (w & word::exclusive) != 0 ? mode::exclusive : mode::shared;
            mode_set in_the_way;  // modes of requests ahead that wait, through others, for the holders
            in_the_way.add(holder_mode);
            bool dies = false;
            for_each_ahead(r.lock, me, upgrade, [&](block& ahead) {
                if (in_the_way.conflicts_with(base::mode_of(ahead))) {
                    in_the_way.add(base::mode_of(ahead));
                }
                dies = dies || (!compatible(base::mode_of(ahead), r.wanted) &&
                                decide(me, ahead, r, wounded));
                return true;
            });
            if (in_the_way.conflicts_with(r.wanted)) {
                base::for_each_known_holder(w, [&](block& holder) {
                    if (&holder != &me) dies = dies || decide(me, holder, r, wounded);
                });
            }
            return dies;
        }
    }
    static bool decide(block& me, block& other, request_type const& r, marks& wounded) noexcept {
        switch (policy::on_conflict({.requester = me.current_stamp(),
                                     .other = other.current_stamp(),
                                     .in_order = r.in_order,
                                     .is_upgrade = r.held != nullptr})) {
            case decision::die: return true;
            case decision::wound: wound(me, other, wounded); return false;
            case decision::wait: return false;
        }
        return false;
    }
    static void wound(block& by, block& other, marks& wounded) noexcept {
        if (other.is_wounded()) return;
        // release; pairs with is_wounded. Under the latch `other` can neither release this lock nor
        // leave the queue, so its attempt is the one we mean.
        other.wounded_attempt.store(other.attempt.load(platform::relaxed), platform::release);
        by.count.add(counter::wounds);
        wounded.add(other);
    }
    /// `g` has become a holder, or has queued ahead of others: those from `first` on who wait, directly or
    /// through others, for `g` are evaluated against it.
    static void retest(block* first, block& g, mode granted, marks& wounded) noexcept {
        if constexpr (Config::needs.holders) {
            mode_set in_the_way;
            in_the_way.add(granted);
            for (auto* b = first; b != nullptr; b = base::next(*b)) {
                auto const m = base::mode_of(*b);
                if (!in_the_way.conflicts_with(m)) continue;
                in_the_way.add(m);
                if (!b->wait_holding || b == &g) continue;
                switch (policy::on_conflict(
                    {.requester = b->current_stamp(), .other = g.current_stamp()})) {
                    case decision::die: wounded.add(*b); break;  // it looks again and dies itself
                    case decision::wound: wound(*b, g, wounded); break;
                    case decision::wait: break;
                }
            }
        } else {
            (void)first, (void)g, (void)granted, (void)wounded;
        }
    }
    /// Serves the queue after holders or queue shrank, and frees the latch.
    static void hand_on(lock_type& lock, word::type w) noexcept {
        leavers granted;
        marks wounded;
        w = base::grant(lock, w, granted);
        for (auto* b = granted.first(); b != nullptr; b = base::next(*b)) {
            if (b->wait_entry != nullptr) retest(base::first(lock), *b, base::mode_of(*b), wounded);
        }
        base::unlatch(lock, w);
        wounded.deliver();
        granted.signal(signal::granted);
    }

    // --- waiting -----------------------------------------------------------------------------------
    static acquire_result wait(shared_state& shared, block& me, request_type const& r) {
        if (r.section != nullptr) r.section->leave();
        me.count.add(counter::waits);
        auto const begin = platform::now();
        auto const result = wait_for_outcome(shared, me, r);
        me.count.add(counter::wait_ns, platform::ns_between(begin, platform::now()));
        return result;
    }
    /// Spins, looks for a cycle, yields, parks: in this order, so that what a walk would find does not
    /// wait for a scheduler, and short holds cost no walk. Every step polls every signal.
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
                auto const result = look_again(me, r, late, cancelled);
                if (result.what() != status::busy) return result;
            } else if (!walked) {
                walked = true;
                if (must_restart_after_walk(shared, me, r)) return leave(me, r, policy::reason);
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
                if (leave(me, r, status::busy) == status::busy) throw;
                return false;
            }
        } else {
            (void)shared, (void)me, (void)r;
            return false;
        }
    }
    /// Poked, late or cancelled: finds out whether that ends the wait. `busy` means: go on waiting.
    static acquire_result look_again(block& me, request_type const& r, bool late, bool cancelled) {
        if constexpr (Config::needs.held_list) {
            if (r.holding && me.is_victim()) return leave(me, r, policy::reason);
        }
        if constexpr (Config::needs.holders) {
            if (r.holding && me.is_wounded()) return leave(me, r, policy::reason);
            if (r.holding && dies_in_queue(me, r)) return leave(me, r, policy::reason);
        }
        if (cancelled) return leave(me, r, status::cancelled);
        if (late) return leave(me, r, status::timed_out);
        return status::busy;
    }
    static bool dies_in_queue(block& me, request_type const& r) noexcept {
        typename platform::read_section const alive;
        // While no outcome has been signalled, the lock cannot be freed before this section ends.
        if ((me.park.signals() & (signal::granted | signal::stale)) != 0) return false;
        auto const w = base::latch(r.lock);
        marks wounded;
        bool const dies = me.queued() && must_die(r, w, me, wounded);
        base::unlatch(r.lock, w);
        wounded.deliver();
        return dies;
    }
    /// Leaves the queue with `result`, unless somebody else has decided the outcome already.
    static acquire_result leave(block& me, request_type const& r, acquire_result result) noexcept {
        typename platform::read_section alive;
        if ((me.park.signals() & (signal::granted | signal::stale)) == 0) {
            auto const w = base::latch(r.lock);
            if (me.queued()) {
                if (result.is_restart() && r.pin != nullptr) r.pin->enter();
                base::dequeue(r.lock, me);
                hand_on(r.lock, w);  // those behind us may be served now
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

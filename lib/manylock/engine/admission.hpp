// What happens to a request whose fast path has failed: in one pass under the lock's latch it is granted, refused, made
// to restart, or queued; waiting.hpp has the rest.
#pragma once

#include <manylock/engine/waiting.hpp>

namespace manylock::detail {

template <class Config>
class admission {
    using holding = holders<Config>;
    using queue = wait_queue<Config>;
    using rules = conflicts<Config>;
    using pokes = typename rules::pokes;

public:
    using platform = typename Config::platform;
    using lock_type = queued_lock<Config>;
    using block = control_block<Config>;
    using request_type = request<Config>;
    using shared_state = arbitration<Config>;

    /// Blocks as the request allows. Returns granted, busy, timed_out, cancelled or a restart; on granted the lock
    /// shows us as a holder.
    static acquire_result acquire(shared_state& shared, block& me, request_type const& r) {
        if (passes(me, r)) return status::granted;
        auto w = queue::latch(r.lock);
        if constexpr (Config::distributed_readers) {
            if (w.is_distributed()) w = holding::count_distributed(shared, r.lock, w);
        }
        if (w.is_detached()) {
            queue::unlatch(r.lock, w);
            return restart_reason::stale;
        }
        if (!is_blocked(shared, w, me, r)) {
            grant(w, me, r);
            return status::granted;
        }
        if (!r.patience.may_wait) {
            queue::unlatch(r.lock, w);
            return status::busy;
        }
        me.park.reset();  // before looking for wounds: a later one leaves its poke
        pokes poked;
        if (r.restartable && (me.is_wounded() || rules::must_die(r, w, me, poked))) {
            onlooker<Config>::refused(shared, me, r);
            if (r.pin != nullptr) r.pin->enter();
            queue::unlatch(r.lock, w);
            poked.deliver();
            return Config::policy::reason;
        }
        line_up(shared, w, me, r, poked);
        return waiting<Config>::wait(shared, me, r);
    }

private:
    /// Looks a moment for the lock to become free, before it queues, and takes it. Bounded, so no undetected wait; passes
    /// nobody who must not be passed; ends when we are told to restart. Not for those who would restart rather than wait.
    static bool passes(block& me, request_type const& r) noexcept {
        if (r.is_upgrade()) return false;
        if (Config::known_readers && r.wanted == mode::shared && !r.is_single_read()) return false;
        auto const looks =
            r.patience.may_wait && !rules::never_waits(r) ? Config::knobs.spin_limit : 0;
        for (unsigned i = 0;; ++i) {
            auto const answer = r.lock.try_pass(me, r.wanted, holding::unit_of(r.slot));
            if (answer != lock_type::pass::not_yet) return answer == lock_type::pass::done;
            if (i >= looks || (r.restartable && me.is_wounded())) return false;
            platform::pause();
        }
    }
    static bool is_blocked(shared_state& shared, lock_word w, block& me,
                           request_type const& r) noexcept {
        bool const held_up =
            holding::are_in_the_way(w, me, r.wanted, r.is_upgrade(), r.is_single_read());
        if (Config::needs.stamps && (held_up || queue::first(r.lock) != nullptr))
            rules::draw_stamps(shared, w, me);
        // A free lock is open to all: the queue bars nobody.
        return held_up || (!w.is_free() &&
                           rules::waiters_are_in_the_way(r.lock, me, r.wanted, r.is_upgrade()));
    }
    static void grant(lock_word w, block& me, request_type const& r) noexcept {
        pokes poked;
        w = holding::add(w, me, r.wanted, r.upgraded, r.slot);
        // A single-object reader waits for nobody while it holds: nobody need fear it.
        if (!r.is_single_read()) rules::ask_again(queue::first(r.lock), me, r.wanted, poked);
        queue::unlatch(r.lock, w);
        poked.deliver();
    }
    static void line_up(shared_state& shared, lock_word w, block& me, request_type const& r,
                        pokes& poked) noexcept {
        me.wait_mode.store(r.wanted, platform::release);  // release; pairs (Q4), as (Q5)
        me.wait_hold = r.is_upgrade() ? r.upgraded : r.slot;
        me.wait_upgrade = r.is_upgrade();
        me.wait_restartable = r.restartable;
        me.wait_passes = 0;
        queue::enqueue(r.lock, me);
        rules::ask_again(queue::next(me), me, r.wanted, poked);
        if (r.restartable) onlooker<Config>::waits(shared, me);
        queue::unlatch(r.lock, w);
        poked.deliver();
    }
};

}  // namespace manylock::detail

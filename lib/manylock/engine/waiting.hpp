// How a queued request waits: it spins, looks for a cycle, yields, parks, and looks again whenever it was poked.
//
// INV-E3 Whoever dequeues a request under the latch decides its outcome: the waiter itself (restart,
//        time-out, cancel) or another (granted, stale). So exactly one of grant and restart wins, and a
//        grant is never dropped: a waiter that finds itself dequeued takes what it was given.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include <manylock/engine/giving_back.hpp>
#include <manylock/engine/onlooker.hpp>
#include <manylock/engine/wait_graph_view.hpp>

namespace manylock::detail {

template <class Config>
class waiting {
    using queue = wait_queue<Config>;
    using rules = conflicts<Config>;
    using giving = giving_back<Config>;

public:
    using platform = typename Config::platform;
    using policy = typename Config::policy;
    using lock_type = queued_lock<Config>;
    using block = control_block<Config>;
    using request_type = request<Config>;
    using shared_state = arbitration<Config>;

    /// Requires: `me` is queued with `r`. Returns granted, timed_out, cancelled or a restart.
    static acquire_result wait(shared_state& shared, block& me, request_type const& r) {
        if (r.patience.section != nullptr) r.patience.section->leave();
        if (r.pin != nullptr)
            r.pin->leave();  // of the restart before: the queue keeps the lock alive now
        me.count.add(counter::waits);
        auto const begin = platform::now();
        auto const result = wait_for_outcome(shared, me, r);
        me.count.add(counter::wait_ns, platform::ns_between(begin, platform::now()));
        return result;
    }

private:
    /// In this order, so that what a walk would find does not wait for a scheduler, and short holds cost no walk.
    /// Once more after each poke. Every step polls every signal.
    static acquire_result wait_for_outcome(shared_state& shared, block& me, request_type const& r) {
        pause_until_signal(me);
        bool walked = !Config::needs.held_list;  // one that holds nothing may bar those behind it
        bool yielded = false;
        for (;;) {
            auto const seen = me.park.signals();
            if ((seen & signal::granted) != 0) return status::granted;
            if ((seen & signal::stale) != 0) return restart_reason::stale;
            bool const late = r.patience.is_late();
            bool const cancelled = r.patience.is_cancelled();
            if ((seen & signal::poke) != 0 || late || cancelled) {
                me.park.clear(signal::poke);
                if (takes_open_lock(me, r)) return status::granted;
                if (auto const outcome = look_again(shared, me, r, late, cancelled))
                    return *outcome;
                pause_until_signal(me);  // whoever was faster may be done soon
                yielded = false;
            } else if (!walked) {
                walked = true;
                if (must_restart_after_walk(shared, me, r))
                    return leave(shared, me, r, policy::reason);
            } else if (!yielded) {
                yielded = true;
                yield_until_signal(me);
            } else {
                me.count.add(counter::parks);
                me.park.wait(r.patience.deadline);
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
            } catch (
                ...) {  // no memory for the walk: give the place in the queue back, unless granted
                if (give_up(shared, me, r, status::busy) == status::busy) throw;
                return false;
            }
        } else {
            (void)shared, (void)me, (void)r;
            return false;
        }
    }

    // --- poked, late or cancelled ------------------------------------------------------------------
    /// Takes the lock if it was left free, wherever we stand in the queue, which is open then.
    static bool takes_open_lock(block& me, request_type const& r) noexcept {
        if (!Config::may_pass_holders && r.restartable) return false;  // it is handed on to us
        typename platform::read_section const alive;
        if (is_decided(me)) return false;
        auto w = queue::latch(r.lock);
        if (!me.queued()) {
            queue::unlatch(r.lock, w);
            return false;
        }
        w = w.not_awake();
        if (!w.is_free()) {
            // No further than to the limit: the number does not wrap.
            if (queue::first(r.lock) == &me && queue::may_be_passed(me)) {
                me.wait_passes = static_cast<std::uint16_t>(me.wait_passes + 1);
            }
            giving::serve(r.lock, w);  // if it was readers who passed, other readers can join them
            return false;
        }
        w = queue::admit(r.lock, w, me);
        giving::serve(r.lock, w);  // those who can share it
        return true;
    }
    /// Whether we have been told something that ends the wait; nothing: it goes on.
    static std::optional<acquire_result> look_again(shared_state& shared, block& me,
                                                    request_type const& r, bool late,
                                                    bool cancelled) {
        if constexpr (Config::needs.held_list) {
            if (r.restartable && me.is_victim()) return leave(shared, me, r, policy::reason);
        }
        if constexpr (Config::needs.holders) {
            if (r.restartable && (me.is_wounded() || dies_in_queue(me, r)))
                return give_up(shared, me, r, policy::reason);
        }
        if (cancelled) return give_up(shared, me, r, status::cancelled);
        if (late) return give_up(shared, me, r, status::timed_out);
        return std::nullopt;
    }
    static bool dies_in_queue(block& me, request_type const& r) noexcept {
        typename platform::read_section const alive;
        if (is_decided(me)) return false;
        auto const w = queue::latch(r.lock);
        typename rules::pokes poked;
        bool const dies = me.queued() && rules::must_die(r, w, me, poked);
        queue::unlatch(r.lock, w);
        poked.deliver();
        return dies;
    }
    /// While it is false inside a read section, the lock cannot be freed before that section ends.
    [[nodiscard]] static bool is_decided(block const& me) noexcept {
        return (me.park.signals() & (signal::granted | signal::stale)) != 0;
    }

    // --- leaving the queue ---------------------------------------------------------------------------
    /// Leaves for another reason than being a cycle's victim. Not between a detector's last look at a cycle and its
    /// choice of a victim, or that one would restart for a cycle which is gone.
    static acquire_result give_up(shared_state& shared, block& me, request_type const& r,
                                  acquire_result result) noexcept {
        if constexpr (Config::needs.held_list) {
            std::lock_guard const nobody_chooses{shared.choosing};
            return leave(shared, me, r, result);
        } else {
            return leave(shared, me, r, result);
        }
    }
    /// Leaves with `result`, unless somebody else has decided the outcome already.
    static acquire_result leave(shared_state& shared, block& me, request_type const& r,
                                acquire_result result) noexcept {
        typename platform::read_section alive;
        if (!is_decided(me)) {
            auto const w = queue::latch(r.lock);
            if (me.queued()) {
                if (result.is_restart()) {
                    onlooker<Config>::leaves_queue(shared, me);
                    if (r.pin != nullptr) r.pin->enter();
                }
                queue::dequeue(r.lock, me);
                giving::serve(r.lock, w.not_awake());  // those behind us may be served now
                return result;
            }
            queue::unlatch(r.lock, w);
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

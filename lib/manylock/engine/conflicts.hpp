// What a conflict means: who is in a request's way, what the policy says about each of them, and who has to
// be asked again because holders or queue have grown. All under the latch of the lock.
//
// Sources: [RSL78] wound-wait and wait-die; kernel ww_mutex: sorted list, lazy wound, the zero-lock rule.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <manylock/engine/request.hpp>
#include <manylock/engine/wait_queue.hpp>

namespace manylock::detail {

template <class Config>
class conflicts {
    using holding = holders<Config>;
    using queue = wait_queue<Config>;

public:
    using platform = typename Config::platform;
    using policy = typename Config::policy;
    using lock_type = queued_lock<Config>;
    using block = control_block<Config>;
    using request_type = request<Config>;
    using shared_state = arbitration<Config>;

    /// Blocks to poke once the latch is free, so that waking them does not lengthen the time under it;
    /// the ninth and later are poked at once.
    class pokes {
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

    // --- ages --------------------------------------------------------------------------------------
    /// The stamp of `b`, drawn now if it has none. The compare-exchange settles who drew it.
    static stamp ensure_stamp(shared_state& shared, block& b) noexcept {
        if (auto const s = b.current_stamp(); s.drawn()) return s;
        std::uint64_t drawn = 0;
        while (drawn == 0) {  // which stands for none, should the 64 bits ever come round
            // relaxed: only unique and increasing
            drawn = shared.last_stamp.fetch_add(1, platform::relaxed) + 1;
        }
        // relaxed: for reports. Before the stamp, so that nobody sees a stamp with an earlier one's time.
        b.stamped_ns.store(platform::ns_between({}, platform::now()), platform::relaxed);
        std::uint64_t none = 0;
        // release: who sees the stamp sees its time. Failed, relaxed: only the number matters.
        if (b.age.compare_exchange_strong(none, drawn, platform::release, platform::relaxed)) {
            return {drawn};
        }
        return {none};
    }
    /// Incumbents first, so that they come out older and are wounded less often.
    static void draw_stamps(shared_state& shared, lock_word w, block& me) noexcept {
        holding::for_each_known(w, [&](block& holder) { ensure_stamp(shared, holder); });
        ensure_stamp(shared, me);
    }

    // --- who is in the way -------------------------------------------------------------------------
    /// Calls f(block&) for each request that is or would be queued ahead of `me`, first one first.
    /// Stops when f returns false.
    template <class F>
    static void for_each_ahead(lock_type const& lock, block const& me, bool upgrade, F f) noexcept {
        auto const age = me.current_stamp();
        for (auto* b = queue::first(lock); b != nullptr && b != &me; b = queue::next(*b)) {
            if (!me.queued() && queue::goes_ahead(age, upgrade, *b)) return;
            if (!f(*b)) return;
        }
    }
    [[nodiscard]] static bool waiters_are_in_the_way(lock_type const& lock, block const& me,
                                                     mode wanted, bool upgrade) noexcept {
        bool blocked = false;
        for_each_ahead(lock, me, upgrade, [&](block const& b) {
            blocked = !compatible(queue::mode_of(b), wanted);
            return !blocked;
        });
        return blocked;
    }

    // --- what the policy says ------------------------------------------------------------------------
    /// Asks the policy about everyone in the way of `me`, wounding as told. True if `me` must restart.
    ///
    /// In the way is also a holder that `me` is compatible with but that bars a conflicting waiter ahead:
    /// such a waiter may hold nothing and therefore never wound, so whoever queues behind it must do so in
    /// its place, or a younger holder could wait for us while we wait for it.
    static bool must_die(request_type const& r, lock_word w, block& me, pokes& poked) noexcept {
        if constexpr (!Config::needs.holders) {
            return policy::on_conflict({.requester = me.current_stamp(),
                                        .in_order = r.in_order,
                                        .is_upgrade = r.is_upgrade()}) == decision::die;
        } else {
            mode_set
                in_the_way;  // modes of requests ahead that wait, through others, for the holders
            in_the_way.add(w.is_exclusive() ? mode::exclusive : mode::shared);
            bool dies = false;
            for_each_ahead(r.lock, me, r.is_upgrade(), [&](block& ahead) {
                if (in_the_way.conflicts_with(queue::mode_of(ahead)))
                    in_the_way.add(queue::mode_of(ahead));
                // A single-object reader will not wait while it holds: nobody need fear it. It may be older than the
                // eldest transaction, since others may pass it.
                dies = dies ||
                       (!ahead.is_single_read() && !compatible(queue::mode_of(ahead), r.wanted) &&
                        decide(me, ahead, r, poked));
                return true;
            });
            if (in_the_way.conflicts_with(r.wanted)) {
                holding::for_each_known(w, [&](block& holder) {
                    if (&holder != &me) dies = dies || decide(me, holder, r, poked);
                });
            }
            return dies;
        }
    }
    /// `g` has become a holder, or has queued ahead of others: those from `first` on who wait, directly or
    /// through others, for `g` are evaluated against it.
    static void ask_again(block* first, block& g, mode granted, pokes& poked) noexcept {
        if constexpr (Config::needs.holders) {
            mode_set in_the_way;
            in_the_way.add(granted);
            for (auto* b = first; b != nullptr; b = queue::next(*b)) {
                auto const m = queue::mode_of(*b);
                if (!in_the_way.conflicts_with(m)) continue;
                in_the_way.add(m);
                if (!b->wait_restartable || b == &g) continue;
                switch (policy::on_conflict(
                    {.requester = b->current_stamp(), .other = g.current_stamp()})) {
                    case decision::die: poked.add(*b); break;  // it looks again and dies itself
                    case decision::wound: wound(*b, g, poked); break;
                    case decision::wait: break;
                }
            }
        } else {
            (void)first, (void)g, (void)granted, (void)poked;
        }
    }
    /// True if the policy would have `r` restart rather than wait, whoever is in its way. False where that depends on them.
    [[nodiscard]] static bool never_waits(request_type const& r) noexcept {
        if constexpr (Config::needs.holders) {
            return false;
        } else {
            return r.restartable && policy::on_conflict({.in_order = r.in_order}) == decision::die;
        }
    }

private:
    static bool decide(block& me, block& other, request_type const& r, pokes& poked) noexcept {
        switch (policy::on_conflict({.requester = me.current_stamp(),
                                     .other = other.current_stamp(),
                                     .in_order = r.in_order,
                                     .is_upgrade = r.is_upgrade()})) {
            case decision::die: return true;
            case decision::wound: wound(me, other, poked); return false;
            case decision::wait: return false;
        }
        return false;
    }
    static void wound(block& by, block& other, pokes& poked) noexcept {
        if (other.is_wounded()) return;
        // Under the latch `other` can neither release this lock nor leave the queue, so its attempt is the
        // one we mean. relaxed: the poke that follows publishes it.
        other.wounded_attempt.store(other.attempt.load(platform::relaxed), platform::relaxed);
        by.count.add(counter::wounds);
        poked.add(other);
    }
};

}  // namespace manylock::detail

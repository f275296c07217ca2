// What a conflict means: who is in a request's way, what the policy says about each of them, and who has to
// be asked again because holders or queue have grown. All under the latch of the lock.
//
// INV-Q3 Once the latch is free nobody queued could be granted, for whoever changes holders or queue grants; or the
//        queue is open, the lock free, and a waiter awake that will look (bit `awake`).
// Sources: [RSL78] wound-wait and wait-die; kernel ww_mutex: sorted list, lazy wound, the zero-lock rule.
#pragma once

#include <array>
#include <cstdint>

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
class evaluation : public wait_queue<Config> {
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

protected:
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
                // A single-object reader (without an entry) will not wait while it holds: nobody need fear it. It may
                // be older than the eldest transaction, since others may pass it.
                dies = dies || (ahead.wait_entry != nullptr && !compatible(base::mode_of(ahead), r.wanted) &&
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
        // Under the latch `other` can neither release this lock nor leave the queue, so its attempt is the
        // one we mean. relaxed: the poke that follows publishes it.
        other.wounded_attempt.store(other.attempt.load(platform::relaxed), platform::relaxed);
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
    /// Serves the queue after holders or queue shrank, and frees the latch. An open queue is not served but told: the lock
    /// stays free for whoever runs, instead of waiting for one that sleeps.
    static void hand_on(lock_type& lock, word::type w) noexcept {
        if (word::is_free(w) && base::first(lock) != nullptr && !base::is_closed(lock)) {
            auto* const told = (w & word::awake) == 0 ? base::first(lock) : nullptr;
            base::unlatch(lock, w | word::awake);
            if (told != nullptr) told->park.deliver(signal::poke);
            return;
        }
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
};

}  // namespace manylock::detail

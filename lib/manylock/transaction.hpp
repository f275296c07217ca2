// A transaction: locks many objects in any order, may have to restart, releases everything at its end.
// It is a context, not a thread: it may begin on one thread and end on another (E7).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <ranges>
#include <stop_token>
#include <utility>
#include <vector>

#include <manylock/engine/deadline.hpp>
#include <manylock/engine/queued_protocol.hpp>
#include <manylock/engine/umbrella_protocol.hpp>

namespace manylock {

namespace detail {
template <class Config>
class umbrella_share;
template <class Config>
using protocol_of =
    std::conditional_t<Config::needs.umbrella, umbrella_protocol<Config>, queued_protocol<Config>>;
}  // namespace detail

/// Moving it moves the transaction; a moved-from or finished one holds nothing, and may only be asked whether it has
/// ended, abandoned again or destroyed. Ending one by its destructor releases everything and counts as abandoned.
template <class Config>
class basic_transaction {
    using protocol = detail::protocol_of<Config>;
    using attempts = detail::attempts<Config>;

public:
    using lock_type = typename protocol::lock_type;
    using platform = typename Config::platform;
    using time_point = typename platform::time_point;
    using read_section = typename platform::read_section;

    explicit basic_transaction(detail::domain_core<Config>& core);
    basic_transaction(basic_transaction&& other) noexcept
        : core_{other.core_},
          block_{std::exchange(other.block_, nullptr)},
          pin_{std::move(other.pin_)} {}
    basic_transaction& operator=(basic_transaction&&) = delete;
    ~basic_transaction() { abandon(); }

    /// Acquires `lock` in mode `m`, waiting if the policy says so.
    /// Requires: not sealed; the lock belongs to this domain; the caller keeps it alive.
    /// Returns:  granted (an upgrade included), already_held, or a restart: then let the body end and call
    ///           rollback(), which domain::run does. After a restart every further call returns it again.
    /// Blocks:   until granted or made to restart.    Allocates: only when more is held than ever before.
    /// Cost:     uncontended one compare-exchange on the lock (two word changes for a shared hold with
    ///           known readers).    Orders: acquire on granted.
    acquire_result acquire(lock_type& lock, mode m = mode::exclusive) {
        if constexpr (!checks_enabled) {
            if (m == mode::exclusive ? protocol::acquired_at_once(*core_, *block_, lock)
                                     : protocol::shared_at_once(*core_, *block_, lock)) [[likely]] {
                return status::granted;
            }
        }
        return acquire_with(lock, m, {});
    }
    acquire_result acquire_shared(lock_type& lock) { return acquire(lock, mode::shared); }
    /// As acquire, with the lock's rank for policies that order locks (default: its address).
    acquire_result acquire_ranked(lock_type& lock, mode m, std::uintptr_t rank) {
        return acquire_with(lock, m, {}, rank);
    }
    /// As acquire, for a lock found by lock-free lookup inside `section`, which is left before waiting
    /// (and then stays left; otherwise it stays entered).
    acquire_result acquire_found(lock_type& lock, mode m, read_section& section,
                                 std::uintptr_t rank) {
        return acquire_with(lock, m, {.section = &section}, rank);
    }
    /// Never waits: busy if the lock cannot be had now. No deadlock logic, so no restart of its own.
    acquire_result try_acquire(lock_type& lock, mode m = mode::exclusive) {
        return acquire_with(lock, m, {.may_wait = false});
    }
    /// As acquire; timed_out after `deadline` has passed, with nothing changed. time_point::max() never passes.
    acquire_result acquire_until(lock_type& lock, mode m, time_point deadline) {
        return acquire_with(lock, m,
                            {.deadline = detail::is_never(deadline) ? nullptr : &deadline});
    }
    /// The same from now on. What is negative, or not a number, has passed; what the clock cannot count to never does.
    template <class Rep, class Period>
    acquire_result acquire_for(lock_type& lock, mode m, std::chrono::duration<Rep, Period> time) {
        return acquire_until(lock, m, detail::deadline_after(platform::now(), time));
    }
    /// As acquire; cancelled once a stop is requested, with nothing changed.
    acquire_result acquire(lock_type& lock, mode m, std::stop_token token);
    /// All of a range of locks (or pointers to locks); the first answer that is not success ends it, and
    /// what it had acquired until then stays held. Sorted first where the policy orders locks.
    template <std::ranges::input_range Range>
    acquire_result acquire_all(Range&& locks, mode m = mode::exclusive);

    /// The throwing spelling: returns when the lock is held, throws `restart` otherwise.
    void lock(lock_type& l, mode m = mode::exclusive) { must(acquire(l, m)); }
    void lock_shared(lock_type& l) { must(acquire(l, mode::shared)); }
    template <std::ranges::input_range Range>
    void lock_all(Range&& locks, mode m = mode::exclusive) {
        must(acquire_all(std::forward<Range>(locks), m));
    }
    [[nodiscard]] bool try_lock(lock_type& l, mode m = mode::exclusive) {
        auto const answer = try_acquire(l, m);
        if (answer.is_restart()) must(answer);
        return static_cast<bool>(answer);
    }

    /// Gives one lock back before the end. Under umbrella a mark is taken off, so that readers may enter;
    /// the umbrella itself stays until the end.
    void release(lock_type& lock) {
        if (alive("lock released by a transaction that has ended"))
            protocol::release(*core_, *block_, lock);
    }
    /// Marks an object as gone, under its exclusive lock: waiters and later requests get `stale`.
    void detach(lock_type& lock);
    /// Asks for a restart of the caller's own: `stale` after failed re-validation, `injected` in tests.
    acquire_result restart_because(restart_reason reason);
    /// No more locks will be acquired; doing so is misuse.
    void seal() noexcept(!checks_enabled) {
        if (alive("seal of a transaction that has ended") && !must_restart())
            block_->phase = phase::sealed;
    }

    /// Ends the transaction: releases everything.
    [[gnu::always_inline]] void commit() {
        if (!alive("transaction ended twice")) return;
        check_use(!must_restart(), "commit of a transaction that was told to restart");
        finish(counter::commits);
    }
    /// Ends it as given up; what the destructor does. Nothing if it has ended.
    void abandon() noexcept {
        if (block_ != nullptr) [[unlikely]]
            finish_unhappily();
    }
    /// After a restart: releases everything, then waits, holding nothing, for the contending lock and
    /// keeps it, so that the next attempt does not run into it again. Same stamp, next attempt.
    /// After options::turn_after restarts it waits for its turn instead, where the policy needs that.
    void rollback();

    /// Releases everything now, ahead of rollback(). Requires: must_restart().
    void release_everything() noexcept(!checks_enabled) {
        if (!alive("everything released by a transaction that has ended")) return;
        check_use(must_restart(),
                  "everything released by a transaction that was not told to restart");
        give_everything_back();
    }

    /// Committed, abandoned or moved from.
    [[nodiscard]] bool ended() const noexcept { return block_ == nullptr; }
    /// 1 in the first attempt.
    [[nodiscard]] std::uint64_t attempt() const noexcept(!checks_enabled) {
        return alive("attempt asked of a transaction that has ended") ? block_->restarts + 1 : 0;
    }
    [[nodiscard]] stamp age() const noexcept(!checks_enabled) {
        return alive("age asked of a transaction that has ended") ? block_->current_stamp()
                                                                  : stamp{};
    }
    /// True once a restart was issued in this attempt (E12).
    [[nodiscard]] bool must_restart() const noexcept(!checks_enabled) {
        return alive("must_restart asked of a transaction that has ended") &&
               block_->phase == phase::restarting;
    }
    /// Requires: must_restart(), or attempt() > 1.
    [[nodiscard]] restart_reason last_restart() const noexcept(!checks_enabled) {
        if (!alive("last restart asked of a transaction that has ended"))
            return restart_reason::conflict;
        check_use(must_restart() || block_->restarts > 0,
                  "last restart asked of a transaction that was never told to restart");
        return block_->last_restart;
    }
    /// Locks held. Under umbrella: 1 or 0, for the umbrella.
    [[nodiscard]] std::uint32_t held() const noexcept(!checks_enabled) {
        return alive("held locks asked of a transaction that has ended") ? protocol::held(*block_)
                                                                         : 0;
    }
    [[nodiscard]] bool holds(lock_type const& lock, mode at_least) const {
        return alive("held lock asked of a transaction that has ended") &&
               protocol::holds(*core_, *block_, lock, at_least);
    }
    /// True if somebody has asked this transaction to restart: wounded, it will at its next conflict; the
    /// victim of a cycle, it is about to.
    [[nodiscard]] bool marked_for_restart() const noexcept(!checks_enabled) {
        return alive("mark for restart asked of a transaction that has ended") &&
               (block_->is_wounded() || (block_->queued() && block_->is_victim()));
    }
    /// Number that events and wait-for graphs show for this transaction.
    [[nodiscard]] std::uint32_t number() const noexcept(!checks_enabled) {
        return alive("number asked of a transaction that has ended") ? block_->number : 0;
    }

private:
    friend class detail::umbrella_share<Config>;
    using block = detail::control_block<Config>;
    using patience = detail::patience<platform>;
    using phase = detail::transaction_phase;

    /// False, in checked builds only and after `sentence`: it has ended.
    [[nodiscard, gnu::always_inline]] bool alive(char const* sentence) const
        noexcept(!checks_enabled) {
        if constexpr (checks_enabled) {
            check_use(block_ != nullptr, sentence);
            return block_ != nullptr;
        } else {
            (void)sentence;
            return true;
        }
    }
    /// One more handle on a transaction; umbrella_share counts them.
    basic_transaction(detail::domain_core<Config>& core, block& shared) noexcept
        : core_{&core}, block_{&shared} {}
    /// `rank`: as the caller names it; 0: the policy's own.
    [[gnu::noinline]] acquire_result acquire_with(lock_type& lock, mode m, patience const& p,
                                                  std::uintptr_t rank = 0);
    void must(acquire_result answer) const {
        if (answer.is_restart()) throw restart{answer.reason(), block_->contending};
        check_use(answer || ended(), "a throwing acquire cannot end in busy or time-out");
    }
    [[gnu::always_inline]] void give_everything_back() noexcept {
        protocol::release_all(*core_, *block_);
        protocol::end(*core_, *block_);
    }
    void finish(counter how) noexcept;
    [[gnu::noinline]] void finish_unhappily() noexcept { finish(counter::abandons); }

    detail::domain_core<Config>* core_;
    block* block_;
    [[no_unique_address]] typename platform::restart_pin pin_;
};

/// A block comes from the pool as `finish` leaves it.
template <class Config>
[[gnu::always_inline]] inline basic_transaction<Config>::basic_transaction(
    detail::domain_core<Config>& core)
    : core_{&core}, block_{&core.shared.pool.take()} {
    attempts::begin_next(*block_);
    block_->in_use.set(true);
}

template <class Config>
acquire_result basic_transaction<Config>::acquire_with(lock_type& lock, mode m, patience const& p,
                                                       std::uintptr_t rank) {
    if (!alive("lock acquired by a transaction that has ended")) return status::busy;
    if (block_->phase == phase::restarting) [[unlikely]]
        return block_->last_restart;
    check_use(block_->phase != phase::sealed,
              "lock acquired after seal: acquire it before sealing the transaction");
    core_->adopt(&lock);
    return protocol::acquire(*core_, *block_, pin_, lock, m, rank, p);
}

template <class Config>
acquire_result basic_transaction<Config>::acquire(lock_type& lock, mode m, std::stop_token token) {
    if (!alive("lock acquired by a transaction that has ended")) return status::busy;
    auto* const parker = &block_->park;
    auto wake = [parker] { parker->deliver(detail::signal::poke); };
    std::stop_callback<decltype(wake)> const on_stop{token, wake};
    return acquire_with(lock, m,
                        {.cancelled =
                             [](void const* t) noexcept {
                                 return static_cast<std::stop_token const*>(t)->stop_requested();
                             },
                         .cancel_token = &token});
}

template <class Config>
template <std::ranges::input_range Range>
acquire_result basic_transaction<Config>::acquire_all(Range&& locks, mode m) {
    if (!alive("lock acquired by a transaction that has ended")) return status::busy;
    auto const as_pointer = [](auto&& l) -> lock_type* {
        if constexpr (std::is_pointer_v<std::remove_cvref_t<decltype(l)>>) {
            return l;
        } else {
            return &l;
        }
    };
    acquire_result last = status::granted;
    if constexpr (Config::needs.rank) {
        std::vector<lock_type*> sorted;
        for (auto&& l : locks) sorted.push_back(as_pointer(l));
        std::ranges::sort(sorted);
        for (auto* const l : sorted) {
            if (last = acquire(*l, m); !last) return last;
        }
    } else {
        for (auto&& l : locks) {
            if (last = acquire(*as_pointer(l), m); !last) return last;
        }
    }
    return last;
}

template <class Config>
void basic_transaction<Config>::detach(lock_type& lock) {
    if constexpr (checks_enabled) {
        if (!alive("lock detached by a transaction that has ended")) return;
        bool const held = holds(lock, mode::exclusive);
        check_use(held, "lock detached that is not held exclusively");
        if (!held) return;
    }
    protocol::detach(lock);
}

template <class Config>
acquire_result basic_transaction<Config>::restart_because(restart_reason reason) {
    if (!alive("restart asked of a transaction that has ended")) return status::busy;
    if (block_->phase == phase::restarting) return block_->last_restart;
    return attempts::restart(*core_, *block_, reason, nullptr, mode::exclusive, 0);
}

template <class Config>
void basic_transaction<Config>::rollback() {
    if (!alive("rollback of a transaction that has ended")) return;
    check_use(must_restart(), "rollback of a transaction that was not told to restart");
    protocol::release_all(*core_, *block_);
    ++block_->restarts;
    block_->phase = phase::running;
    attempts::begin_next(*block_);
    protocol::rejoin(*core_, *block_, pin_);
    pin_.leave();
}

template <class Config>
[[gnu::always_inline]] inline void basic_transaction<Config>::finish(counter how) noexcept {
    auto& me = *block_;
    give_everything_back();
    pin_.leave();
    if (how == counter::commits)
        attempts::tell(*core_, me, event_kind::commit, nullptr, mode::exclusive, {});
    block_ = nullptr;
    me.count.add(how);
    if (me.restarts > 0) [[unlikely]] {
        me.count.at_most_seen(me.restarts, 0);
        me.restarts = 0;
    }
    me.phase = phase::running;
    me.in_use.set(false);
    me.age.store(0, platform::relaxed);  // relaxed: nothing is held, so nobody compares with it
    core_->shared.pool.give_back(me);
}

}  // namespace manylock

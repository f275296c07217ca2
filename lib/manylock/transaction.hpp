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

#include <manylock/arbiter.hpp>
#include <manylock/deadline.hpp>
#include <manylock/event.hpp>
#include <manylock/marked_lock.hpp>

namespace manylock {

namespace detail {
template <class Config>
struct domain_core;
template <class Config>
using lock_of = std::conditional_t<Config::needs.umbrella, marked_lock<Config>, queued_lock<Config>>;
}  // namespace detail

/// Moving it moves the transaction; a moved-from or finished one holds nothing. Ending one by its
/// destructor releases everything and counts as abandoned.
template <class Config>
class basic_transaction {
public:
    using lock_type = detail::lock_of<Config>;
    using platform = typename Config::platform;
    using time_point = typename platform::time_point;
    using read_section = typename platform::read_section;

    explicit basic_transaction(detail::domain_core<Config>& core);
    basic_transaction(basic_transaction&& other) noexcept
        : core_{other.core_}, block_{std::exchange(other.block_, nullptr)}, pin_{std::move(other.pin_)} {}
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
        if (m == mode::exclusive ? acquired_at_once(lock) : shared_at_once(lock)) [[likely]] {
            return status::granted;
        }
        return acquire_with(lock, m, {});
    }
    acquire_result acquire_shared(lock_type& lock) { return acquire(lock, mode::shared); }
    /// As acquire, with the lock's rank for policies that order locks (default: its address).
    acquire_result acquire_ranked(lock_type& lock, mode m, std::uintptr_t rank) {
        return acquire_with(lock, m, {.rank = rank});
    }
    /// As acquire, for a lock found by lock-free lookup inside `section`, which is left before waiting
    /// (and then stays left; otherwise it stays entered).
    acquire_result acquire_found(lock_type& lock, mode m, read_section& section, std::uintptr_t rank) {
        return acquire_with(lock, m, {.rank = rank, .section = &section});
    }
    /// Never waits: busy if the lock cannot be had now. No deadlock logic, so no restart of its own.
    acquire_result try_acquire(lock_type& lock, mode m = mode::exclusive) {
        return acquire_with(lock, m, {.may_wait = false});
    }
    /// As acquire; timed_out after `deadline` has passed, with nothing changed. time_point::max() never passes.
    acquire_result acquire_until(lock_type& lock, mode m, time_point deadline) {
        return acquire_with(lock, m, {.deadline = detail::is_never(deadline) ? nullptr : &deadline});
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
    void release(lock_type& lock);
    /// Marks an object as gone, under its exclusive lock: waiters and later requests get `stale`.
    void detach(lock_type& lock);
    /// Asks for a restart of the caller's own: `stale` after failed re-validation, `injected` in tests.
    acquire_result restart_because(restart_reason reason);
    /// No more locks will be acquired; doing so is misuse.
    void seal() noexcept { block_->sealed = true; }

    /// Ends the transaction: releases everything.
    [[gnu::always_inline]] void commit() {
        check_use(block_ != nullptr, "transaction ended twice");
        check_use(!block_->poisoned, "commit of a transaction that was told to restart");
        finish(counter::commits);
    }
    /// Ends it as given up; what the destructor does.
    void abandon() noexcept {
        if (block_ != nullptr) [[unlikely]] finish_unhappily();
    }
    /// After a restart: releases everything, then waits, holding nothing, for the contending lock and
    /// keeps it, so that the next attempt does not run into it again. Same stamp, next attempt.
    /// After options::patience restarts it waits for its turn instead, where the policy needs that.
    void rollback();

    /// Releases everything now, ahead of rollback(). Requires: must_restart().
    void release_everything() noexcept {
        release_all();
        end_turn();
    }

    /// 1 in the first attempt.
    [[nodiscard]] std::uint64_t attempt() const noexcept { return block_->restarts + 1; }
    [[nodiscard]] stamp age() const noexcept { return block_->current_stamp(); }
    /// True once a restart was issued in this attempt (E12).
    [[nodiscard]] bool must_restart() const noexcept { return block_->poisoned; }
    [[nodiscard]] restart_reason last_restart() const noexcept { return block_->poison; }
    /// Locks held. Under umbrella: 1 or 0, for the umbrella.
    [[nodiscard]] std::uint32_t held() const noexcept {
        return Config::needs.umbrella ? (block_->under_umbrella ? 1U : 0U) : block_->holds.held();
    }
    [[nodiscard]] bool holds(lock_type const& lock, mode at_least) const;
    /// True if somebody has asked this transaction to restart: wounded, it will at its next conflict; the
    /// victim of a cycle, it is about to.
    [[nodiscard]] bool marked_for_restart() const noexcept {
        return block_->is_wounded() || (block_->queued() && block_->is_victim());
    }
    /// Number that events and wait-for graphs show for this transaction.
    [[nodiscard]] std::uint32_t number() const noexcept { return block_->number; }

private:
    using block = detail::control_block<Config>;
    using arbiter = detail::arbiter<Config>;
    struct limits {
        bool may_wait = true;
        std::uintptr_t rank = 0;
        time_point const* deadline = nullptr;
        bool (*cancelled)(void const*) noexcept = nullptr;
        void const* cancel_token = nullptr;
        read_section* section = nullptr;
        bool rejoining = false;  ///< rollback's own: a stale lock is no further restart
    };

    [[nodiscard]] bool acquired_at_once(lock_type& lock) noexcept;
    [[nodiscard]] bool shared_at_once(lock_type& lock) noexcept;
    [[nodiscard, gnu::noinline]] bool reads_already(lock_type& lock) noexcept { return block_->holds.find(&lock) != nullptr; }
    [[nodiscard]] bool added_as_reader(lock_type& lock, detail::hold<Config>& entry) noexcept;
    [[nodiscard]] bool joined_distributed(lock_type& lock, detail::hold<Config>& entry, std::uintptr_t rank) noexcept;
    [[gnu::noinline]] acquire_result acquire_with(lock_type& lock, mode m, limits const& l);
    acquire_result acquire_contended(lock_type& lock, mode m, limits const& l,
                                     detail::hold<Config>& entry);
    acquire_result acquire_marked(lock_type& lock, mode m, limits const& l);
    bool drain_readers(lock_type& lock, limits const& l, status& failure);
    acquire_result issue_restart(restart_reason reason, lock_type* contending, mode m,
                                 std::uintptr_t rank);
    void must(acquire_result answer) const {
        if (answer.is_restart()) throw restart{answer.reason(), block_->contending};
        check_use(static_cast<bool>(answer), "a throwing acquire cannot end in busy or time-out");
    }
    void note_rank(detail::hold<Config>& entry, lock_type& lock, std::uintptr_t rank) noexcept;
    void record(detail::hold<Config>& entry, lock_type& lock, mode m, std::uintptr_t rank) noexcept;
    static void release_hold(block& me, detail::hold<Config>& entry) noexcept;
    void next_attempt() noexcept;
    void lower_highest_rank(std::uintptr_t released, detail::hold<Config> const* before) noexcept;
    void release_all() noexcept;
    void drop_umbrella() noexcept;
    bool await_turn();
    void end_turn() noexcept;
    void finish(counter how) noexcept;
    [[gnu::noinline]] void finish_unhappily() noexcept { finish(counter::abandons); }
    void tell(event_kind kind, void const* lock, mode m, restart_reason reason) const noexcept;

    detail::domain_core<Config>* core_;
    block* block_;
    [[no_unique_address]] typename platform::restart_pin pin_;
};

}  // namespace manylock

#include <manylock/transaction_impl.hpp>

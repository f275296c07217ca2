// Bodies of basic_transaction. Included by transaction.hpp only.
#pragma once

#include <manylock/domain_core.hpp>
#include <manylock/transaction.hpp>
#include <manylock/transaction_fast.hpp>
#include <manylock/transaction_rank.hpp>
#include <manylock/transaction_turn.hpp>
#include <manylock/transaction_umbrella.hpp>

namespace manylock {

/// A block comes from the pool as `finish` leaves it.
template <class Config>
[[gnu::always_inline]] inline basic_transaction<Config>::basic_transaction(detail::domain_core<Config>& core)
    : core_{&core}, block_{&core.shared.pool.take()} {
    next_attempt();
    block_->in_use.set(true);
}

/// Marks meant for what this transaction did until now have no effect from here on (E10).
template <class Config>
void basic_transaction<Config>::next_attempt() noexcept {
    // relaxed: others learn of it through a lock word that we publish ourselves in
    block_->attempt.store(block_->attempt.load(platform::relaxed) + 1, platform::relaxed);
}

template <class Config>
acquire_result basic_transaction<Config>::acquire_with(lock_type& lock, mode m, limits const& l) {
    check_use(block_ != nullptr, "lock acquired by a transaction that has ended");
    auto& me = *block_;
    if (me.poisoned) [[unlikely]] return me.poison;
    check_use(!me.sealed, "lock acquired after seal: acquire it before sealing the transaction");
    core_->adopt(&lock);
    if constexpr (Config::needs.umbrella) {
        return acquire_marked(lock, m, l);
    } else {
        auto& entry = me.holds.reserve();
        if (m == mode::exclusive) {
            if (lock.try_exclusive(me)) [[likely]] {
                record(entry, lock, m, l.rank);
                return status::granted;
            }
        } else if constexpr (Config::distributed_readers) {
            if ((lock.free_of_readers() || me.holds.find(&lock) == nullptr) && !me.holds.fills_hole() &&
                joined_distributed(lock, entry, l.rank)) [[likely]] {
                return status::granted;
            }
        } else {
            // Only if somebody reads already can one of the readers be ourselves.
            if ((!lock.busy() || me.holds.find(&lock) == nullptr) && added_as_reader(lock, entry)) [[likely]] {
                record(entry, lock, m, l.rank);
                return status::granted;
            }
        }
        return acquire_contended(lock, m, l, entry);
    }
}

template <class Config>
acquire_result basic_transaction<Config>::acquire_contended(lock_type& lock, mode m, limits const& l,
                                                            detail::hold<Config>& entry) {
    if constexpr (!Config::needs.umbrella) {
        auto& me = *block_;
        if (lock.held_exclusively_by(me)) return status::already_held;
        auto* const held = lock.free_of_readers() ? nullptr : me.holds.find(&lock);
        if (held != nullptr && covers(held->held_mode(), m)) return status::already_held;

        auto const rank = core_->rank_of(lock, l.rank);
        detail::request<Config> const r{.lock = lock,
                                        .wanted = m,
                                        .held = held,
                                        .entry = &entry,
                                        .holding = me.holds.held() > 0,
                                        .may_wait = l.may_wait,
                                        .in_order = held == nullptr && rank > me.highest_rank,
                                        .deadline = l.deadline,
                                        .cancelled = l.cancelled,
                                        .cancel_token = l.cancel_token,
                                        .section = l.section,
                                        .pin = &pin_};
        auto const answer = arbiter::acquire(core_->shared, me, r);
        if (answer) {
            if (held != nullptr) {
                held->set(&lock, m);
            } else {
                record(entry, lock, m, l.rank);
            }
            tell(event_kind::grant, &lock, m, {});
        } else if (answer.is_restart() && !l.rejoining) {
            return issue_restart(answer.reason(),
                                 answer.reason() == restart_reason::stale ? nullptr : &lock, m, rank);
        }
        return answer;
    } else {
        return status::busy;  // never called
    }
}

template <class Config>
acquire_result basic_transaction<Config>::acquire(lock_type& lock, mode m, std::stop_token token) {
    auto* const parker = &block_->park;
    auto wake = [parker] { parker->deliver(detail::signal::poke); };
    std::stop_callback<decltype(wake)> const on_stop{token, wake};
    return acquire_with(
        lock, m,
        {.cancelled = [](void const* t) noexcept {
             return static_cast<std::stop_token const*>(t)->stop_requested();
         },
         .cancel_token = &token});
}

template <class Config>
template <std::ranges::input_range Range>
acquire_result basic_transaction<Config>::acquire_all(Range&& locks, mode m) {
    auto const as_pointer = [](auto&& l) -> lock_type* {
        if constexpr (std::is_pointer_v<std::remove_cvref_t<decltype(l)>>) {
            return l;
        } else {
            return &l;
        }
    };
    auto const acquire_one = [&](lock_type* l) { return acquire(*l, m); };
    acquire_result last = status::granted;
    if constexpr (Config::needs.rank) {
        std::vector<lock_type*> sorted;
        for (auto&& l : locks) sorted.push_back(as_pointer(l));
        std::ranges::sort(sorted);
        for (auto* const l : sorted) {
            if (last = acquire_one(l); !last) return last;
        }
    } else {
        for (auto&& l : locks) {
            if (last = acquire_one(as_pointer(l)); !last) return last;
        }
    }
    return last;
}

template <class Config>
void basic_transaction<Config>::record(detail::hold<Config>& entry, lock_type& lock, mode m,
                                       std::uintptr_t rank) noexcept {
    if constexpr (!Config::needs.umbrella) {
        note_rank(entry, lock, rank);
        block_->holds.push(entry, &lock, m);
    } else {
        (void)entry, (void)lock, (void)m, (void)rank;
    }
}

template <class Config>
[[gnu::always_inline]] inline void basic_transaction<Config>::release_hold(block& me, detail::hold<Config>& entry) noexcept {
    auto const value = entry.read();
    auto& lock = *entry.lock();
    auto const m = entry.mode_of(value);
    if constexpr (Config::distributed_readers) {
        if ((value & entry.distributed) != 0 && entry.give_back_distributed(value)) [[likely]] return;
    }
    if (m == mode::exclusive) {
        if (lock.try_release_exclusive(me)) [[likely]] return;
    } else if constexpr (Config::known_readers) {
        if (arbiter::try_unlink_reader(lock, entry)) [[likely]] return;
    } else {
        if (lock.try_remove_reader(detail::word::payload_one)) [[likely]] return;
    }
    arbiter::release(lock, m, &entry);
}

template <class Config>
void basic_transaction<Config>::release(lock_type& lock) {
    if constexpr (!Config::needs.umbrella) {
        check_use(block_ != nullptr, "lock released by a transaction that has ended");
        auto& me = *block_;
        auto* const entry = me.holds.find(&lock);
        check_use(entry != nullptr, "lock released that is not held: double unlock?");
        if (entry == nullptr) return;
        release_hold(me, *entry);
        [[maybe_unused]] auto const* const before = me.holds.remove(*entry);
        if constexpr (Config::needs.rank) lower_highest_rank(entry->rank, before);
        // Nothing is held any more: wounds for the sake of what was held are void.
        if (me.holds.held() == 0) next_attempt();
    } else {
        check_use(block_ != nullptr && block_->under_umbrella,
                  "lock released that is not held: double unlock?");
        // relaxed: the number is ours while we hold the umbrella
        lock.unmark(core_->sequence.load(platform::relaxed));
    }
}

template <class Config>
void basic_transaction<Config>::detach(lock_type& lock) {
    check_use(holds(lock, mode::exclusive), "lock detached that is not held exclusively");
    if constexpr (Config::needs.umbrella) {
        lock.set_detached();
    } else {
        arbiter::detach(lock);
    }
}

template <class Config>
bool basic_transaction<Config>::holds(lock_type const& lock, mode at_least) const {
    if constexpr (Config::needs.umbrella) {
        if (!block_->under_umbrella) return false;
        // relaxed: the number is ours while we hold the umbrella
        return at_least == mode::shared ||
               lock.marked_by(core_->sequence.load(platform::relaxed));
    } else {
        auto const* const entry = block_->holds.find(&lock);
        return entry != nullptr && covers(entry->held_mode(), at_least);
    }
}

template <class Config>
acquire_result basic_transaction<Config>::restart_because(restart_reason reason) {
    if (block_->poisoned) return block_->poison;
    return issue_restart(reason, nullptr, mode::exclusive, 0);
}

template <class Config>
acquire_result basic_transaction<Config>::issue_restart(restart_reason reason, lock_type* contending,
                                                        mode m, std::uintptr_t rank) {
    auto& me = *block_;
    me.poisoned = true;
    me.poison = reason;
    if constexpr (!Config::needs.umbrella) me.contending = contending;
    me.contending_mode = m;
    me.contending_rank = rank;
    me.count.add_restart(reason);
    if (reason == Config::policy::reason) detail::onlooker<Config>::restarts(me);
    tell(event_kind::restart, contending, m, reason);
    return reason;
}

template <class Config>
[[gnu::always_inline]] inline void basic_transaction<Config>::release_all() noexcept {
    auto& me = *block_;
    if constexpr (Config::needs.umbrella) {
        if (me.under_umbrella) drop_umbrella();
    } else {
        if constexpr (Config::published_holds) {
            me.count.at_most_seen(0, std::uint64_t{me.holds.size()} * sizeof(detail::hold<Config>));
        }
        me.holds.drain([&](detail::hold<Config>& e) { release_hold(me, e); });
        if constexpr (Config::needs.rank) me.highest_rank = 0;
    }
}

template <class Config>
void basic_transaction<Config>::rollback() {
    check_use(block_ != nullptr, "rollback of a transaction that has ended");
    auto& me = *block_;
    check_use(me.poisoned, "rollback of a transaction that was not told to restart");
    release_all();
    ++me.restarts;
    me.poisoned = false;
    me.sealed = false;
    next_attempt();
    if constexpr (!Config::needs.umbrella) {
        auto* const lock = std::exchange(me.contending, nullptr);
        if (await_turn()) return;
        if (lock != nullptr) {
            // Nothing is held, so it waits and can only be granted, or find the object gone.
            (void)acquire_with(*lock, me.contending_mode, {.rank = me.contending_rank, .rejoining = true});
        }
    }
    pin_.leave();
}

template <class Config>
[[gnu::always_inline]] inline void basic_transaction<Config>::finish(counter how) noexcept {
    auto& me = *block_;
    release_all();
    end_turn();
    pin_.leave();
    if (how == counter::commits) tell(event_kind::commit, nullptr, mode::exclusive, {});
    block_ = nullptr;
    me.count.add(how);
    if (me.restarts > 0) [[unlikely]] {
        me.count.at_most_seen(me.restarts, 0);
        me.restarts = 0;
    }
    me.poisoned = false;
    me.sealed = false;
    me.in_use.set(false);
    me.age.store(0, platform::relaxed);  // relaxed: nothing is held, so nobody compares with it
    core_->shared.pool.give_back(me);
}

template <class Config>
void basic_transaction<Config>::tell(event_kind kind, void const* lock, mode m,
                                     restart_reason reason) const noexcept {
    if constexpr (Config::knobs.events) {
        core_->tell({.kind = kind,
                     .transaction = block_->number,
                     .age = block_->current_stamp(),
                     .lock = lock,
                     .wanted = m,
                     .reason = reason});
    } else {
        (void)kind, (void)lock, (void)m, (void)reason;
    }
}

}  // namespace manylock

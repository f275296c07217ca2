// How a transaction locks objects that have a queue each: every policy but umbrella. From top to bottom: the inlined fast
// paths, what happens when they fail, giving back, the restart, single-object reads.
#pragma once

#include <cstdint>
#include <utility>

#include <manylock/engine/admission.hpp>
#include <manylock/engine/attempts.hpp>
#include <manylock/engine/ranks.hpp>
#include <manylock/engine/turns.hpp>

namespace manylock::detail {

template <class Config>
class queued_protocol {
    using holding = holders<Config>;
    using giving = giving_back<Config>;

public:
    using platform = typename Config::platform;
    using lock_type = queued_lock<Config>;
    using block = control_block<Config>;
    using hold_type = hold<Config>;
    using core = domain_core<Config>;
    using pin = typename platform::restart_pin;
    using patience_type = patience<platform>;

    // --- nobody is in the way ------------------------------------------------------------------------
    /// A free lock, room in the first holds, nothing to check.
    [[nodiscard, gnu::always_inline]] static bool acquired_at_once(core&, block& me,
                                                                   lock_type& lock) noexcept {
        auto* const slot = me.holds.first_free();
        if (slot == nullptr || me.phase == transaction_phase::restarting || !lock.try_exclusive(me))
            return false;
        ranks<Config>::note(me, *slot, lock, 0);
        me.holds.append(*slot, slot->value_of(&lock, mode::exclusive));
        return true;
    }
    /// The same in shared mode.
    [[nodiscard, gnu::always_inline]] static bool shared_at_once(core&, block& me,
                                                                 lock_type& lock) noexcept {
        auto* const slot = me.holds.first_free();
        if (slot == nullptr || me.phase == transaction_phase::restarting) return false;
        // Only if somebody reads already can one of the readers be ourselves.
        if (!lock.free_of_readers() && reads_already(me, lock)) return false;
        if constexpr (Config::distributed_readers) return joined_distributed(me, lock, *slot, 0);
        if (!added_as_reader(me, lock, *slot)) return false;
        ranks<Config>::note(me, *slot, lock, 0);
        me.holds.append(*slot, slot->value_of(&lock, mode::shared));
        return true;
    }

    // --- somebody may be in the way ------------------------------------------------------------------
    /// As basic_transaction::acquire. `rank`: as the caller names it, or 0.
    static acquire_result acquire(core& domain, block& me, pin& keep, lock_type& lock, mode m,
                                  std::uintptr_t rank, patience_type const& patience) {
        auto const answer = take(domain, me, keep, lock, m, rank, patience);
        if (!answer.is_restart()) return answer;
        bool const gone = answer.reason() == restart_reason::stale;
        return attempts<Config>::restart(domain, me, answer.reason(), gone ? nullptr : &lock, m,
                                         rank);
    }

    // --- giving back -----------------------------------------------------------------------------------
    static void release(core&, block& me, lock_type& lock) {
        auto* const h = me.holds.find(&lock);
        check_use(h != nullptr, "lock released that is not held: double unlock?");
        if (h == nullptr) return;
        release_hold(me, *h);
        [[maybe_unused]] auto const* const before = me.holds.remove(*h);
        if constexpr (Config::needs.rank) ranks<Config>::lower(me, h->rank, before);
        // Nothing is held any more: wounds for the sake of what was held are void.
        if (me.holds.held() == 0) attempts<Config>::begin_next(me);
    }
    [[gnu::always_inline]] static void release_all(core&, block& me) noexcept {
        if constexpr (Config::published_holds) {
            me.count.at_most_seen(0, std::uint64_t{me.holds.size()} * sizeof(hold_type));
        }
        me.holds.drain([&](hold_type& h) { release_hold(me, h); });
        ranks<Config>::forget(me);
    }
    static void detach(lock_type& lock) { giving::detach(lock); }

    [[nodiscard]] static bool holds(core&, block& me, lock_type const& lock,
                                    mode at_least) noexcept {
        auto const* const h = me.holds.find(&lock);
        return h != nullptr && covers(h->held_mode(), at_least);
    }
    [[nodiscard]] static std::uint32_t held(block const& me) noexcept { return me.holds.held(); }

    // --- between two attempts --------------------------------------------------------------------------
    /// Requires: nothing is held. Waits for a turn, or for the contending lock, and keeps it.
    static void rejoin(core& domain, block& me, pin& keep) {
        auto* const contending = std::exchange(me.contending, nullptr);
        if (turns<Config>::await(domain, me, keep) || contending == nullptr) return;
        // It can only be granted, or find the object gone.
        (void)take(domain, me, keep, *contending, me.contending_mode, me.contending_rank, {});
    }
    static void end(core& domain, block& me) noexcept { turns<Config>::end(domain, me); }

private:
    /// acquire, without what a restart means for the transaction.
    static acquire_result take(core& domain, block& me, pin& keep, lock_type& lock, mode m,
                               std::uintptr_t rank, patience_type const& patience) {
        auto& slot = me.holds.reserve();
        if (m == mode::exclusive) {
            if (lock.try_exclusive(me)) [[likely]] {
                record(me, slot, lock, m, rank);
                return status::granted;
            }
        } else if constexpr (Config::distributed_readers) {
            if ((lock.free_of_readers() || me.holds.find(&lock) == nullptr) &&
                !me.holds.fills_hole() && joined_distributed(me, lock, slot, rank)) [[likely]] {
                return status::granted;
            }
        } else {
            // Only if somebody reads already can one of the readers be ourselves.
            if ((!lock.busy() || me.holds.find(&lock) == nullptr) &&
                added_as_reader(me, lock, slot)) [[likely]] {
                record(me, slot, lock, m, rank);
                return status::granted;
            }
        }
        return take_contended(domain, me, keep, lock, m, rank, patience, slot);
    }
    static acquire_result take_contended(core& domain, block& me, pin& keep, lock_type& lock,
                                         mode m, std::uintptr_t rank, patience_type const& patience,
                                         hold_type& slot) {
        if (lock.held_exclusively_by(me)) return status::already_held;
        auto* const held = lock.free_of_readers() ? nullptr : me.holds.find(&lock);
        if (held != nullptr && covers(held->held_mode(), m)) return status::already_held;

        auto const answer = admission<Config>::acquire(
            domain.shared, me,
            {.lock = lock,
             .wanted = m,
             .upgraded = held,
             .slot = &slot,
             .restartable = me.holds.held() > 0,
             .in_order = held == nullptr && core::rank_of(lock, rank) > me.highest_rank,
             .patience = patience,
             .pin = &keep});
        if (answer) {
            if (held != nullptr) {
                held->set(&lock, m);
            } else {
                record(me, slot, lock, m, rank);
            }
            attempts<Config>::tell(domain, me, event_kind::grant, &lock, m, {});
        }
        return answer;
    }
    static void record(block& me, hold_type& slot, lock_type& lock, mode m,
                       std::uintptr_t rank) noexcept {
        ranks<Config>::note(me, slot, lock, rank);
        me.holds.push(slot, &lock, m);
    }
    [[nodiscard, gnu::noinline]] static bool reads_already(block& me, lock_type& lock) noexcept {
        return me.holds.find(&lock) != nullptr;
    }
    /// At once, or not at all: readers are linked from the lock, or a count.
    [[nodiscard]] static bool added_as_reader(block& me, lock_type& lock,
                                              hold_type& slot) noexcept {
        if constexpr (Config::known_readers) {
            return holding::try_link_reader(lock, me, slot);
        } else {
            (void)me, (void)slot;
            return lock.try_add_reader(lock_word::counted_one);
        }
    }
    /// Says in our own list that we read `lock`; true if the lock lets us. False: nothing has changed.
    [[nodiscard]] static bool joined_distributed(block& me, lock_type& lock, hold_type& slot,
                                                 std::uintptr_t rank) noexcept {
        if constexpr (Config::distributed_readers) {
            me.holds.append(slot, slot.distributed_hold_of(&lock));
            // (D1) full fence; partner: the one in holders::count_distributed.
            //   this: [W] our list          | other: [W] the lock's word
            //             fence             |            fence
            //         [R] the lock's word   |        [R] all lists
            platform::fence();
            if (!lock.lets_distributed_in() &&
                slot.give_back_distributed(slot.distributed_hold_of(&lock))) {
                (void)me.holds.remove(slot);
                return false;
            }
            ranks<Config>::note(me, slot, lock, rank);
            return true;
        } else {
            (void)me, (void)lock, (void)slot, (void)rank;
            return false;
        }
    }
    [[gnu::always_inline]] static void release_hold(block& me, hold_type& h) noexcept {
        auto const value = h.read();
        auto& lock = *h.lock();
        auto const m = h.mode_of(value);
        if constexpr (Config::distributed_readers) {
            if ((value & h.distributed) != 0 && h.give_back_distributed(value)) [[likely]]
                return;
        }
        if (m == mode::exclusive) {
            if (lock.try_release_exclusive(me)) [[likely]]
                return;
        } else if constexpr (Config::known_readers) {
            if (holding::try_unlink_reader(lock, h)) [[likely]]
                return;
        } else {
            if (lock.try_remove_reader(lock_word::counted_one)) [[likely]]
                return;
        }
        giving::release(lock, m, &h);
    }
};

}  // namespace manylock::detail

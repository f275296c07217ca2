// The bodies of basic_transaction that an uncontended acquisition runs through. Included by transaction_impl.hpp only.
#pragma once

#include <cstdint>

#include <manylock/domain_core.hpp>
#include <manylock/transaction.hpp>

namespace manylock {

/// The inlined fast path: a free lock, room in the first entries, nothing to check.
template <class Config>
[[gnu::always_inline]] inline bool basic_transaction<Config>::acquired_at_once(lock_type& lock) noexcept {
    if constexpr (checks_enabled) {
        return false;
    } else if constexpr (Config::needs.umbrella) {
        auto& me = *block_;
        if (me.poisoned) return false;
        if (!me.under_umbrella) {
            if (!core_->umbrella.try_exclusive(me)) return false;
            me.under_umbrella = true;
        }
        // relaxed: the number is ours while we hold the umbrella
        return lock.try_mark(core_->sequence.load(platform::relaxed));
    } else {
        auto& me = *block_;
        auto* const entry = me.holds.first_free();
        if (entry == nullptr || me.poisoned || !lock.try_exclusive(me)) return false;
        note_rank(*entry, lock, 0);
        me.holds.append(*entry, entry->value_of(&lock, mode::exclusive));
        return true;
    }
}

/// The same in shared mode.
template <class Config>
[[gnu::always_inline]] inline bool basic_transaction<Config>::shared_at_once(lock_type& lock) noexcept {
    if constexpr (checks_enabled || Config::needs.umbrella) {
        (void)lock;
        return false;
    } else {
        auto& me = *block_;
        auto* const entry = me.holds.first_free();
        if (entry == nullptr || me.poisoned) return false;
        // Only if somebody reads already can one of the readers be ourselves.
        if (!lock.free_of_readers() && reads_already(lock)) return false;
        if constexpr (Config::distributed_readers) return joined_distributed(lock, *entry, 0);
        if (!added_as_reader(lock, *entry)) return false;
        note_rank(*entry, lock, 0);
        me.holds.append(*entry, entry->value_of(&lock, mode::shared));
        return true;
    }
}

/// At once, or not at all: readers are linked from the lock, or a count.
template <class Config>
bool basic_transaction<Config>::added_as_reader(lock_type& lock, detail::hold<Config>& entry) noexcept {
    if constexpr (Config::known_readers) {
        return holding::try_link_reader(lock, *block_, entry);
    } else {
        (void)entry;
        return lock.try_add_reader(detail::lock_word::counted_one);
    }
}

/// Says in our own list that we read `lock`; true if the lock lets us. False: nothing has changed.
template <class Config>
bool basic_transaction<Config>::joined_distributed(lock_type& lock, detail::hold<Config>& entry,
                                                   std::uintptr_t rank) noexcept {
    if constexpr (Config::distributed_readers) {
        auto& holds = block_->holds;
        holds.append(entry, entry.distributed_hold_of(&lock));
        // (D1) full fence; partner: the one in holders::count_distributed.
        //   this: [W] our list          | other: [W] the lock's word
        //             fence             |            fence
        //         [R] the lock's word   |        [R] all lists
        platform::fence();
        if (!lock.lets_distributed_in() && entry.give_back_distributed(entry.distributed_hold_of(&lock))) {
            (void)holds.remove(entry);
            return false;
        }
        note_rank(entry, lock, rank);
        return true;
    } else {
        (void)lock, (void)entry, (void)rank;
        return false;
    }
}

}  // namespace manylock

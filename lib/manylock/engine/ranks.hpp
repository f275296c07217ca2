// The highest rank that a transaction holds, for policies that order locks (policy_needs::rank).
//
// INV-R highest_rank is the highest rank of all holds, 0 if there is none; highest_before of a hold is what it was when
//       that hold was acquired.
#pragma once

#include <algorithm>
#include <cstdint>

#include <manylock/engine/domain_core.hpp>

namespace manylock::detail {

template <class Config>
class ranks {
public:
    using block = control_block<Config>;
    using hold_type = hold<Config>;

    /// `named`: the caller's rank for the lock, or 0.
    static void note(block& me, hold_type& h, queued_lock<Config>& lock,
                     std::uintptr_t named) noexcept {
        if constexpr (Config::needs.rank) {
            h.rank = domain_core<Config>::rank_of(lock, named);
            h.highest_before = me.highest_rank;
            me.highest_rank = std::max(me.highest_rank, h.rank);
        } else {
            (void)me, (void)h, (void)lock, (void)named;
        }
    }
    /// After an early release of a hold with rank `released`; `before`: as hold_list::remove returns. O(1) unless the
    /// highest was released and others were acquired after it.
    static void lower(block& me, std::uintptr_t released, hold_type const* before) noexcept {
        if (me.holds.held() == 0) return forget(me);
        if (released < me.highest_rank) return;
        if (before != nullptr) {
            me.highest_rank = before->highest_before;
            return;
        }
        me.highest_rank = 0;
        for (std::uint32_t i = 0; i < me.holds.size(); ++i) {
            if (auto const& h = me.holds.at(i); h.lock() != nullptr)
                me.highest_rank = std::max(me.highest_rank, h.rank);
        }
    }
    static void forget(block& me) noexcept {
        if constexpr (Config::needs.rank) me.highest_rank = 0;
        (void)me;
    }
};

}  // namespace manylock::detail

// The bodies of basic_transaction that know of ranks (policy_needs::rank). Included by transaction_impl.hpp only.
#pragma once

#include <algorithm>

#include <manylock/domain_core.hpp>
#include <manylock/transaction.hpp>

namespace manylock {

template <class Config>
void basic_transaction<Config>::note_rank(detail::hold<Config>& entry, lock_type& lock,
                                          std::uintptr_t rank) noexcept {
    if constexpr (Config::needs.rank) {
        entry.rank = core_->rank_of(lock, rank);
        entry.highest_before = block_->highest_rank;
        block_->highest_rank = std::max(block_->highest_rank, entry.rank);
    } else {
        (void)entry, (void)lock, (void)rank;
    }
}

/// After a release. O(1) unless the highest was released and others were acquired after it.
template <class Config>
void basic_transaction<Config>::lower_highest_rank(std::uintptr_t released,
                                                   detail::hold<Config> const* before) noexcept {
    auto& me = *block_;
    if (me.holds.held() == 0) {
        me.highest_rank = 0;
        return;
    }
    if (released < me.highest_rank) return;
    if (before != nullptr) {
        me.highest_rank = before->highest_before;
        return;
    }
    me.highest_rank = 0;
    for (std::uint32_t i = 0; i < me.holds.size(); ++i) {
        if (auto const& e = me.holds.at(i); e.lock() != nullptr) {
            me.highest_rank = std::max(me.highest_rank, e.rank);
        }
    }
}

}  // namespace manylock

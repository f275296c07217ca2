// The bodies of basic_transaction that end a livelock (decision 19). Included by transaction_impl.hpp only.
#pragma once

#include <utility>

#include <manylock/domain_core.hpp>
#include <manylock/transaction.hpp>

namespace manylock {

/// True if the transaction has run out of patience: then its turn has come now. Until it ends all others that
/// come so far wait, holding nothing; so if nobody commits, it is alone in the end, and commits.
template <class Config>
bool basic_transaction<Config>::await_turn() {
    if constexpr (Config::takes_turns) {
        auto& me = *block_;
        if (me.has_turn || me.restarts < Config::knobs.patience) return false;
        pin_.leave();  // nothing may be kept alive through so long a wait
        if (!core_->turn.try_exclusive(me)) {
            (void)detail::admission<Config>::acquire(core_->shared, me,
                                   {.lock = core_->turn,
                                    .wanted = mode::exclusive,
                                    .slot = &me.holds.reserve()});  // holds nothing: it is granted
        }
        me.has_turn = true;
        return true;
    } else {
        return false;
    }
}

template <class Config>
void basic_transaction<Config>::end_turn() noexcept {
    if constexpr (Config::takes_turns) {
        auto& me = *block_;
        if (!std::exchange(me.has_turn, false)) return;
        if (!core_->turn.try_release_exclusive(me)) {
            giving::release(core_->turn, mode::exclusive, nullptr);
        }
    }
}

}  // namespace manylock

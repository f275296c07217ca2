// Ends a livelock of transactions that restart each other, under policies that do not (decision 19): whoever has restarted
// too often waits for its turn.
#pragma once

#include <utility>

#include <manylock/engine/admission.hpp>
#include <manylock/engine/domain_core.hpp>

namespace manylock::detail {

template <class Config>
class turns {
public:
    using platform = typename Config::platform;
    using block = control_block<Config>;
    using core = domain_core<Config>;

    /// Requires: `me` holds nothing. True if it has restarted so often: then its turn has come now. Until it ends all
    /// others that come so far wait, holding nothing; so if nobody commits, it is alone in the end, and commits.
    static bool await(core& domain, block& me, typename platform::restart_pin& pin) {
        if constexpr (Config::takes_turns) {
            if (me.has_turn || me.restarts < Config::knobs.turn_after) return false;
            pin.leave();  // nothing may be kept alive through so long a wait
            if (!domain.turn.try_exclusive(me)) {
                (void)admission<Config>::acquire(
                    domain.shared, me,
                    {.lock = domain.turn,
                     .wanted = mode::exclusive,
                     .slot = &me.holds.reserve()});  // holds nothing: it is granted
            }
            me.has_turn = true;
            return true;
        } else {
            (void)domain, (void)me, (void)pin;
            return false;
        }
    }
    static void end(core& domain, block& me) noexcept {
        if constexpr (Config::takes_turns) {
            if (!std::exchange(me.has_turn, false)) return;
            if (!domain.turn.try_release_exclusive(me)) {
                giving_back<Config>::release(domain.turn, mode::exclusive, nullptr);
            }
        } else {
            (void)domain, (void)me;
        }
    }
};

}  // namespace manylock::detail

// The attempts of one transaction: it begins one, is told to restart, begins the next.
#pragma once

#include <cstdint>

#include <manylock/engine/domain_core.hpp>
#include <manylock/engine/onlooker.hpp>
#include <manylock/event.hpp>

namespace manylock::detail {

template <class Config>
class attempts {
public:
    using platform = typename Config::platform;
    using block = control_block<Config>;
    using core = domain_core<Config>;

    /// Marks meant for what this transaction did until now have no effect from here on (E10).
    static void begin_next(block& me) noexcept {
        // relaxed: others learn of it through a lock word that we publish ourselves in
        me.attempt.store(me.attempt.load(platform::relaxed) + 1, platform::relaxed);
    }
    /// From here on until rollback `me` is told so again (E12). `contending`: whom the next attempt waits for first.
    static acquire_result restart(core& domain, block& me, restart_reason reason,
                                  queued_lock<Config>* contending, mode m, std::uintptr_t rank) {
        me.phase = transaction_phase::restarting;
        me.last_restart = reason;
        me.contending = contending;
        me.contending_mode = m;
        me.contending_rank = rank;
        me.count.add_restart(reason);
        if (reason == Config::policy::reason) onlooker<Config>::restarts(me);
        tell(domain, me, event_kind::restart, contending, m, reason);
        return reason;
    }
    static void tell(core& domain, block const& me, event_kind kind, void const* lock, mode m,
                     restart_reason reason) noexcept {
        if constexpr (Config::knobs.events) {
            domain.tell({.kind = kind,
                         .transaction = me.number,
                         .age = me.current_stamp(),
                         .lock = lock,
                         .wanted = m,
                         .reason = reason});
        } else {
            (void)domain, (void)me, (void)kind, (void)lock, (void)m, (void)reason;
        }
    }
};

}  // namespace manylock::detail

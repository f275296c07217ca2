// What a platform that looks on is told of (the timing simulator, which can see the wait-for graph of all at the
// instant of a decision). Nothing, and no code, on a platform that has no `onlooker<Config>`.
#pragma once

#include <manylock/engine/control_block.hpp>

namespace manylock::detail {

template <class Config>
struct request;

template <class Config>
struct onlooker {
    using platform = typename Config::platform;
    using block = control_block<Config>;

    /// `me` is told to restart instead of waiting for what `r` asks for. Nothing has changed yet.
    static void refused(arbitration<Config>& shared, block& me, request<Config> const& r) noexcept {
        if constexpr (looks_on) platform::template onlooker<Config>::refused(shared, me, r);
        (void)shared, (void)me, (void)r;
    }
    /// `me` waits, and is about to restart instead: wounded, dying, or told so by a detector.
    static void leaves_queue(arbitration<Config>& shared, block& me) noexcept {
        if constexpr (looks_on) platform::template onlooker<Config>::leaves_queue(shared, me);
        (void)shared, (void)me;
    }
    /// A detector has chosen `victim`, which waits.
    static void chosen(arbitration<Config>& shared, block& victim) noexcept {
        if constexpr (looks_on) platform::template onlooker<Config>::chosen(shared, victim);
        (void)shared, (void)victim;
    }
    /// `me` restarts, for the policy's reason: what was announced by one of the three above has come true.
    static void restarts(block& me) noexcept {
        if constexpr (looks_on) platform::template onlooker<Config>::restarts(me);
        (void)me;
    }
    /// `me`, which holds something, has begun to wait.
    static void waits(arbitration<Config>& shared, block& me) noexcept {
        if constexpr (looks_on) platform::template onlooker<Config>::waits(shared, me);
        (void)shared, (void)me;
    }

private:
    static constexpr bool looks_on = requires { typename platform::template onlooker<Config>; };
};

}  // namespace manylock::detail

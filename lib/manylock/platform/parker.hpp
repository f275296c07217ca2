// Where one thread waits for signals from others: one word and a futex. The same source on every
// platform that has `futex_wait` and `futex_wake`, so that a model checker sees its orders too.
#pragma once

#include <cstdint>

namespace manylock::platform {

/// Signals are bits that stay set until cleared, so none is lost between looking and sleeping; the
/// sleeper's own bit tells senders to wake it.
template <class Platform>
class futex_parker {
public:
    using time_point = typename Platform::time_point;
    static constexpr std::uint32_t sleeping = 1;  // senders must not use this bit

    /// Forgets old signals. What their senders wrote before sending is visible afterwards.
    void reset() noexcept {
        word_.exchange(0, Platform::acquire);  // (P1) acquire; pairs (P4); sees marks
    }
    [[nodiscard]] std::uint32_t signals() const noexcept {
        // (P2) acquire load; pairs (P4); sees what the sender wrote before
        return word_.load(Platform::acquire) & ~sleeping;
    }
    void clear(std::uint32_t bits) noexcept {
        word_.fetch_and(~bits, Platform::acquire);  // (P3) acquire; pairs (P4)
    }
    /// Sleeps until a signal is there, or `deadline` (if given) has passed. May wake early. Orders nothing:
    /// what the sender wrote is seen by the look that follows (P1, P2).
    void wait(time_point const* deadline) noexcept {
        std::uint32_t seen = 0;
        // (P5) relaxed: the bit publishes nothing, and a signal found instead is looked at by the caller
        if (!word_.compare_exchange_strong(seen, sleeping, Platform::relaxed, Platform::relaxed) &&
            seen != sleeping) {
            return;
        }
        Platform::futex_wait(word_, sleeping, deadline);
        word_.fetch_and(~sleeping, Platform::relaxed);  // (P6) relaxed: as (P5)
    }
    /// After the bits are visible the waiter may be gone and its parker serve another wait; only the
    /// address is used from there on, and the worst that it can cause is an early return from wait.
    void deliver(std::uint32_t bits) noexcept {
        // (P4) release; pairs (P1, P2, P3); publishes what the sender wrote before
        auto const before = word_.fetch_or(bits, Platform::release);
        if ((before & sleeping) != 0) Platform::futex_wake(word_);
    }

private:
    typename Platform::template atomic<std::uint32_t> word_{0};
};

}  // namespace manylock::platform

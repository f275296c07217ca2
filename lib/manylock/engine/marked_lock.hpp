// An object under an umbrella: not locked but marked, with the sequence number of the umbrella's holder.
// One bump of the domain's sequence unmarks all of them at once. Single-object readers count themselves
// in without touching the umbrella, unless they meet a mark. 8 bytes.
//
//   bits 63..32  sequence number of the transaction that marked it last
//   bit 31       draining: a marker waits for the readers to leave; no reader may enter.  Cleared by the
//                marker on every way out, or readers would be turned away for ever.
//   bit 30       detached: the object left its container; readers answer `stale`.  Never cleared.
//   bits 29..0   single-object readers inside
//
// Everything is in one word, so that marking and entering cannot miss each other: both are
// read-modify-writes of it. Only the umbrella's holder marks.
// The number wraps: an object marked exactly 2^32 umbrellas ago looks marked. Its readers fall back for
// nothing, and the umbrella's holder takes it for marked only if nobody is inside (marked_by).
// Source: Linux per-VMA locks (mm/mmap_lock.c); the reference-count form of 6.15.
#pragma once

#include <cstdint>

#include <manylock/engine/config.hpp>
#include <manylock/engine/queued_lock.hpp>

namespace manylock {

template <class Config>
class marked_lock {
public:
    using platform = typename Config::platform;
    using block = detail::control_block<Config>;
    using word = std::uint64_t;
    static constexpr word draining = word{1} << 31;
    static constexpr word detached_bit = word{1} << 30;
    static constexpr word reader_mask = detached_bit - 1;

    marked_lock() noexcept = default;
    marked_lock(marked_lock const&) = delete;
    marked_lock& operator=(marked_lock const&) = delete;
    ~marked_lock() {
        if constexpr (checks_enabled) {
            auto const w = word_.load(platform::relaxed);  // relaxed: a check
            if ((w & draining) != 0) {
                detail::report_in_destructor("lock destroyed while a transaction waits for it");
            } else if ((w & reader_mask) != 0 || home_.marked_now(sequence_of(w))) {
                detail::report_in_destructor("lock destroyed while held");
            }
        }
    }

    [[nodiscard]] bool busy() const noexcept {
        return (word_.load(platform::relaxed) & (reader_mask | draining)) != 0;  // relaxed: a hint
    }
    [[nodiscard]] bool has_waiters() const noexcept {
        return (word_.load(platform::relaxed) & draining) != 0;  // relaxed: a hint
    }
    [[nodiscard]] std::size_t waiter_count() const noexcept { return has_waiters() ? 1 : 0; }
    [[nodiscard]] bool detached() const noexcept {
        return (word_.load(platform::acquire) & detached_bit) !=
               0;  // acquire; pairs with set_detached
    }
    /// True if nobody is inside and no reader can enter under `sequence`. A number that merely came
    /// round again is as good as a mark then: it turns readers away.
    [[nodiscard]] bool marked_by(std::uint32_t sequence) const noexcept {
        auto const w = word_.load(platform::acquire);  // (M5) acquire; pairs (M4)
        return sequence_of(w) == sequence && (w & (reader_mask | draining)) == 0;
    }

    enum class entered : std::uint8_t { yes, marked, stale };
    /// `current` yields the domain's sequence number; it is read after the word, so that a mark made by
    /// the present umbrella holder is never compared with an older number.
    template <class Sequence>
    entered try_enter(Sequence current) noexcept {
        auto w = word_.load(platform::acquire);  // (M1) acquire; pairs (M2)
        for (;;) {
            if ((w & detached_bit) != 0) return entered::stale;
            if ((w & draining) != 0 || sequence_of(w) == current()) return entered::marked;
            // acquire, as (M1): what the last marker wrote is visible inside
            if (word_.compare_exchange_weak(w, w + 1, platform::acquire, platform::acquire)) {
                return entered::yes;
            }
        }
    }
    /// True if a marker waits for us, the last reader. The object may be gone when this returns.
    [[nodiscard]] bool leave() noexcept {
        // (M4) release; pairs (M2, M3): our reads are over. acquire; pairs (M3): who sees `draining`
        // sees the umbrella taken, and so finds whom to wake.
        auto const before = word_.fetch_sub(1, platform::acq_rel);
        return (before & draining) != 0 && (before & reader_mask) == 1;
    }

    // --- the umbrella's holder only -----------------------------------------------------------------
    /// Marks an object that nobody reads and that is not marked yet; false if a slower way is needed.
    bool try_mark(std::uint32_t sequence) noexcept {
        auto w = word_.load(platform::relaxed);  // relaxed: the exchange decides
        if ((w & (reader_mask | draining | detached_bit)) != 0 || sequence_of(w) == sequence) {
            return false;
        }
        // (M2) release; pairs (M1). acquire; pairs (M4)
        return word_.compare_exchange_strong(w, word{sequence} << 32, platform::acq_rel,
                                             platform::relaxed);
    }
    /// Bars readers; true if none is inside.
    bool begin_mark() noexcept {
        // (M3) acquire; pairs (M4). release; pairs (M4): publishes that the umbrella is taken.
        auto const before = word_.fetch_or(draining, platform::acq_rel);
        return (before & reader_mask) == 0;
    }
    [[nodiscard]] bool drained() const noexcept {
        return (word_.load(platform::acquire) & reader_mask) == 0;  // (M5) acquire; pairs (M4)
    }
    void cancel_mark() noexcept {
        word_.fetch_and(~draining,
                        platform::relaxed);  // relaxed: nothing was written; lets readers in
    }
    /// Requires: begin_mark, then drained.
    void mark(std::uint32_t sequence) noexcept {
        auto const kept =
            word_.load(platform::relaxed) & detached_bit;  // relaxed: nobody else writes
        word_.store((word{sequence} << 32) | kept, platform::release);  // (M2) release; pairs (M1)
    }
    /// Takes the mark of the umbrella's holder off again; nothing if there is none.
    void unmark(std::uint32_t sequence) noexcept {
        auto const w = word_.load(platform::relaxed);  // relaxed: nobody else writes a marked word
        if (sequence_of(w) != sequence) return;
        // (M2) release; pairs (M1)
        word_.store((word{sequence - 1} << 32) | (w & detached_bit), platform::release);
    }
    void set_detached() noexcept {
        word_.fetch_or(detached_bit, platform::release);  // release; pairs with try_enter
    }

private:
    friend struct detail::domain_core<Config>;
    [[nodiscard]] static constexpr std::uint32_t sequence_of(word w) noexcept {
        return static_cast<std::uint32_t>(w >> 32);
    }
    typename platform::template atomic<word> word_{0};
    [[no_unique_address]] detail::home_of<Config> home_;
};

}  // namespace manylock

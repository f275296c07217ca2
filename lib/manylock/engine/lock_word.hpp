// The 64-bit word of a queued lock, and all that is known about its bits: nobody else tests or sets one.
//
//   bits 63..16  payload: the exclusive holder's control block, or who reads: a count of shared holders
//                (anonymous readers), or the first of the linked holds (known readers)
//   bits 15..7   known readers only: count of single-object readers, which never wait while holding and
//                therefore need no identity
//   bit 6        distributed: there may be readers that stand in their own hold lists only (options::
//                distributed_readers). Never set with an exclusive holder or a waiter.
//   bit 5        closed: somebody in the queue must not be passed, so the lock is handed on, never left free.
//   bit 4        awake: a waiter was told that the lock is free and has not looked yet. While it is set, a release
//                need not tell anybody.
//   bit 3        detached: the object left its container; acquisitions answer `stale`.  Never cleared.
//   bit 2        exclusive: payload is a control block.  Must be set iff an exclusive holder exists.
//   bit 1        waiters: may be set with an empty queue only while the latch is held; once the latch
//                is free it must not be clear with a waiter queued (lost wake-up).
//   bit 0        latch: freezes the word and the queue for its holder; everyone else spins.
//
// A free lock nobody waits for is 0, so the exclusive fast path is one compare-exchange from 0. A free lock with
// waiters is open, and anybody may take it. A new bit costs this header, and where it is set and asked for.
#pragma once

#include <cstdint>

namespace manylock::detail {

/// One value of the word; changing it is said as what comes out. Exchanges take the bare bits, which compilers keep in a
/// register.
struct lock_word {
    using bits_type = std::uint64_t;
    bits_type bits = 0;

    friend constexpr bool operator==(lock_word, lock_word) noexcept = default;

    // --- what it says --------------------------------------------------------------------------------
    [[nodiscard]] constexpr bool is_latched() const noexcept { return any(latch_bit); }
    [[nodiscard]] constexpr bool has_waiters() const noexcept { return any(waiters_bit); }
    [[nodiscard]] constexpr bool is_exclusive() const noexcept { return any(exclusive_bit); }
    [[nodiscard]] constexpr bool is_detached() const noexcept { return any(detached_bit); }
    [[nodiscard]] constexpr bool is_awake() const noexcept { return any(awake_bit); }
    [[nodiscard]] constexpr bool is_distributed() const noexcept { return any(distributed_bit); }
    /// Nobody holds the lock, in any mode. Knows nothing of distributed readers.
    [[nodiscard]] constexpr bool is_free() const noexcept {
        return !any(payload_mask | single_mask | exclusive_bit);
    }
    /// Nobody holds it nor waits for it.
    [[nodiscard]] constexpr bool is_idle() const noexcept {
        return !any(~(detached_bit | distributed_bit));
    }
    /// A holder may leave without the latch: nobody waits to be served.
    [[nodiscard]] constexpr bool lets_holders_out() const noexcept {
        return !any(latch_bit | waiters_bit);
    }
    /// Nothing bars a reader that comes now.
    [[nodiscard]] constexpr bool lets_readers_in() const noexcept {
        return !any(latch_bit | waiters_bit | exclusive_bit | detached_bit);
    }
    /// Even if it is free, whoever comes now must queue, or ask under the latch.
    [[nodiscard]] constexpr bool bars_newcomers() const noexcept {
        return any(closed_bit | detached_bit | distributed_bit);
    }
    /// No transaction reads it. With `distributed_counts`, not even one whom a latch holder may be counting right now.
    [[nodiscard]] constexpr bool has_no_shared_holder(bool distributed_counts) const noexcept {
        return is_exclusive() ||
               !any(payload_mask | distributed_bit | (distributed_counts ? latch_bit : 0));
    }
    /// Held exclusively, and whoever waits may be passed and has been told to look.
    [[nodiscard]] constexpr bool may_be_left_open() const noexcept {
        return (bits & ~payload_mask) == (exclusive_bit | waiters_bit | awake_bit);
    }

    // --- who holds it --------------------------------------------------------------------------------
    /// Requires: is_exclusive().
    template <class Block>
    [[nodiscard]] Block* exclusive_holder() const noexcept {
        return reinterpret_cast<Block*>(bits >> payload_shift);
    }
    /// Requires: known readers, not is_exclusive().
    template <class Hold>
    [[nodiscard]] Hold* first_reader() const noexcept {
        return reinterpret_cast<Hold*>(bits >> payload_shift);
    }
    /// Requires: anonymous readers, not is_exclusive().
    [[nodiscard]] constexpr bits_type counted_readers() const noexcept {
        return bits >> payload_shift;
    }
    /// Single-object readers beside known readers.
    [[nodiscard]] constexpr bits_type single_readers() const noexcept {
        return (bits & single_mask) / single_one;
    }

    /// What one reader adds where readers are counted: beside known ones in a field of its own.
    static constexpr bits_type counted_one = bits_type{1} << 16;
    static constexpr bits_type single_one = 128;
    /// There is no room for another reader that adds `unit`.
    [[nodiscard]] constexpr bool is_full(bits_type unit) const noexcept {
        return unit == single_one && (bits & single_mask) == single_mask;
    }

    // --- changed ---------------------------------------------------------------------------------------
    [[nodiscard]] constexpr lock_word latched() const noexcept { return {bits | latch_bit}; }
    [[nodiscard]] constexpr lock_word awake() const noexcept { return {bits | awake_bit}; }
    [[nodiscard]] constexpr lock_word not_awake() const noexcept { return {bits & ~awake_bit}; }
    [[nodiscard]] constexpr lock_word detached() const noexcept { return {bits | detached_bit}; }
    [[nodiscard]] constexpr lock_word distributed() const noexcept {
        return {bits | distributed_bit};
    }
    [[nodiscard]] constexpr lock_word not_distributed() const noexcept {
        return {bits & ~distributed_bit};
    }
    [[nodiscard]] constexpr lock_word without_waiters() const noexcept {
        return {bits & ~(waiters_bit | closed_bit | awake_bit)};
    }
    [[nodiscard]] constexpr lock_word with_waiters(bool closed) const noexcept {
        return {(bits & ~closed_bit) | waiters_bit | (closed ? closed_bit : 0)};
    }
    /// Requires: nobody else holds it.
    template <class Block>
    [[nodiscard]] lock_word held_by(Block const* holder) const noexcept {
        return {(bits & ~payload_mask) | payload(holder) | exclusive_bit};
    }
    [[nodiscard]] constexpr lock_word without_exclusive_holder() const noexcept {
        return {bits & ~(payload_mask | exclusive_bit)};
    }
    template <class Hold>
    [[nodiscard]] lock_word with_first_reader(Hold const* first) const noexcept {
        return {(bits & ~payload_mask) | payload(first)};
    }
    [[nodiscard]] constexpr lock_word plus_reader(bits_type unit) const noexcept {
        return {bits + unit};
    }
    [[nodiscard]] constexpr lock_word minus_reader(bits_type unit) const noexcept {
        return {bits - unit};
    }

private:
    static constexpr bits_type latch_bit = 1;
    static constexpr bits_type waiters_bit = 2;
    static constexpr bits_type exclusive_bit = 4;
    static constexpr bits_type detached_bit = 8;
    static constexpr bits_type awake_bit = 16;
    static constexpr bits_type closed_bit = 32;
    static constexpr bits_type distributed_bit = 64;
    static constexpr bits_type single_mask = 0xff80;
    static constexpr unsigned payload_shift = 16;
    static constexpr bits_type payload_mask = ~(counted_one - 1);

    [[nodiscard]] constexpr bool any(bits_type of) const noexcept { return (bits & of) != 0; }
    /// Requires: a user-space address of at most 48 bits (x86-64 with 4 levels, arm64 with 48-bit VA).
    [[nodiscard]] static bits_type payload(void const* p) noexcept {
        return reinterpret_cast<bits_type>(p) << payload_shift;
    }
};

}  // namespace manylock::detail

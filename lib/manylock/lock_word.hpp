// The 64-bit word of a queued lock.
//
//   bits 63..16  payload: the exclusive holder's control block, or who reads: a count of shared holders
//                (anonymous readers), or the first of the linked hold entries (known readers)
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
// waiters is open, and anybody may take it.
#pragma once

#include <cstdint>

namespace manylock::detail::word {

using type = std::uint64_t;

inline constexpr type latch = 1;
inline constexpr type waiters = 2;
inline constexpr type exclusive = 4;
inline constexpr type detached = 8;
inline constexpr type awake = 16;
inline constexpr type closed = 32;
inline constexpr type distributed = 64;
inline constexpr type single_one = 128;
inline constexpr type single_mask = 0xff80;
inline constexpr unsigned payload_shift = 16;
inline constexpr type payload_one = type{1} << payload_shift;
inline constexpr type payload_mask = ~(payload_one - 1);
/// Any of these sends a shared request to the slow path.
inline constexpr type blocks_shared = latch | waiters | exclusive | detached;

template <class T>
[[nodiscard]] T* pointer(type w) noexcept {
    return reinterpret_cast<T*>(w >> payload_shift);
}
/// Requires: a user-space address of at most 48 bits (x86-64 with 4 levels, arm64 with 48-bit VA).
[[nodiscard]] inline type payload(void const* p) noexcept {
    return reinterpret_cast<type>(p) << payload_shift;
}
/// True if nobody holds the lock, in any mode.
[[nodiscard]] constexpr bool is_free(type w) noexcept {
    return (w & (payload_mask | single_mask | exclusive)) == 0;
}
[[nodiscard]] constexpr type count(type w) noexcept { return w >> payload_shift; }

}  // namespace manylock::detail::word

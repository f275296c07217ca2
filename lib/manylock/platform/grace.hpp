// A minimal grace period for locks: a walk over other transactions' held locks runs inside a section; a
// lock's destructor waits for the sections that might still look at it. Sections are short, never block,
// and exist only while somebody waits for a lock, so one pair of counters is enough. Objects found by
// lock-free lookup (VMAs) need real RCU instead: platform/native_rcu.hpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>

namespace manylock::platform::grace {

namespace detail {
// Two counters, so that a waiter for old sections is not held up by a stream of new ones.
struct alignas(64) state {
    std::atomic<std::uint32_t> epoch{0};
    std::atomic<std::uint32_t> inside[2]{};
    std::mutex flipping;
};
inline state shared;
}  // namespace detail

/// While one exists, no lock that was held by a waiting transaction when it was looked at, after the
/// section began, is freed. Cost: two read-modify-writes on one shared line; contended paths only.
class section {
public:
    section() noexcept { enter(); }
    ~section() { leave(); }
    section(section const&) = delete;
    section& operator=(section const&) = delete;

    /// Ends the section early; the destructor then does nothing.
    void leave() noexcept {
        if (!entered_) return;
        entered_ = false;
        // release: what the section read happens before the destructor goes on (G2)
        detail::shared.inside[side_].fetch_sub(1, std::memory_order_release);
    }
    void enter() noexcept {
        if (entered_) return;
        entered_ = true;
        side_ = detail::shared.epoch.load(std::memory_order_relaxed) & 1U;  // either side is counted
        // (G1) seq_cst; store buffer with the fence in synchronize:
        //   section: [W] inside += 1       | destructor: [W] the lock is given up
        //            (this operation)      |             fence
        //            [R] who holds what    |             [R] inside
        detail::shared.inside[side_].fetch_add(1, std::memory_order_seq_cst);
#ifndef MANYLOCK_TSAN
        std::atomic_thread_fence(std::memory_order_seq_cst);  // (G3) partner: (G4)
#endif
    }

private:
    std::uint32_t side_ = 0;
    bool entered_ = false;
};

namespace detail {
inline void drain(std::uint32_t side) noexcept {
    // (G2) acquire; pairs with the release in leave
    while (shared.inside[side].load(std::memory_order_acquire) != 0) std::this_thread::yield();
}
}  // namespace detail

inline void synchronize() noexcept {
#ifdef MANYLOCK_TSAN
    detail::shared.inside[0].fetch_add(0, std::memory_order_seq_cst);
    detail::shared.inside[1].fetch_add(0, std::memory_order_seq_cst);
#else
    std::atomic_thread_fence(std::memory_order_seq_cst);  // (G4) partner: (G3)
#endif
    // acquire: as (G2)
    if (detail::shared.inside[0].load(std::memory_order_acquire) == 0 &&
        detail::shared.inside[1].load(std::memory_order_acquire) == 0) {
        return;
    }
    std::lock_guard const only_one{detail::shared.flipping};
    // Both sides, one after the other: a section may have read the epoch before a flip and be counted
    // on the side that was drained already.
    for (int flip = 0; flip < 2; ++flip) {
        // seq_cst: later sections count on the other side
        auto const old = detail::shared.epoch.fetch_add(1, std::memory_order_seq_cst) & 1U;
        detail::drain(old);
    }
}

}  // namespace manylock::platform::grace

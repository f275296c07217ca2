// A minimal grace period for locks: a walk over other transactions' held locks runs inside a section; a
// lock's destructor waits for the sections that might still look at it. Sections are short, never block,
// and exist only while somebody waits for a lock, so one pair of counters is enough. Objects found by
// lock-free lookup (VMAs) need real RCU instead: platform/native_rcu.hpp.
#pragma once

#include <cstdint>
#include <mutex>

namespace manylock::platform {

/// The counters; `Platform::grace()` gives the one that all locks of the platform share. Two, so that a
/// waiter for old sections is not held up by a stream of new ones.
template <class Platform>
class alignas(64) grace_period {
public:
    /// Returns when every section that was entered before has been left.
    void synchronize() noexcept {
        Platform::fence();  // (G4) partner: (G3)
        // acquire: as (G2)
        if (inside_[0].load(Platform::acquire) == 0 && inside_[1].load(Platform::acquire) == 0)
            return;
        std::lock_guard const only_one{flipping_};
        // Both sides, one after the other: a section may have read the epoch before a flip and be
        // counted on the side that was drained already.
        for (int flip = 0; flip < 2; ++flip) {
            // relaxed: both sides are drained, whatever a section makes of the epoch; the fence orders
            drain(epoch_.fetch_add(1, Platform::relaxed) & 1U);
        }
    }
    /// Returns the side on which the section is counted.
    [[nodiscard]] std::uint32_t enter() noexcept {
        auto const side = epoch_.load(Platform::relaxed) & 1U;  // relaxed: either side is counted
        // (G1) relaxed: the fence orders it. Store buffer with synchronize:
        //   section: [W] inside += 1       | destructor: [W] the lock is given up
        //            fence                 |             fence
        //            [R] who holds what    |             [R] inside
        inside_[side].fetch_add(1, Platform::relaxed);
        Platform::fence();  // (G3) partner: (G4)
        return side;
    }
    void leave(std::uint32_t side) noexcept {
        // (G2) release: what the section read happens before the destructor goes on
        inside_[side].fetch_sub(1, Platform::release);
    }

private:
    void drain(std::uint32_t side) noexcept {
        // acquire; pairs (G2)
        while (inside_[side].load(Platform::acquire) != 0) Platform::yield();
    }

    typename Platform::template atomic<std::uint32_t> epoch_{0};
    typename Platform::template atomic<std::uint32_t> inside_[2]{};
    typename Platform::mutex flipping_;
};

/// While one exists, no lock that was held by a waiting transaction when it was looked at, after the
/// section began, is freed. Cost: two read-modify-writes on one shared line; contended paths only.
template <class Platform>
class grace_section {
public:
    grace_section() noexcept { enter(); }
    ~grace_section() { leave(); }
    grace_section(grace_section const&) = delete;
    grace_section& operator=(grace_section const&) = delete;

    /// Ends the section early; the destructor then does nothing.
    void leave() noexcept {
        if (!entered_) return;
        entered_ = false;
        Platform::grace().leave(side_);
    }
    void enter() noexcept {
        if (entered_) return;
        entered_ = true;
        side_ = Platform::grace().enter();
    }

private:
    std::uint32_t side_ = 0;
    bool entered_ = false;
};

}  // namespace manylock::platform

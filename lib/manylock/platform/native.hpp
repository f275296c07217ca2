// The native platform: std::atomic, futex, the machine's clock and threads. A platform is a type with
// the members of `native`; the engine and the policies touch the machine only through it, so that the
// same sources run on a simulator or under a model checker. Concept and contract: platform/concept.hpp.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>

#if defined(__linux__)
#include <cerrno>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#error "manylock: the native platform needs Linux's futex"
#endif

#include <manylock/platform/grace.hpp>
#include <manylock/platform/parker.hpp>
#include <manylock/platform/sanitizers.hpp>
#include <manylock/platform/thread_cache.hpp>

namespace manylock {

/// What exists once in a process, whatever its shared objects hide: -fvisibility=hidden does not reach what is declared
/// in this namespace, where each opening of it has the attribute. No templates: one over a hidden type is hidden all
/// the same.
namespace [[gnu::visibility("default")]] process_wide {
#ifdef MANYLOCK_TSAN
inline constinit std::atomic<unsigned> fence_meeting_point{0};
#endif
}  // namespace process_wide

namespace platform {

/// Visible, so that context_local is one for each visible T.
struct [[gnu::visibility("default")]] native {
    template <class T>
    using atomic = std::atomic<T>;
    using tally = std::atomic<std::uint64_t>;  // a statistic: one writer, relaxed
    using mutex = std::mutex;                  // cold paths only

    static constexpr auto relaxed = std::memory_order_relaxed;
    static constexpr auto acquire = std::memory_order_acquire;
    static constexpr auto release = std::memory_order_release;
    static constexpr auto acq_rel = std::memory_order_acq_rel;
    static constexpr auto seq_cst = std::memory_order_seq_cst;

    /// Full fence. TSan does not model stand-alone fences, so there it is a read-modify-write.
    static void fence() noexcept {
#ifdef MANYLOCK_TSAN
        // (F0) seq_cst read-modify-write: all fences meet in this one location's order
        process_wide::fence_meeting_point.fetch_add(1, std::memory_order_seq_cst);
#else
        std::atomic_thread_fence(std::memory_order_seq_cst);  // every caller names its partner
#endif
    }

    static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield" ::: "memory");
#endif
    }
    static void yield() noexcept {
        std::this_thread::yield();
    }

    using time_point = std::chrono::steady_clock::time_point;
    [[nodiscard]] static time_point now() noexcept {
        return std::chrono::steady_clock::now();
    }
    /// 0 where the clock went backwards.
    [[nodiscard]] static std::uint64_t ns_between(time_point from, time_point to) noexcept {
        if (to < from) return 0;
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count());
    }

    /// Sleeps while `word` is `expected`, until woken or `deadline` (if given) has passed; may wake early.
    static void futex_wait(atomic<std::uint32_t> & word, std::uint32_t expected,
                           time_point const* deadline) noexcept {
        timespec at{};
        timespec const* until = nullptr;
        if (deadline != nullptr) {  // steady_clock is CLOCK_MONOTONIC, which the bitset form takes
            auto const since = deadline->time_since_epoch();
            if (since < since.zero())
                return;  // the kernel takes no negative time, and it has passed
            auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
            at.tv_sec = static_cast<time_t>(seconds.count());
            at.tv_nsec = static_cast<long>(
                std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds).count());
            until = &at;
        }
        ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, until, nullptr,
                  FUTEX_BITSET_MATCH_ANY);
    }
    /// Wakes one that sleeps on `word`. Only its address is used.
    static void futex_wake(atomic<std::uint32_t> & word) noexcept {
        ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
    static_assert(sizeof(atomic<std::uint32_t>) == 4);
    using parker = futex_parker<native>;

    /// Protects the memory of locks that another transaction holds while a walk looks at them.
    using read_section = grace_section<native>;
    [[nodiscard]] static grace_period<native>& grace() noexcept;
    /// Returns when every read section that could know the caller's object has ended.
    static void wait_for_readers() noexcept;

    /// Keeps a contending lock's memory between a restart and its reacquisition. Nothing to do here:
    /// whoever frees locks of this platform's domains must know that nobody is still using them.
    struct restart_pin {
        void enter() noexcept {}
        void leave() noexcept {}
    };

    /// One spare control block per thread and pool, so that begin and end touch nothing shared.
    template <class Block, class Pool>
    using block_cache = thread_cache<Block, Pool>;

    /// One T for each context that transactions run in: here a thread.
    template <class T>
    [[nodiscard]] static T& context_local() noexcept {
        static thread_local T value;
        return value;
    }
};

}  // namespace platform

namespace [[gnu::visibility("default")]] process_wide {
inline constinit platform::grace_period<platform::native> native_grace;
}  // namespace process_wide

namespace platform {
inline grace_period<native>& native::grace() noexcept {
    return process_wide::native_grace;
}
inline void native::wait_for_readers() noexcept {
    grace().synchronize();
}
}  // namespace platform

}  // namespace manylock

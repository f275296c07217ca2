// The simulated platform: fibers instead of threads, on a kernel that either explores schedules or tells the
// time (timed.hpp). Memory is sequentially consistent: orders are taken and ignored, since weak memory is the
// model checker's part (tests/model).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include <manylock/platform/concept.hpp>
#include <manylock/platform/grace.hpp>
#include <manylock/platform/parker.hpp>

#include "access.hpp"
#include "world.hpp"

namespace manylock::simulate {

/// A platform on a kernel, which says what happens around each operation:
///   touch(where, how), fence(), pause(), yield(): scheduling points, or costs;
///   block(address, deadline), wake_one(address); call_sleep(), before it blocks, and call_wake(address), which
///   wakes: the calls of a futex;
///   inside(): on a fiber; now(): nanoseconds; forget(where): a variable is destroyed;
///   thread(): number of the running thread; block_cache.
/// Outside of all fibers an operation is that of a plain variable.
template <class Kernel>
struct simulated_on {
    using order = std::memory_order;
    static constexpr auto relaxed = std::memory_order_relaxed;
    static constexpr auto acquire = std::memory_order_acquire;
    static constexpr auto release = std::memory_order_release;
    static constexpr auto acq_rel = std::memory_order_acq_rel;
    static constexpr auto seq_cst = std::memory_order_seq_cst;

    template <class T>
    class atomic {
    public:
        constexpr atomic() noexcept = default;
        constexpr atomic(T value) noexcept : value_{value} {}
        atomic(atomic const&) = delete;
        atomic& operator=(atomic const&) = delete;
        ~atomic() { Kernel::forget(this); }

        [[nodiscard]] T load(order) const noexcept {
            Kernel::touch(this, access::load);
            return value_;
        }
        void store(T value, order) noexcept {
            Kernel::touch(this, access::store);
            value_ = value;
        }
        T exchange(T value, order) noexcept { return update(value); }
        bool compare_exchange_strong(T& expected, T desired, order, order) noexcept {
            Kernel::touch(this, access::update);
            if (value_ == expected) {
                value_ = desired;
                return true;
            }
            expected = value_;
            return false;
        }
        bool compare_exchange_weak(T& expected, T desired, order success, order failure) noexcept {
            return compare_exchange_strong(expected, desired, success, failure);
        }
        T fetch_add(T value, order) noexcept {
            Kernel::touch(this, access::update);
            return std::exchange(value_, static_cast<T>(value_ + value));
        }
        T fetch_sub(T value, order) noexcept {
            Kernel::touch(this, access::update);
            return std::exchange(value_, static_cast<T>(value_ - value));
        }
        T fetch_and(T value, order) noexcept {
            Kernel::touch(this, access::update);
            return std::exchange(value_, static_cast<T>(value_ & value));
        }
        T fetch_or(T value, order) noexcept {
            Kernel::touch(this, access::update);
            return std::exchange(value_, static_cast<T>(value_ | value));
        }

    private:
        T update(T value) noexcept {
            Kernel::touch(this, access::update);
            return std::exchange(value_, value);
        }
        T value_{};
    };
    /// No scheduling point: nobody orders on a statistic.
    class tally {
    public:
        constexpr tally(std::uint64_t value = 0) noexcept : value_{value} {}
        [[nodiscard]] std::uint64_t load(order) const noexcept { return value_; }
        void store(std::uint64_t value, order) noexcept { value_ = value; }

    private:
        std::uint64_t value_;
    };
    class mutex {
    public:
        mutex() = default;
        ~mutex() { Kernel::forget(this); }
        void lock() {
            Kernel::touch(this, access::update);
            while (locked_) {
                if (!Kernel::inside()) return;  // of a run that was given up
                Kernel::call_sleep();
                if (locked_) Kernel::block(this, nullptr);
            }
            locked_ = true;
        }
        void unlock() {
            Kernel::touch(this, access::update);
            locked_ = false;
            Kernel::wake_one(this);
        }

    private:
        bool locked_ = false;
    };

    /// A scheduling point by itself, where the kernel has such.
    static void step() { Kernel::step(); }
    static void fence() noexcept { Kernel::fence(); }
    static void pause() noexcept { Kernel::pause(); }
    static void yield() noexcept { Kernel::yield(); }

    /// Ticks are nanoseconds.
    struct clock {
        using duration = std::chrono::nanoseconds;
        using rep = duration::rep;
        using period = duration::period;
        using time_point = std::chrono::time_point<clock>;
        static constexpr bool is_steady = true;
        static time_point now() noexcept {
            return time_point{duration{static_cast<rep>(Kernel::now())}};
        }
    };
    using time_point = typename clock::time_point;
    [[nodiscard]] static time_point now() noexcept { return clock::now(); }
    [[nodiscard]] static std::uint64_t ns_between(time_point from, time_point to) noexcept {
        return to < from ? 0 : static_cast<std::uint64_t>((to - from).count());
    }

    static void futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected,
                           time_point const* deadline) noexcept {
        Kernel::call_sleep();
        if (word.load(seq_cst) != expected) return;  // and goes to sleep in the same step
        if (!Kernel::inside()) return;
        if (deadline == nullptr) {
            Kernel::block(&word, nullptr);
        } else {
            auto const since = deadline->time_since_epoch().count();
            if (since < 0) return;  // it has passed
            auto const at = static_cast<std::uint64_t>(since);
            Kernel::block(&word, &at);
        }
    }
    static void futex_wake(atomic<std::uint32_t>& word) noexcept { Kernel::call_wake(&word); }
    using parker = manylock::platform::futex_parker<simulated_on>;

    using read_section = manylock::platform::grace_section<simulated_on>;
    /// One for each real thread, as machines and worlds are.
    [[nodiscard]] static manylock::platform::grace_period<simulated_on>& grace() noexcept {
        auto& one = grace_of_thread();
        if (!one) one.emplace();
        return *one;
    }
    /// Forgets the sections of runs that were given up. Call before each run.
    static void begin_run() noexcept { grace_of_thread().emplace(); }
    static void wait_for_readers() noexcept {
        if (Kernel::inside()) grace().synchronize();
    }
    struct restart_pin {
        void enter() noexcept {}
        void leave() noexcept {}
    };

    template <class Block, class Pool>
    using block_cache = typename Kernel::template block_cache<Block, Pool>;

    /// One T for each thread.
    template <class T>
    [[nodiscard]] static T& context_local() noexcept {
        static thread_local std::deque<T> values;
        auto const n = Kernel::thread();
        while (values.size() <= n) values.emplace_back();
        return values[n];
    }

private:
    static std::optional<manylock::platform::grace_period<simulated_on>>&
    grace_of_thread() noexcept {
        static thread_local std::optional<manylock::platform::grace_period<simulated_on>> one;
        return one;
    }
};

/// Exploring: a scheduling point before every operation, and a world (world.hpp) that chooses who goes on.
struct exploring_kernel {
    static void touch(void const*, access) { step(); }
    static void step() {
        if (auto* const w = world::current()) w->step();
    }
    static void forget(void const*) noexcept {}
    static void fence() noexcept { step(); }
    static void pause() noexcept { yield(); }
    static void yield() noexcept {
        if (auto* const w = world::current()) w->give_way();
    }
    [[nodiscard]] static bool inside() noexcept { return world::current() != nullptr; }
    static void call_sleep() noexcept {}
    static void call_wake(void const* address) noexcept {
        step();
        wake_one(address);
    }
    static void block(void const* address, std::uint64_t const* deadline) {
        world::current()->block(address, deadline);
    }
    static void wake_one(void const* address) noexcept {
        if (auto* const w = world::current()) w->wake_one(address);
    }
    [[nodiscard]] static std::uint64_t now() noexcept {
        auto const* const w = world::current();
        return w != nullptr ? w->now() : 0;
    }
    [[nodiscard]] static std::size_t thread() noexcept {
        auto const* const w = world::current();
        return w != nullptr ? std::size_t{w->running() + 1U} : 0;  // 0: nobody runs
    }

    /// Keeps none, so that a block wanders from thread to thread as often as it can.
    template <class Block, class Pool>
    struct block_cache {
        static std::uint64_t new_pool_id(Pool&) noexcept { return 1; }
        static void pool_dies(std::uint64_t) noexcept {}
        static Block* take(std::uint64_t) noexcept { return nullptr; }
        static bool keep(std::uint64_t, Block*) noexcept { return false; }
    };
};

using simulated = simulated_on<exploring_kernel>;
static_assert(manylock::platform::platform_type<simulated>);

}  // namespace manylock::simulate

// The simulated platform: fibers of a world (world.hpp) instead of threads, and a scheduling point before
// every atomic operation. Memory is sequentially consistent: orders are taken and ignored, since weak
// memory is the model checker's part (tests/model). Time is what the world says.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include <manylock/platform/concept.hpp>
#include <manylock/platform/grace.hpp>
#include <manylock/platform/parker.hpp>

#include "world.hpp"

namespace manylock::simulate {

/// A world's clock. Ticks are nanoseconds.
struct world_clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<world_clock>;
    static constexpr bool is_steady = true;
    static time_point now() noexcept {
        auto const* const w = world::current();
        return time_point{duration{w != nullptr ? static_cast<rep>(w->now()) : 0}};
    }
};

struct simulated {
    using order = std::memory_order;
    static constexpr auto relaxed = std::memory_order_relaxed;
    static constexpr auto acquire = std::memory_order_acquire;
    static constexpr auto release = std::memory_order_release;
    static constexpr auto acq_rel = std::memory_order_acq_rel;
    static constexpr auto seq_cst = std::memory_order_seq_cst;

    /// Outside of a world it is a plain variable.
    static void step() {
        if (auto* const w = world::current()) w->step();
    }

    template <class T>
    class atomic {
    public:
        constexpr atomic() noexcept = default;
        constexpr atomic(T value) noexcept : value_{value} {}
        atomic(atomic const&) = delete;
        atomic& operator=(atomic const&) = delete;

        [[nodiscard]] T load(order) const noexcept {
            step();
            return value_;
        }
        void store(T value, order) noexcept {
            step();
            value_ = value;
        }
        T exchange(T value, order) noexcept {
            step();
            return std::exchange(value_, value);
        }
        bool compare_exchange_strong(T& expected, T desired, order, order) noexcept {
            step();
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
            step();
            return std::exchange(value_, static_cast<T>(value_ + value));
        }
        T fetch_sub(T value, order) noexcept {
            step();
            return std::exchange(value_, static_cast<T>(value_ - value));
        }
        T fetch_and(T value, order) noexcept {
            step();
            return std::exchange(value_, static_cast<T>(value_ & value));
        }
        T fetch_or(T value, order) noexcept {
            step();
            return std::exchange(value_, static_cast<T>(value_ | value));
        }

    private:
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
        void lock() {
            step();
            while (locked_) {
                auto* const w = world::current();
                if (w == nullptr) return;  // of a run that was given up
                w->block(this, nullptr);
            }
            locked_ = true;
        }
        void unlock() {
            step();
            locked_ = false;
            if (auto* const w = world::current()) w->wake_one(this);
        }

    private:
        bool locked_ = false;
    };

    static void fence() noexcept { step(); }
    static void pause() noexcept { yield(); }
    static void yield() noexcept {
        if (auto* const w = world::current()) w->give_way();
    }

    using time_point = world_clock::time_point;
    [[nodiscard]] static time_point now() noexcept { return world_clock::now(); }
    [[nodiscard]] static std::uint64_t ns_between(time_point from, time_point to) noexcept {
        return static_cast<std::uint64_t>((to - from).count());
    }

    static void futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected,
                           time_point const* deadline) noexcept {
        if (word.load(seq_cst) != expected) return;  // and goes to sleep in the same step
        auto* const w = world::current();
        if (w == nullptr) return;
        if (deadline == nullptr) {
            w->block(&word, nullptr);
        } else {
            auto const at = static_cast<std::uint64_t>(deadline->time_since_epoch().count());
            w->block(&word, &at);
        }
    }
    static void futex_wake(atomic<std::uint32_t>& word) noexcept {
        step();
        if (auto* const w = world::current()) w->wake_one(&word);
    }
    using parker = manylock::platform::futex_parker<simulated>;

    using read_section = manylock::platform::grace_section<simulated>;
    [[nodiscard]] static manylock::platform::grace_period<simulated>& grace() noexcept;
    /// Forgets the sections of runs that were given up. Call before each run.
    static void begin_run() noexcept;
    static void wait_for_readers() noexcept;
    struct restart_pin {
        void enter() noexcept {}
        void leave() noexcept {}
    };

    /// Keeps none, so that a block wanders from thread to thread as often as it can.
    template <class Block, class Pool>
    struct block_cache {
        static std::uint64_t new_pool_id(Pool&) noexcept { return 1; }
        static void pool_dies(std::uint64_t) noexcept {}
        static Block* take(std::uint64_t) noexcept { return nullptr; }
        static bool keep(std::uint64_t, Block*) noexcept { return false; }
    };

    /// One for all fibers: what is followed by context is checked in native builds only.
    template <class T>
    [[nodiscard]] static T& context_local() noexcept {
        static thread_local T value;
        return value;
    }
};

namespace detail {
inline thread_local std::optional<manylock::platform::grace_period<simulated>> simulated_grace;
}
inline auto simulated::grace() noexcept -> manylock::platform::grace_period<simulated>& {
    if (!detail::simulated_grace) detail::simulated_grace.emplace();
    return *detail::simulated_grace;
}
inline void simulated::begin_run() noexcept {
    detail::simulated_grace.emplace();
}
inline void simulated::wait_for_readers() noexcept {
    if (world::current() != nullptr) grace().synchronize();
}

static_assert(manylock::platform::platform_type<simulated>);

}  // namespace manylock::simulate

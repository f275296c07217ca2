// The platform under which a model checker (Relacy) runs the engine: every atomic operation is a
// scheduling point, a load may return an older value wherever the order that was spelt allows it, and a
// plain field that two threads reach without an order between them is a data race. Relacy itself is
// behind model.cpp, so that its macros reach no other file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <manylock/platform/grace.hpp>
#include <manylock/platform/parker.hpp>

namespace manylock::model {

enum class order : std::uint8_t { relaxed, acquire, release, acq_rel, seq_cst };

/// The engine's function that an operation stands in: a default argument, so taken where it is called.
struct where {
    char const* function;
    char const* file;
    unsigned line;
    [[nodiscard]] static constexpr where here(char const* function = __builtin_FUNCTION(),
                                              char const* file = __builtin_FILE(),
                                              unsigned line = __builtin_LINE()) noexcept {
        return {function, file, line};
    }
};

/// Fails the running schedule if `ok` is false.
void expect(bool ok, char const* sentence, where at = where::here());
/// A choice of the schedule: below `limit`.
[[nodiscard]] unsigned any_below(unsigned limit);

enum class change : std::uint8_t { exchange, add, subtract, bit_and, bit_or };

/// One atomic word.
class atomic_word {
public:
    explicit atomic_word(std::uint64_t initial);
    ~atomic_word();
    atomic_word(atomic_word const&) = delete;
    atomic_word& operator=(atomic_word const&) = delete;

    [[nodiscard]] std::uint64_t load(order o, where at) const;
    void store(std::uint64_t value, order o, where at);
    std::uint64_t modify(change how, std::uint64_t operand, order o, where at);
    bool compare_exchange(std::uint64_t& expected, std::uint64_t desired, order success,
                          order failure, bool weak, where at);
    /// The last value in modification order: for the kernel's look at a futex.
    [[nodiscard]] std::uint64_t latest() const;

private:
    alignas(8) std::byte storage_[128];
};

/// One plain word: unordered accesses of which one writes are a data race, which ends the run.
class plain_word {
public:
    explicit plain_word(std::uint64_t initial);
    ~plain_word();
    plain_word(plain_word const&) = delete;
    plain_word& operator=(plain_word const&) = delete;
    [[nodiscard]] std::uint64_t load(where at) const;
    void store(std::uint64_t value, where at);

private:
    alignas(8) std::byte storage_[48];
};

template <class T>
[[nodiscard]] std::uint64_t to_bits(T value) noexcept {
    if constexpr (std::is_pointer_v<T>) {
        return reinterpret_cast<std::uintptr_t>(value);
    } else {
        return static_cast<std::uint64_t>(value);
    }
}
template <class T>
[[nodiscard]] T from_bits(std::uint64_t bits) noexcept {
    if constexpr (std::is_pointer_v<T>) {
        return reinterpret_cast<T>(bits);
    } else {
        return static_cast<T>(bits);
    }
}

template <class T>
class atomic {
public:
    atomic(T initial = T{}) : word_{to_bits(initial)} {}
    [[nodiscard]] T load(order o, where at = where::here()) const {
        return from_bits<T>(word_.load(o, at));
    }
    void store(T value, order o, where at = where::here()) { word_.store(to_bits(value), o, at); }
    bool compare_exchange_strong(T& expected, T desired, order success, order failure,
                                 where at = where::here()) {
        return compare_exchange(expected, desired, success, failure, false, at);
    }
    bool compare_exchange_weak(T& expected, T desired, order success, order failure,
                               where at = where::here()) {
        return compare_exchange(expected, desired, success, failure, true, at);
    }
    T exchange(T value, order o, where at = where::here()) {
        return modify(change::exchange, value, o, at);
    }
    T fetch_add(T value, order o, where at = where::here()) {
        return modify(change::add, value, o, at);
    }
    T fetch_sub(T value, order o, where at = where::here()) {
        return modify(change::subtract, value, o, at);
    }
    T fetch_and(T value, order o, where at = where::here()) {
        return modify(change::bit_and, value, o, at);
    }
    T fetch_or(T value, order o, where at = where::here()) {
        return modify(change::bit_or, value, o, at);
    }
    [[nodiscard]] T latest() const { return from_bits<T>(word_.latest()); }

private:
    T modify(change how, T operand, order o, where at) {
        return from_bits<T>(word_.modify(how, to_bits(operand), o, at));
    }
    bool compare_exchange(T& expected, T desired, order success, order failure, bool weak,
                          where at) {
        auto bits = to_bits(expected);
        bool const done =
            word_.compare_exchange(bits, to_bits(desired), success, failure, weak, at);
        expected = from_bits<T>(bits);
        return done;
    }
    atomic_word word_;
};

/// A plain value whose unordered accesses are found.
template <class T>
class plain {
public:
    plain() : plain{T{}} {}
    explicit plain(T initial) : word_{to_bits(initial)} {}
    plain(plain const& other) : plain{other.load()} {}
    plain& operator=(plain const& other) { return *this = other.load(); }
    plain& operator=(T value) {
        store(value);
        return *this;
    }
    operator T() const { return load(); }
    T operator->() const requires std::is_pointer_v<T> { return load(); }
    [[nodiscard]] T load(where at = where::here()) const { return from_bits<T>(word_.load(at)); }
    void store(T value, where at = where::here()) { word_.store(to_bits(value), at); }

private:
    plain_word word_;
};

/// A statistic: nobody orders on it, so it is no scheduling point either.
class tally {
public:
    tally(std::uint64_t initial = 0) noexcept : value_{initial} {}
    [[nodiscard]] std::uint64_t load(order) const noexcept { return value_; }
    void store(std::uint64_t value, order) noexcept { value_ = value; }

private:
    std::uint64_t value_;
};

class mutex {
public:
    mutex();
    ~mutex();
    mutex(mutex const&) = delete;
    mutex& operator=(mutex const&) = delete;
    void lock(where at = where::here());
    void unlock(where at = where::here());

private:
    alignas(8) std::byte storage_[48];
};

/// Keeps nothing: every block goes through its pool.
template <class Block, class Pool>
struct no_cache {
    static std::uint64_t new_pool_id(Pool&) noexcept { return 1; }
    static void pool_dies(std::uint64_t) noexcept {}
    static Block* take(std::uint64_t) noexcept { return nullptr; }
    static bool keep(std::uint64_t, Block*) noexcept { return false; }
};

struct platform {
    template <class T>
    using atomic = model::atomic<T>;
    template <class T>
    using guarded = plain<T>;  ///< plain fields of the engine that a latch protects
    using tally = model::tally;
    using mutex = model::mutex;

    static constexpr auto relaxed = order::relaxed;
    static constexpr auto acquire = order::acquire;
    static constexpr auto release = order::release;
    static constexpr auto acq_rel = order::acq_rel;
    static constexpr auto seq_cst = order::seq_cst;

    static void fence(where at = where::here());
    static void pause(where at = where::here()) { yield(at); }
    static void yield(where at = where::here());

    /// Stands still, but for scenarios with deadlines: there any look at it may find that it has moved.
    using time_point = std::uint64_t;
    [[nodiscard]] static time_point now();
    [[nodiscard]] static std::uint64_t ns_between(time_point from, time_point to) noexcept {
        return to - from;
    }

    /// The kernel compares the word and puts the caller to sleep in one step. Neither sleeping nor waking
    /// orders anything: what a waker wrote before must reach the sleeper by the orders that are spelt.
    static void futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected,
                           time_point const* deadline, where at = where::here());
    static void futex_wake(atomic<std::uint32_t>& word, where at = where::here());
    using parker = manylock::platform::futex_parker<platform>;

    using read_section = manylock::platform::grace_section<platform>;
    /// The running schedule's own.
    [[nodiscard]] static manylock::platform::grace_period<platform>& grace() noexcept;
    static void wait_for_readers() noexcept { grace().synchronize(); }

    struct restart_pin {
        void enter() noexcept {}
        void leave() noexcept {}
    };
    template <class Block, class Pool>
    using block_cache = no_cache<Block, Pool>;
    template <class T>
    [[nodiscard]] static T& context_local() noexcept {
        static T value;
        return value;
    }
};

/// As native_rcu: entering a read section orders nothing. Only for scenarios that free no lock.
struct platform_rcu : platform {
    struct read_section {
        read_section() noexcept {}
        ~read_section() {}
        void enter() noexcept {}
        void leave() noexcept {}
    };
    static void wait_for_readers() noexcept {}
};

}  // namespace manylock::model

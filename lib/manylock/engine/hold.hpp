// One hold: a lock that a transaction holds, and in which mode. An entry of a hold list, and, where readers are known, a link in
// the list of a lock's readers.
#pragma once

#include <cstdint>
#include <type_traits>

#include <manylock/engine/config.hpp>

namespace manylock {
template <class Config>
class queued_lock;
}

namespace manylock::detail {

template <class Config>
struct control_block;

/// Same interface as an atomic, for lists that nobody else reads.
template <class T>
struct plain_cell {
    T value{};
    template <class Order>
    [[nodiscard]] T load(Order) const noexcept {
        return value;
    }
    template <class Order>
    void store(T v, Order) noexcept {
        value = v;
    }
};

template <class Config>
struct hold;

struct no_reader_links {};
/// Links the shared holders of one lock; read and written under that lock's latch.
template <class Config>
struct reader_links {
    template <class T>
    using guarded = typename Config::template guarded<T>;
    guarded<control_block<Config>*> holder{};
    guarded<hold<Config>*> next{};
    guarded<hold<Config>*> previous{};
};
struct no_rank {};
struct with_rank {
    std::uintptr_t rank = 0;
    std::uintptr_t highest_before = 0;  ///< highest rank held when this was acquired
};

/// One hold. The lock's address, the mode and a flag share a word, so that a reader never sees half of it.
template <class Config>
struct hold : std::conditional_t<Config::known_readers, reader_links<Config>, no_reader_links>,
              std::conditional_t<Config::needs.rank, with_rank, no_rank> {
    using lock_type = queued_lock<Config>;
    using platform = typename Config::platform;
    template <class T>
    using cell = std::conditional_t<Config::published_holds, typename platform::template atomic<T>,
                                    plain_cell<T>>;

    cell<std::uintptr_t> lock_and_mode{};

    void set(lock_type const* lock, mode m) noexcept { set(value_of(lock, m)); }
    void set(std::uintptr_t value) noexcept {
        // release; pairs with the acquire in read; a walker that sees it sees the lock initialised
        lock_and_mode.store(value, platform::release);
    }
    [[nodiscard]] static std::uintptr_t value_of(lock_type const* lock, mode m) noexcept {
        return reinterpret_cast<std::uintptr_t>(lock) | static_cast<std::uintptr_t>(m);
    }
    void clear() noexcept {
        lock_and_mode.store(0,
                            platform::release);  // release: who sees it sees that our wait is over
    }
    [[nodiscard]] std::uintptr_t read() const noexcept {
        return lock_and_mode.load(platform::acquire);  // acquire; pairs with the release in set
    }
    [[nodiscard]] lock_type* lock() const noexcept {
        return reinterpret_cast<lock_type*>(read() & ~std::uintptr_t{3});
    }
    [[nodiscard]] mode held_mode() const noexcept { return mode_of(read()); }
    [[nodiscard]] static mode mode_of(std::uintptr_t value) noexcept {
        return static_cast<mode>(value & 1U);
    }

    // --- distributed readers: a shared hold that only this entry knows of -----------------------------------
    static constexpr std::uintptr_t distributed = 2;
    [[nodiscard]] static std::uintptr_t distributed_hold_of(lock_type const* lock) noexcept {
        return value_of(lock, mode::shared) | distributed;
    }
    /// False if somebody has counted us at the lock in the meantime.
    [[nodiscard]] bool give_back_distributed(std::uintptr_t value) noexcept {
        // (D2) release; pairs (D3): our reads are over. Failed, relaxed: the word of the lock decides from here on.
        return lock_and_mode.compare_exchange_strong(value, 0, platform::release,
                                                     platform::relaxed);
    }
    /// Turns a distributed hold of `lock` into one that the lock knows of; false if this is none.
    [[nodiscard]] bool count_distributed(lock_type const* lock) noexcept {
        auto value = read();  // (D3) acquire; pairs (D2)
        if (value != distributed_hold_of(lock)) return false;
        // relaxed: only the value matters; the holder goes by it
        if (lock_and_mode.compare_exchange_strong(value, value & ~distributed, platform::relaxed,
                                                  platform::relaxed)) {
            return true;
        }
        (void)read();  // given back in the meantime: (D3) once more
        return false;
    }
};

}  // namespace manylock::detail

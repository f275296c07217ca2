// Counters of a domain. Each transaction counts on its own cache lines with plain stores; a snapshot
// adds them up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <manylock/restart.hpp>

namespace manylock {

enum class counter : std::uint8_t {
    commits,
    abandons,   ///< transactions given up by their caller or ended by an exception
    waits,      ///< acquisitions that had to queue
    parks,      ///< waits that slept in the kernel
    wait_ns,    ///< time between queueing and the outcome
    wounds,     ///< marks set on younger holders (wound_wait)
    fallbacks,  ///< single-object reads that took the umbrella
    detector_walks,
    detector_edges,
    overtakes,  ///< cycles broken by letting a compatible waiter pass the queue
    count_
};
inline constexpr std::size_t counter_count = static_cast<std::size_t>(counter::count_);

/// What a domain has done so far. Taken while transactions run it is a consistent lower bound of each
/// counter, not of their sum.
struct statistics {
    std::array<std::uint64_t, counter_count> counters{};
    std::array<std::uint64_t, restart_reason_count> restarts_by_reason{};
    std::uint64_t restarts_max_of_one_transaction = 0;
    std::uint64_t held_list_bytes_max = 0;  ///< bytes of one published held-lock list; 0 if none is

    [[nodiscard]] std::uint64_t operator[](counter c) const noexcept {
        return counters[static_cast<std::size_t>(c)];
    }
    [[nodiscard]] std::uint64_t restarts(restart_reason r) const noexcept {
        return restarts_by_reason[static_cast<std::size_t>(r)];
    }
    [[nodiscard]] std::uint64_t restarts() const noexcept {
        std::uint64_t sum = 0;
        for (auto const n : restarts_by_reason) sum += n;
        return sum;
    }
};

namespace detail {

/// One transaction's share. Single writer, any reader.
template <class Platform>
class counters {
public:
    void add(counter c, std::uint64_t n = 1) noexcept {
        bump(values_[static_cast<std::size_t>(c)], n);
    }
    void add_restart(restart_reason r) noexcept { bump(restarts_[static_cast<std::size_t>(r)], 1); }
    void at_most_seen(std::uint64_t restarts, std::uint64_t held_bytes) noexcept {
        raise(restarts_max_, restarts);
        raise(held_bytes_max_, held_bytes);
    }
    void add_to(statistics& total) const noexcept {
        // relaxed: statistics, no reader orders on them
        for (std::size_t i = 0; i < counter_count; ++i) {
            total.counters[i] += values_[i].load(Platform::relaxed);
        }
        for (std::size_t i = 0; i < restart_reason_count; ++i) {
            total.restarts_by_reason[i] += restarts_[i].load(Platform::relaxed);
        }
        auto const worst = restarts_max_.load(Platform::relaxed);
        auto const bytes = held_bytes_max_.load(Platform::relaxed);
        if (worst > total.restarts_max_of_one_transaction) {
            total.restarts_max_of_one_transaction = worst;
        }
        if (bytes > total.held_list_bytes_max) total.held_list_bytes_max = bytes;
    }

private:
    using cell = typename Platform::tally;
    static void bump(cell& c, std::uint64_t n) noexcept {
        // relaxed: statistics; load and store, since only one transaction writes
        c.store(c.load(Platform::relaxed) + n, Platform::relaxed);
    }
    static void raise(cell& c, std::uint64_t n) noexcept {
        // relaxed: statistics
        if (n > c.load(Platform::relaxed)) c.store(n, Platform::relaxed);
    }
    std::array<cell, counter_count> values_{};
    std::array<cell, restart_reason_count> restarts_{};
    cell restarts_max_{0};
    cell held_bytes_max_{0};
};

}  // namespace detail
}  // namespace manylock

// How long a row runs, and what is counted meanwhile.
#pragma once

#include "../histogram.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <manylock/restart.hpp>
#include <optional>

namespace manylock::stress {

/// How long a row runs: for a time, or for a number of commits in all.
struct extent {
    double seconds = 1;
    std::optional<std::uint64_t> commits;
};

/// What is known of a restart: had waiting closed a cycle of waits, or not?
enum class restart_tag : std::uint8_t { none, cycle, precaution };

/// Restarts by tag.
struct restart_tags {
    std::uint64_t cycle = 0;
    std::uint64_t precaution = 0;

    void add(restart_tag tag) noexcept {
        cycle += tag == restart_tag::cycle ? 1 : 0;
        precaution += tag == restart_tag::precaution ? 1 : 0;
    }
    restart_tags& operator+=(restart_tags const& other) noexcept {
        cycle += other.cycle;
        precaution += other.precaution;
        return *this;
    }
    friend restart_tags operator-(restart_tags const& a, restart_tags const& b) noexcept {
        return {a.cycle - b.cycle, a.precaution - b.precaution};
    }
};

/// An attempt that ended in a restart.
struct lost_attempt {
    restart_reason reason = restart_reason::conflict;
    std::uint64_t ns = 0;     ///< from the attempt's begin to its restart
    std::uint64_t locks = 0;  ///< held when the restart came
    restart_tag tag = restart_tag::none;
    std::uint64_t restarts = 1;  ///< of its transaction so far
};

/// What one thread, or all of them, did while measured.
struct measurement {
    histogram latency;  ///< ns from a transaction's first attempt to its commit
    std::uint64_t commits = 0;
    std::array<std::uint64_t, restart_reason_count> restarts{};
    std::uint64_t restarts_max_of_one_transaction = 0;
    std::uint64_t wasted_ns = 0;  ///< of lost attempts
    std::uint64_t wasted_locks = 0;
    restart_tags tags;
    bool tagged = false;  ///< the stage tags restarts

    /// One more transaction has committed, `ns` after it began.
    void committed(std::uint64_t ns) noexcept {
        latency.record(ns);
        ++commits;
    }
    /// Counts at once, whether its transaction commits or not: one that starves has restarts too.
    void restarted(lost_attempt const& one) noexcept {
        ++restarts[static_cast<std::size_t>(one.reason)];
        restarts_max_of_one_transaction = std::max(restarts_max_of_one_transaction, one.restarts);
        wasted_ns += one.ns;
        wasted_locks += one.locks;
        tags.add(one.tag);
    }
    void add(measurement const& other) noexcept {
        latency.add(other.latency);
        commits += other.commits;
        for (std::size_t i = 0; i < restarts.size(); ++i) restarts[i] += other.restarts[i];
        restarts_max_of_one_transaction =
            std::max(restarts_max_of_one_transaction, other.restarts_max_of_one_transaction);
        wasted_ns += other.wasted_ns;
        wasted_locks += other.wasted_locks;
        tags += other.tags;
        tagged = tagged || other.tagged;
    }
};

}  // namespace manylock::stress

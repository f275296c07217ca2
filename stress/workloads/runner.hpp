// What a policy can be asked to do, without knowing which it is. Each policy's answer is compiled
// in a translation unit of its own (policy_runner.cpp.in), so that adding one compiles one.
#pragma once

#include "../replay/order.hpp"
#include "../replay/trace.hpp"
#include "catalogue.hpp"
#include "measurement.hpp"
#include "replay_lifetimes.hpp"
#include "replay_users.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::stress {

/// One row to be measured.
struct row_request {
    workload what;
    std::uint64_t threads = 1;
    extent length;
    std::uint64_t seed = 0;  ///< of this round; threads derive theirs
    bool check = false;
    bool hold_yields = false;           ///< busy work offers its processor to other threads
    std::uint64_t sample_restarts = 0;  ///< look at one restart in so many; 0: at none
};

/// How the page faults of a replay went: their latency alone, and Linux's counters.
struct fault_measurement {
    histogram latency;
    std::uint64_t success = 0;
    std::uint64_t abort = 0;
    std::uint64_t retry = 0;
    std::uint64_t miss = 0;

    void add(fault_measurement const& other) noexcept {
        latency.add(other.latency);
        success += other.success;
        abort += other.abort;
        retry += other.retry;
        miss += other.miss;
    }
};

/// What only a simulation knows.
struct simulated_facts {
    std::uint64_t cycles_formed =
        0;  ///< times that a transaction began to wait and so closed a cycle
    /// Restarts for a cycle, by the transactions on the shortest one through the victim.
    std::map<unsigned, std::uint64_t> cycle_lengths;
    std::uint64_t events = 0;  ///< what it took to simulate: accesses and calls
    std::uint64_t switches = 0;
};

/// One row measured, as far as the policy's own code knows it.
struct row_outcome {
    measurement measured;
    double seconds = 0;
    std::uint64_t lock_bytes = 0;
    std::optional<std::uint64_t> wait_ns;
    std::optional<std::uint64_t> fallbacks;
    std::optional<std::uint64_t> detector_walks;
    std::optional<std::uint64_t> detector_edges;
    std::optional<std::uint64_t> held_list_bytes_max;
    std::optional<fault_measurement> page_faults;
    std::optional<simulated_facts> simulated;
    std::size_t live_threads_max = 0;  ///< of a replay with one thread per recorded thread
    bool checked = false;
    std::vector<std::string> faults;  ///< what the check found wrong, a sentence each
};

/// A replay: of `order` and `lives`, with one thread per recorded thread; of `users`, by `threads`
/// users side by side; of neither, on one thread in the recorded order.
struct replay_request {
    replay::recorded_program const* program = nullptr;
    std::uint64_t threads = 1;
    bool check = false;
    replay::execution_order const* order = nullptr;
    lifetimes const* lives = nullptr;
    user_program const* users = nullptr;
    bool disjoint = false;                                ///< each user in a region of its own
    std::vector<std::uint32_t> const* work_ns = nullptr;  ///< by item; null or empty: none
};

/// Facts that decide which columns apply.
struct policy_facts {
    restart_reason reason = restart_reason::conflict;
    bool restarts = true;           ///< false: no conflict makes a transaction restart
    bool plain_locks_only = false;  ///< no address space: neither its workloads nor replays
};

class policy_runner {
public:
    policy_runner() = default;
    policy_runner(policy_runner const&) = delete;
    policy_runner& operator=(policy_runner const&) = delete;
    virtual ~policy_runner() = default;

    [[nodiscard]] virtual std::string_view name() const noexcept = 0;
    [[nodiscard]] virtual policy_facts facts() const noexcept = 0;
    [[nodiscard]] virtual row_outcome run(row_request const&) const = 0;
    [[nodiscard]] virtual row_outcome replay(replay_request const&) const = 0;
};

/// The policies that are compared, in the order of the registry.
std::vector<policy_runner const*> const& policy_runners();
/// Those that walk the wait-for graph with Boost: the same policies once more, to be asked for by
/// name.
std::vector<policy_runner const*> const& twin_runners();
/// Experiments (docs/decisions/0022), to be asked for by name.
std::vector<policy_runner const*> limited_runners();
/// All of these, in this order.
std::vector<policy_runner const*> every_runner();
/// Requires: one of that name.
policy_runner const& find_runner(std::string_view name);

}  // namespace manylock::stress

// Running scenarios under the model checker: many schedules of one, and one with an order weakened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "platform.hpp"

namespace manylock::model {

/// Made anew for every schedule, before its threads begin; `at_end` runs when they have ended.
class scenario {
public:
    scenario() = default;
    scenario(scenario const&) = delete;
    scenario& operator=(scenario const&) = delete;
    virtual ~scenario() = default;
    virtual void thread(unsigned number) = 0;
    virtual void at_end() {}
    /// Where the clock moves: whether a deadline may have passed by now.
    [[nodiscard]] virtual bool time_may_pass() { return true; }
};

enum class search : std::uint8_t {
    sampled,  ///< random schedules, as many as asked for
    bounded   ///< all schedules with at most `bound` preemptions
};

struct description {
    std::string name;
    unsigned threads = 2;  ///< 2 or 3
    std::unique_ptr<scenario> (*make)() = nullptr;
    search how = search::sampled;
    std::uint64_t schedules = 1000;  ///< sampled: how many; else: more than these are a failure
    unsigned bound = 2;
    bool clock_moves = false;       ///< now() may have passed any deadline
    bool wakes_spuriously = false;  ///< a sleeper may wake up for no reason
};

struct outcome {
    bool failed = false;
    bool complete = false;        ///< all schedules of a bounded search were seen
    std::uint64_t schedules = 0;  ///< until the end, or the failing one
    std::string report;           ///< of a failure: Relacy's sentence; with history if asked for
};

enum class operation : std::uint8_t { load, store, modify, exchange, failed_exchange, fence };

/// One place in the engine's sources where an order is spelt.
struct site {
    operation what;
    order spelt;
    where at;
    std::uint64_t executed = 0;  ///< by the last exploration
};
/// All that were executed since the program began; stable indexes.
[[nodiscard]] std::vector<site> sites();
/// `file:function operation order` for each of `all`, with #n where a function has several of them.
[[nodiscard]] std::vector<std::string> names_of(std::vector<site> const& all);

inline constexpr std::size_t no_site = ~std::size_t{0};
/// Runs one site weaker: with `to` instead of what is spelt; a fence is left out.
struct weakening {
    std::size_t site = no_site;
    order to = order::relaxed;
};

/// `first`: the number of the random schedule to begin with.
[[nodiscard]] outcome explore(description const& what, std::uint64_t schedules, weakening weak = {},
                              bool with_history = false, std::uint64_t first = 1);

[[nodiscard]] char const* name(order o) noexcept;

/// Scenarios by the file that has them.
[[nodiscard]] std::vector<description> lock_scenarios();
[[nodiscard]] std::vector<description> age_scenarios();
[[nodiscard]] std::vector<description> detector_scenarios();
[[nodiscard]] std::vector<description> umbrella_scenarios();
[[nodiscard]] std::vector<description> all_scenarios();

/// A number above 0 from the environment; ends the program with a sentence if it is none.
[[nodiscard]] std::uint64_t setting(char const* variable, std::uint64_t otherwise);
/// Fails the running test case for each scenario that fails. MANYLOCK_MODEL_FACTOR=N: N times as many random
/// schedules; MANYLOCK_MODEL_FIRST: the first of them. `only`: the name of the only scenario to run; null: all.
void explore_all(std::vector<description> const& scenarios, char const* only);
/// MANYLOCK_MODEL_SCENARIO: the name of the only scenario to run; null for all. Ends the program with a sentence
/// if none of `all` has it.
[[nodiscard]] char const* chosen_of(std::vector<description> const& all);

}  // namespace manylock::model

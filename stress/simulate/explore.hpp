// Many runs of one scenario, until a schedule is found under which something goes wrong; that schedule is
// then made as simple as it gets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "world.hpp"

namespace manylock::simulate {

enum class strategy : std::uint8_t { random, pct, exhaustive, lockstep };

struct search {
    strategy by = strategy::random;
    unsigned depth = 3;              ///< pct: ordered events that a defect takes
    unsigned preemptions = 2;        ///< exhaustive
    std::uint64_t schedules = 1000;  ///< at most so many runs
    std::uint64_t seed = 1;          ///< random, pct
    world::limits limits{};
};

struct failure {
    outcome kind = outcome::broken;
    std::string complaint;
    std::string threads;  ///< each thread's held and wanted locks at that moment
    schedule how;
    /// The sentences of a report, without the command that replays it.
    [[nodiscard]] std::string text() const;
};

struct exploration {
    std::uint64_t schedules = 0;
    std::uint64_t steps = 0;
    bool exhausted = false;  ///< no schedule within the strategy's bound was left out
    std::optional<failure> found;
};

/// Makes the scenario anew for each run. Its threads run on the calling thread.
using scenario_factory = std::function<std::unique_ptr<scenario>()>;

/// Stops at the first failure, whose schedule is minimised.
[[nodiscard]] exploration explore(scenario_factory const& make, search const& s);
/// One run under the given schedule. Nothing if it finishes.
[[nodiscard]] std::optional<failure> replay(scenario_factory const& make, schedule const& how,
                                            world::limits limits = {});

}  // namespace manylock::simulate

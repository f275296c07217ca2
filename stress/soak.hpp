// run --forever: round after round with --check, each drawn from a seed of its own, until interrupted or
// until its time is up.
#pragma once

#include "options.hpp"
#include "workloads/catalogue.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace manylock::stress {

/// What one round does. Everything follows from its seed and what the options allow.
struct soak_round {
    std::uint64_t seed = 0;
    std::string policy;
    std::uint64_t threads = 1;
    double seconds = 0;
    workload what;                         ///< without a recording
    std::optional<std::size_t> recording;  ///< number in the options
    bool traced = false;                   ///< recording: as its own threads
    bool disjoint = false;                 ///< recording: users apart
};

/// The seed itself for round 0, so that any round can be repeated as the first of another soak.
[[nodiscard]] std::uint64_t round_seed(std::uint64_t seed, std::uint64_t round);
[[nodiscard]] soak_round draw_round(soak_options const& from, std::uint64_t seed);
/// The command that does this round alone.
[[nodiscard]] std::string replay_command(soak_options const& of, std::uint64_t seed);

/// Returns the exit status: 0 if all checks were ok, also after an interrupt.
int soak(soak_options const& chosen);

}  // namespace manylock::stress

// What all explored tests share: the seed, how much to do, and how to replay.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <simulate/explore.hpp>

namespace explore {

namespace simulate = manylock::simulate;

/// MANYLOCK_SEED, or one drawn for this run and printed.
[[nodiscard]] std::uint64_t seed();
/// `n` times MANYLOCK_FACTOR, an integer that makes a run longer; a tenth under sanitizers.
[[nodiscard]] std::uint64_t scaled(std::uint64_t n);
/// Adds to what is printed at the end: `schedules: N`, and how many spaces of schedules were exhausted.
void count_schedules(std::uint64_t n, simulate::strategy by, bool exhausted);

/// MANYLOCK_SCHEDULE and MANYLOCK_SCRIPT are set: run that and nothing else.
[[nodiscard]] bool asked_to_replay();
[[nodiscard]] std::string script_to_replay();
[[nodiscard]] std::string schedule_to_replay();
/// The one command that runs it again.
[[nodiscard]] std::string replay_command(std::string_view policy, std::string_view script,
                                         simulate::schedule const& how);

}  // namespace explore

// Carries out the measuring commands: which rows, in which order, and what of each outcome goes
// into which column. Policies take turns within a round, so that a disturbance of the machine meets
// all.
#pragma once

#include "options.hpp"
#include "progress.hpp"
#include "result.hpp"
#include "workloads/runner.hpp"

#include <cstddef>
#include <vector>

namespace manylock::stress {

/// Rows in the order in which they were measured. What --check finds wrong is printed and
/// makes the row's check `failed`.
std::vector<result_row> measure(run_options const& run, progress& bar);
std::size_t row_count(run_options const& run);

/// `program` must outlive the call.
std::vector<result_row> measure(replay_options const& replay,
                                replay::recorded_program const& program, progress& bar);
std::size_t row_count(replay_options const& replay);

/// True if any row's check failed.
bool any_failed(std::vector<result_row> const& rows);

}  // namespace manylock::stress

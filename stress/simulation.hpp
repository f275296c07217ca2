// Carries out `simulate`: which rows, on which machines, side by side on the real cores. A row depends on its
// configuration and seed only, never on what runs beside it, and rows come back in a fixed order.
#pragma once

#include "options.hpp"
#include "progress.hpp"
#include "result.hpp"

#include <cstddef>
#include <vector>

namespace manylock::stress {

std::size_t row_count(simulate_options const& chosen);

/// `program`: of chosen.replay; else null. Says on standard output what the simulation itself took.
std::vector<result_row> simulate_rows(simulate_options const& chosen,
                                      replay::recorded_program const* program, progress& bar);

}  // namespace manylock::stress

// The commands behind the options.
#pragma once

#include "options.hpp"

#include <string>
#include <vector>

namespace manylock::stress {

known_policies policies_of_this_program();

/// Does what the command line asked for; returns the exit status, 0 or 1. Throws input_error,
/// replay::trace_error, interrupted.
int carry_out(options const& chosen, std::vector<std::string> const& arguments);

}  // namespace manylock::stress

// All registered policies, and the one that was picked when the build was configured.
#pragma once

#include <manylock/policies/cycle_detection.hpp>
#include <manylock/policies/lock_ordering.hpp>
#include <manylock/policies/no_wait.hpp>
#include <manylock/policies/umbrella.hpp>
#include <manylock/policies/wait_die.hpp>
#include <manylock/policies/wound_wait.hpp>

#ifndef MANYLOCK_DEFAULT_POLICY
#define MANYLOCK_DEFAULT_POLICY wound_wait
#endif

namespace manylock {
/// Set by -DMANYLOCK_POLICY=NAME at configure time.
using default_policy = policies::MANYLOCK_DEFAULT_POLICY;
}  // namespace manylock

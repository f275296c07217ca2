// All registered policies, and the one that was picked when the build was configured.
#pragma once

#if __has_include(<manylock/policies/registered.hpp>)
#include <manylock/policies/registered.hpp>  // written by CMake from registry.hpp
#else                                        // used without CMake
#include <manylock/policies/cycle_detection.hpp>
#include <manylock/policies/lock_ordering.hpp>
#include <manylock/policies/no_wait.hpp>
#include <manylock/policies/umbrella.hpp>
#include <manylock/policies/wait_die.hpp>
#include <manylock/policies/wound_wait.hpp>
#endif

#ifndef MANYLOCK_DEFAULT_POLICY
#define MANYLOCK_DEFAULT_POLICY wound_wait
#endif
// The picked policy's own header, which need not be a registered one without CMake.
#define MANYLOCK_DETAIL_HEADER_OF(policy) <manylock/policies/policy.hpp>
#define MANYLOCK_DETAIL_HEADER(policy) MANYLOCK_DETAIL_HEADER_OF(policy)
#include MANYLOCK_DETAIL_HEADER(MANYLOCK_DEFAULT_POLICY)
#undef MANYLOCK_DETAIL_HEADER
#undef MANYLOCK_DETAIL_HEADER_OF

namespace manylock {
/// Set by -DMANYLOCK_POLICY=NAME at configure time.
using default_policy = policies::MANYLOCK_DEFAULT_POLICY;
}  // namespace manylock

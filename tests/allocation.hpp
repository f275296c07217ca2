// How often a thread asked for memory, and what happens when it gets none. Counted in builds without sanitizers, which bring an operator
// new of their own.
#pragma once

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MANYLOCK_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MANYLOCK_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef MANYLOCK_COUNTS_ALLOCATIONS
#define MANYLOCK_COUNTS_ALLOCATIONS 1
#endif

namespace manylock::test {

inline constexpr bool counts_allocations = MANYLOCK_COUNTS_ALLOCATIONS != 0;
/// A sanitizer makes threads and processes dear: tests that start thousands start fewer.
inline constexpr bool sanitized = !counts_allocations;

/// Calls of operator new by this thread so far; 0 where they are not counted.
std::uint64_t allocations() noexcept;

/// The n-th call of operator new by this thread from now on throws, counted from 1; 0: none will.
void fail_allocation(std::uint64_t n) noexcept;

/// True if the allocation that fail_allocation() last chose has been asked for, and failed.
bool allocation_failed() noexcept;

}  // namespace manylock::test

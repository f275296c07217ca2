// Busy work that stands for what a kernel does while it holds a recorded call's locks.
#pragma once

#include "../replay/trace.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace manylock::stress {

struct work_choice {
    enum class kind : std::uint8_t { none, traced, per_page };
    kind what = kind::none;
    std::uint64_t ns_per_page = 0;  ///< of `per_page`

    /// As --work takes it.
    [[nodiscard]] std::string text() const;
};

/// One operation works no longer than this.
inline constexpr std::uint64_t work_ns_max = 10'000'000;
/// What a minor fault on anonymous memory costs in the kernel on current x86-64 machines, zeroing
/// the page included; recordings have no time for faults.
inline constexpr std::uint32_t fault_work_ns = 500;

/// Nanoseconds by item; empty for none. A call that the kernel refused does no work.
std::vector<std::uint32_t> work_of(replay::recorded_program const& program,
                                   work_choice const& choice);

}  // namespace manylock::stress

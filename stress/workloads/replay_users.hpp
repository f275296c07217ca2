// A recorded program multiplied into several users of one address space. What belongs to a process
// as a whole cannot be had once a user, so it is replaced: a break that grows maps the new part, one
// that shrinks unmaps it, and mlockall is left out.
#pragma once

#include "../replay/trace.hpp"

#include <cstdint>
#include <manylock/address_space/rules/globals.hpp>
#include <manylock/address_space/rules/vma.hpp>
#include <string>
#include <vector>

namespace manylock::stress {

struct user_item {
    address_space::operation op{};
    std::uint32_t recorded = 0;  ///< number of the recorded item it stands for
};

struct user_program {
    std::vector<user_item> items;
    address_space::mm_globals final_globals;  ///< with the recorded break; labels go by it
    std::uint64_t all_locked = 0;             ///< mlockall, munlockall: left out
    std::uint64_t beyond_limit = 0;  ///< reach past the 47-bit half, without effect: left out
    std::uint64_t idle_breaks = 0;   ///< brk that moved no page: left out

    /// False: what was left out may show in the final map.
    [[nodiscard]] bool complete() const noexcept { return all_locked == 0; }
    /// "left out: ..." or nothing.
    [[nodiscard]] std::string left_out() const;
};

user_program multiplied(replay::recorded_program const& program);

/// Distance between two users of disjoint regions: Linux's half of the addresses.
inline constexpr address_space::address region_size = address_space::address{1} << 47U;

/// The globals of a space for so many users. `disjoint`: each has a region of its own.
address_space::mm_globals globals_for_users(replay::recorded_program const& program,
                                            std::uint64_t users, bool disjoint);

/// The operation, `shift` bytes further up.
address_space::operation shifted(address_space::operation op, address_space::address shift);
address_space::vma shifted(address_space::vma area, address_space::address shift);

}  // namespace manylock::stress

// Between a recording and an address space: its initial VMAs and globals as the space wants them,
// and the space's rows as /proc/PID/maps would print them.
#pragma once

#include "../replay/trace.hpp"
#include "replay_users.hpp"

#include <cstdint>
#include <manylock/address_space/rules/globals.hpp>
#include <manylock/address_space/rules/maps_row.hpp>
#include <manylock/address_space/rules/vma.hpp>
#include <string>
#include <vector>

namespace manylock::stress {

address_space::mm_globals initial_globals(replay::recorded_program const& program);

/// `anon_id` names the anon_vma of a VMA that has one.
address_space::vma initial_area(replay::initial_vma const& recorded, bool forked,
                                std::uint64_t anon_id);

/// True if the recording began at a fork: then every anon_vma is inherited.
bool began_at_fork(replay::recorded_program const& program);

std::vector<replay::maps_row> printed_rows(std::vector<address_space::maps_row> const& rows,
                                           replay::string_table const& paths);

/// The differences from what the kernel had, a line each under a sentence; empty if there are none.
std::string row_differences(std::string const& what, std::vector<replay::maps_row> const& expected,
                            std::vector<replay::maps_row> const& actual);

/// Puts the recording's initial VMAs into a space, `shift` bytes further up; those of the kernel's
/// half stay where they are, and are there once. Requires: nothing else is there.
template <class Space>
void place_initial(Space& space, replay::recorded_program const& program,
                   address_space::address shift = 0) {
    bool const forked = began_at_fork(program);
    for (auto const& recorded : program.initial) {
        bool const of_kernel = recorded.start >= region_size;
        if (of_kernel && shift != 0) continue;
        space.place(shifted(initial_area(recorded, forked, space.fresh_id()), shift));
    }
}

}  // namespace manylock::stress

// What an address space has apart from its VMAs. Its own entry in the locking table.
#pragma once

#include <manylock/address_space/rules/vma.hpp>

#include <cstdint>

namespace manylock::address_space {

/// Linux keeps this much free below a stack (256 pages).
inline constexpr std::uint64_t stack_guard_gap = 256 * page_size;
/// Set in the `open_file` of files that the address space makes itself (shared anonymous memory).
inline constexpr std::uint64_t fresh_file_bit = std::uint64_t{1} << 63U;
/// One plan draws its identities from a block of this size.
inline constexpr std::uint64_t ids_per_plan = std::uint64_t{1} << 20U;

struct mm_globals {
    address start_brk = 0;
    address brk = 0;
    address start_stack = 0;
    address mmap_base = 0x7ffff7fff000;  ///< a search for a hole starts here and goes down
    address mmap_floor = 0x10000;        ///< and ends here
    address address_limit = address_space::address_limit;  ///< first address no VMA may contain
    vma_flags default_flags = 0;                           ///< set by mlockall(MCL_FUTURE)
    std::uint64_t map_count_max = 65530;
    std::uint64_t next_id = 1;  ///< for anon_vmas and shared anonymous files

    friend constexpr bool operator==(mm_globals const&, mm_globals const&) = default;
};

}  // namespace manylock::address_space

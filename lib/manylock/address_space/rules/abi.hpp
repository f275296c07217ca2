// The numbers of the Linux x86-64 system-call interface that operations on an address space carry.
// Spelled out so that a recording means the same on every host. Source: the Linux user-space ABI.
#pragma once

#include <cstdint>

namespace manylock::address_space::abi {

enum : std::uint32_t { prot_read = 1, prot_write = 2, prot_exec = 4, prot_sem = 8 };
inline constexpr std::uint32_t prot_growsdown = 0x01000000;
inline constexpr std::uint32_t prot_growsup = 0x02000000;

enum : std::uint32_t {
    map_shared = 0x1,
    map_private = 0x2,
    map_shared_validate = 0x3,
    map_type = 0xf,
    map_fixed = 0x10,
    map_anonymous = 0x20,
    map_growsdown = 0x100,
    map_locked = 0x2000,
    map_noreserve = 0x4000,
    map_populate = 0x8000,
    map_nonblock = 0x10000,
    map_stack = 0x20000,
    map_fixed_noreplace = 0x100000
};

enum : std::uint32_t { mremap_maymove = 1, mremap_fixed = 2, mremap_dontunmap = 4 };
enum : std::uint32_t { mcl_current = 1, mcl_future = 2, mcl_onfault = 4 };
inline constexpr std::uint32_t mlock_onfault = 1;

enum : std::int32_t {
    madv_normal = 0,
    madv_random = 1,
    madv_sequential = 2,
    madv_willneed = 3,
    madv_dontneed = 4,
    madv_free = 8,
    madv_remove = 9,
    madv_dontfork = 10,
    madv_dofork = 11,
    madv_mergeable = 12,
    madv_unmergeable = 13,
    madv_hugepage = 14,
    madv_nohugepage = 15,
    madv_dontdump = 16,
    madv_dodump = 17,
    madv_wipeonfork = 18,
    madv_keeponfork = 19,
    madv_cold = 20,
    madv_pageout = 21,
    madv_populate_read = 22,
    madv_populate_write = 23,
    madv_dontneed_locked = 24,
    madv_collapse = 25,
    madv_guard_install = 102,
    madv_guard_remove = 103
};

/// Results are 0, an address, or one of these negated.
inline constexpr std::int64_t eperm = 1;
inline constexpr std::int64_t ebadf = 9;
inline constexpr std::int64_t eagain = 11;
inline constexpr std::int64_t enomem = 12;
inline constexpr std::int64_t eacces = 13;
inline constexpr std::int64_t efault = 14;
inline constexpr std::int64_t eexist = 17;
inline constexpr std::int64_t einval = 22;
inline constexpr std::int64_t eoverflow = 75;

}  // namespace manylock::address_space::abi

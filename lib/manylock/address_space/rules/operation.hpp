// One update of, or access to, an address space, as a program would ask the kernel for it.
// The recorded-trace reader produces these, the synthetic workloads make them, the address space
// carries them out. Values are the Linux x86-64 ABI's (PROT_*, MAP_*, MREMAP_*, MADV_*), so that a
// recording needs no translation; they are spelled out here because the library must not depend on
// the host's headers having them.
#pragma once

#include <cstdint>

namespace manylock::address_space {

using address = std::uint64_t;
inline constexpr address page_size = 4096;
/// First address that no VMA may contain: the end of the 47-bit user half.
inline constexpr address address_limit = 0x7ffffffff000;

/// What backs a mapping. `open_file` tells one struct file from another over the same inode (two
/// mappings merge only over the same open file description); 0 means anonymous. `path` is a number
/// that the caller's string table resolves, 0 for none.
struct backing {
    std::uint64_t open_file = 0;
    std::uint64_t inode = 0;
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint32_t path = 0;
    bool read_only_file = false;  ///< opened O_RDONLY: a shared mapping loses maywrite
    bool shared_memory = false;   ///< lies in no directory (shared anonymous, memfd): may be named

    friend constexpr bool operator==(backing const&, backing const&) = default;
};

enum class call : std::uint8_t {
    map,         ///< mmap: start (hint or fixed), length, prot, flags, offset, file; to an address
    unmap,       ///< munmap: start, length
    protect,     ///< mprotect: start, length, prot
    remap,       ///< mremap: start, length (old), new_length, flags, new_start; result = address
    set_break,   ///< brk: start = wanted break (0 asks); result = break afterwards
    advise,      ///< madvise: start, length, advice
    lock_range,  ///< mlock, mlock2: start, length, flags (MLOCK_ONFAULT)
    unlock_range,  ///< munlock: start, length
    lock_all,      ///< mlockall: flags (MCL_*)
    unlock_all,    ///< munlockall
    seal,          ///< mseal: start, length, flags (none is defined)
    set_name,      ///< prctl PR_SET_VMA_ANON_NAME: start, length, file.path (0 takes it away)
    set_policy,    ///< mbind: start, length, flags = number of the memory policy, 0 the default
    remap_file,    ///< remap_file_pages: start, length, prot (0), offset (in pages)
    fault,         ///< page fault at start; flags = fault_flags
    grow_stack     ///< stack growth seen by the recorder without its fault: start = new VMA start
};

enum fault_flags : std::uint32_t {
    fault_write = 1,
    fault_exec = 2,
    fault_kernel = 4,
    fault_present = 8
};

struct operation {
    call what = call::fault;
    std::uint32_t prot = 0;
    std::uint32_t flags = 0;
    std::int32_t advice = 0;
    address start = 0;
    std::uint64_t length = 0;
    std::uint64_t new_length = 0;
    address new_start = 0;
    std::uint64_t offset = 0;
    backing file{};
    /// What the kernel returned when this was recorded: an address, 0, or -errno. A map without
    /// MAP_FIXED is placed at `result` when `placed` is set; otherwise the address space searches.
    std::int64_t result = 0;
    bool placed = false;
};

}  // namespace manylock::address_space

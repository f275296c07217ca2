// One virtual memory area (VMA) as a value: range, flags, backing, name, NUMA policy, and the
// identity of its anon_vma (the object that Linux creates at the first private write and that
// decides later merges).
// Two neighbours may become one VMA exactly when `mergeable` says so.
// Sources: traces of Linux 6.18 (rules proved by ablation), Linux mm/vma.c for the merge
// conditions.
#pragma once

#include <manylock/address_space/rules/operation.hpp>

#include <cstdint>

namespace manylock::address_space {

using vma_flags = std::uint32_t;

/// The four `vm_may_*` flags lie four bits above the access they permit.
enum vma_flag : vma_flags {
    vm_read = 1U << 0,
    vm_write = 1U << 1,
    vm_exec = 1U << 2,
    vm_shared = 1U << 3,
    vm_may_read = 1U << 4,
    vm_may_write = 1U << 5,
    vm_may_exec = 1U << 6,
    vm_may_share = 1U << 7,
    vm_growsdown = 1U << 8,
    vm_maybe_guard = 1U << 9,
    vm_pfnmap = 1U << 10,
    vm_io = 1U << 11,
    vm_dontexpand = 1U << 12,
    vm_locked = 1U << 13,
    vm_lock_on_fault = 1U << 14,
    vm_account = 1U << 15,
    vm_noreserve = 1U << 16,
    vm_hugepage = 1U << 17,
    vm_nohugepage = 1U << 18,
    vm_dontcopy = 1U << 19,
    vm_dontdump = 1U << 20,
    vm_rand_read = 1U << 21,
    vm_seq_read = 1U << 22,
    vm_wipe_on_fork = 1U << 23,
    vm_mergeable = 1U << 24,
    vm_sealed = 1U << 25
};

inline constexpr vma_flags vm_access = vm_read | vm_write | vm_exec;
inline constexpr vma_flags vm_may_access = vm_may_read | vm_may_write | vm_may_exec;
inline constexpr vma_flags vm_lock_mask = vm_locked | vm_lock_on_fault;
/// A VMA with any of these never merges.
inline constexpr vma_flags vm_special = vm_io | vm_dontexpand | vm_pfnmap;
/// Flags that a merge unites instead of comparing.
inline constexpr vma_flags vm_sticky = vm_maybe_guard;

/// Identity of an anon_vma. `inherited`: a forked child's, whose chain is longer than one.
struct anon_identity {
    std::uint64_t id = 0;
    bool inherited = false;

    [[nodiscard]] constexpr bool set() const noexcept { return id != 0; }
    friend constexpr bool operator==(anon_identity const&, anon_identity const&) = default;
};

struct vma {
    address start = 0;
    address end = 0;
    vma_flags flags = 0;
    std::uint64_t page_offset = 0;  ///< of `start`, in pages; anonymous: of its address
    anon_identity anon{};
    backing file{};
    std::uint32_t name = 0;    ///< given by prctl; the caller's number, 0 for none
    std::uint32_t policy = 0;  ///< NUMA memory policy; the caller's number, 0 for the default

    [[nodiscard]] constexpr std::uint64_t pages() const noexcept {
        return (end - start) / page_size;
    }
    [[nodiscard]] constexpr bool contains(address a) const noexcept {
        return start <= a && a < end;
    }
    [[nodiscard]] constexpr bool has(vma_flags wanted) const noexcept {
        return (flags & wanted) == wanted;
    }
    [[nodiscard]] constexpr bool anonymous() const noexcept {
        return file.open_file == 0 && (flags & vm_special) == 0;
    }
    /// The page offset that byte `a` has or would have by linear continuation.
    [[nodiscard]] constexpr std::uint64_t offset_at(address a) const noexcept {
        return page_offset + a / page_size - start / page_size;  // modulo 2^64 below `start`
    }
    friend constexpr bool operator==(vma const&, vma const&) = default;
};

[[nodiscard]] constexpr address page_floor(address a) noexcept {
    return a & ~(page_size - 1);
}
[[nodiscard]] constexpr address page_ceil(address a) noexcept {
    return page_floor(a + page_size - 1);
}
[[nodiscard]] constexpr bool page_aligned(address a) noexcept {
    return a % page_size == 0;
}

/// May a VMA with anon_vma `source` join one with `target`? Equal, or one unset and the other not
/// inherited by fork (a longer chain may not be handed to memory that was never forked).
[[nodiscard]] constexpr bool anon_compatible(anon_identity target, anon_identity source) noexcept {
    if (target.set() && source.set()) return target.id == source.id;
    return !(target.set() ? target : source).inherited;
}

/// Two VMAs that both border a third: are their anon_vmas no obstacle to all three becoming one?
[[nodiscard]] constexpr bool anon_bridgeable(anon_identity left, anon_identity right) noexcept {
    return !left.set() || !right.set() || left.id == right.id;
}

/// `high` continues `low` with the same attributes, anon_vma apart.
[[nodiscard]] constexpr bool continues(vma const& low, vma const& high) noexcept {
    return low.end == high.start && ((low.flags ^ high.flags) & ~vm_sticky) == 0 &&
           (low.flags & vm_special) == 0 && low.file == high.file && low.name == high.name &&
           low.policy == high.policy && low.offset_at(high.start) == high.page_offset;
}

/// The merge rule for two neighbours.
[[nodiscard]] constexpr bool mergeable(vma const& low, vma const& high) noexcept {
    return continues(low, high) && anon_compatible(low.anon, high.anon);
}

/// At its first private write a VMA takes over a neighbour's anon_vma if the two differ at most in
/// their access bits (and names), so that a later mprotect can still merge them.
[[nodiscard]] constexpr bool shares_anon(vma const& low, vma const& high) noexcept {
    return low.end == high.start && ((low.flags ^ high.flags) & ~vm_access) == 0 &&
           low.file == high.file && low.policy == high.policy &&
           low.offset_at(high.start) == high.page_offset;
}

}  // namespace manylock::address_space

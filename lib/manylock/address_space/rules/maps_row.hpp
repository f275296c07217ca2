// A VMA as the row that /proc/PID/maps prints: range, permissions, file offset, device, inode,
// name. Names go by overlap: memory that an mmap added to the heap's VMA prints as [heap].
// Source: Linux fs/proc/task_mmu.c; checked against recorded maps.
#pragma once

#include <manylock/address_space/rules/globals.hpp>

#include <array>

namespace manylock::address_space {

enum class row_label : std::uint8_t { none, path, heap, stack, anon_name, anon_shmem_name };

struct maps_row {
    address start = 0;
    address end = 0;
    std::array<char, 4> permissions{};
    std::uint64_t offset = 0;
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint64_t inode = 0;
    row_label label = row_label::none;
    /// The caller's number for the name, where the label is `path` or the name given by prctl,
    /// which is printed as [anon:NAME] or [anon_shmem:NAME].
    std::uint32_t path = 0;

    friend constexpr bool operator==(maps_row const&, maps_row const&) = default;
};

[[nodiscard]] constexpr std::array<char, 4> permissions_of(vma_flags flags) noexcept {
    return {flags & vm_read ? 'r' : '-', flags & vm_write ? 'w' : '-', flags & vm_exec ? 'x' : '-',
            flags & vm_may_share ? 's' : 'p'};
}

[[nodiscard]] constexpr row_label label_of(vma const& area, mm_globals const& g) noexcept {
    if (area.name != 0 && area.file.shared_memory) return row_label::anon_shmem_name;
    if (area.file.path != 0) return row_label::path;
    if (area.file.open_file != 0) return row_label::none;
    if (area.start < g.brk && area.end > g.start_brk) return row_label::heap;
    bool const stack = area.start <= g.start_stack && area.end >= g.start_stack;
    if (stack && g.start_stack != 0) return row_label::stack;
    return area.name != 0 ? row_label::anon_name : row_label::none;
}

[[nodiscard]] constexpr maps_row row_of(vma const& area, mm_globals const& g) noexcept {
    maps_row row{area.start, area.end, permissions_of(area.flags), 0, 0, 0, 0, {}, area.file.path};
    if (area.file.open_file != 0) {
        row.offset = area.page_offset * page_size;
        row.device_major = area.file.device_major;
        row.device_minor = area.file.device_minor;
        row.inode = area.file.inode;
    }
    row.label = label_of(area, g);
    if (row.label == row_label::anon_name || row.label == row_label::anon_shmem_name)
        row.path = area.name;
    return row;
}

}  // namespace manylock::address_space

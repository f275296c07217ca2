// Rows of /proc/PID/maps: reading a file of them, and comparing two lists row by row.
// A row is the seven fields the kernel prints: start, end, perms, offset, device, inode, path.
#pragma once

#include "manylock/address_space/rules/operation.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::replay {

struct maps_row {
    address_space::address start = 0;
    address_space::address end = 0;
    std::array<char, 4> perms{'-', '-', '-', 'p'};
    std::uint64_t offset = 0;
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint64_t inode = 0;
    std::string path;  ///< as printed: a file, [heap], [stack], [vdso], ..., or empty

    friend bool operator==(maps_row const&, maps_row const&) = default;
};

/// What the `#` line on top of a snapshot says about it.
struct snapshot_header {
    std::int64_t begin_ns = 0;  ///< on the recording's own clock, see `real_clock`
    std::int64_t end_ns = 0;    ///< equal to begin_ns unless the snapshot names a span
    bool has_time = false;
    bool real_clock = false;  ///< time of day (strace form), else CLOCK_MONOTONIC (native form)
    std::uint32_t tgid = 0;   ///< 0 where the header does not say
    std::uint32_t tid = 0;
    std::string kind;  ///< exec, fork, cp (checkpoint), exit
};

struct maps_file {
    snapshot_header header;
    std::vector<maps_row> rows;  ///< sorted, page-aligned, not overlapping
};

/// Reads a `.maps` file, plain or compressed. Throws trace_error.
[[nodiscard]] maps_file read_maps(std::filesystem::path const& file);

/// One row as the kernel prints it, without a newline.
[[nodiscard]] std::string format_row(maps_row const& row);

struct row_difference {
    enum class kind : std::uint8_t { missing, extra, changed };
    kind what = kind::changed;
    maps_row expected;   ///< meaningless for `extra`
    maps_row actual;     ///< meaningless for `missing`
    std::string fields;  ///< for `changed`: the names of the differing fields, comma separated
};

/// Rows are paired by their start address; both lists must be sorted by it. A path that is expected
/// with the suffix " (deleted)" may come without it: the file was unlinked, which no replay sees.
[[nodiscard]] std::vector<row_difference> compare_rows(std::vector<maps_row> const& expected,
                                                       std::vector<maps_row> const& actual);

/// Prints every difference, one or two lines each.
void print_differences(std::ostream& out, std::vector<row_difference> const& differences);

}  // namespace manylock::replay

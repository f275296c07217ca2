// What the readers of both forms share, and no one else sees: the program under construction, its
// threads by tid, its backings by device and inode, and the files beside the calls.
#pragma once

#include "calls.hpp"
#include "line_reader.hpp"
#include "trace.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace manylock::replay {

[[nodiscard]] maps_row parse_maps_row(std::string_view line, line_reader const& reader);

/// Where a mapping's file was named: device, inode and path of one row.
struct backing_name {
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    std::uint64_t inode = 0;
    std::string path;
};

/// "fe:00" and a decimal inode.
[[nodiscard]] std::optional<backing_name> parse_backing(std::string_view device,
                                                        std::string_view inode,
                                                        std::string_view path);

/// item::work_ns of a lock that was held from one time to another.
[[nodiscard]] constexpr std::uint32_t held_for(std::int64_t from_ns, std::int64_t to_ns) {
    constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(to_ns - from_ns, 0, most));
}

class program_builder {
public:
    program_builder(std::filesystem::path const& directory, load_options const& options);

    [[nodiscard]] recorded_program& program() noexcept { return program_; }
    [[nodiscard]] load_options const& options() const noexcept { return options_; }
    [[nodiscard]] snapshot_header const& initial_header() const noexcept { return header_; }
    /// Time of the initial snapshot on the recording's clock; what item times count from.
    [[nodiscard]] std::int64_t base_ns() const noexcept { return base_ns_; }
    void set_base_ns(std::int64_t base_ns) noexcept { base_ns_ = base_ns; }

    /// initial.maps, .vmflags, .stat and final.maps.
    void read_snapshots();

    /// A new thread with this tid; a later one with the same tid hides it.
    std::uint32_t add_thread(recorded_thread const& thread);
    [[nodiscard]] std::optional<std::uint32_t> thread_of(std::uint32_t tid) const;
    recorded_thread& thread(std::uint32_t index) { return program_.threads[index]; }

    void add_item(item const& entry, line_reader const& reader);

    /// The file behind a mapping. `fd` and the name stand for the struct file, which no recording
    /// shows; every file mapped by execve was opened once.
    [[nodiscard]] address_space::backing file_backing(backing_name const& name, std::int32_t fd);
    /// Same, when nothing names the device and inode: taken from a maps row with that path, or a
    /// number of its own, so that it stays apart from other files.
    [[nodiscard]] address_space::backing guessed_backing(std::string const& path, std::int32_t fd);
    /// Shared anonymous memory nobody named.
    [[nodiscard]] address_space::backing guessed_shared_memory(address_space::address start);

    /// Counts an unknown line under skip_unknown, refuses it otherwise.
    void unknown(line_reader const& reader, std::string const& reason);

    void read_faults();
    void read_checkpoints();
    /// Sorts the items, cuts them at the final snapshot, places the checkpoints.
    recorded_program finish();

    /// "base_real=1.5" or "base_mono_ns=7" in a header line, in ns.
    [[nodiscard]] static std::optional<std::int64_t> base_in(std::string_view line);

private:
    void read_flags();
    void read_globals();
    void read_read_only_files();
    void learn_paths();
    void learn_break();
    void add_fault(std::string_view line, std::int64_t shift_ns, line_reader const& reader);
    [[nodiscard]] std::int64_t snapshot_ns(snapshot_header const& header) const;

    recorded_program program_;
    load_options options_;
    snapshot_header header_;
    snapshot_header final_header_;
    std::int64_t base_ns_ = 0;
    std::unordered_map<std::uint32_t, std::uint32_t> thread_numbers_;
    std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t, std::string, std::int32_t>,
             std::uint64_t>
        open_files_;
    std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>> read_only_;
    std::unordered_map<std::string, backing_name> names_;
    std::uint64_t guesses_ = 0;
};

void read_strace_form(program_builder& builder, std::filesystem::path const& calls);
void read_native_form(program_builder& builder, std::filesystem::path const& calls);

}  // namespace manylock::replay

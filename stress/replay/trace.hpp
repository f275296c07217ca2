// A recorded program: the address space it started from, every call and page fault that touched it
// in the order in which the kernel took its mmap_lock, and the maps it ended with.
// Two forms are read, told apart by the files present: `trace.strace` (+ order.tsv, mmap2.tsv) and
// `events.tsv`. Either may be plain, .gz or .xz. Only the calls, initial.maps and final.maps are
// required; what a missing file costs is said at the option or field concerned.
// Invariants of a loaded program: `initial` and `final_rows` are sorted and do not overlap; items of
// one thread keep their program order; every item lies between the two snapshots.
#pragma once

#include "../input_error.hpp"
#include "compare.hpp"
#include "manylock/address_space/rules/operation.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace manylock::replay {

/// Bad input, as one sentence: where, what, and what would be right.
class trace_error : public stress::input_error {
public:
    trace_error(std::filesystem::path const& file, std::size_t line, std::string const& reason);

    [[nodiscard]] std::filesystem::path const& file() const noexcept { return file_; }
    /// 0 when the error concerns the file as a whole.
    [[nodiscard]] std::size_t line() const noexcept { return line_; }
    [[nodiscard]] std::string const& reason() const noexcept { return reason_; }

private:
    std::filesystem::path file_;
    std::size_t line_;
    std::string reason_;
};

/// Strings by number; number 0 is the empty string.
class string_table {
public:
    string_table();
    string_table(string_table&&) = default;
    string_table& operator=(string_table&&) = default;
    std::uint32_t intern(std::string_view text);
    [[nodiscard]] std::string const& operator[](std::uint32_t number) const {
        return *text_.at(number);
    }
    [[nodiscard]] std::size_t size() const noexcept { return text_.size(); }

private:
    std::unordered_map<std::string, std::uint32_t> numbers_;
    std::vector<std::string const*> text_;  // points into the keys of numbers_, which never move
};

struct load_options {
    /// Count lines and calls that the reader does not understand instead of refusing them.
    bool skip_unknown = false;
    /// Page faults decide where anon_vma differ and how stacks grow; without them some VMAs merge
    /// that the kernel kept apart.
    bool with_faults = true;
    std::uint64_t max_file_bytes = std::uint64_t{1} << 30;  ///< a file's size after decompression
    std::size_t max_items = 10'000'000;
};

/// A VMA of the initial snapshot. The flags are those of smaps, two letters each.
struct initial_vma : maps_row {
    bool has_flags = false;          ///< initial.vmflags was there
    std::string flags;               ///< "rd wr mr mw me ac", as printed
    std::uint64_t anonymous_kb = 0;  ///< more than 0: an anon_vma exists
    /// Its path is a number in recorded_program::paths; 0 for [heap] and [stack], which are labels
    /// that the kernel prints by place and not names.
    address_space::backing file{};
    std::uint32_t name = 0;  ///< given by prctl; a number in recorded_program::paths, 0 for none

    [[nodiscard]] bool has_flag(std::string_view two_letters) const;
};

struct process_globals {
    address_space::address start_stack =
        0;  ///< lies inside [stack], as the kernel's label test asks
    address_space::address start_brk = 0;
    address_space::address brk = 0;  ///< the break at the initial snapshot
};

/// A thread of control that ran on this address space: the root's threads, and vfork or CLONE_VM
/// children until their successful execve.
struct recorded_thread {
    std::uint32_t tid = 0;
    std::uint32_t creator = 0;   ///< tid of the thread that made it; 0 for the first
    std::int64_t start_ns = 0;   ///< time of the clone call; 0 for the first
    std::int64_t end_ns = 0;     ///< exit or execve; the final snapshot's time if neither was seen
    bool other_process = false;  ///< has its own tgid (vfork, CLONE_VM without CLONE_THREAD)
};

enum class source_file : std::uint8_t { calls, faults, mappings };

struct item {
    std::int64_t time_ns = 0;  ///< since the initial snapshot; mmap_lock acquisition where known
    std::uint32_t thread = 0;  ///< index into recorded_program::threads
    std::uint32_t line = 0;    ///< in `source`, counted from 1
    source_file source = source_file::calls;
    /// How long the call held mmap_lock for writing, or at most (strace form: until its return). 0
    /// where it did not take it, and for page faults, which no recording times.
    std::uint32_t work_ns = 0;
    address_space::operation op{};
};

struct checkpoint {
    std::string name;  ///< "checkpoint0"
    std::int64_t time_ns = 0;
    std::size_t items_before = 0;  ///< items[0, items_before) had happened
    std::vector<maps_row> rows;
};

/// What was left out and what was guessed, for an honest report.
struct load_notes {
    std::size_t unknown_lines = 0;        ///< only with skip_unknown
    std::size_t unfinished_calls = 0;     ///< caught in a call at the end: no result, left out
    std::size_t calls_without_order = 0;  ///< ordered by their return instead of the lock
    std::size_t maps_without_backing =
        0;                           ///< file mappings whose device and inode had to be guessed
    std::size_t foreign_faults = 0;  ///< of threads that do not share this address space
    std::size_t after_final = 0;     ///< items later than the final snapshot, left out
    std::size_t other_calls = 0;     ///< calls that leave the VMAs alone (prctl, msync, ...)
};

enum class trace_form : std::uint8_t { strace, native };

struct recorded_program {
    std::filesystem::path directory;
    trace_form form = trace_form::strace;
    std::uint32_t root_tgid = 0;
    string_table paths;
    process_globals globals;
    std::vector<initial_vma> initial;
    std::vector<recorded_thread> threads;  ///< threads[0] is the first
    std::vector<item> items;               ///< in recorded lock order
    std::vector<checkpoint> checkpoints;   ///< in time order
    std::vector<maps_row> final_rows;
    std::int64_t final_ns = 0;
    load_notes notes;
};

/// Reads the program recorded in `directory`. Throws trace_error.
[[nodiscard]] recorded_program load_program(std::filesystem::path const& directory,
                                            load_options const& options = {});

}  // namespace manylock::replay

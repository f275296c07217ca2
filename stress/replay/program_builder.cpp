#include "reading.hpp"
#include "text.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

namespace manylock::replay {
namespace {

namespace fs = std::filesystem;
using address_space::address;
using address_space::backing;
using address_space::page_size;

constexpr std::uint64_t small_file_bytes_max = std::uint64_t{256} << 20;
constexpr std::int32_t no_fd = -1;
constexpr char const* shared_memory_path = "/dev/zero (deleted)";
constexpr std::int64_t unknown_end = std::numeric_limits<std::int64_t>::max();

fs::path required_file(fs::path const& directory, std::string const& base) {
    auto const file = find_file(directory, base);
    if (!file) {
        throw trace_error{directory / base, 0, "no such file; a recorded program needs it"};
    }
    return *file;
}

backing_name name_of(maps_row const& row) {
    return {row.device_major, row.device_minor, row.inode, row.path};
}

/// One line of a .vmflags file: a maps row, then tab-separated Anonymous= and VmFlags=.
initial_vma parse_flags_row(std::string_view line, line_reader const& reader) {
    initial_vma vma;
    std::string_view rest = line;
    static_cast<maps_row&>(vma) = parse_maps_row(cut(rest, '\t'), reader);
    while (!rest.empty()) {
        std::string_view field = cut(rest, '\t');
        std::string_view const key = cut(field, '=');
        if (key == "Anonymous") {
            auto const kilobytes = parse_integer<std::uint64_t>(field);
            if (!kilobytes) {
                reader.fail("Anonymous=" + quoted(field) + " is not a number of kB");
            }
            vma.anonymous_kb = *kilobytes;
        } else if (key == "VmFlags") {
            std::string_view const flags = trim(field);
            bool const letters =
                flags.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789?? ") ==
                std::string_view::npos;
            if (!letters || (!flags.empty() && (flags.size() + 1) % 3 != 0)) {
                reader.fail("VmFlags=" + quoted(field) + " is not a list of two-letter flags");
            }
            vma.flags = flags;
            vma.has_flags = true;
        } else {
            reader.fail("the field " + quoted(key) + " is neither Anonymous nor VmFlags");
        }
    }
    return vma;
}

template <class Use>
void for_each_flags_row(fs::path const& file, Use use) {
    line_reader reader{file, small_file_bytes_max};
    std::string_view line;
    while (reader.next(line)) {
        if (!line.starts_with('#')) {
            use(parse_flags_row(line, reader), reader);
        }
    }
}

maps_row const* row_named(std::vector<initial_vma> const& rows, std::string_view path) {
    auto const found = std::ranges::find(rows, path, &maps_row::path);
    return found == rows.end() ? nullptr : &*found;
}

}  // namespace

std::optional<backing_name> parse_backing(std::string_view device, std::string_view inode,
                                          std::string_view path) {
    std::size_t const colon = device.find(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    auto const major = parse_integer<std::uint32_t>(device.substr(0, colon), 16);
    auto const minor = parse_integer<std::uint32_t>(device.substr(colon + 1), 16);
    auto const number = parse_integer<std::uint64_t>(inode);
    if (!major || !minor || !number) {
        return std::nullopt;
    }
    return backing_name{*major, *minor, *number, std::string{path}};
}

program_builder::program_builder(fs::path const& directory, load_options const& options)
    : options_{options} {
    program_.directory = directory;
}

std::optional<std::int64_t> program_builder::base_in(std::string_view line) {
    auto const value_after = [line](std::string_view key) {
        std::string_view const rest = line.substr(line.find(key) + key.size());
        return rest.substr(0, rest.find_first_not_of("0123456789."));
    };
    if (line.find("base_real=") != std::string_view::npos) {
        std::string_view const digits = value_after("base_real=");
        return parse_decimal(digits.substr(0, digits.find_last_not_of('.') + 1), 9);
    }
    if (line.find("base_mono_ns=") != std::string_view::npos) {
        return parse_decimal(value_after("base_mono_ns="), 0);
    }
    return std::nullopt;
}

void program_builder::read_snapshots() {
    maps_file initial = read_maps(required_file(program_.directory, "initial.maps"));
    header_ = initial.header;
    program_.root_tgid = header_.tgid;
    base_ns_ = header_.begin_ns;
    program_.initial.resize(initial.rows.size());
    for (std::size_t at = 0; at < initial.rows.size(); ++at) {
        static_cast<maps_row&>(program_.initial[at]) = std::move(initial.rows[at]);
    }
    maps_file final_maps = read_maps(required_file(program_.directory, "final.maps"));
    program_.final_rows = std::move(final_maps.rows);
    final_header_ = std::move(final_maps.header);
    read_flags();
    read_read_only_files();
    learn_paths();
    for (initial_vma& vma : program_.initial) {
        bool const shared = vma.path.starts_with("[anon_shmem:");
        if (shared || vma.path.starts_with("[anon:")) {
            std::size_t const begin = vma.path.find(':') + 1;
            vma.name = program_.paths.intern(
                std::string_view{vma.path}.substr(begin, vma.path.size() - begin - 1));
        }
        if (shared) {
            backing_name unnamed = name_of(vma);
            unnamed.path = shared_memory_path;
            vma.file = file_backing(unnamed, no_fd);
        } else if (vma.name != 0) {
            continue;
        } else if (vma.inode != 0) {
            vma.file = file_backing(name_of(vma), no_fd);
        } else if (vma.path != "[heap]" && vma.path != "[stack]") {
            vma.file.path = program_.paths.intern(vma.path);
        }
    }
    read_globals();
}

void program_builder::read_flags() {
    auto const file = find_file(program_.directory, "initial.vmflags");
    if (!file) {
        return;
    }
    std::size_t at = 0;
    for_each_flags_row(*file, [&](initial_vma const& row, line_reader const& reader) {
        if (at == program_.initial.size() ||
            static_cast<maps_row const&>(row) != static_cast<maps_row&>(program_.initial[at])) {
            reader.fail("the row is not row " + std::to_string(at + 1) + " of initial.maps");
        }
        program_.initial[at++] = row;
    });
    if (at != program_.initial.size()) {
        throw trace_error{*file, 0, "holds fewer rows than initial.maps"};
    }
}

// A shared mapping of a file opened O_RDONLY shows in the flags alone: "ms" without "sh".
void program_builder::read_read_only_files() {
    auto const learn = [this](initial_vma const& vma, line_reader const&) {
        if (vma.has_flag("ms") && !vma.has_flag("sh")) {
            read_only_.emplace(vma.device_major, vma.device_minor, vma.inode);
        }
    };
    for (char const* const base : {"initial.vmflags", "final.vmflags"}) {
        if (auto const file = find_file(program_.directory, base)) {
            for_each_flags_row(*file, learn);
        }
    }
}

void program_builder::learn_paths() {
    auto const learn = [this](maps_row const& row) {
        if (row.inode != 0) {
            names_.try_emplace(row.path, name_of(row));
        }
    };
    std::ranges::for_each(program_.initial, learn);
    std::ranges::for_each(program_.final_rows, learn);
}

// Fields 28 and 47 of /proc/PID/stat, counted from 1; the second one, the name, is in parentheses
// and may hold anything.
void program_builder::read_globals() {
    process_globals& globals = program_.globals;
    maps_row const* const heap = row_named(program_.initial, "[heap]");
    maps_row const* const stack = row_named(program_.initial, "[stack]");
    auto const file = find_file(program_.directory, "initial.stat");
    if (!file) {
        globals.start_stack = stack != nullptr ? stack->end - 1 : 0;
        globals.start_brk = heap != nullptr ? heap->start : 0;
        globals.brk = heap != nullptr ? heap->end : 0;
        return;
    }
    line_reader reader{*file, small_file_bytes_max};
    std::string_view line;
    std::size_t const name_end = reader.next(line) ? line.rfind(')') : std::string_view::npos;
    if (name_end == std::string_view::npos || name_end + 2 > line.size()) {
        throw trace_error{*file, 1, "is not a line of /proc/PID/stat: 'pid (name) state ...'"};
    }
    auto const fields = split(line.substr(name_end + 2), " ");
    constexpr std::size_t fields_before = 3;  // pid, name, and counting from 1
    constexpr std::size_t start_stack_field = 28 - fields_before;
    constexpr std::size_t start_brk_field = 47 - fields_before;
    auto const field = [&](std::size_t index) {
        auto const value = index < fields.size() ? parse_integer<address>(fields[index])
                                                 : std::optional<address>{};
        if (!value || *value >= address_space::address_limit) {
            reader.fail("field " + std::to_string(index + fields_before) +
                        " of /proc/PID/stat is not a user address");
        }
        return *value;
    };
    globals.start_stack = field(start_stack_field);
    globals.start_brk = field(start_brk_field);
    globals.brk = heap != nullptr ? heap->end : globals.start_brk;
}

std::uint32_t program_builder::add_thread(recorded_thread const& thread) {
    auto const index = static_cast<std::uint32_t>(program_.threads.size());
    program_.threads.push_back(thread);
    program_.threads.back().end_ns = unknown_end;
    thread_numbers_[thread.tid] = index;
    return index;
}

std::optional<std::uint32_t> program_builder::thread_of(std::uint32_t tid) const {
    auto const found = thread_numbers_.find(tid);
    return found == thread_numbers_.end() ? std::nullopt : std::optional{found->second};
}

void program_builder::add_item(item const& entry, line_reader const& reader) {
    if (program_.items.size() >= options_.max_items) {
        reader.fail("the recording holds more than " + std::to_string(options_.max_items) +
                    " calls and faults");
    }
    program_.items.push_back(entry);
    // The flags tell of an inode what belongs to one opening of it; a mapping to write to tells more.
    address_space::operation& op = program_.items.back().op;
    constexpr std::uint32_t prot_write = 2;
    if (op.what == address_space::call::map && op.result >= 0 && (op.prot & prot_write) != 0) {
        op.file.read_only_file = false;
    }
}

backing program_builder::file_backing(backing_name const& name, std::int32_t fd) {
    auto const [at, added] = open_files_.try_emplace(
        {name.device_major, name.device_minor, name.inode, name.path, fd}, open_files_.size() + 1);
    backing file;
    file.open_file = at->second;
    file.inode = name.inode;
    file.device_major = name.device_major;
    file.device_minor = name.device_minor;
    file.path = program_.paths.intern(name.path);
    file.shared_memory = name.path == shared_memory_path || name.path.starts_with("/memfd:") ||
                         name.path.starts_with("/SYSV");
    file.read_only_file = read_only_.contains({name.device_major, name.device_minor, name.inode});
    return file;
}

backing program_builder::guessed_backing(std::string const& path, std::int32_t fd) {
    ++program_.notes.maps_without_backing;
    auto const known = names_.find(path);
    if (known != names_.end()) {
        return file_backing(known->second, fd);
    }
    backing_name const guess{0, 0, std::numeric_limits<std::uint64_t>::max() - guesses_++, path};
    names_.emplace(path, guess);
    return file_backing(guess, fd);
}

backing program_builder::guessed_shared_memory(address start) {
    ++program_.notes.maps_without_backing;
    for (maps_row const& row : program_.final_rows) {
        if (row.start <= start && start < row.end && row.path == shared_memory_path) {
            return file_backing(name_of(row), no_fd);
        }
    }
    std::uint64_t const inode = std::numeric_limits<std::uint64_t>::max() - guesses_++;
    return file_backing({0, 1, inode, shared_memory_path}, no_fd);
}

void program_builder::unknown(line_reader const& reader, std::string const& reason) {
    if (!options_.skip_unknown) {
        reader.fail(reason);
    }
    ++program_.notes.unknown_lines;
}

void program_builder::read_faults() {
    auto const file = find_file(program_.directory, "faults.txt");
    if (!options_.with_faults || !file) {
        return;
    }
    line_reader reader{*file, options_.max_file_bytes};
    std::string_view line;
    std::int64_t shift_ns = 0;
    while (reader.next(line)) {
        if (line.starts_with('#')) {
            if (auto const base = base_in(line)) {
                shift_ns = *base - base_ns_;
            }
            continue;
        }
        add_fault(line, shift_ns, reader);
    }
}

// "dt_us tid page err": page is address >> 12, err the x86 page fault error code, both hexadecimal.
void program_builder::add_fault(std::string_view line, std::int64_t shift_ns,
                                line_reader const& reader) {
    enum : std::uint32_t { present = 1, write = 2, user = 4, fetch = 0x10 };
    std::string_view rest = line;
    auto const time_ns = parse_decimal(cut(rest, ' '), 3);
    auto const tid = parse_integer<std::uint32_t>(cut(rest, ' '));
    auto const page = parse_integer<std::uint64_t>(cut(rest, ' '), 16);
    auto const error = parse_integer<std::uint32_t>(rest, 16);
    if (!time_ns || !tid || !page || !error ||
        *page > std::numeric_limits<std::uint64_t>::max() / page_size) {
        unknown(reader, quoted(line) + " is not a fault 'dt_us tid page err'");
        return;
    }
    auto const thread = thread_of(*tid);
    std::int64_t const time = *time_ns + shift_ns;
    if (!thread ||
        (program_.threads[*thread].other_process && time > program_.threads[*thread].end_ns)) {
        ++program_.notes.foreign_faults;
        return;
    }
    if (time < 0) {
        return;  // part of the initial snapshot already
    }
    item entry;
    entry.time_ns = time;
    entry.thread = *thread;
    entry.line = static_cast<std::uint32_t>(reader.line_number());
    entry.source = source_file::faults;
    entry.op.what = address_space::call::fault;
    entry.op.start = *page * page_size;
    entry.op.flags = ((*error & write) != 0 ? address_space::fault_write : 0U) |
                     ((*error & fetch) != 0 ? address_space::fault_exec : 0U) |
                     ((*error & user) == 0 ? address_space::fault_kernel : 0U) |
                     ((*error & present) != 0 ? address_space::fault_present : 0U);
    add_item(entry, reader);
}

std::int64_t program_builder::snapshot_ns(snapshot_header const& header) const {
    bool const comparable =
        header.has_time && header_.has_time && header.real_clock == header_.real_clock;
    return comparable ? header.end_ns - base_ns_ : unknown_end;
}

void program_builder::read_checkpoints() {
    for (std::size_t number = 0;; ++number) {
        std::string const name = "checkpoint" + std::to_string(number);
        auto const file = find_file(program_.directory, name + ".maps");
        if (!file) {
            break;
        }
        maps_file snapshot = read_maps(*file);
        std::int64_t const time = snapshot_ns(snapshot.header);
        if (time == unknown_end || time < 0) {
            throw trace_error{*file, 1,
                              "the snapshot's header says no time on the clock of initial.maps"};
        }
        program_.checkpoints.push_back({name, time, 0, std::move(snapshot.rows)});
    }
    std::ranges::stable_sort(program_.checkpoints, {}, &checkpoint::time_ns);
}

// Without initial.stat the break is what the first brk(0) answered.
void program_builder::learn_break() {
    if (program_.globals.start_brk != 0) {
        return;
    }
    for (item const& entry : program_.items) {
        if (entry.op.what == address_space::call::set_break && entry.op.start == 0) {
            program_.globals.start_brk = static_cast<address>(entry.op.result);
            program_.globals.brk = program_.globals.start_brk;
            return;
        }
    }
}

recorded_program program_builder::finish() {
    std::ranges::stable_sort(program_.items, {}, &item::time_ns);
    learn_break();
    std::int64_t last = program_.items.empty() ? 0 : program_.items.back().time_ns;
    std::int64_t const final_ns = snapshot_ns(final_header_);
    program_.final_ns = final_ns == unknown_end ? last : final_ns;
    auto const end =
        std::ranges::upper_bound(program_.items, program_.final_ns, {}, &item::time_ns);
    program_.notes.after_final = static_cast<std::size_t>(std::distance(end, program_.items.end()));
    program_.items.erase(end, program_.items.end());
    for (recorded_thread& thread : program_.threads) {
        thread.end_ns = std::min(thread.end_ns, program_.final_ns);
    }
    for (checkpoint& point : program_.checkpoints) {
        auto const after =
            std::ranges::upper_bound(program_.items, point.time_ns, {}, &item::time_ns);
        point.items_before = static_cast<std::size_t>(std::distance(program_.items.begin(), after));
    }
    return std::move(program_);
}

}  // namespace manylock::replay

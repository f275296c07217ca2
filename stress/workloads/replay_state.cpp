#include "replay_state.hpp"

#include "../replay/compare.hpp"

#include <array>
#include <sstream>
#include <string_view>
#include <utility>

namespace manylock::stress {
namespace {

namespace space = address_space;

constexpr std::array<std::pair<std::string_view, space::vma_flags>, 26> flag_letters{
    {{"rd", space::vm_read},        {"wr", space::vm_write},     {"ex", space::vm_exec},
     {"sh", space::vm_shared},      {"mr", space::vm_may_read},  {"mw", space::vm_may_write},
     {"me", space::vm_may_exec},    {"ms", space::vm_may_share}, {"gd", space::vm_growsdown},
     {"gu", space::vm_maybe_guard}, {"pf", space::vm_pfnmap},    {"io", space::vm_io},
     {"de", space::vm_dontexpand},  {"lo", space::vm_locked},    {"lf", space::vm_lock_on_fault},
     {"ac", space::vm_account},     {"nr", space::vm_noreserve}, {"hg", space::vm_hugepage},
     {"nh", space::vm_nohugepage},  {"dc", space::vm_dontcopy},  {"dd", space::vm_dontdump},
     {"rr", space::vm_rand_read},   {"sr", space::vm_seq_read},  {"wf", space::vm_wipe_on_fork},
     {"mg", space::vm_mergeable},   {"sl", space::vm_sealed}}};

/// Without smaps: what a program's mapping of these permissions has as a rule.
space::vma_flags flags_from(std::array<char, 4> const& perms, std::string_view path) {
    space::vma_flags flags = space::vm_may_access;
    if (perms[0] == 'r') flags |= space::vm_read;
    if (perms[1] == 'w') flags |= space::vm_write;
    if (perms[2] == 'x') flags |= space::vm_exec;
    if (perms[3] == 's') flags |= space::vm_shared | space::vm_may_share;
    if (perms[1] == 'w' && perms[3] == 'p') flags |= space::vm_account;
    if (path == "[stack]") flags |= space::vm_growsdown;
    if (path.starts_with("[v")) flags |= space::vm_dontexpand;
    return flags;
}

}  // namespace

space::mm_globals initial_globals(replay::recorded_program const& program) {
    space::mm_globals globals;
    globals.start_brk = program.globals.start_brk;
    globals.brk = program.globals.brk;
    globals.start_stack = program.globals.start_stack;
    return globals;
}

space::vma initial_area(replay::initial_vma const& recorded, bool forked, std::uint64_t anon_id) {
    space::vma area;
    area.start = recorded.start;
    area.end = recorded.end;
    if (recorded.has_flags) {
        for (auto const& [letters, flag] : flag_letters) {
            if (recorded.has_flag(letters)) area.flags |= flag;
        }
    } else {
        area.flags = flags_from(recorded.perms, recorded.path);
    }
    area.file = recorded.file;
    area.name = recorded.name;
    bool const of_file = area.file.open_file != 0;
    area.page_offset = (of_file ? recorded.offset : recorded.start) / space::page_size;
    if (recorded.anonymous_kb > 0) area.anon = {anon_id, forked};
    return area;
}

bool began_at_fork(replay::recorded_program const& program) {
    for (auto const* name : {"initial.maps", "initial.maps.gz", "initial.maps.xz"}) {
        auto const file = program.directory / name;
        if (std::filesystem::exists(file)) return replay::read_maps(file).header.kind == "fork";
    }
    return false;
}

std::vector<replay::maps_row> printed_rows(std::vector<space::maps_row> const& rows,
                                           replay::string_table const& paths) {
    std::vector<replay::maps_row> printed;
    printed.reserve(rows.size());
    for (auto const& row : rows) {
        auto& p = printed.emplace_back();
        p.start = row.start;
        p.end = row.end;
        p.perms = row.permissions;
        p.offset = row.offset;
        p.device_major = row.device_major;
        p.device_minor = row.device_minor;
        p.inode = row.inode;
        switch (row.label) {
            case space::row_label::none: break;
            case space::row_label::path: p.path = paths[row.path]; break;
            case space::row_label::heap: p.path = "[heap]"; break;
            case space::row_label::stack: p.path = "[stack]"; break;
            case space::row_label::anon_name: p.path = "[anon:" + paths[row.path] + "]"; break;
            case space::row_label::anon_shmem_name:
                p.path = "[anon_shmem:" + paths[row.path] + "]";
                break;
        }
    }
    return printed;
}

std::string row_differences(std::string const& what, std::vector<replay::maps_row> const& expected,
                            std::vector<replay::maps_row> const& actual) {
    auto const differences = replay::compare_rows(expected, actual);
    if (differences.empty()) return {};
    std::ostringstream text;
    text << what << " differs from the kernel's in " << differences.size() << " rows:\n";
    replay::print_differences(text, differences);
    return text.str();
}

}  // namespace manylock::stress

#include "calls.hpp"

#include "text.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace manylock::replay {
namespace {

using address_space::call;
using address_space::operation;

struct call_row {
    std::string_view name;
    call_class what;
    argument_count arguments;
};

constexpr call_row call_rows[] = {
    {"mmap", call_class::changes, {6, 6}},
    {"munmap", call_class::changes, {2, 2}},
    {"mprotect", call_class::changes, {3, 3}},
    {"pkey_mprotect", call_class::changes, {4, 4}},
    {"mremap", call_class::changes, {4, 5}},
    {"brk", call_class::changes, {1, 1}},
    {"madvise", call_class::changes, {3, 3}},
    {"mlock", call_class::changes, {2, 2}},
    {"mlock2", call_class::changes, {3, 3}},
    {"munlock", call_class::changes, {2, 2}},
    {"mlockall", call_class::changes, {1, 1}},
    {"munlockall", call_class::changes, {0, 0}},
    {"mbind", call_class::changes, {6, 6}},
    {"mseal", call_class::changes, {3, 6}},  // 6 where strace knows the number alone
    {"remap_file_pages", call_class::changes, {5, 5}},
    {"clone", call_class::creates, {}},
    {"clone3", call_class::creates, {}},
    {"fork", call_class::creates, {}},
    {"vfork", call_class::creates, {}},
    {"execve", call_class::replaces, {}},
    {"execveat", call_class::replaces, {}},
    {"exit", call_class::exits, {}},
    {"exit_group", call_class::exits, {}},
    {"prctl", call_class::neutral, {}},
    {"msync", call_class::neutral, {}},
    {"mincore", call_class::neutral, {}},
    {"get_mempolicy", call_class::neutral, {}},
    {"set_mempolicy", call_class::neutral, {}},
    {"move_pages", call_class::neutral, {}},
    {"migrate_pages", call_class::neutral, {}},
    {"pkey_alloc", call_class::neutral, {}},
    {"pkey_free", call_class::neutral, {}},
    {"membarrier", call_class::neutral, {}},
    {"memfd_create", call_class::neutral, {}},
    {"memfd_secret", call_class::neutral, {}},
    {"process_madvise", call_class::neutral, {}},
    {"process_mrelease", call_class::neutral, {}},
    {"cachestat", call_class::neutral, {}},
    {"arch_prctl", call_class::neutral, {}},
    {"set_mempolicy_home_node", call_class::unmodelled, {}},
    {"map_shadow_stack", call_class::unmodelled, {}},
    {"shmat", call_class::unmodelled, {}},
    {"shmdt", call_class::unmodelled, {}},
};

call_row const* find_call(std::string_view name) {
    auto const* const found = std::ranges::find(call_rows, name, &call_row::name);
    return found == std::ranges::end(call_rows) ? nullptr : found;
}

struct symbol {
    std::string_view name;
    std::uint64_t value;
};

constexpr symbol symbols[] = {
    {"PROT_NONE", 0},
    {"PROT_READ", 1},
    {"PROT_WRITE", 2},
    {"PROT_EXEC", 4},
    {"PROT_SEM", 8},
    {"PROT_GROWSDOWN", 0x01000000},
    {"PROT_GROWSUP", 0x02000000},
    {"MAP_FILE", 0},
    {"MAP_SHARED", 1},
    {"MAP_PRIVATE", 2},
    {"MAP_SHARED_VALIDATE", 3},
    {"MAP_DROPPABLE", 8},
    {"MAP_FIXED", 0x10},
    {"MAP_ANONYMOUS", 0x20},
    {"MAP_ANON", 0x20},
    {"MAP_32BIT", 0x40},
    {"MAP_ABOVE4G", 0x80},
    {"MAP_GROWSDOWN", 0x100},
    {"MAP_DENYWRITE", 0x800},
    {"MAP_EXECUTABLE", 0x1000},
    {"MAP_LOCKED", 0x2000},
    {"MAP_NORESERVE", 0x4000},
    {"MAP_POPULATE", 0x8000},
    {"MAP_NONBLOCK", 0x10000},
    {"MAP_STACK", 0x20000},
    {"MAP_HUGETLB", 0x40000},
    {"MAP_SYNC", 0x80000},
    {"MAP_FIXED_NOREPLACE", 0x100000},
    {"MAP_UNINITIALIZED", 0x4000000},
    {"MREMAP_MAYMOVE", 1},
    {"MREMAP_FIXED", 2},
    {"MREMAP_DONTUNMAP", 4},
    {"MADV_NORMAL", 0},
    {"MADV_RANDOM", 1},
    {"MADV_SEQUENTIAL", 2},
    {"MADV_WILLNEED", 3},
    {"MADV_DONTNEED", 4},
    {"MADV_FREE", 8},
    {"MADV_REMOVE", 9},
    {"MADV_DONTFORK", 10},
    {"MADV_DOFORK", 11},
    {"MADV_MERGEABLE", 12},
    {"MADV_UNMERGEABLE", 13},
    {"MADV_HUGEPAGE", 14},
    {"MADV_NOHUGEPAGE", 15},
    {"MADV_DONTDUMP", 16},
    {"MADV_DODUMP", 17},
    {"MADV_WIPEONFORK", 18},
    {"MADV_KEEPONFORK", 19},
    {"MADV_COLD", 20},
    {"MADV_PAGEOUT", 21},
    {"MADV_POPULATE_READ", 22},
    {"MADV_POPULATE_WRITE", 23},
    {"MADV_DONTNEED_LOCKED", 24},
    {"MADV_COLLAPSE", 25},
    {"MADV_HWPOISON", 100},
    {"MADV_SOFT_OFFLINE", 101},
    {"MADV_GUARD_INSTALL", 102},
    {"MADV_GUARD_REMOVE", 103},
    {"MLOCK_ONFAULT", 1},
    {"MCL_CURRENT", 1},
    {"MCL_FUTURE", 2},
    {"MCL_ONFAULT", 4},
    {"MPOL_MF_STRICT", 1},
    {"MPOL_MF_MOVE", 2},
    {"MPOL_MF_MOVE_ALL", 4},
    {"PR_SET_MM", pr_set_mm},
    {"PR_SET_VMA", pr_set_vma},
    {"CLONE_VM", clone_vm},
    {"CLONE_VFORK", clone_vfork},
    {"CLONE_THREAD", clone_thread},
};

struct errno_row {
    std::string_view name;
    std::int32_t value;
};

constexpr errno_row errno_rows[] = {
    {"EPERM", EPERM},
    {"ENOENT", ENOENT},
    {"ESRCH", ESRCH},
    {"EINTR", EINTR},
    {"EIO", EIO},
    {"ENXIO", ENXIO},
    {"E2BIG", E2BIG},
    {"ENOEXEC", ENOEXEC},
    {"EBADF", EBADF},
    {"ECHILD", ECHILD},
    {"EAGAIN", EAGAIN},
    {"ENOMEM", ENOMEM},
    {"EACCES", EACCES},
    {"EFAULT", EFAULT},
    {"EBUSY", EBUSY},
    {"EEXIST", EEXIST},
    {"ENODEV", ENODEV},
    {"ENOTDIR", ENOTDIR},
    {"EISDIR", EISDIR},
    {"EINVAL", EINVAL},
    {"ENFILE", ENFILE},
    {"EMFILE", EMFILE},
    {"ETXTBSY", ETXTBSY},
    {"ENOSPC", ENOSPC},
    {"ENOSYS", ENOSYS},
    {"ELOOP", ELOOP},
    {"EOVERFLOW", EOVERFLOW},
    {"EOPNOTSUPP", EOPNOTSUPP},
    {"ENAMETOOLONG", ENAMETOOLONG},
    {"ELIBBAD", ELIBBAD},
    {"EHWPOISON", EHWPOISON},
};

std::string_view without_comment(std::string_view text) {
    std::size_t const comment = text.find("/*");
    return trim(comment == std::string_view::npos ? text : text.substr(0, comment));
}

// strace prints the page size of a huge mapping as "21<<MAP_HUGE_SHIFT".
std::optional<std::uint64_t> parse_shifted(std::string_view text) {
    constexpr std::string_view suffix = "<<MAP_HUGE_SHIFT";
    constexpr int map_huge_shift = 26;
    if (!text.ends_with(suffix)) {
        return std::nullopt;
    }
    auto const log2_bytes = parse_number(text.substr(0, text.size() - suffix.size()));
    if (!log2_bytes || *log2_bytes > 63) {
        return std::nullopt;
    }
    return *log2_bytes << map_huge_shift;
}

std::optional<std::uint64_t> parse_symbol(std::string_view text, std::string_view family) {
    if (text.starts_with(family)) {
        auto const* const found = std::ranges::find(symbols, text, &symbol::name);
        if (found != std::ranges::end(symbols)) {
            return found->value;
        }
    }
    if (auto const number = parse_number(text)) {
        return number;
    }
    return parse_shifted(text);
}

struct operation_builder {
    call_arguments const& arguments;
    std::int64_t result;

    [[nodiscard]] std::uint64_t at(std::size_t index) const { return arguments.value[index]; }

    // A refused call may carry any bits; one that succeeded with more than 32 was misread.
    [[nodiscard]] bool fits_flags(std::uint64_t value) const {
        return result < 0 || value <= std::numeric_limits<std::uint32_t>::max();
    }

    [[nodiscard]] operation range(call what) const {
        operation op;
        op.what = what;
        op.start = at(0);
        op.length = at(1);
        op.result = result;
        return op;
    }

    [[nodiscard]] std::optional<operation> map() const {
        if (!fits_flags(at(2)) || !fits_flags(at(3))) {
            return std::nullopt;
        }
        operation op = range(call::map);
        op.prot = static_cast<std::uint32_t>(at(2));
        op.flags = static_cast<std::uint32_t>(at(3));
        op.offset = at(5);
        op.placed = result >= 0;
        return op;
    }

    [[nodiscard]] std::optional<operation> protect() const {
        if (!fits_flags(at(2))) {
            return std::nullopt;
        }
        operation op = range(call::protect);
        op.prot = static_cast<std::uint32_t>(at(2));
        return op;
    }

    [[nodiscard]] std::optional<operation> remap() const {
        if (!fits_flags(at(3))) {
            return std::nullopt;
        }
        operation op = range(call::remap);
        op.new_length = at(2);
        op.flags = static_cast<std::uint32_t>(at(3));
        op.new_start = at(4);
        op.placed = result >= 0;
        return op;
    }

    [[nodiscard]] std::optional<operation> advise() const {
        // The kernel takes an int: a negative advice arrives as its two's complement.
        auto const advice = static_cast<std::int64_t>(at(2));
        if (advice > std::numeric_limits<std::uint32_t>::max() ||
            advice < std::numeric_limits<std::int32_t>::min()) {
            return std::nullopt;
        }
        operation op = range(call::advise);
        op.advice = static_cast<std::int32_t>(static_cast<std::uint32_t>(at(2)));
        return op;
    }

    [[nodiscard]] std::optional<operation> lock(call what, std::size_t flags_index) const {
        if (!fits_flags(at(flags_index))) {
            return std::nullopt;
        }
        operation op = what == call::lock_all ? operation{} : range(what);
        op.what = what;
        op.flags = static_cast<std::uint32_t>(at(flags_index));
        op.result = result;
        return op;
    }

    [[nodiscard]] std::optional<operation> seal() const {
        if (!fits_flags(at(2))) {
            return std::nullopt;
        }
        operation op = range(call::seal);
        op.flags = static_cast<std::uint32_t>(at(2) | at(2) >> 32U);
        return op;
    }

    [[nodiscard]] std::optional<operation> remap_file() const {
        if (!fits_flags(at(2))) {
            return std::nullopt;
        }
        operation op = range(call::remap_file);
        op.prot = static_cast<std::uint32_t>(at(2) | at(2) >> 32U);
        op.offset = at(3);
        return op;
    }

    [[nodiscard]] operation set_break() const {
        operation op;
        op.what = call::set_break;
        op.start = at(0);
        op.result = result;
        return op;
    }
};

}  // namespace

bool names_vmas(std::int64_t result) {
    return result == 0 || result == -ENOMEM || result == -EBADF || result == -EAGAIN;
}

call_class classify(std::string_view name) {
    call_row const* const row = find_call(name);
    return row == nullptr ? call_class::unknown : row->what;
}

argument_count arguments_of(std::string_view name) {
    call_row const* const row = find_call(name);
    return row == nullptr ? argument_count{} : row->arguments;
}

std::optional<operation> make_operation(std::string_view name, call_arguments const& arguments,
                                        std::int64_t result) {
    operation_builder const builder{arguments, result};
    if (name == "mmap") {
        return builder.map();
    }
    if (name == "munmap") {
        return builder.range(call::unmap);
    }
    if (name == "mprotect" || name == "pkey_mprotect") {
        return builder.protect();
    }
    if (name == "mremap") {
        return builder.remap();
    }
    if (name == "brk") {
        return builder.set_break();
    }
    if (name == "madvise") {
        return builder.advise();
    }
    if (name == "mlock") {
        return builder.range(call::lock_range);
    }
    if (name == "mlock2") {
        return builder.lock(call::lock_range, 2);
    }
    if (name == "munlock") {
        return builder.range(call::unlock_range);
    }
    if (name == "mlockall") {
        return builder.lock(call::lock_all, 0);
    }
    if (name == "mbind") {
        return builder.range(call::set_policy);
    }
    if (name == "mseal") {
        return builder.seal();
    }
    if (name == "remap_file_pages") {
        return builder.remap_file();
    }
    if (name == "munlockall") {
        operation op;
        op.what = call::unlock_all;
        op.result = result;
        return op;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> parse_symbols(std::string_view text, std::string_view family) {
    std::uint64_t value = 0;
    for (std::string_view const part : split(without_comment(text), "|")) {
        auto const one = parse_symbol(part, family);
        if (!one) {
            return std::nullopt;
        }
        value |= *one;
    }
    return value;
}

std::optional<std::int32_t> errno_value(std::string_view name) {
    auto const* const found = std::ranges::find(errno_rows, name, &errno_row::name);
    if (found == std::ranges::end(errno_rows)) {
        return std::nullopt;
    }
    return found->value;
}

}  // namespace manylock::replay

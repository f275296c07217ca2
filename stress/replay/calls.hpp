// The system calls a recording may hold: which of them change an address space, how their arguments
// become an operation, and what strace's symbolic names mean. Values are the Linux x86-64 ABI's.
#pragma once

#include "manylock/address_space/rules/operation.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace manylock::replay {

enum class call_class : std::uint8_t {
    changes,     ///< becomes an operation
    neutral,     ///< leaves the VMAs alone
    unmodelled,  ///< changes them in a way that no operation describes, if it succeeds
    creates,     ///< clone, clone3, fork, vfork
    replaces,    ///< execve, execveat
    exits,       ///< exit, exit_group
    unknown
};

[[nodiscard]] call_class classify(std::string_view name);

/// The arguments of a call as numbers, missing ones 0. `fd` of mmap stands apart: it is signed.
struct call_arguments {
    std::array<std::uint64_t, 6> value{};
    std::int32_t fd = -1;
};

/// Did prctl(PR_SET_VMA_ANON_NAME) with this result walk over its range? Where a name is not taken, or
/// the kernel was built without names, it changes nothing.
[[nodiscard]] bool names_vmas(std::int64_t result);

/// An operation without its backing (and mbind's without the number of its policy), from a call of
/// class `changes`. `result` is the address, 0 or
/// -errno that the kernel returned. Returns nothing where the arguments are out of range.
[[nodiscard]] std::optional<address_space::operation> make_operation(
    std::string_view name, call_arguments const& arguments, std::int64_t result);

/// How many arguments strace prints: {least, most}.
struct argument_count {
    std::size_t least = 0;
    std::size_t most = 0;
};
[[nodiscard]] argument_count arguments_of(std::string_view name);

/// "PROT_READ|PROT_WRITE", "MAP_PRIVATE|0x10 /* MAP_??? */", "MADV_FREE", "0x67 /* MADV_??? */".
/// Names of one call's family only: `family` is "PROT_", "MAP_", "MADV_", "MREMAP_", ...
[[nodiscard]] std::optional<std::uint64_t> parse_symbols(std::string_view text,
                                                         std::string_view family);

/// The errno value of a name such as "ENOMEM".
[[nodiscard]] std::optional<std::int32_t> errno_value(std::string_view name);

inline constexpr std::uint64_t map_shared = 0x01;
inline constexpr std::uint64_t map_private = 0x02;
inline constexpr std::uint64_t map_type_mask = 0x0f;
inline constexpr std::uint64_t map_anonymous = 0x20;
inline constexpr std::uint64_t clone_vm = 0x100;
inline constexpr std::uint64_t clone_vfork = 0x4000;
inline constexpr std::uint64_t clone_thread = 0x10000;
/// MPOL_MF_MOVE and MPOL_MF_MOVE_ALL: with them an mbind that fails with EIO has set the policy.
inline constexpr std::uint64_t mbind_moves = 6;
/// Stands for the policy of an mbind that failed, where the recording does not tell which it was.
inline constexpr std::uint32_t unknown_policy = 0xffffffff;
inline constexpr std::uint64_t pr_set_mm = 35;
inline constexpr std::uint64_t pr_set_vma = 0x53564d41;
inline constexpr std::uint64_t pr_set_vma_anon_name = 0;

}  // namespace manylock::replay

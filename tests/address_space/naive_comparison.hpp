// Are two lists of VMAs the same up to the names of anon_vmas and of shared anonymous files?
#pragma once

#include <manylock/address_space/rules/globals.hpp>

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace manylock::address_space {

/// Identities are replaced by the order of their first appearance.
inline std::vector<vma> canonical(std::vector<vma> rows) {
    std::map<std::uint64_t, std::uint64_t> anon{{0, 0}};
    std::map<std::uint64_t, std::uint64_t> file;
    for (vma& row : rows) {
        row.anon.id = anon.emplace(row.anon.id, anon.size()).first->second;
        if (row.file.open_file & fresh_file_bit)
            row.file.open_file =
                fresh_file_bit | file.emplace(row.file.open_file, file.size()).first->second;
    }
    return rows;
}

inline std::string describe(std::vector<vma> const& rows) {
    std::ostringstream out;
    out << std::hex;
    for (vma const& row : rows)
        out << row.start << '-' << row.end << " flags " << row.flags << " offset "
            << row.page_offset << " anon " << row.anon.id << " file " << row.file.open_file
            << " name " << row.name << " policy " << row.policy << '\n';
    return out.str();
}

inline std::string describe(operation const& op) {
    std::ostringstream out;
    out << "call " << static_cast<int>(op.what) << std::hex << " start " << op.start << " length "
        << op.length << " new_length " << op.new_length << " new_start " << op.new_start << " prot "
        << op.prot << " flags " << op.flags << " advice " << op.advice;
    return out.str();
}

}  // namespace manylock::address_space

// The simplest possible replay: which page has which permissions, file and offset. It knows nothing
// of merging, so it cannot tell where the kernel put VMA boundaries, but it sees every page. It
// shares no code with the address space, and checks the reader alone: a lost, doubled, misread or
// misplaced call shows up as wrong pages.
#pragma once

#include "replay/compare.hpp"
#include "replay/trace.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace manylock::replay {

class page_model {
public:
    using address = address_space::address;

    explicit page_model(recorded_program const& program)
        : program_{program}, brk_{program.globals.brk} {
        for (initial_vma const& vma : program.initial) {
            piece initial{vma, vma.file.read_only_file, vma.path == "[stack]"};
            plain(initial.row);
            pieces_.emplace(vma.start, initial);
        }
    }

    void replay(std::size_t from, std::size_t to) {
        for (std::size_t at = from; at < to; ++at) apply(program_.items[at].op);
    }

    [[nodiscard]] std::vector<maps_row> rows() const {
        std::vector<maps_row> all;
        for (auto const& [start, entry] : pieces_) all.push_back(entry.row);
        return joined(all);
    }

    /// Rows without the labels that depend on the place, and without boundaries that pages do not
    /// show.
    [[nodiscard]] static std::vector<maps_row> joined(std::vector<maps_row> const& rows) {
        std::vector<maps_row> out;
        for (maps_row row : rows) {
            plain(row);
            if (!out.empty() && continues(out.back(), row))
                out.back().end = row.end;
            else
                out.push_back(row);
        }
        return out;
    }

private:
    struct piece {
        maps_row row;
        bool read_only_file = false;
        bool grows_down = false;
    };
    using piece_map = std::map<address, piece>;

    static void plain(maps_row& row) {
        if (row.path == "[heap]" || row.path == "[stack]") row.path.clear();
    }

    static bool continues(maps_row const& left, maps_row const& right) {
        std::uint64_t const step = left.inode != 0 ? left.end - left.start : 0;
        return left.end == right.start && left.perms == right.perms && left.path == right.path &&
               left.inode == right.inode && left.device_major == right.device_major &&
               left.device_minor == right.device_minor && left.offset + step == right.offset;
    }

    static address page_up(address value) {
        return (value + address_space::page_size - 1) / address_space::page_size *
               address_space::page_size;
    }

    void apply(address_space::operation const& op) {
        using address_space::call;
        switch (op.what) {
            case call::map:
                if (op.result >= 0) map(op);
                break;
            case call::unmap:
                if (op.result == 0) erase(op.start, op.start + page_up(op.length));
                break;
            case call::protect: protect(op); break;
            case call::remap:
                if (op.result >= 0) remap(op);
                break;
            case call::set_break: set_break(op); break;
            case call::fault:
            case call::grow_stack: grow(op.start); break;
            default: break;
        }
    }

    void split_at(address where) {
        auto const after = pieces_.upper_bound(where);
        if (after == pieces_.begin()) return;
        auto const below = std::prev(after);
        if (below->first == where || below->second.row.end <= where) return;
        piece upper = below->second;
        below->second.row.end = where;
        if (upper.row.inode != 0) upper.row.offset += where - upper.row.start;
        upper.row.start = where;
        pieces_.emplace(where, upper);
    }

    std::pair<piece_map::iterator, piece_map::iterator> cut(address start, address end) {
        split_at(start);
        split_at(end);
        return {pieces_.lower_bound(start), pieces_.lower_bound(end)};
    }

    void erase(address start, address end) {
        auto const [from, to] = cut(start, end);
        pieces_.erase(from, to);
    }

    static void set_prot(maps_row& row, std::uint32_t prot) {
        row.perms[0] = (prot & 1U) != 0 ? 'r' : '-';
        row.perms[1] = (prot & 2U) != 0 ? 'w' : '-';
        row.perms[2] = (prot & 4U) != 0 ? 'x' : '-';
    }

    void map(address_space::operation const& op) {
        constexpr std::uint32_t shared = 1;
        constexpr std::uint32_t grows_down = 0x100;
        auto const start = static_cast<address>(op.result);
        piece added;
        added.row.start = start;
        added.row.end = start + page_up(op.length);
        set_prot(added.row, op.prot);
        added.row.perms[3] = (op.flags & shared) != 0 ? 's' : 'p';
        if (op.file.open_file != 0) {
            added.row.offset = op.offset;
            added.row.device_major = op.file.device_major;
            added.row.device_minor = op.file.device_minor;
            added.row.inode = op.file.inode;
            added.row.path = program_.paths[op.file.path];
        }
        added.read_only_file = op.file.read_only_file;
        added.grows_down = (op.flags & grows_down) != 0;
        erase(added.row.start, added.row.end);
        pieces_.emplace(start, added);
    }

    // Everything before the first gap, or before the first VMA that refuses, is changed.
    void protect(address_space::operation const& op) {
        constexpr std::uint32_t write = 2;
        if (op.result != 0 && op.result != -ENOMEM && op.result != -EACCES) return;
        auto const [from, to] = cut(op.start, op.start + page_up(op.length));
        address expected = op.start;
        for (auto at = from; at != to && at->first == expected; ++at) {
            maps_row& row = at->second.row;
            bool const refused =
                (op.prot & write) != 0 && row.perms[3] == 's' && at->second.read_only_file;
            if (refused && op.result == -EACCES) return;
            set_prot(row, op.prot);
            expected = row.end;
        }
    }

    void remap(address_space::operation const& op) {
        enum : std::uint32_t { fixed = 2, dont_unmap = 4 };
        auto const target = static_cast<address>(op.result);
        std::uint64_t const old_length = page_up(op.length);
        std::uint64_t const new_length = page_up(op.new_length);
        if (target == op.start && (op.flags & fixed) == 0) {
            resize(op.start, old_length, new_length);
            return;
        }
        if ((op.flags & fixed) != 0 && old_length != new_length) erase(target, target + new_length);
        std::uint64_t const moved = std::min(old_length, new_length);
        // Length 0 doubles a shared mapping.
        auto const [from, to] = cut(op.start, op.start + (moved == 0 ? new_length : moved));
        std::vector<piece> pieces;
        for (auto at = from; at != to; ++at) pieces.push_back(at->second);
        if (old_length != 0 && (op.flags & dont_unmap) == 0) erase(op.start, op.start + old_length);
        for (piece entry : pieces) {
            entry.row.end = entry.row.end - op.start + target;
            entry.row.start = entry.row.start - op.start + target;
            erase(entry.row.start, entry.row.end);
            pieces_.emplace(entry.row.start, entry);
        }
        if (new_length > moved && moved != 0) resize(target, moved, new_length);
    }

    void resize(address start, std::uint64_t old_length, std::uint64_t new_length) {
        if (new_length <= old_length) {
            erase(start + new_length, start + old_length);
            return;
        }
        auto const last = std::prev(pieces_.lower_bound(start + old_length));
        last->second.row.end = start + new_length;
    }

    void set_break(address_space::operation const& op) {
        auto const result = static_cast<address>(op.result);
        address const old_end = page_up(brk_);
        address const new_end = page_up(result);
        brk_ = result;
        if (new_end < old_end) erase(new_end, old_end);
        if (new_end <= old_end) return;
        piece heap;
        heap.row.start = old_end;
        heap.row.end = new_end;
        set_prot(heap.row, 3);
        erase(old_end, new_end);
        pieces_.emplace(old_end, heap);
    }

    // A fault below a stack extends it, within the default limit and clear of what lies below.
    void grow(address page) {
        constexpr std::uint64_t stack_bytes_max = std::uint64_t{8} << 20;
        constexpr std::uint64_t guard_gap = 256 * address_space::page_size;
        auto const above = pieces_.upper_bound(page);
        if (above == pieces_.end() || !above->second.grows_down ||
            above->second.row.end - page > stack_bytes_max)
            return;
        if (above != pieces_.begin()) {
            maps_row const& below = std::prev(above)->second.row;
            if (below.end > page || page - below.end < guard_gap) return;
        }
        piece grown = above->second;
        pieces_.erase(above);
        grown.row.start = page;
        pieces_.emplace(page, grown);
    }

    recorded_program const& program_;
    piece_map pieces_;
    address brk_;
};

}  // namespace manylock::replay

// A serial space with short calls in pages, and its VMAs as text: for tests of single rules.
#pragma once

#include "serial_space.hpp"

#include <cstdint>
#include <string>

namespace manylock::address_space {

inline constexpr address base = 0x40000000;
inline constexpr std::uint32_t rw = abi::prot_read | abi::prot_write;
inline constexpr std::uint32_t ro = abi::prot_read;
inline constexpr std::uint32_t anonymous_private = abi::map_private | abi::map_anonymous;

inline constexpr address page(std::uint64_t n) {
    return base + n * page_size;
}
inline constexpr std::int64_t as_result(address a) {
    return static_cast<std::int64_t>(a);
}

struct space : serial_space {
    space() : serial_space{initial()} {}

    static mm_globals initial() {
        mm_globals g;
        g.start_brk = g.brk = page(1000);
        g.start_stack = page(2000) + 16;
        g.mmap_base = page(900);
        return g;
    }
    std::int64_t map(std::uint64_t at, std::uint64_t pages, std::uint32_t prot = rw,
                     std::uint32_t flags = anonymous_private, backing file = {},
                     std::uint64_t offset = 0) {
        operation op;
        op.what = call::map;
        op.start = page(at);
        op.length = pages * page_size;
        op.prot = prot;
        op.flags = flags | abi::map_fixed;
        op.file = file;
        op.offset = offset * page_size;
        return apply(op);
    }
    std::int64_t range(call what, std::uint64_t at, std::uint64_t pages, std::uint32_t flags = 0) {
        operation op;
        op.what = what;
        op.start = page(at);
        op.length = pages * page_size;
        (what == call::protect ? op.prot : op.flags) = flags;
        return apply(op);
    }
    std::int64_t protect(std::uint64_t at, std::uint64_t pages, std::uint32_t prot) {
        return range(call::protect, at, pages, prot);
    }
    std::int64_t unmap(std::uint64_t at, std::uint64_t n) { return range(call::unmap, at, n); }
    std::int64_t advise(std::uint64_t at, std::uint64_t pages, std::int32_t advice) {
        operation op;
        op.what = call::advise;
        op.start = page(at);
        op.length = pages * page_size;
        op.advice = advice;
        return apply(op);
    }
    std::int64_t fault(std::uint64_t at, std::uint32_t flags = fault_write) {
        operation op;
        op.start = page(at) + 5;
        op.flags = flags;
        return apply(op);
    }
    std::int64_t remap(std::uint64_t at, std::uint64_t old_pages, std::uint64_t new_pages,
                       std::uint32_t flags = 0, std::uint64_t to = 0) {
        operation op;
        op.what = call::remap;
        op.start = page(at);
        op.length = old_pages * page_size;
        op.new_length = new_pages * page_size;
        op.flags = flags;
        op.new_start = page(to);
        return apply(op);
    }
    std::int64_t name(std::uint64_t at, std::uint64_t pages, std::uint32_t number,
                      std::int64_t recorded = 0) {
        operation op;
        op.what = call::set_name;
        op.start = page(at);
        op.length = pages * page_size;
        op.file.path = number;
        op.result = recorded;
        return apply(op);
    }
    std::int64_t remap_file(std::uint64_t at, std::uint64_t pages, std::uint64_t to_offset) {
        operation op;
        op.what = call::remap_file;
        op.start = page(at);
        op.length = pages * page_size;
        op.offset = to_offset;
        return apply(op);
    }
    std::int64_t set_break(address to) {
        operation op;
        op.what = call::set_break;
        op.start = to;
        return apply(op);
    }
    /// "0+4:rw-p 4+1:r--p": start page, pages and permissions of each VMA.
    [[nodiscard]] std::string text() const {
        std::string all;
        for (maps_row const& row : rows()) {
            if (!all.empty()) all += ' ';
            all += std::to_string((row.start - base) / page_size) + "+" +
                   std::to_string((row.end - row.start) / page_size) + ":" +
                   std::string(row.permissions.data(), 4);
        }
        return all;
    }
    [[nodiscard]] vma const& vma_at(std::uint64_t n) const { return vmas().at(page(n)); }
};

inline backing file_of(std::uint64_t open_file) {
    backing b;
    b.open_file = open_file;
    b.inode = 77;
    return b;
}

}  // namespace manylock::address_space

// A small address space to test with: a window for mappings, a heap and a stack.
#pragma once

#include <cstddef>

#include <manylock/address_space/rules/abi.hpp>
#include <manylock/address_space/rules/globals.hpp>
#include <manylock/address_space/rules/operation.hpp>

namespace manylock::address_space::small {

inline constexpr address base = 0x10000000;
inline constexpr std::size_t window_pages = 64;
inline constexpr std::size_t stack_page = 460;  // the guard gap reaches into the window's upper end
inline constexpr std::size_t all_pages = 480;

/// The heap begins at a page and some bytes, the stack at another page.
inline mm_globals small_globals(address heap_at_page = 70, address stack_at_page = stack_page) {
    mm_globals g;
    g.start_brk = base + heap_at_page * page_size + 0x123;
    g.brk = g.start_brk;
    g.start_stack = base + stack_at_page * page_size + 8;
    g.mmap_floor = base;
    g.mmap_base = base + window_pages * page_size;
    return g;
}

inline operation add_stack() {
    operation op;
    op.what = call::map;
    op.start = base + stack_page * page_size;
    op.length = 4 * page_size;
    op.prot = abi::prot_read | abi::prot_write;
    op.flags = abi::map_private | abi::map_anonymous | abi::map_fixed | abi::map_growsdown;
    return op;
}

}  // namespace manylock::address_space::small

// A script for an address space: what is mapped at first, and what each thread then does to it.
//
//     rr.ww: m2r | p0-2w f3
//
// Before the colon a letter a page: r, w, n (read, write, no access), a (write, and written to), capitals the same with
// a name, which no other VMA has, so that it merges with none of them; '.' unmapped. Like neighbours are one VMA. Then
// threads, separated by '|', of operations:
//   m2-5w  map at pages 2 to 4      M3w   map three pages anywhere   u2-5  unmap
//   p2-5r  protect                  l2-5, k2-5  mlock, munlock       L, K  mlockall (also what comes), munlockall
//   f2, F2 read, write page 2       d2-5  madvise(DONTNEED)          b3    brk: three pages of heap
//   x2-5+4 mremap to four pages, in place or elsewhere               x2-5>7 mremap to page 7
// A range of one page needs no end. Pages above the window are those of the heap (6 above its end), and of a stack (396
// above) which is there if a script speaks of a page so high.
// '=' before all: only free ranges are mapped, so nobody may be told that a VMA has gone, and nobody works twice. '%': loads are no scheduling
// points.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <address_space/naive_model.hpp>

namespace explore {

struct space_script {
    static constexpr manylock::address_space::address base = 0x10000000;

    std::string text;
    std::size_t window = 0;  ///< pages
    bool nothing_goes = false;
    bool only_unmaps = true;  ///< no thread maps anything
    bool loads_are_points = true;
    manylock::address_space::mm_globals globals;
    std::vector<manylock::address_space::operation> first;  ///< make what is mapped at first
    std::vector<std::vector<manylock::address_space::operation>> threads;
    manylock::address_space::naive_model model;  ///< after `first`

    /// Throws std::invalid_argument that says what is wrong where.
    [[nodiscard]] static space_script parse(std::string_view text);
};

/// Two or three threads of at most two operations each, on a window of at most eight pages.
[[nodiscard]] std::string random_space_script(std::uint64_t seed);
[[nodiscard]] std::string text_of(manylock::address_space::operation const& op);

}  // namespace explore

// Random operations on a small window of pages, for tests that compare implementations.
// Ranges are short and collide often, so that every kind of split and merge comes up.
#pragma once

#include <manylock/address_space/rules/abi.hpp>
#include <manylock/address_space/rules/globals.hpp>

#include <array>
#include <cstdint>
#include <random>

namespace manylock::address_space {

struct operation_mix {
    bool globals = true;      ///< brk, mlockall
    bool holes = true;        ///< maps and moves that leave their place to the address space
    bool keep_source = true;  ///< mremap that leaves its source
};

class random_operations {
public:
    /// Operations stay in [base, base + pages), but for those whose place is not given.
    random_operations(std::uint64_t seed, address base, std::size_t pages, operation_mix mix = {})
        : random_{seed}, base_{base}, pages_{pages}, mix_{mix} {}

    operation next(mm_globals const& g) {
        operation op;
        std::uint64_t const kind = below(100);
        op.start = page();
        op.length = length(op.start);
        if (kind < 24) return map(op);
        if (kind < 36) {
            op.what = call::unmap;
        } else if (kind < 52) {
            op.what = call::protect;
            op.prot = pick(std::array{0U, 1U, 3U, 3U, 5U, 2U});
        } else if (kind < 64) {
            return remap(op);
        } else if (kind < 72) {
            op.what = call::advise;
            op.advice = pick(std::array<std::int32_t, 9>{
                abi::madv_normal, abi::madv_random, abi::madv_dontfork, abi::madv_dofork,
                abi::madv_wipeonfork, abi::madv_guard_install, abi::madv_willneed, abi::madv_random,
                abi::madv_normal});
        } else if (kind < 77) {
            op.what = below(2) ? call::lock_range : call::unlock_range;
            op.flags = op.what == call::lock_range ? below32(2) : 0;
        } else if (kind < 80 && mix_.globals) {
            op = {};
            op.what = below(3) ? call::unlock_all : call::lock_all;
            if (op.what == call::lock_all) op.flags = pick(std::array{1U, 2U, 3U, 5U, 6U});
        } else if (kind < 84 && mix_.globals) {
            op.what = call::set_break;
            op.start = g.start_brk + below(24 * page_size);
        } else if (kind < 88) {
            op.what = below(2) ? call::set_name : call::set_policy;
            (op.what == call::set_name ? op.file.path : op.flags) = below32(3);
        } else {
            op.what = call::fault;
            op.start += below(page_size);
            op.flags = below(3) ? fault_write : 0U;
        }
        return op;
    }

    std::uint64_t below(std::uint64_t n) { return random_() % n; }

private:
    std::uint32_t below32(std::uint32_t n) { return static_cast<std::uint32_t>(below(n)); }
    template <class T, std::size_t N>
    T pick(std::array<T, N> const& from) {
        return from[below(N)];
    }
    address page() { return base_ + below(pages_) * page_size; }
    std::uint64_t length(address start) {
        std::uint64_t const room = pages_ - (start - base_) / page_size;
        std::uint64_t const wanted = 1 + below(below(4) ? 4 : 12);
        return (wanted < room ? wanted : room) * page_size;
    }
    operation map(operation op) {
        op.what = call::map;
        op.prot = pick(std::array{3U, 3U, 3U, 1U, 0U, 5U});
        op.flags = abi::map_fixed;
        std::uint64_t const kind = below(12);
        if (kind < 7) {
            op.flags |= abi::map_private | abi::map_anonymous;
            op.flags |= pick(std::array<std::uint32_t, 6>{0, 0, 0, abi::map_noreserve,
                                                          abi::map_populate, abi::map_stack});
        } else if (kind < 8) {
            op.flags |= abi::map_shared | abi::map_anonymous;
        } else {
            op.flags |= kind < 10 ? abi::map_private : abi::map_shared;
            op.file.open_file = 1 + below(2);
            op.file.inode = 100 + op.file.open_file;
            op.offset = op.start - base_;  // linear, so that neighbours can merge
        }
        if (below(20) == 0) op.flags |= abi::map_locked;
        if (mix_.holes && below(5) == 0 && (op.flags & abi::map_anonymous)) {
            op.flags &= ~std::uint32_t{abi::map_fixed};
            op.start = 0;
        }
        return op;
    }
    operation remap(operation op) {
        op.what = call::remap;
        op.new_start = page();
        op.new_length = below(2) ? op.length : length(op.new_start);
        op.flags = pick(std::array{0U, 1U, 1U, 3U, 3U, 5U, 7U});
        if (!mix_.keep_source) op.flags &= ~std::uint32_t{abi::mremap_dontunmap};
        if (!mix_.holes && !(op.flags & abi::mremap_fixed)) op.flags = 0;
        // Keep fixed destinations inside the window.
        std::uint64_t const room = pages_ - (op.new_start - base_) / page_size;
        bool const names_place = op.flags & (abi::mremap_fixed | abi::mremap_dontunmap);
        if (names_place && op.new_length > room * page_size) op.new_length = room * page_size;
        address const end = base_ + pages_ * page_size;
        if (!(op.flags & abi::mremap_fixed) && op.start + op.new_length > end)
            op.new_length = op.length;
        if (below(30) == 0) op.length = 0;
        return op;
    }

    std::mt19937_64 random_;
    address base_;
    std::size_t pages_;
    operation_mix mix_;
};

}  // namespace manylock::address_space

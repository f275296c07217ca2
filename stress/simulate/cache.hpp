// Who has which cache line, on the virtual machine: enough of a coherence protocol (MESI, with a directory) to
// say what an access costs. A line is what lies in 64 aligned bytes. It comes into being when it is first
// touched and is forgotten when what lies in it is destroyed, and everything that simulated atomics lie in
// begins on a line of its own, so an address only tells lines apart: no result depends on it.
#pragma once

#include <cstdint>
#include <vector>

#include "access.hpp"

namespace manylock::simulate {

struct cache_line {
    std::uint64_t free_at = 0;    ///< the last transfer that was asked for is done
    std::int32_t owner = -1;      ///< core that has it alone; with sharers, that had it last
    std::uint32_t sharers = 0;    ///< number of a set of cores, from 1 on; 0: nobody shares it
    std::uint32_t under_way = 0;  ///< transfers that were asked for and are not done
};

/// The lines of one machine.
class cache {
public:
    cache(unsigned cores, unsigned sockets);

    /// Valid until the next call.
    [[nodiscard]] cache_line& line(void const* where) {
        auto const key = key_of(where);
        auto const mask = slots_.size() - 1;
        for (auto i = slot_of(key); slots_[i].key != 0; i = (i + 1) & mask) {
            if (slots_[i].key == key) [[likely]]
                return slots_[i].line;
        }
        return add(key);
    }
    void forget(void const* where) noexcept;

    [[nodiscard]] bool has(cache_line const& l, unsigned core, access how) const noexcept {
        if (l.sharers == 0) return l.owner == static_cast<std::int32_t>(core);
        return how == access::load && shares(l, core);
    }
    enum class source : std::uint8_t { memory, socket, remote };
    /// Where a transfer has to come from (or, for a write, who the farthest is to give it up).
    [[nodiscard]] source source_of(cache_line const& l, unsigned core, access how) const noexcept;
    /// Transfers of a line that others only read do not queue.
    [[nodiscard]] static bool queues(cache_line const& l, access how) noexcept {
        return how != access::load || (l.sharers == 0 && l.owner >= 0);
    }
    void arrived(cache_line& l, unsigned core, access how);

private:
    [[nodiscard]] static std::uintptr_t key_of(void const* where) noexcept {
        return reinterpret_cast<std::uintptr_t>(where) & ~std::uintptr_t{63};
    }
    /// Fibonacci hashing: the upper bits of the product are well mixed.
    [[nodiscard]] std::size_t slot_of(std::uintptr_t key) const noexcept {
        return static_cast<std::size_t>((std::uint64_t{key} * 0x9e3779b97f4a7c15U) >> shift_);
    }
    [[nodiscard]] bool shares(cache_line const& l, unsigned core) const noexcept {
        return (set_of(l)[core / 64] >> (core % 64) & 1U) != 0;
    }
    [[nodiscard]] std::uint64_t const* set_of(cache_line const& l) const noexcept {
        return sets_.data() + std::size_t{l.sharers - 1} * words_;
    }
    [[nodiscard]] std::uint64_t* set_of(cache_line const& l) noexcept {
        return sets_.data() + std::size_t{l.sharers - 1} * words_;
    }
    [[nodiscard]] unsigned socket(unsigned core) const noexcept { return core * sockets_ / cores_; }
    cache_line& add(std::uintptr_t key);
    [[nodiscard]] std::uint32_t take_set();
    void drop_set(cache_line& l);
    void grow();

    struct slot {
        std::uintptr_t key = 0;  ///< 0: free; 1: was forgotten
        cache_line line;
    };
    unsigned cores_;
    unsigned sockets_;
    std::size_t words_;  ///< of a set of cores
    std::vector<slot> slots_;
    unsigned shift_;        ///< from a hash to a slot
    std::size_t used_ = 0;  ///< slots that are not free
    std::vector<std::uint64_t> sets_;
    std::vector<std::uint32_t> free_sets_;
};

}  // namespace manylock::simulate

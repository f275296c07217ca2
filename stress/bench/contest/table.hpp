// The objects of a contestant: each a lock and a value, on a cache line of its own, as one would lay them out by hand.
#pragma once

#include "cell.hpp"

#include <array>

namespace manylock::bench {

template <class Lock>
class table {
public:
    struct alignas(64) object {
        Lock lock;
        std::uint64_t value = 0;
    };

    explicit table(cell const& c) : all_(c.locks) {}
    [[nodiscard]] object& operator[](request const& r) noexcept { return all_[r.index]; }
    [[nodiscard]] std::uint64_t sum() const noexcept {
        std::uint64_t n = 0;
        for (auto const& o : all_) n += o.value;
        return n;
    }

private:
    std::vector<object> all_;
};

/// What every contestant with a table is besides its sessions.
template <class Lock>
class on_table {
public:
    explicit on_table(cell const& c) : all_{c} {}
    [[nodiscard]] std::uint64_t sum() const noexcept { return all_.sum(); }

protected:
    table<Lock> all_;
};

/// What the transaction is for. Requires: all are held.
template <class Lock>
void update(table<Lock>& all, std::span<request const> wanted) noexcept {
    std::uint64_t seen = 0;
    for (auto const& r : wanted) {
        auto& value = all[r].value;
        if (r.shared) {
            seen += value;
        } else {
            ++value;
        }
    }
    asm volatile("" : : "r"(seen));  // the reads happen
}

/// The requests in the order of the objects' addresses; the cost of sorting is the contestant's.
class in_address_order {
public:
    explicit in_address_order(std::span<request const> wanted) noexcept : length_{wanted.size()} {
        std::copy(wanted.begin(), wanted.end(), sorted_.begin());
        std::sort(sorted_.begin(), sorted_.begin() + static_cast<std::ptrdiff_t>(length_),
                  [](request const& a, request const& b) { return a.index < b.index; });
    }
    [[nodiscard]] std::span<request const> all() const noexcept {
        return {sorted_.data(), length_};
    }

private:
    std::array<request, requests_max> sorted_;
    std::size_t length_;
};

}  // namespace manylock::bench

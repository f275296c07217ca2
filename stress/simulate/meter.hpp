// What the precaution meter (precaution.hpp) has found on one machine.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace manylock::simulate {

class precaution_meter {
public:
    enum class verdict : std::uint8_t { none, cycle, precaution };
    struct counts {
        std::uint64_t cycle = 0;
        std::uint64_t precaution = 0;
        /// Times that a transaction began to wait and so closed one or more cycles.
        std::uint64_t formed = 0;
        /// Restarts tagged `cycle` by the transactions on the shortest cycle through the one that restarts.
        std::map<unsigned, std::uint64_t> lengths;
    };

    /// Transaction `number` is told to restart: waiting would close a cycle of so many; 0: none.
    void tag(std::uint32_t number, unsigned length) {
        auto& t = of(number);
        t.decided = length > 0 ? verdict::cycle : verdict::precaution;
        t.length = length;
    }
    /// And does restart.
    void restarts(std::uint32_t number) {
        auto& t = of(number);
        t.last = t.decided;
        t.decided = verdict::none;
        if (t.last == verdict::precaution) ++counts_.precaution;
        if (t.last != verdict::cycle) return;
        ++counts_.cycle;
        ++counts_.lengths[t.length];
    }
    /// A transaction has begun to wait, which closed a cycle.
    void formed() noexcept { ++counts_.formed; }

    /// Of the last restart of that transaction.
    [[nodiscard]] verdict last(std::uint32_t number) const noexcept {
        return number < all_.size() ? all_[number].last : verdict::none;
    }
    /// Of the last restart of that transaction: how many were on the cycle; 0: there was none.
    [[nodiscard]] unsigned last_length(std::uint32_t number) const noexcept {
        return last(number) == verdict::cycle ? all_[number].length : 0;
    }
    [[nodiscard]] counts const& so_far() const noexcept { return counts_; }

private:
    struct tagged {
        verdict decided = verdict::none;
        verdict last = verdict::none;
        unsigned length = 0;
    };
    tagged& of(std::uint32_t number) {
        if (number >= all_.size()) all_.resize(number + 1);
        return all_[number];
    }
    std::vector<tagged> all_;
    counts counts_;
};

}  // namespace manylock::simulate

// What the precaution meter (precaution.hpp) has found on one machine.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace manylock::simulate {

class precaution_meter {
public:
    enum class verdict : std::uint8_t { none, cycle, precaution };

    /// Transaction `number` restarts: a cycle of so many transactions would have closed; 0: none.
    void tag(std::uint32_t number, unsigned length) {
        if (number >= verdicts_.size()) verdicts_.resize(number + 1, verdict::none);
        verdicts_[number] = length > 0 ? verdict::cycle : verdict::precaution;
        if (length > 0) ++lengths_[length];
    }
    /// A transaction has begun to wait, which closed a cycle.
    void formed() noexcept { ++formed_; }
    /// Of the restart that this transaction was last told of; counts it. Call once a restart.
    verdict take(std::uint32_t number) {
        auto const v = number < verdicts_.size() ? verdicts_[number] : verdict::none;
        if (v == verdict::cycle) ++cycle_;
        if (v == verdict::precaution) ++precaution_;
        if (v != verdict::none) verdicts_[number] = verdict::none;
        return v;
    }
    [[nodiscard]] std::uint64_t restarts_cycle() const noexcept { return cycle_; }
    [[nodiscard]] std::uint64_t restarts_precaution() const noexcept { return precaution_; }
    /// Times that a transaction began to wait and so closed one or more cycles.
    [[nodiscard]] std::uint64_t cycles_formed() const noexcept { return formed_; }
    /// Shortest cycle through each transaction that was told to restart and tagged `cycle`.
    [[nodiscard]] std::map<unsigned, std::uint64_t> const& lengths() const noexcept { return lengths_; }

private:
    std::vector<verdict> verdicts_;
    std::map<unsigned, std::uint64_t> lengths_;
    std::uint64_t cycle_ = 0;
    std::uint64_t precaution_ = 0;
    std::uint64_t formed_ = 0;
};

}  // namespace manylock::simulate

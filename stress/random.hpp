// Random numbers for the measured threads: each thread has its own generator, seeded from the
// run's one printed seed and the thread's number, so that threads draw different sequences, nothing
// is shared, and a run can be repeated. The generators are Vigna's splitmix64 and Blackman and
// Vigna's xoshiro256**; Zipf is exact, by inverting the tabulated cumulative distribution.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace manylock::stress {

/// One step of splitmix64: a bijection of 64 bits that scatters neighbouring inputs.
constexpr std::uint64_t splitmix(std::uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31U);
}

/// Combines the run's seed with a thread's (or round's) number.
constexpr std::uint64_t derived_seed(std::uint64_t seed, std::uint64_t number) noexcept {
    return splitmix(splitmix(seed) ^ splitmix(~number));
}

class generator {
public:
    using result_type = std::uint64_t;

    explicit constexpr generator(std::uint64_t seed) noexcept {
        for (auto& word : state_) word = seed = splitmix(seed);
    }

    static constexpr std::uint64_t min() noexcept { return 0; }
    static constexpr std::uint64_t max() noexcept {
        return std::numeric_limits<std::uint64_t>::max();
    }

    constexpr std::uint64_t operator()() noexcept {
        auto const result = rotate_left(state_[1] * 5, 7) * 9;
        auto const t = state_[1] << 17U;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = rotate_left(state_[3], 45);
        return result;
    }

    /// Uniform in [0, bound), exact: what a plain remainder would favour is drawn again.
    constexpr std::uint64_t below(std::uint64_t bound) noexcept {
        auto const surplus = (0 - bound) % bound;
        for (;;) {
            auto const value = (*this)();
            if (value >= surplus) return value % bound;
        }
    }

    /// Uniform in [0, 1), 53 bits.
    constexpr double unit() noexcept { return static_cast<double>((*this)() >> 11U) * 0x1p-53; }

    constexpr bool percent(double share) noexcept { return unit() * 100.0 < share; }

private:
    static constexpr std::uint64_t rotate_left(std::uint64_t x, unsigned k) noexcept {
        return (x << k) | (x >> (64U - k));
    }

    std::array<std::uint64_t, 4> state_{};
};

/// Numbers 0 .. n-1, number i with weight 1 / (i+1)^theta; theta 0 is uniform. Built once per run
/// and read by all threads.
class zipf_sampler {
public:
    zipf_sampler(std::size_t n, double theta) : cumulative_(n) {
        // Summed from the smallest weight up, so that rounding does not eat the tail.
        double total = 0;
        for (std::size_t i = n; i-- > 0;) total += weight(i, theta);
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += weight(i, theta);
            cumulative_[i] = sum / total;
        }
        cumulative_.back() = 1.0;
    }

    [[nodiscard]] std::size_t operator()(generator& random) const noexcept {
        auto const at = std::upper_bound(cumulative_.begin(), cumulative_.end(), random.unit());
        return static_cast<std::size_t>(at - cumulative_.begin());
    }

private:
    static double weight(std::size_t i, double theta) noexcept {
        return std::pow(static_cast<double>(i + 1), -theta);
    }

    std::vector<double> cumulative_;
};

}  // namespace manylock::stress

// Random numbers for the measured threads: each thread has its own generator, seeded from the
// run's one printed seed and the thread's number, so that threads draw different sequences, nothing
// is shared, and a run can be repeated. The generators are Vigna's splitmix64 and Blackman and
// Vigna's xoshiro256**.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

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

/// Numbers 0 .. n-1, number i with weight 1 / (i+1)^theta; theta 0 is uniform. Made once per run and
/// read by all threads. Exact, in constant memory and expected constant time for every n: the
/// rejection-inversion of W. Hoermann and G. Derflinger, "Rejection-inversion to generate variates
/// from monotone discrete distributions", ACM TOMACS 6(3), 1996. A point under the density x^-theta
/// is drawn by inverting its integral, and rounded to the number k; the part of k's column that is
/// higher than k's weight is rejected, which happens in a few percent of the draws at most.
class zipf_sampler {
public:
    /// Requires: n > 0, theta >= 0.
    zipf_sampler(std::size_t n, double theta) noexcept
        : n_(static_cast<double>(n)),
          theta_(theta),
          slope_(1 - theta),
          inverse_slope_(slope_ != 0 ? 1 / slope_ : 0),
          // The column of 1 is cut to its weight, so that it is never rejected.
          low_(integral(1.5) - 1),
          high_(integral(n_ + 0.5)),
          // So far below k every point is accepted, whatever k is: the tightest column is that of 2.
          safe_(2 - inverse(integral(2.5) - weight(2))) {}

    [[nodiscard]] std::size_t operator()(generator& random) const noexcept {
        for (;;) {
            auto const area = high_ + random.unit() * (low_ - high_);
            auto const x = inverse(area);
            // Rounding may carry x past either end.
            auto const number = static_cast<std::size_t>(std::clamp(x + 0.5, 1.0, n_));
            auto const k = static_cast<double>(number);
            if (k - x <= safe_ || area >= integral(k + 0.5) - weight(k)) return number - 1;
        }
    }

private:
    /// Below this the series of (e^t - 1) / t and of log(1 + t) / t are more exact than the quotients.
    static constexpr double small = 1e-8;

    [[nodiscard]] double weight(double x) const noexcept { return std::pow(x, -theta_); }

    /// Of x^-theta from 1 on; (x^slope - 1) / slope, whose limit for slope 0 is log(x).
    [[nodiscard]] double integral(double x) const noexcept {
        auto const log = std::log(x);
        auto const t = slope_ * log;
        return std::fabs(t) > small ? std::expm1(t) * inverse_slope_ : log * (1 + t / 2);
    }

    [[nodiscard]] double inverse(double area) const noexcept {
        auto const t = std::max(area * slope_, -1.0);  // less only by rounding
        // One call where the large exponent of a theta near 1 does not amplify the sum's rounding.
        if (std::fabs(slope_) > 0.01) return std::pow(1 + t, inverse_slope_);
        return std::exp(std::fabs(t) > small ? std::log1p(t) * inverse_slope_ : area * (1 - t / 2));
    }

    double n_;
    double theta_;
    double slope_;
    double inverse_slope_;
    double low_;
    double high_;
    double safe_;
};

}  // namespace manylock::stress

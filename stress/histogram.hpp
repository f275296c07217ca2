// A latency histogram after HdrHistogram: log-linear buckets, 64 to each power of two, so that any
// value is kept within 1.6 % in fixed memory and recording is one increment. Each measured thread
// has its own; they are added up when all threads have ended.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace manylock::stress {

class histogram {
public:
    void record(std::uint64_t value) noexcept {
        ++buckets_[index_of(value)];
        ++count_;
        max_ = std::max(max_, value);
    }

    void add(histogram const& other) noexcept {
        for (std::size_t i = 0; i < bucket_count; ++i) buckets_[i] += other.buckets_[i];
        count_ += other.count_;
        max_ = std::max(max_, other.max_);
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t max() const noexcept { return max_; }

    /// The smallest recorded value, rounded up to its bucket's end, that at least the share
    /// `quantile` of all values does not exceed. 0 when nothing was recorded.
    [[nodiscard]] std::uint64_t at(double quantile) const noexcept {
        auto const wanted = static_cast<double>(count_) * quantile;
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < bucket_count; ++i) {
            seen += buckets_[i];
            if (buckets_[i] != 0 && static_cast<double>(seen) >= wanted) {
                return std::min(last_of(i), max_);
            }
        }
        return max_;
    }

private:
    static constexpr unsigned bits = 6;
    static constexpr std::uint64_t per_octave = 1U << bits;
    static constexpr std::size_t bucket_count = (64 - bits + 1) * per_octave;

    static constexpr std::size_t index_of(std::uint64_t value) noexcept {
        if (value < per_octave) return static_cast<std::size_t>(value);
        auto const shift = static_cast<unsigned>(std::bit_width(value)) - bits - 1;
        return static_cast<std::size_t>((shift + 1) * per_octave + (value >> shift) - per_octave);
    }

    static constexpr std::uint64_t last_of(std::size_t index) noexcept {
        if (index < per_octave) return index;
        auto const shift = index / per_octave - 1;
        auto const mantissa = index % per_octave + per_octave;
        return ((mantissa + 1) << shift) - 1;  // wraps to the largest value in the last bucket
    }

    std::array<std::uint64_t, bucket_count> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace manylock::stress

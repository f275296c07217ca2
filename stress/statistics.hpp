// What the rounds of one configuration come to: the median, and how far the rounds lie apart.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace manylock::stress {

struct summary {
    double median = 0;
    double low = 0;
    double high = 0;
    std::size_t rounds = 0;

    /// Half the distance between the extremes, in percent of the median.
    [[nodiscard]] double spread_percent() const noexcept {
        return median > 0 ? (high - low) / 2 / median * 100 : 0;
    }
};

inline summary summarise(std::vector<double> values) {
    if (values.empty()) return {};
    std::sort(values.begin(), values.end());
    auto const middle = values.size() / 2;
    auto const median =
        values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    return {median, values.front(), values.back(), values.size()};
}

}  // namespace manylock::stress

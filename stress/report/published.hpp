// Numbers that others have published for the presets: stress/report/published.csv, one row per
// point, compiled in. Its columns: preset and workload (a trailing * stands for any ending); the
// policy's name as published, and ours that it corresponds to, or none; threads, each with a core of its
// own unless the preset says otherwise; metric, value, and where it stands. What looks doubtful at
// its source is not in the file.
#pragma once

#include "../result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::stress {

struct published_point {
    std::string preset;
    std::string workload;
    std::string name;
    std::string policy;  ///< empty: none of ours
    std::uint64_t threads = 0;
    std::string metric;  ///< a column of results.csv
    double value = 0;
    std::string source;

    friend bool operator==(published_point const&, published_point const&) = default;
};

/// The file as text.
std::string_view published_csv() noexcept;

/// Throws std::invalid_argument, naming line and reason, at the first thing that is not as described above.
std::vector<published_point> parse_published(std::string_view text);

/// All points; parsed once.
std::vector<published_point> const& published_points();

/// Those to be shown beside rows like `row`: it is simulated, its configuration is the published one,
/// and so is its machine. `thread_per_core`: that all those rows have as many threads as cores.
std::vector<published_point> published_for(result_row const& row, bool thread_per_core);

}  // namespace manylock::stress

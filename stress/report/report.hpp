// The command `report`: a result directory's rows as SVG graphs and one self-contained page, or two
// directories compared.
#pragma once

#include <filesystem>
#include <ostream>

namespace manylock::stress {

/// Writes the SVG files and report.html into `directory` beside its results.csv; says on `out`
/// where. Throws input_error when there is nothing to draw; then no file has been touched.
void write_report(std::filesystem::path const& directory, std::ostream& out);

/// Prints the ratio of the medians, `b` to `a`, for every policy and configuration that both have.
void compare_results(std::filesystem::path const& a, std::filesystem::path const& b,
                     std::ostream& out);

}  // namespace manylock::stress

// The command `report`: a result directory's rows as SVG graphs and one self-contained page, or two
// directories compared.
#pragma once

#include "../atomic_file.hpp"
#include "../provenance.hpp"
#include "../result.hpp"

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace manylock::stress {

/// Adds the graphs and report.html of `rows` to `files`, and has those of an earlier report removed. Returns how many
/// graphs. Throws input_error when there is nothing to draw, or too much.
std::size_t add_report(atomic_files& files, std::vector<result_row> const& rows,
                       provenance const& origin);
/// Has the graphs and the page of an earlier report removed, which new results would belie.
void remove_report(atomic_files& files);

/// What the command says at its end.
void say_where(std::size_t graphs, std::filesystem::path const& directory, std::ostream& out);

/// Writes the SVG files and report.html into `directory` beside its results.csv; says on `out`
/// where. Throws input_error when there is nothing to draw; then no file has been touched.
void write_report(std::filesystem::path const& directory, std::ostream& out);

/// Prints the ratio of the medians, `b` to `a`, for every policy and configuration that both have.
void compare_results(std::filesystem::path const& a, std::filesystem::path const& b,
                     std::ostream& out);

}  // namespace manylock::stress

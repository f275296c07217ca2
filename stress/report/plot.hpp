// The graphs of a panel as gnuplot scripts, and gnuplot as a child process that draws them.
#pragma once

#include "aggregate.hpp"

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::stress {

struct graph {
    std::string name;    ///< file name without .svg
    std::string title;   ///< for people
    std::string script;  ///< gnuplot, all but the terminal and output
};

/// What stands behind the panel's slug and a dash in a graph's name.
inline constexpr std::array<std::string_view, 7> graph_suffixes{
    "restarts", "throughput", "relative", "wasted", "reasons", "needed", "latency"};

/// The graphs that the panel has data for. `origin` goes under each.
std::vector<graph> make_graphs(panel const& of, std::string const& origin);

/// One colour per policy, the same in every graph and table; HTML notation.
std::string_view policy_colour(std::string_view policy);

/// Draws all of them as `directory`/name.svg. Throws input_error when gnuplot is missing or fails.
void draw(std::vector<graph> const& graphs, std::filesystem::path const& directory);

}  // namespace manylock::stress

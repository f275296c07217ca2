// One page that holds everything: provenance, tables, and the graphs as data URIs, so that the file
// can be mailed and opened anywhere.
#pragma once

#include "../provenance.hpp"
#include "aggregate.hpp"
#include "plot.hpp"

#include <map>
#include <string>
#include <vector>

namespace manylock::stress {

struct page_section {
    panel shown;
    std::vector<graph> graphs;
};

/// `images` maps a graph's name to its SVG.
std::string html_page(provenance const& origin, std::vector<result_row> const& rows,
                      std::vector<page_section> const& sections,
                      std::map<std::string, std::string> const& images);

}  // namespace manylock::stress

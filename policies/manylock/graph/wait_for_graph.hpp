// The wait-for graph of a domain on Boost.Graph:
//
//     auto const g = manylock::graph::snapshot(accounts);     // at any time, under every policy
//     manylock::graph::strong_components(g).on_cycle(v);      // and all that Boost offers
//     for (auto v : manylock::graph::find_cycle(g)) ...       // one cycle
//     manylock::graph::write_dot(g, std::cout);               // dot -Tsvg draws it
#pragma once

#include <manylock/graph/cycles.hpp>
#include <manylock/graph/dot.hpp>
#include <manylock/graph/model.hpp>
#include <manylock/graph/snapshot.hpp>

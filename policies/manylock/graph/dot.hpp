// A snapshot as DOT, for Graphviz: boxes are transactions with stamp, age, what they hold and what
// they want; an arrow leads from a waiter to whom it waits for, dashed where that one only waits
// ahead of it. Edges and vertices on a cycle are red. Names may hold anything: they are escaped.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ostream>
#include <string>
#include <string_view>

#include <boost/graph/graphviz.hpp>

#include <manylock/graph/cycles.hpp>
#include <manylock/graph/model.hpp>

namespace manylock::graph {

namespace detail {

/// Bytes of the UTF-8 character that `text` begins with; 0 if it begins with none.
[[nodiscard]] inline std::size_t character_length(std::string_view text) {
    auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t length = 0;
    if (byte(0) < 0x80) length = 1;
    if (byte(0) >= 0xc2 && byte(0) < 0xe0) length = 2;
    if (byte(0) >= 0xe0 && byte(0) < 0xf0) length = 3;
    if (byte(0) >= 0xf0 && byte(0) < 0xf5) length = 4;
    if (length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    return length;
}

/// Text as it may stand between the quotes of a DOT label. Graphviz reads backslash sequences and
/// HTML entities there; control characters and what is not UTF-8 would make its SVG invalid.
[[nodiscard]] inline std::string escaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        auto const length = character_length(text);
        auto const c = text.front();
        if (c == '"') {
            out += "\\\"";
        } else if (c == '\\') {
            out += "\\\\";
        } else if (c == '&') {
            out += "&amp;";
        } else if (length == 0 ||
                   (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f))) {
            out += '?';
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

[[nodiscard]] inline std::string text_of(lock_ref const& lock) {
    if (!lock.name.empty()) return lock.name;
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "lock %p", lock.address);
    return buffer;
}

[[nodiscard]] inline std::string text_of_ns(std::uint64_t ns) {
    struct unit {
        double ns;
        char const* name;
    };
    constexpr unit units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};
    char buffer[32];
    for (auto const& u : units) {
        if (static_cast<double>(ns) < u.ns) continue;
        std::snprintf(buffer, sizeof buffer, "%.1f %s", static_cast<double>(ns) / u.ns, u.name);
        return buffer;
    }
    return std::to_string(ns) + " ns";
}

/// The label, escaped; \l ends a line and sets it flush left.
[[nodiscard]] inline std::string label_of(transaction_vertex const& t) {
    if (t.kind == vertex_kind::readers) {
        std::string label = std::to_string(t.readers) + (t.readers == 1 ? " reader" : " readers");
        if (!t.holds.empty()) label += " of " + escaped(text_of(t.holds.front().lock));
        return label;
    }
    std::string label = (t.single_reader ? "reader " : "transaction ") + std::to_string(t.number);
    if (t.age.drawn()) label += ", stamp " + std::to_string(t.age.value);
    if (t.age_ns) label += ", age " + text_of_ns(*t.age_ns);
    label += "\\l";
    if (t.kind == vertex_kind::running) label += "running: may be outdated\\l";
    if (t.told_to_restart) label += "told to restart\\l";
    for (auto const& h : t.holds) {
        label += "holds " + escaped(text_of(h.lock)) + " (" + name(h.held) + ")\\l";
    }
    if (t.wants) {
        label += std::string{t.wants->upgrade ? "upgrades " : "wants "} +
                 escaped(text_of(t.wants->lock)) + " (" + name(t.wants->wanted) + ")\\l";
    }
    return label;
}

[[nodiscard]] inline std::string label_of(wait_edge const& e) {
    return escaped(text_of(e.lock)) + "\\n" + name(e.wanted) + " behind " + name(e.other);
}

}  // namespace detail

/// Writes `g` as a DOT digraph. The stream's state tells whether writing succeeded.
inline void write_dot(wait_for_graph const& g, std::ostream& out) {
    auto const found = strong_components(g);
    auto const write_vertex = [&](std::ostream& to, vertex v) {
        auto const& t = g[v];
        to << "[label=\"" << detail::label_of(t)
           << "\", shape=" << (t.kind == vertex_kind::readers ? "ellipse" : "box");
        if (t.kind == vertex_kind::running) to << ", style=dashed";
        if (found.on_cycle(v)) to << ", color=red, penwidth=2";
        to << "]";
    };
    auto const write_edge = [&](std::ostream& to, edge e) {
        to << "[label=\"" << detail::label_of(g[e]) << "\"";
        if (g[e].kind == edge_kind::queue) to << ", style=dashed";
        if (found.on_cycle(source(e, g), target(e, g))) {
            to << ", color=red, fontcolor=red, penwidth=2";
        }
        to << "]";
    };
    auto const& facts = g[boost::graph_bundle];
    auto const write_graph = [&](std::ostream& to) {
        to << "label=\"wait-for graph, policy " << detail::escaped(facts.policy)
           << (facts.holds_known ? "" : "; of what is held, only what is waited for is known")
           << "\";\nnode [fontname=\"sans-serif\"];\n"
           << "edge [fontname=\"sans-serif\", fontsize=10];\n";
    };
    boost::write_graphviz(out, g, write_vertex, write_edge, write_graph);
}

}  // namespace manylock::graph

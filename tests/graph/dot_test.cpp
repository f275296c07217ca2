// Goal:   Graphviz draws what write_dot writes, whatever the names of the locks are.
// Method: graphs put together by hand; their DOT is read as text, and by `dot -Tsvg` where
//         installed.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include <manylock/graph/cycles.hpp>
#include <manylock/graph/dot.hpp>

namespace {

using namespace manylock;
using namespace manylock::graph;

int const some_lock = 0;  // only its address counts

transaction_vertex transaction(std::uint32_t number) {
    transaction_vertex t;
    t.number = number;
    t.age = {number * 10};
    t.age_ns = 1'500'000;
    return t;
}

/// 1 and 2 wait for each other; 3 waits behind 1 and for 2 readers of another lock.
wait_for_graph example(lock_ref const& hot) {
    lock_ref const other{&hot, "other"};
    wait_for_graph g;
    g[boost::graph_bundle] = {"some_policy", true};
    auto one = transaction(1);
    one.kind = vertex_kind::waiting;
    one.holds = {{hot, mode::exclusive}};
    one.wants = wanted_lock{other, mode::exclusive, true, 0};
    auto two = transaction(2);
    two.holds = {{other, mode::shared}};
    two.told_to_restart = true;
    auto const v1 = add_vertex(one, g);
    auto const v2 = add_vertex(two, g);
    auto const v3 = add_vertex(transaction(3), g);
    transaction_vertex readers;
    readers.kind = vertex_kind::readers;
    readers.readers = 2;
    readers.holds = {{other, mode::shared}};
    auto const v4 = add_vertex(readers, g);
    add_edge(v1, v2, wait_edge{edge_kind::holder, other, mode::exclusive, mode::shared}, g);
    add_edge(v2, v1, wait_edge{edge_kind::holder, hot, mode::shared, mode::exclusive}, g);
    add_edge(v3, v1, wait_edge{edge_kind::queue, other, mode::exclusive, mode::exclusive}, g);
    add_edge(v3, v4, wait_edge{edge_kind::holder, other, mode::exclusive, mode::shared}, g);
    return g;
}

std::string dot_of(wait_for_graph const& g) {
    std::ostringstream out;
    write_dot(g, out);
    return out.str();
}

/// The line of DOT that begins with `start`.
std::string line_of(std::string const& dot, std::string const& start) {
    std::istringstream lines{dot};
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(start)) return line;
    }
    return {};
}

std::string read_all(std::filesystem::path const& file) {
    std::ifstream in{file};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

/// What Graphviz makes of it; empty if it refuses.
std::string svg_of(std::string const& dot) {
    auto const folder = std::filesystem::temp_directory_path();
    std::string const unique = "manylock-dot-" + std::to_string(std::random_device{}());
    auto const in = folder / (unique + ".dot");
    auto const svg = folder / (unique + ".svg");
    std::ofstream{in} << dot;
    auto const command = "dot -Tsvg '" + in.string() + "' -o '" + svg.string() + "'";
    auto const result = std::system(command.c_str());
    auto text = result == 0 ? read_all(svg) : std::string{};
    std::filesystem::remove(in);
    std::filesystem::remove(svg);
    return text;
}

bool graphviz_is_there() {
    return std::system("dot -V >/dev/null 2>&1") == 0;
}

bool contains(std::string const& text, std::string const& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("graph/dot") {
    TEST_CASE("vertices tell stamp and age and what is held and wanted") {
        auto const dot = dot_of(example({&some_lock, "hot"}));
        auto const one = line_of(dot, "0[");
        CHECK(contains(one, "transaction 1, stamp 10, age 1.5 ms\\l"));
        CHECK(contains(one, "holds hot (exclusive)\\l"));
        CHECK(contains(one, "upgrades other (exclusive)\\l"));
        auto const two = line_of(dot, "1[");
        CHECK(contains(two, "told to restart"));
        CHECK(contains(two, "style=dashed"));
        CHECK(contains(line_of(dot, "3["), "2 readers of other"));
        CHECK(contains(dot, "policy some_policy"));
    }

    TEST_CASE("edges and vertices of a cycle are red and queue edges are dashed") {
        auto const dot = dot_of(example({&some_lock, "hot"}));
        CHECK(contains(line_of(dot, "0["), "color=red"));
        CHECK(contains(line_of(dot, "1["), "color=red"));
        CHECK(!contains(line_of(dot, "2["), "color=red"));
        CHECK(contains(line_of(dot, "0->1"), "color=red"));
        CHECK(contains(line_of(dot, "1->0"), "color=red"));
        CHECK(contains(line_of(dot, "1->0"), "hot\\nshared behind exclusive"));
        CHECK(!contains(line_of(dot, "1->0"), "dashed"));
        CHECK(!contains(line_of(dot, "2->0"), "color=red"));
        CHECK(contains(line_of(dot, "2->0"), "dashed"));
        CHECK(!contains(line_of(dot, "2->3"), "color=red"));
    }

    TEST_CASE("a lock without a name is shown by its address") {
        auto const dot = dot_of(example({&some_lock, {}}));
        std::ostringstream address;
        address << static_cast<void const*>(&some_lock);
        CHECK(contains(dot, "holds lock " + address.str()));
    }

    TEST_CASE("ages are told in a fitting unit") {
        CHECK(graph::detail::text_of_ns(0) == "0 ns");
        CHECK(graph::detail::text_of_ns(999) == "999 ns");
        CHECK(graph::detail::text_of_ns(1'000) == "1.0 us");
        CHECK(graph::detail::text_of_ns(2'500'000) == "2.5 ms");
        CHECK(graph::detail::text_of_ns(61'000'000'000) == "61.0 s");
    }

    TEST_CASE("Graphviz draws every name as it is") {
        if (!graphviz_is_there()) {
            MESSAGE("skipped: dot (Debian package graphviz) is not installed");
            return;
        }
        struct sample {
            char const* name;
            char const* in_svg;
        };
        for (auto const& drawn : {
                 sample{"plain", "plain"},
                 sample{"say \"hi\"", "say &quot;hi&quot;"},
                 sample{"back\\slash\\n", "back\\slash\\n"},
                 sample{"ends with \\", "ends with \\ (exclusive)"},
                 sample{"a<b> & c", "a&lt;b&gt; &amp; c"},
                 sample{"&lt;", "&amp;lt;"},
                 sample{"\"]; evil [label=\"", "&quot;]; evil [label=&quot;"},
                 sample{"tab\tbell\a", "tab?bell?"},
                 sample{"zweite T\xc3\xbcr", "zweite T\xc3\xbcr"},
                 sample{"// not a comment", "// not a comment"},
                 sample{"latin \xfc and cut \xe2\x82", "latin ? and cut ??"},
             }) {
            CAPTURE(drawn.name);
            auto const svg = svg_of(dot_of(example({&drawn, drawn.name})));
            REQUIRE(!svg.empty());
            auto plain = svg;  // dot writes some characters by number
            for (auto const& [from, to] :
                 {std::pair<std::string, std::string>{"&#160;", " "}, {"&#45;", "-"}}) {
                for (auto at = plain.find(from); at != std::string::npos; at = plain.find(from)) {
                    plain.replace(at, from.size(), to);
                }
            }
            CHECK(contains(plain, std::string{"holds "} + drawn.in_svg));
        }
        CHECK(!svg_of(dot_of(wait_for_graph{})).empty());
    }
}

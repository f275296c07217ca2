#include "report.hpp"

#include "../atomic_file.hpp"
#include "../interrupt.hpp"
#include "../input_error.hpp"
#include "../provenance.hpp"
#include "aggregate.hpp"
#include "html.hpp"
#include "plot.hpp"

#include <string_view>
#include <set>
#include <unistd.h>
#include <algorithm>

namespace manylock::stress {
namespace {

constexpr std::size_t policies_max = 64;

namespace fs = std::filesystem;

/// Where gnuplot works; removed with everything in it, whatever happens.
class work_directory {
public:
    explicit work_directory(fs::path const& parent)
        : path_(parent / (".report.tmp." + std::to_string(::getpid()))) {
        std::error_code error;
        if (!fs::create_directory(path_, error)) {
            throw input_error("cannot make the directory " + path_.string() + ": " +
                              error.message() + "; report writes its graphs beside results.csv");
        }
    }
    ~work_directory() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    work_directory(work_directory const&) = delete;
    work_directory& operator=(work_directory const&) = delete;
    [[nodiscard]] fs::path const& path() const noexcept { return path_; }

private:
    fs::path path_;
};

constexpr std::uintmax_t file_limit = std::uintmax_t{256} << 20;

provenance read_provenance(fs::path const& directory) {
    auto const file = directory / "results.json";
    return parse_provenance(read_whole_file(file, "the result file", file_limit), file);
}

std::string ratio_text(std::optional<summary> const& a, std::optional<summary> const& b) {
    if (!a || !b) return "-";
    if (a->median <= 0) return b->median <= 0 ? "1" : "-";
    return short_number(b->median / a->median);
}

void add_comparison(text_table& table, panel const& of, cell const& a, cell const& b) {
    auto const text = [](std::optional<summary> const& value) {
        return value ? short_number(value->median) : "-";
    };
    auto const& rate = &result_row::commits_per_second;
    auto const& restarts = &result_row::restarts_per_commit;
    auto const& latency = &result_row::latency_ns_p99;
    table.push_back({of.workload, a.policy, std::to_string(a.at), text(a.of(rate)),
                     text(b.of(rate)), ratio_text(a.of(rate), b.of(rate)), text(a.of(restarts)),
                     text(b.of(restarts)), ratio_text(a.of(restarts), b.of(restarts)),
                     ratio_text(a.of(latency), b.of(latency))});
}

}  // namespace

void write_report(fs::path const& directory, std::ostream& out) {
    auto const rows = read_results(directory);
    auto const origin = read_provenance(directory);
    auto const panels = make_panels(rows);
    std::set<std::string_view> policies;
    for (auto const& r : rows) policies.insert(r.policy);
    if (policies.size() > policies_max) {
        throw input_error(directory.string() + " has results of " +
                          std::to_string(policies.size()) + " policies; a graph can tell at most " +
                          std::to_string(policies_max) + " apart");
    }
    work_directory const work(directory);
    std::vector<page_section> sections;
    std::vector<graph> graphs;
    for (auto const& p : panels) {
        page_section section{p, make_graphs(p, origin.line())};
        graphs.insert(graphs.end(), section.graphs.begin(), section.graphs.end());
        sections.push_back(std::move(section));
    }
    draw(graphs, work.path());
    throw_if_interrupted();

    atomic_files files(directory);
    std::map<std::string, std::string> images;
    for (auto const& g : graphs) {
        auto svg = read_whole_file(work.path() / (g.name + ".svg"), "the graph", file_limit);
        files.add(g.name + ".svg", svg);
        images.emplace(g.name, std::move(svg));
    }
    files.add("report.html", html_page(origin, rows, sections, images));
    files.commit();
    out << "graphs: " << graphs.size() << " SVG files in " << directory.string()
        << "\nreport: " << (directory / "report.html").string() << '\n';
}

void compare_results(fs::path const& a, fs::path const& b, std::ostream& out) {
    auto const panels_a = make_panels(read_results(a));
    auto const panels_b = make_panels(read_results(b));
    text_table table;
    table.push_back({"workload", "policy", "threads or cores", "commits/s A", "B", "B/A",
                     "restarts/commit A", "B", "B/A", "p99 B/A"});
    for (auto const& left : panels_a) {
        auto const right = std::find_if(panels_b.begin(), panels_b.end(), [&](panel const& p) {
            return p.workload == left.workload && p.description == left.description;
        });
        if (right == panels_b.end()) continue;
        for (auto const& c : left.cells) {
            if (auto const* const other = right->find(c.policy, c.at))
                add_comparison(table, left, c, *other);
        }
    }
    if (table.size() == 1) {
        throw input_error(
            a.string() + " and " + b.string() +
            " have no policy and configuration in common; compare results of one workload "
            "with the same options");
    }
    out << "A = " << a.string() << ", B = " << b.string() << "; medians over the rounds\n\n"
        << markdown(table);
}

}  // namespace manylock::stress

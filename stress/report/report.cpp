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
constexpr std::size_t workloads_max = 256;
constexpr char const* page_name = "report.html";

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

void check_size(std::vector<result_row> const& rows, fs::path const& directory) {
    std::set<std::string_view> policies;
    std::set<std::string_view> workloads;
    for (auto const& r : rows) {
        policies.insert(r.policy);
        workloads.insert(r.workload);
    }
    auto const refuse_above = [&](std::size_t n, std::size_t most, std::string const& what) {
        if (n <= most) return;
        throw input_error(directory.string() + " has results of " + std::to_string(n) + ' ' + what +
                          "; a report can show at most " + std::to_string(most) +
                          ", so spread them over several directories");
    };
    refuse_above(policies.size(), policies_max, "policies");
    refuse_above(workloads.size(), workloads_max, "workloads");
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

void remove_report(atomic_files& files) {
    auto const page = files.directory() / page_name;
    std::error_code ignored;
    if (!fs::is_regular_file(fs::symlink_status(page, ignored))) return;
    // The page names its workloads, and so tells which graphs are its own.
    auto const text = read_whole_file(page, "the old page", file_limit);
    constexpr std::string_view heading = "<h2 id=\"";
    for (auto at = text.find(heading); at != std::string::npos; at = text.find(heading, at + 1)) {
        auto const begin = at + heading.size();
        auto const slug = text.substr(begin, text.find('"', begin) - begin);
        if (slug.size() > 255 || slug.find('/') != std::string::npos) continue;
        for (auto const suffix : graph_suffixes)
            files.remove(slug + '-' + std::string(suffix) + ".svg");
    }
    files.remove(page_name);
}

std::size_t add_report(atomic_files& files, std::vector<result_row> const& rows,
                       provenance const& origin) {
    check_size(rows, files.directory());
    work_directory const work(files.directory());
    std::vector<page_section> sections;
    std::vector<graph> graphs;
    for (auto const& p : make_panels(rows)) {
        page_section section{p, make_graphs(p, origin.line())};
        graphs.insert(graphs.end(), section.graphs.begin(), section.graphs.end());
        sections.push_back(std::move(section));
    }
    draw(graphs, work.path());
    throw_if_interrupted();

    remove_report(files);
    std::map<std::string, std::string> images;
    for (auto const& g : graphs) {
        auto svg = read_whole_file(work.path() / (g.name + ".svg"), "the graph", file_limit);
        files.add(g.name + ".svg", svg);
        images.emplace(g.name, std::move(svg));
    }
    files.add(page_name, html_page(origin, rows, sections, images));
    return graphs.size();
}

void write_report(fs::path const& directory, std::ostream& out) {
    auto const rows = read_results(directory);
    auto const origin = read_provenance(directory);
    check_size(rows, directory);
    atomic_files files(directory, {page_name});
    auto const graphs = add_report(files, rows, origin);
    files.commit();
    say_where(graphs, directory, out);
}

void say_where(std::size_t graphs, fs::path const& directory, std::ostream& out) {
    out << "graphs: " << graphs << " SVG files in " << directory.string()
        << "\nreport: " << (directory / page_name).string() << '\n';
}

void compare_results(fs::path const& a, fs::path const& b, std::ostream& out) {
    auto const panels_of = [](fs::path const& directory) {
        auto const rows = read_results(directory);
        check_size(rows, directory);
        return make_panels(rows);
    };
    auto const panels_a = panels_of(a);
    auto const panels_b = panels_of(b);
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

// The command report: what it refuses, what it writes, and what it compares.
#include "atomic_file.hpp"
#include "program.hpp"
#include "provenance.hpp"
#include "report/aggregate.hpp"
#include "report/plot.hpp"
#include "result.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace manylock::stress::testing {
namespace {

result_row row_of(std::string const& policy, std::uint64_t threads, std::uint64_t round,
                  double rate) {
    result_row row;
    row.policy = policy;
    row.workload = "uniform";
    row.platform = "native";
    row.threads = threads;
    row.cores = 2;
    row.locks = 16;
    row.round = round;
    row.seconds = 1;
    row.commits = static_cast<std::uint64_t>(rate);
    row.commits_per_second = rate;
    row.restarts = policy == "umbrella" ? 0 : 10;
    row.restarts_per_commit = static_cast<double>(*row.restarts) / rate;
    if (policy != "umbrella") row.restarts_died = 10;
    row.latency_ns_p50 = 100;
    row.latency_ns_p99 = 1000;
    row.latency_ns_p999 = 10'000;
    row.latency_ns_max = 100'000;
    return row;
}

std::vector<result_row> rows_of(std::vector<std::uint64_t> const& thread_counts,
                                double factor = 1) {
    std::vector<result_row> rows;
    for (std::uint64_t round = 0; round < 3; ++round) {
        for (auto const threads : thread_counts) {
            rows.push_back(
                row_of("umbrella", threads, round, 100.0 * static_cast<double>(round + 1)));
            rows.push_back(row_of("wait_die", threads, round,
                                  300.0 * factor * static_cast<double>(round + 1)));
        }
    }
    return rows;
}

/// A row of the full preset 2plsf-high as the simulator has it.
result_row simulated_row(std::string const& policy, std::uint64_t cores, std::uint64_t threads,
                         double rate) {
    auto row = row_of(policy, threads, 0, rate);
    row.workload = "2plsf_high";
    row.platform = "simulated";
    row.cores = cores;
    row.locks = 10'000'000;
    row.locks_per_transaction = 16;
    row.read_percent = 50;
    row.zipf = 0.9;
    row.hold_ns = 0;
    return row;
}

std::vector<result_row> simulated_rows(std::vector<std::uint64_t> const& cores) {
    std::vector<result_row> rows;
    for (auto const n : cores) {
        for (auto const* policy : {"wait_die", "no_wait"}) {
            auto const rate = 500'000 + 1000.0 * static_cast<double>(n);
            rows.push_back(simulated_row(policy, n, n, rate));
            rows.back().restarts = 9;
            rows.back().restarts_died = 9;
            rows.back().restarts_cycle = 2;
            rows.back().restarts_precaution = 7;
        }
    }
    return rows;
}

graph const* graph_of(std::vector<graph> const& graphs, std::string const& name) {
    for (auto const& g : graphs) {
        if (g.name == name) return &g;
    }
    return nullptr;
}

bool holds(graph const* g, std::string const& text) {
    return g != nullptr && g->script.find(text) != std::string::npos;
}

void write_rows(std::filesystem::path const& directory, std::vector<result_row> const& rows) {
    atomic_files files(directory);
    files.add("results.csv", csv_text(rows));
    files.add("results.json", json_text(current_provenance({"<test> & 'quotes'"}, 1), rows));
    files.commit();
}

void check_report_refused(std::filesystem::path const& directory, std::string const& part) {
    auto const before = std::filesystem::exists(directory) ? entries(directory) : 0;
    auto const result = run_program({"report", directory.string()});
    CAPTURE(result.err);
    CHECK(result.status == 2);
    CHECK(is_one_sentence(result.err));
    CHECK(result.err.find(part) != std::string::npos);
    if (std::filesystem::exists(directory)) CHECK(entries(directory) == before);
}

}  // namespace

TEST_SUITE("stress/report") {
    TEST_CASE("missing and empty and garbage results are refused and nothing is drawn") {
        temporary_directory const place;
        check_report_refused(place / "missing", "is not a directory");
        check_report_refused(place.path(), "results.csv does not exist");
        write_text(place / "results.csv", "");
        check_report_refused(place.path(), "is empty");
        write_text(place / "results.csv", csv_text({}));
        check_report_refused(place.path(), "holds a heading but no rows");
        write_text(place / "results.csv", "PK\x03\x04 garbage\n");
        check_report_refused(place.path(), "results.csv:1: column 1 of the heading");
        write_rows(place.path(), rows_of({1}));
        write_text(place / "results.json", "{");
        check_report_refused(place.path(), "results.json");
        std::filesystem::remove(place / "results.json");
        check_report_refused(place.path(), "results.json does not exist");
    }

    TEST_CASE("a report holds four graphs of a workload and is self-contained") {
        for (auto const& threads : {std::vector<std::uint64_t>{1, 2, 4}, {4}}) {
            temporary_directory const place;
            write_rows(place.path(), rows_of(threads));
            auto const result = run_program({"report", place.path().string()});
            CAPTURE(result.err);
            REQUIRE(result.status == 0);
            for (auto const* name : {"restarts", "throughput", "reasons", "latency"}) {
                auto const svg = file_text(place / (std::string("uniform-") + name + ".svg"));
                CHECK(svg.find("<svg") != std::string::npos);
                CHECK(svg.find("wait_die") != std::string::npos);
            }
            CHECK(entries(place.path()) == 2 + 4 + 1);
            auto const html = file_text(place / "report.html");
            CHECK(html.ends_with("</html>\n"));
            CHECK(html.find("data:image/svg+xml;base64,") != std::string::npos);
            CHECK(html.find("src=\"http") == std::string::npos);
            CHECK(html.find("&lt;test&gt; &amp;") != std::string::npos);
            CHECK(html.find("300 %") != std::string::npos);
        }
    }

    TEST_CASE("without gnuplot the report says what to install") {
        temporary_directory const place;
        write_rows(place.path(), rows_of({1, 2}));
        std::vector<std::string> const environment{"PATH=" + place.path().string()};
        auto const result = child({"report", place.path().string()}, &environment).wait();
        CHECK(result.status == 2);
        CHECK(is_one_sentence(result.err));
        CHECK(result.err.find("gnuplot is not installed") != std::string::npos);
        CHECK(entries(place.path()) == 2);
    }

    TEST_CASE("a name that gnuplot could read as a command is none") {
        temporary_directory const place;
        auto rows = rows_of({1, 2});
        auto const planted = place / "planted";
        for (auto& row : rows)
            row.workload =
                "x'; system 'touch " + planted.string() + "`touch " + planted.string() + "`";
        write_rows(place.path(), rows);
        CHECK(run_program({"report", place.path().string()}).status == 2);
        CHECK_FALSE(std::filesystem::exists(planted));
    }

    TEST_CASE("medians and the share of the umbrella") {
        auto const panels = make_panels(rows_of({1, 2}));
        REQUIRE(panels.size() == 1);
        auto const* const cell = panels[0].find("wait_die", 2);
        REQUIRE(cell != nullptr);
        CHECK(cell->of(&result_row::commits_per_second)->median == 600);
        CHECK(panels[0].relative_to_umbrella(*cell) == 300.0);
        CHECK_FALSE(cell->of(&result_row::fallbacks).has_value());
    }

    TEST_CASE("rows of check runs count only where there are no others") {
        auto rows = rows_of({4});
        auto checked = rows_of({4}, 100);
        for (auto& row : checked) row.check = "ok";
        rows.insert(rows.end(), checked.begin(), checked.end());
        auto const panels = make_panels(rows);
        REQUIRE(panels.size() == 1);
        CHECK_FALSE(panels[0].checked);
        CHECK(panels[0].find("wait_die", 4)->rows.size() == 3);
        CHECK(make_panels(checked).front().checked);
        CHECK(count_checks(rows, "wait_die", "uniform").ok == 3);
    }

    TEST_CASE("replays by users and with work are panels of their own") {
        auto rows = rows_of({2});
        auto users = rows_of({2});
        for (auto& row : users) row.regions = "disjoint";
        auto work = rows_of({2});
        for (auto& row : work) row.work = "traced";
        auto none = rows_of({4});
        for (auto& row : none) row.work = "none";
        for (auto const* more : {&users, &work, &none})
            rows.insert(rows.end(), more->begin(), more->end());
        auto const panels = make_panels(rows);
        REQUIRE(panels.size() == 3);
        CHECK(panels[0].points.size() == 2);
        CHECK(panels[1].description.find("users in disjoint regions") != std::string::npos);
        CHECK(panels[2].description.find("work as recorded") != std::string::npos);
    }

    TEST_CASE("simulated rows stand alone and against cores if each core has its thread") {
        auto rows = simulated_rows({1, 4, 64});
        auto native = simulated_rows({1, 4, 64});
        for (auto& row : native) row.platform = "native";
        rows.insert(rows.end(), native.begin(), native.end());
        auto const panels = make_panels(rows);
        REQUIRE(panels.size() == 2);
        CHECK(panels[0].axis == panel_axis::cores);
        CHECK(panels[0].points == std::vector<std::uint64_t>{1, 4, 64});
        CHECK(panels[0].largest() == "64 cores");
        CHECK(panels[0].description.find("a thread per core, simulated") != std::string::npos);
        CHECK_FALSE(panels[1].simulated);
        CHECK(panels[1].axis == panel_axis::threads);
        auto const graphs = make_graphs(panels[0], "");
        auto const* const restarts = graph_of(graphs, "2plsf_high-restarts");
        REQUIRE(restarts != nullptr);
        CHECK(restarts->title == "2plsf_high: restarts per commit against cores, simulated");
        CHECK(holds(restarts, "set logscale x 2"));
        CHECK(holds(restarts, "set xlabel 'cores'"));
        CHECK(holds(restarts, "\n64 "));
        auto const others = make_graphs(panels[1], "");
        auto const* const measured = graph_of(others, "2plsf_high_2-restarts");
        CHECK_FALSE(holds(measured, "logscale"));
        CHECK(holds(measured, "\n2 "));  // the third of them, wherever that is
        // Up to 16 times the smallest the axis is linear.
        CHECK_FALSE(holds(graph_of(make_graphs(make_panels(simulated_rows({4, 64}))[0], ""),
                                   "2plsf_high-restarts"),
                          "logscale"));
    }

    TEST_CASE("simulated machines with more threads than cores are told apart") {
        std::vector<result_row> rows;
        for (std::uint64_t const cores : {2U, 4U}) {
            for (std::uint64_t const threads : {2U, 4U, 8U})
                rows.push_back(simulated_row("wait_die", cores, threads, 1000));
        }
        auto const panels = make_panels(rows);
        REQUIRE(panels.size() == 2);
        CHECK(panels[1].description.find("4 cores, simulated") != std::string::npos);
        CHECK(panels[1].axis == panel_axis::threads);
        CHECK(panels[1].points == std::vector<std::uint64_t>{2, 4, 8});
        CHECK(panels[1].find("wait_die", 8)->rows.size() == 1);
        CHECK(panels[1].published.empty());  // published with a core for each thread

        for (auto& row : rows) row.threads = 8;
        rows.resize(4);
        rows[3].cores = 8;
        rows.erase(rows.begin(), rows.begin() + 2);
        auto const same_threads = make_panels(rows);
        REQUIRE(same_threads.size() == 1);
        CHECK(same_threads[0].axis == panel_axis::cores);
        CHECK(same_threads[0].description.find("8 threads, simulated") != std::string::npos);
    }

    TEST_CASE("published points are drawn beside the same configuration and only there") {
        auto const with = make_panels(simulated_rows({1, 8, 64})).front();
        CHECK_FALSE(with.published.empty());
        auto const graphs = make_graphs(with, "");
        auto const* const relative = graph_of(graphs, "2plsf_high-relative");
        REQUIRE(relative != nullptr);
        CHECK(relative->title ==
              "2plsf_high: throughput relative to 1 core against cores, simulated");
        CHECK(holds(relative, "title 'published: NO_WAIT'"));
        CHECK(holds(relative, "title 'published: 2PLSF'"));
        CHECK(holds(relative, "dashtype (8,5)"));
        // 8 threads: 793,268 transactions in 25.963176 s of all threads against 100,000 in 0.893893.
        CHECK(holds(relative, "\n8 2.1849"));
        CHECK(holds(relative, "\n64 1.1257"));  // ours: 564 to 501
        CHECK_FALSE(holds(graph_of(graphs, "2plsf_high-throughput"), "published"));
        CHECK_FALSE(holds(graph_of(graphs, "2plsf_high-restarts"), "published"));
        auto const table = published_table(with);
        REQUIRE(table.size() > 1);
        CHECK(std::any_of(table.begin(), table.end(), [](auto const& row) {
            return row[0] == "NO_WAIT" && row[2] == "8" && row[5] == "2.18" && row[6] == "508k";
        }));
        // The row that looks entered by hand is left out.
        CHECK(std::none_of(table.begin(), table.end(),
                           [](auto const& row) { return row[0] == "WAIT_DIE" && row[2] == "64"; }));

        auto smaller = simulated_rows({1, 8});
        for (auto& row : smaller) row.locks = 1'000'000;
        auto other = simulated_rows({1, 8});
        for (auto& row : other) row.workload = "uniform";
        auto native = simulated_rows({1, 8});
        for (auto& row : native) row.platform = "native";
        for (auto const& rows : {smaller, other, native}) {
            auto const without = make_panels(rows).front();
            CHECK(without.published.empty());
            CHECK(published_table(without).empty());
            for (auto const& g : make_graphs(without, "")) {
                CHECK(g.script.find("published") == std::string::npos);
                CHECK(g.name.find("relative") == std::string::npos);
            }
        }
    }

    TEST_CASE("restarts are drawn as needed or not where the meter ran") {
        auto const* const suffix = "2plsf_high-needed";
        auto rows = simulated_rows({1, 8});
        auto const graphs = make_graphs(make_panels(rows).front(), "");
        auto const* const needed = graph_of(graphs, suffix);
        REQUIRE(needed != nullptr);
        CHECK(needed->title ==
              "2plsf_high: restarts that were needed, and not at 8 cores, simulated");
        CHECK(holds(needed, "title 'precaution'"));
        CHECK(holds(needed, "title 'closed a cycle'"));
        CHECK(holds(needed, "\n0 0 3.93700787e-06 3.93700787e-06 1.77165354e-05\n"));
        for (auto& row : rows) {
            row.restarts_cycle.reset();
            row.restarts_precaution.reset();
        }
        CHECK(graph_of(make_graphs(make_panels(rows).front(), ""), suffix) == nullptr);
    }

    TEST_CASE("a report of simulated rows holds the published numbers as a table") {
        temporary_directory const place;
        write_rows(place.path(), simulated_rows({1, 8, 64}));
        auto const result = run_program({"report", place.path().string()});
        CAPTURE(result.err);
        REQUIRE(result.status == 0);
        CHECK(file_text(place / "2plsf_high-relative.svg").find("published: NO_WAIT") !=
              std::string::npos);
        auto const html = file_text(place / "report.html");
        CHECK(html.find("2plsf_high, simulated (64 cores)") != std::string::npos);
        CHECK(html.find("ycsb-high-no_wait.txt") != std::string::npos);
        CHECK(html.find("compare shapes") != std::string::npos);
    }

    TEST_CASE("two results are compared by the ratio of their medians") {
        temporary_directory const place;
        write_rows(place / "a", rows_of({1, 2}));
        write_rows(place / "b", rows_of({2, 8}, 2));
        auto const result = run_program({"report", (place / "a").string(), (place / "b").string()});
        CHECK(result.status == 0);
        // one thread count in common: a heading, a rule, a row for each policy
        CHECK(std::count(result.out.begin(), result.out.end(), '|') == 4 * 11);
        CHECK(result.out.find("600 | 1200 |") != std::string::npos);
        write_rows(place / "c", rows_of({16}));
        auto const nothing =
            run_program({"report", (place / "a").string(), (place / "c").string()});
        CHECK(nothing.status == 2);
        CHECK(is_one_sentence(nothing.err));
    }

    TEST_CASE("numbers and durations are short") {
        CHECK(short_number(0) == "0");
        CHECK(short_number(0.001234) == "0.00123");
        CHECK(short_number(123.4) == "123");
        CHECK(short_number(12'345) == "12.3k");
        CHECK(short_duration(999) == "999 ns");
        CHECK(short_duration(1500) == "1.5 us");
        CHECK(short_duration(2e9) == "2 s");
    }
}

}  // namespace manylock::stress::testing

// The command report: what it refuses, what it writes, and what it compares.
#include "atomic_file.hpp"
#include "program.hpp"
#include "provenance.hpp"
#include "report/aggregate.hpp"
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

    TEST_CASE("a name that gnuplot could read as a command is only a name") {
        temporary_directory const place;
        auto rows = rows_of({1, 2});
        auto const planted = place / "planted";
        for (auto& row : rows)
            row.workload =
                "x'; system 'touch " + planted.string() + "`touch " + planted.string() + "`";
        write_rows(place.path(), rows);
        CHECK(run_program({"report", place.path().string()}).status == 0);
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
        CHECK(panels[0].threads.size() == 2);
        CHECK(panels[1].description.find("users in disjoint regions") != std::string::npos);
        CHECK(panels[2].description.find("work as recorded") != std::string::npos);
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

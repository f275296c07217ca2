// results.csv: the columns are the contract, what is written reads back equal, and nothing else is
// read.
#include "program.hpp"
#include "result.hpp"
#include "atomic_file.hpp"
#include "input_error.hpp"
#include "provenance.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace manylock::stress {
namespace {

// Spelled out once more on purpose: whoever changes the order in the program breaks readers.
constexpr char const* contract =
    "policy,workload,platform,threads,cores,locks,locks_per_transaction,read_percent,zipf,hold_ns,"
    "seed,round,"
    "seconds,commits,commits_per_second,restarts,restarts_per_commit,restarts_wounded,restarts_"
    "died,"
    "restarts_deadlock,restarts_out_of_order,restarts_conflict,restarts_injected,restarts_stale,"
    "restarts_cycle,"
    "restarts_precaution,restarts_max_of_one_transaction,fallbacks,latency_ns_p50,latency_ns_p99,"
    "latency_ns_p999,"
    "latency_ns_max,wait_ns,detector_walks,detector_edges,held_list_bytes_max,lock_bytes,check,"
    "hold,"
    "regions,work,fault_success,fault_abort,fault_retry,fault_miss,fault_ns_p50,fault_ns_p99,"
    "fault_ns_max,order_edges,parallel_width,wasted_ns,wasted_locks,cycles_formed,"
    "cycle_lengths,sockets,sampled,victims_per_cycle";

result_row sample() {
    result_row row;
    row.policy = "wait_die";
    row.workload = "uniform";
    row.platform = "native";
    row.threads = 4;
    row.read_percent = 12.5;
    row.seed = std::numeric_limits<std::uint64_t>::max();
    row.round = 0;
    row.seconds = 0.1;
    row.commits = 3;
    row.restarts = 2;
    row.restarts_per_commit = 2.0 / 3.0;
    row.restarts_died = 2;
    row.latency_ns_max = 0;
    return row;
}

std::string complaint(std::string const& text) {
    try {
        static_cast<void>(parse_csv(text, "results.csv"));
    } catch (input_error const& error) {
        return error.what();
    }
    return "nothing";
}

std::string with_field(std::string const& name, std::string const& value) {
    std::string line;
    for (auto const& c : columns) {
        if (&c != &columns.front()) line += ',';
        line += c.name == name ? value : field_text(sample(), c);
    }
    return std::string(contract) + '\n' + line + '\n';
}

bool contains(std::string const& text, std::string const& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("stress/result") {
    TEST_CASE("the heading is the contract word for word") {
        CHECK(csv_text({}) == std::string(contract) + '\n');
    }

    TEST_CASE("rows read back equal and an empty field is not zero") {
        result_row other = sample();
        other.check = "failed";
        other.zipf = 0.0;
        auto const rows = std::vector{sample(), other};
        auto const read = parse_csv(csv_text(rows), "results.csv");
        CHECK(read == rows);
        CHECK_FALSE(read[0].zipf.has_value());
        CHECK(read[1].zipf == 0.0);
        CHECK(read[0].latency_ns_max == 0U);
    }

    TEST_CASE("columns after the known ones are passed over") {
        auto text = csv_text({sample()});
        text.insert(text.find('\n'), ",later");
        text.insert(text.size() - 1, ",x");
        CHECK(parse_csv(text, "results.csv").front() == sample());
    }

    TEST_CASE("a file from before the later columns reads with those empty") {
        auto row = sample();
        row.work = "traced";
        auto text = csv_text({row});
        auto const cut_after = [&](std::string const& end, std::size_t from) {
            auto const at = text.find(end, from) + end.size();
            text.erase(at, text.find('\n', at) - at);
        };
        cut_after(",hold", text.find(",hold,"));
        auto const line = text.find('\n') + 1;
        std::size_t at = line;
        for (std::size_t fields = 1; fields < oldest_columns; ++fields) at = text.find(',', at) + 1;
        text.erase(at, text.find('\n', at) - at);  // the last old field is empty
        CHECK(parse_csv(text, "results.csv").front() == sample());
        text.erase(text.find('\n') - 5, 5);
        CHECK(contains(complaint(text), "the heading ends before column hold"));
    }

    TEST_CASE("a bad field is named by file, line and column") {
        for (auto const* value : {"-1", "1.5", "x", "1e3", " 1", "99999999999999999999"}) {
            CAPTURE(value);
            auto const said = complaint(with_field("threads", value));
            CHECK(contains(said, "results.csv:2: column threads holds '"));
        }
        for (auto const* value : {"nan", "inf", "-0.5", "1,5"}) {
            CAPTURE(value);
            CHECK(complaint(with_field("seconds", value)) != "nothing");
        }
        CHECK(contains(complaint(with_field("check", "maybe")),
                       "where ok, failed or nothing belongs"));
        CHECK(contains(complaint(with_field("policy", "")), "column policy is empty"));
        CHECK(contains(complaint(with_field("commits", "")), "column commits is empty"));
    }

    TEST_CASE("reasons that do not add up to the restarts are refused") {
        CHECK(contains(complaint(with_field("restarts", "3")), "add up to 2"));
    }

    TEST_CASE("a wrong heading or a short or cut off or absent row is refused") {
        auto const good = csv_text({sample()});
        CHECK(contains(complaint(""), "is empty"));
        CHECK(contains(complaint(std::string(contract) + '\n'), "holds a heading but no rows"));
        CHECK(contains(complaint("policy,threads\n"), "column 2 of the heading is 'threads'"));
        CHECK(contains(complaint("policy\n"), "the heading ends before column workload"));
        CHECK(contains(complaint(good + "wait_die,uniform\n"),
                       "results.csv:3: the row has 2 fields"));
        CHECK(contains(complaint(good.substr(0, good.size() - 1)), "cut off"));
        CHECK(contains(complaint(std::string(1000, '\0')), "cut off"));
    }

    TEST_CASE("the JSON holds the provenance and every column with null where the CSV is empty") {
        auto const origin = current_provenance({"manylock-stress", "run", "it's"}, 7);
        auto const document = nlohmann::json::parse(json_text(origin, {sample()}));
        for (auto const* name : {"commit", "compiler", "flags", "cpu", "kernel", "command"}) {
            CAPTURE(name);
            CHECK_FALSE(document.at(name).get<std::string>().empty());
        }
        CHECK(document.at("seed") == 7);
        CHECK(document.at("command") == "manylock-stress run 'it'\\''s'");
        auto const& row = document.at("rows").at(0);
        CHECK(row.size() == columns.size());
        CHECK(row.at("zipf").is_null());
        CHECK(row.at("check").is_null());
        CHECK(row.at("seed") == std::numeric_limits<std::uint64_t>::max());
        CHECK(parse_provenance(document.dump(), "results.json").seed == 7);
        CHECK_THROWS_AS(parse_provenance("[1]", "results.json"), input_error);
        CHECK_THROWS_AS(parse_provenance("{\"seed\": \"x\"}", "results.json"), input_error);
        CHECK_THROWS_AS(parse_provenance("{", "results.json"), input_error);
    }

    TEST_CASE("files that are not committed leave nothing behind") {
        testing::temporary_directory const place;
        {
            atomic_files files(place / "new");
            files.add("a", "1");
            files.add("b", "2");
        }
        CHECK(testing::entries(place / "new") == 0);
        {
            atomic_files files(place / "new");
            files.add("a", "1");
            files.commit();
        }
        CHECK(testing::file_text(place / "new" / "a") == "1");
        CHECK(testing::entries(place / "new") == 1);
        CHECK_THROWS_AS(atomic_files(place / "new" / "a"), input_error);
    }
}

}  // namespace manylock::stress

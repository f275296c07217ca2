// The constants of the timing simulator: how they are given on the command line and in files, and how
// calibrate measures them. What a constant comes out as is the machine's affair; that a probe that takes longer
// comes out longer is not.
#include "calibrate.hpp"
#include "input_error.hpp"
#include "program.hpp"

#include <doctest/doctest.h>
#include <memory>

namespace manylock::stress {
namespace {

using testing::file_text;
using testing::run_program;
using testing::temporary_directory;
using testing::write_text;

std::string complaint_of(std::string const& assignment) {
    simulate::costs target;
    try {
        simulate::set_cost(target, assignment);
    } catch (input_error const& error) {
        CHECK(target == simulate::costs{});
        return error.what();
    }
    return {};
}

std::string complaint_about(std::filesystem::path const& file) {
    try {
        static_cast<void>(simulate::read_costs(file));
    } catch (input_error const& error) {
        return error.what();
    }
    return {};
}

void check_contains(std::string const& text, std::string const& part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
}

/// A probe whose rounds give these values in turn.
probe scripted(std::string_view key, std::vector<double> values) {
    auto const next = std::make_shared<std::size_t>(0);
    return {key, "a script",
            [=](round_values const&) { return values[(*next)++ % values.size()]; }};
}

calibrated with_rounds(std::string_view key, std::vector<double> rounds) {
    return {key, "a script", std::move(rounds)};
}

}  // namespace

TEST_SUITE("stress/calibrate") {
    TEST_CASE("every cost can be set by its key and nothing else changes") {
        for (auto const& k : simulate::cost_keys) {
            CAPTURE(k.name);
            simulate::costs set;
            simulate::set_cost(set, std::string(k.name) + "=123456");
            CHECK(set.*(k.member) == 123456);
            set.*(k.member) = simulate::costs{}.*(k.member);
            CHECK(set == simulate::costs{});
        }
        simulate::costs set;
        simulate::set_cost(set, "sockets=4");
        CHECK(set.sockets == 4);
        simulate::set_cost(set, " transfer = 60 ");
        CHECK(set.transfer == 60);
    }

    TEST_CASE("a cost that cannot be is refused with what would be right") {
        check_contains(complaint_of("transfer"), "'transfer' is not key=value");
        check_contains(complaint_of("speed=3"), "'speed=3' names no cost; the costs are hit, ");
        check_contains(complaint_of("speed=3"), "operation, sockets");
        check_contains(complaint_of("=3"), "names no cost");
        for (auto const* value :
             {"", "x", "-1", "1.5", "3ns", "1000000001", "99999999999999999999999"}) {
            check_contains(complaint_of(std::string("transfer=") + value),
                           "is not a whole number from 0 to 1000000000");
        }
        for (auto const* key : {"hit", "atomic_hit", "pause", "clock", "yield"})
            check_contains(complaint_of(std::string(key) + "=0"), "from 1 to ");
        check_contains(complaint_of("time_slice=999"), "from 1000 to ");
        check_contains(complaint_of("sockets=0"), "from 1 to 64");
        CHECK(complaint_of("fence=0").empty());
    }

    TEST_CASE("a file of costs says what differs from the defaults") {
        temporary_directory const place;
        auto const file = place / "costs.txt";
        write_text(file, "# comment\n\n  transfer = 60  # measured\r\nsockets=2");
        simulate::costs expected;
        expected.transfer = 60;
        expected.sockets = 2;
        CHECK(simulate::read_costs(file) == expected);
        write_text(file, "");
        CHECK(simulate::read_costs(file) == simulate::costs{});
    }

    TEST_CASE("a file of costs is refused with the line that is wrong") {
        temporary_directory const place;
        auto const file = place / "costs.txt";
        write_text(file, "hit=1\nspeed=3\n");
        check_contains(complaint_about(file), "costs.txt:2: 'speed=3' names no cost");
        write_text(file, "hit=1\n\nhit=2\n");
        check_contains(complaint_about(file), "costs.txt:3: hit is given twice");
        check_contains(complaint_about(place / "none"), "calibrate --out FILE");
        check_contains(complaint_about(place.path()), "is not a regular file");
    }

    TEST_CASE("pairs of processors are found by socket and core") {
        temporary_directory const place;
        auto const processor_at = [&](unsigned n, char const* socket, char const* core) {
            auto const topology = place.path() / ("cpu" + std::to_string(n)) / "topology";
            std::filesystem::create_directories(topology);
            write_text(topology / "physical_package_id", socket);
            write_text(topology / "core_id", core);
        };
        processor_at(0, "0\n", "0\n");
        processor_at(1, "0\n", "0\n");  // the other thread of that core
        processor_at(2, "1\n", "0\n");
        processor_at(3, "0\n", "1\n");
        auto const all = read_processors({0, 1, 2, 3}, place.path());
        CHECK(all[1] == processor{1, 0, 0});
        CHECK(neighbours(all) == processor_pair{0, 3});
        CHECK(strangers(all) == processor_pair{0, 2});
        auto const one_core = read_processors({0, 1}, place.path());
        CHECK_FALSE(neighbours(one_core).has_value());
        CHECK_FALSE(strangers(one_core).has_value());
        CHECK_FALSE(neighbours(read_processors({3}, place.path())).has_value());
        // Where the kernel says nothing, as in some containers, each is a core.
        auto const unknown = read_processors({8, 9}, place.path());
        CHECK(neighbours(unknown) == processor_pair{8, 9});
        CHECK_FALSE(strangers(unknown).has_value());
    }

    TEST_CASE("a thread stays where it is pinned and is free again afterwards") {
        auto const before = usable_processors();
        REQUIRE_FALSE(before.empty());
        {
            pinned const here(before.back().number);
            CHECK(usable_processors() == std::vector<processor>{before.back()});
        }
        CHECK(usable_processors() == before);
    }

    TEST_CASE("a constant is the median of its rounds but the first and at least 1") {
        probes two;
        two.all.push_back(scripted("wake", {9000, 800, 900, 100'000}));
        two.all.push_back({"sleep", "a script", [](round_values const& known) {
                               return known.at("wake") < 1000 ? 7.6 : 0.2;
                           }});
        auto const all = measure_costs(two, platform::native::now(), 1e-9);
        REQUIRE(all.size() == 2);
        CHECK(all[0].key == "sleep");  // in the order of the documentation
        CHECK(all[1].rounds == std::vector<double>{800, 900});
        CHECK(all[1].cost() == 850);
        CHECK(all[0].cost() == 8);
        CHECK(with_rounds("hit", {0.2, 0.3, 0.4}).cost() == 1);
        auto const uneven = with_rounds("wake", {1, 90, 95, 100, 105, 110, 5000});
        CHECK(uneven.median() == 100);
        CHECK(uneven.spread_percent() == doctest::Approx(10));
    }

    TEST_CASE("what calibrate writes is what simulate reads") {
        std::vector<calibrated> const all{with_rounds("hit", {1.2}),
                                          with_rounds("transfer", {61.4})};
        CHECK(cost_options(all) == "--cost hit=1 --cost transfer=61");
        temporary_directory const place;
        auto const file = place / "costs.txt";
        write_text(file, costs_text(all, current_provenance({"a", "b c"}, 0)));
        simulate::costs expected;
        expected.hit = 1;
        expected.transfer = 61;
        CHECK(simulate::read_costs(file) == expected);
        check_contains(file_text(file), "# a 'b c'\n");
    }

    TEST_CASE("calibrate measures what it can and says what it cannot") {
        temporary_directory const place;
        auto const file = place / "costs.txt";
        auto const result = run_program({"calibrate", "--seconds", "0.01", "--out", file.string()});
        CAPTURE(result.err);
        REQUIRE(result.status == 0);
        CHECK(testing::entries(place.path()) == 1);
        auto const text = file_text(file);
        for (auto const& k : simulate::cost_keys) {
            CAPTURE(k.name);
            auto const key = std::string(k.name);
            bool const measured = text.find('\n' + key + '=') != std::string::npos;
            bool const excused =
                result.out.find("not measured: " + key + ": ") != std::string::npos;
            CHECK(int{measured} + int{excused} == int{k.measurable || key == "transfer_remote"});
            CHECK((result.out.find("--cost " + key + "=") != std::string::npos) == measured);
        }
        auto const costs = simulate::read_costs(file);
        // Orders of magnitude that hold on any machine and in any build.
        CHECK(costs.hit < costs.sleep);
        CHECK(costs.hit < costs.memory);
        CHECK(costs.clock < costs.operation);
        CHECK(costs.atomic_hit < costs.wake);
    }

    TEST_CASE("calibrate refuses what it cannot use before it measures") {
        auto const refused = [](std::vector<std::string> const& options, std::string const& part) {
            std::vector<std::string> arguments{"calibrate"};
            arguments.insert(arguments.end(), options.begin(), options.end());
            auto const result = run_program(arguments);
            CHECK(result.status == 2);
            CHECK(result.out.empty());
            CHECK(testing::is_one_sentence(result.err));
            check_contains(result.err, part);
        };
        temporary_directory const place;
        refused({"--seconds", "0"}, "--seconds: '0' is not a number");
        refused({"--seconds", "x"}, "--seconds: 'x' is not a number");
        refused({"--out", place.path().string()}, "is a directory");
        refused({"--out", place.path().string() + "/"}, "names no file");
        refused({"--out", ""}, "names no file");
        write_text(place / "file", "");
        refused({"--out", (place / "file").string() + "/costs.txt"}, "file");
        refused({"--policy", "umbrella"}, "'--policy umbrella' is not expected here");
        refused({"more"}, "'more' is not expected here");
    }
}

}  // namespace manylock::stress

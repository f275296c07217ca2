// The published workloads as data: both sizes of each, and the numbers published for them.
#include "commands.hpp"
#include "report/published.hpp"
#include "workloads/catalogue.hpp"
#include "workloads/picker.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace manylock::stress {
namespace {

workload full(std::string const& preset_name, std::string const& workload_name) {
    auto const found = find_full_preset(preset_name);
    REQUIRE(found.has_value());
    for (auto const& w : found->workloads) {
        if (w.name == workload_name) return w;
    }
    FAIL("no workload " << workload_name << " in preset " << preset_name);
    return {};
}

std::vector<machine_shape> a_core_each(std::vector<std::uint64_t> const& threads) {
    std::vector<machine_shape> shapes;
    for (auto const n : threads) shapes.push_back({n, n});
    return shapes;
}

}  // namespace

TEST_SUITE("stress/presets") {
    TEST_CASE("both sizes hold the same presets and workloads and every one can be picked from") {
        for (std::uint64_t const cores : {1U, 2U, 64U}) {
            auto const native = presets(cores);
            auto const& published = full_presets();
            REQUIRE(native.size() == published.size());
            std::set<std::string> names;
            for (std::size_t p = 0; p < native.size(); ++p) {
                CAPTURE(native[p].name);
                CHECK(native[p].name == published[p].name);
                CHECK_FALSE(native[p].description.empty());
                CHECK(native[p].workloads.size() <= published[p].workloads.size());
                REQUIRE(published[p].commits.has_value());
                for (auto const& w : published[p].workloads) {
                    CAPTURE(w.name);
                    CHECK(names.insert(w.name).second);
                    CHECK_FALSE(w.shapes.empty());
                    for (auto const& shape : w.shapes) {
                        CHECK(shape.cores >= 1);
                        CHECK(shape.threads >= 1);
                        CHECK(shape.threads <= 1024);
                    }
                }
                for (auto const& w : native[p].workloads) {
                    CAPTURE(w.name);
                    CHECK(names.contains(w.name));
                    CHECK(w.shapes.empty());
                    CHECK_FALSE(w.threads.empty());
                    CHECK(w.locks <= 1'000'000);
                    zipf_sampler const zipf(w.locks, w.zipf);
                    picker picks(w, 1, 3, &zipf);
                    CHECK(picks.next().size() == w.locks_per_transaction);
                }
            }
        }
    }

    TEST_CASE("threads with a core each are as many natively as there are cores for") {
        CHECK(find_preset("2plsf-high", 20)->workloads.front().threads ==
              std::vector<std::uint64_t>{1, 2, 4, 8, 16});
        CHECK(find_preset("2plsf-high", 1)->workloads.front().threads ==
              std::vector<std::uint64_t>{1, 2});
        CHECK(find_preset("2plsf-high", 1000)->workloads.front().threads.back() == 64);
        CHECK(find_preset("dbx", 2)->scaled.find("1 and 4 threads") != std::string::npos);
    }

    TEST_CASE("the full sizes are the published ones") {
        auto const dbx = full("dbx", "dbx_theta80");
        CHECK(dbx.locks == 10'000'000);
        CHECK(dbx.locks_per_transaction == 16);
        CHECK(dbx.zipf == 0.8);
        CHECK(dbx.read_percent == 50);
        CHECK(dbx.shapes == a_core_each({1, 4, 16, 64, 256, 1024}));
        CHECK(full("dbx", "dbx_theta0").zipf == 0);
        CHECK(full("dbx", "dbx_theta60_read90").read_percent == 90);

        auto const high = full("2plsf-high", "2plsf_high");
        CHECK(high.zipf == 0.9);
        CHECK(high.shapes == a_core_each({1, 2, 4, 8, 16, 32, 48, 64}));
        CHECK(full("2plsf-low", "2plsf_low").locks_per_transaction == 2);

        auto const random = full("hellstrom", "hellstrom_random");
        CHECK(random.locks == 100'000);
        CHECK(random.locks_per_transaction == 800);
        CHECK(random.hold_ns == 0);
        CHECK(random.shapes == std::vector<machine_shape>{{4, 4}, {4, 16}});
        CHECK(full("hellstrom", "hellstrom_ascending").sequence == order::ascending);
        CHECK(find_full_preset("hellstrom")->commits == 4000U);
        CHECK(find_full_preset("hellstrom")->scaled.find("4,000") != std::string::npos);

        CHECK(full("kselftest", "kselftest_reorder").shapes == std::vector<machine_shape>{{4, 8}});
        CHECK(full("kselftest", "kselftest_all").shapes == std::vector<machine_shape>{{4, 12}});

        for (auto const& [name, position] : {std::pair{"bamboo_hs1_at0", 0.0},
                                             {"bamboo_hs1_at25", 0.25},
                                             {"bamboo_hs1_at100", 1.0}}) {
            auto const hot = full("bamboo-hs1", name);
            CHECK(hot.locks == 100'000'000);
            CHECK(hot.hot_position == position);
            CHECK(hot.hot_exclusive);
            CHECK(hot.read_percent == 100);
            CHECK(hot.shapes.back() == machine_shape{120, 120});
        }

        CHECK(find_full_preset("folly")->workloads.size() == 8);
        CHECK(full("folly", "folly_m16_unordered").locks == 16);
        CHECK(full("folly", "folly_m2_ordered").sequence == order::ascending);
        CHECK(full("folly", "folly_m4_ordered").shapes == a_core_each({2, 4, 8, 16}));

        auto const crowd = full("oversub", "oversub");
        CHECK(crowd.locks == 10'000);
        CHECK(crowd.shapes.front() == machine_shape{16, 1});
        CHECK(crowd.shapes.back() == machine_shape{16, 64});
        CHECK(full("ring", "ring_64").shapes == a_core_each({64}));
        CHECK(find_full_preset("dbx")->commits == 100'000U);
        CHECK_FALSE(find_full_preset("no such preset").has_value());
    }

    TEST_CASE("every published point belongs to a full preset and to a policy") {
        auto const& points = published_points();
        REQUIRE(points.size() > 100);
        std::set<std::string> seen;
        for (auto const& p : points) {
            CAPTURE(p.source);
            CAPTURE(p.workload);
            auto const preset = find_full_preset(p.preset);
            REQUIRE(preset.has_value());
            auto const prefix = p.workload.substr(0, p.workload.find('*'));
            CHECK(std::any_of(
                preset->workloads.begin(), preset->workloads.end(), [&](workload const& w) {
                    auto const shape =
                        std::any_of(w.shapes.begin(), w.shapes.end(),
                                    [&](machine_shape const& s) { return s.threads <= p.threads; });
                    return w.name.starts_with(prefix) && shape;
                }));
            auto const known = policies_of_this_program();
            CHECK((p.policy.empty() ||
                   std::find(known.all.begin(), known.all.end(), p.policy) != known.all.end()));
            CHECK(p.value > 0);
            // No point twice.
            CHECK(seen.insert(p.workload + '|' + p.name + '|' + p.metric + '|' +
                              std::to_string(p.threads))
                      .second);
        }
    }

    TEST_CASE("Hellstrom's four cases belong to both orders and to his four cores only") {
        result_row row;
        row.workload = "hellstrom_random";
        row.platform = "simulated";
        row.cores = 4;
        row.locks = 100'000;
        row.locks_per_transaction = 800;
        CHECK(published_for(row, false).size() == 12);
        row.workload = "hellstrom_ascending";
        CHECK(published_for(row, false).size() == 12);
        row.cores = 16;
        CHECK(published_for(row, false).empty());
        row.cores = 4;
        row.locks_per_transaction = 16;
        CHECK(published_for(row, false).empty());
    }

    TEST_CASE("a published row that is not as described is refused") {
        std::string const heading = "preset,workload,name,policy,threads,metric,value,source\n";
        auto const refused = [&](std::string const& text, std::string const& part) {
            CAPTURE(text);
            std::string what;
            try {
                parse_published(text);
            } catch (std::invalid_argument const& error) {
                what = error.what();
            }
            CHECK(what.find(part) != std::string::npos);
        };
        CHECK(parse_published(heading + "p,w,N,,4,seconds,1.5,s\n").front() ==
              published_point{"p", "w", "N", "", 4, "seconds", 1.5, "s"});
        refused("preset\n", "published.csv:1: the heading");
        refused(heading + "p,w,N,,4,seconds,1.5,s", "published.csv:2: no newline");
        refused(heading + "p,w,N,,4,seconds,1.5\n", "7 fields instead of 8");
        refused(heading + "p,w,N,,four,seconds,1.5,s\n", "'four' is not a number");
        refused(heading + "p,w,N,,4,seconds,1.5s,s\n", "'1.5s' is not a number");
        refused(heading + "p,w,N,,4,hours,1.5,s\n", "'hours' is not a metric");
        refused(heading + "p,w,,,4,seconds,1.5,s\n", "only the policy may be empty");
    }
}

}  // namespace manylock::stress

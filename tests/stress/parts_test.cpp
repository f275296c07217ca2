// The parts that measuring rests on: random numbers, picks, histogram, medians, and the history
// check, which must find a fault that was planted.
#include "histogram.hpp"
#include "random.hpp"
#include "statistics.hpp"
#include "workloads/crew.hpp"
#include "workloads/history.hpp"
#include "workloads/picker.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <set>
#include <stdexcept>
#include <vector>

namespace manylock::stress {
namespace {

std::vector<std::uint64_t> draws(std::uint64_t seed, std::uint64_t thread) {
    generator random(derived_seed(seed, thread));
    std::vector<std::uint64_t> values(8);
    for (auto& v : values) v = random();
    return values;
}

std::vector<std::uint32_t> locks_of(std::span<request const> requests) {
    std::vector<std::uint32_t> locks;
    for (auto const& r : requests) locks.push_back(r.lock);
    return locks;
}

void check_distinct(workload const& w, zipf_sampler const* zipf = nullptr) {
    picker picks(w, 1, 42, zipf);
    for (int i = 0; i < 50; ++i) {
        auto const locks = locks_of(picks.next());
        CHECK(locks.size() == w.locks_per_transaction);
        CHECK(std::set<std::uint32_t>(locks.begin(), locks.end()).size() == locks.size());
        CHECK(
            std::all_of(locks.begin(), locks.end(), [&](std::uint32_t l) { return l < w.locks; }));
    }
}

workload of_kind(char const* name, std::uint64_t locks, std::uint64_t k) {
    auto w = *find_workload(name);
    w.locks = locks;
    w.locks_per_transaction = k;
    return w;
}

thread_history history_of(std::vector<std::vector<access>> const& transactions) {
    thread_history history(100);
    for (auto const& t : transactions) {
        REQUIRE(history.begin(t.size()));
        for (auto const& a : t) history.add(a);
    }
    return history;
}

}  // namespace

TEST_SUITE("stress/parts") {
    TEST_CASE("one seed gives each thread its own sequence and the same again") {
        CHECK(draws(1, 0) == draws(1, 0));
        CHECK(draws(1, 0) != draws(1, 1));
        CHECK(draws(1, 0) != draws(2, 0));
        CHECK(derived_seed(0, 1) != derived_seed(1, 0));
    }

    TEST_CASE("numbers below a bound are uniform") {
        generator random(3);
        std::vector<int> seen(7);
        for (int i = 0; i < 70'000; ++i) ++seen[random.below(7)];
        for (auto const n : seen) CHECK(std::abs(n - 10'000) < 500);
    }

    TEST_CASE("zipf follows its weights and is uniform at theta 0") {
        for (double const theta : {0.0, 0.9, 2.0}) {
            CAPTURE(theta);
            constexpr std::size_t n = 20;
            zipf_sampler const sample(n, theta);
            generator random(5);
            std::vector<double> seen(n);
            constexpr int rounds = 200'000;
            for (int i = 0; i < rounds; ++i) seen[sample(random)] += 1.0 / rounds;
            double total = 0;
            for (std::size_t i = 0; i < n; ++i)
                total += std::pow(static_cast<double>(i + 1), -theta);
            for (std::size_t i = 0; i < n; ++i) {
                CHECK(std::abs(seen[i] - std::pow(static_cast<double>(i + 1), -theta) / total) <
                      0.005);
            }
        }
    }

    TEST_CASE("a transaction's locks are all different whatever the choice") {
        check_distinct(of_kind("uniform", 1000, 4));
        check_distinct(of_kind("uniform", 16, 16));
        check_distinct(of_kind("uniform", 1000, 300));
        check_distinct(of_kind("hotspot", 40, 40));
        check_distinct(of_kind("hotspot", 100, 1));
        check_distinct(of_kind("hotspot", 1000, 64));
        check_distinct(of_kind("ring", 5, 5));
        auto skewed = of_kind("zipf", 30, 30);
        zipf_sampler const zipf(30, 5.0);
        check_distinct(skewed, &zipf);
        auto hot = find_preset("oversub", 2)->workloads.front();
        check_distinct(hot);
    }

    TEST_CASE("the hot lock stands where it was asked for") {
        auto w = of_kind("hotspot", 100, 5);
        for (auto const& [position, index] :
             {std::pair{0.0, 0U}, {0.25, 1U}, {0.5, 2U}, {1.0, 4U}}) {
            w.hot_position = position;
            picker picks(w, 0, 1, nullptr);
            CHECK(locks_of(picks.next())[index] == 0);
        }
    }

    TEST_CASE("orders of acquisition") {
        auto w = of_kind("uniform", 100, 10);
        w.sequence = order::ascending;
        picker ascending(w, 0, 1, nullptr);
        auto locks = locks_of(ascending.next());
        CHECK(std::is_sorted(locks.begin(), locks.end()));
        w.sequence = order::fixed;
        picker fixed(w, 0, 1, nullptr);
        locks = locks_of(fixed.next());
        fixed.contended(locks[3]);
        CHECK(locks_of(fixed.next()) == locks);
        w.sequence = order::reorder;
        picker reorder(w, 0, 1, nullptr);
        locks = locks_of(reorder.next());
        reorder.contended(locks[3]);
        std::rotate(locks.begin(), locks.begin() + 3, locks.begin() + 4);
        CHECK(locks_of(reorder.next()) == locks);
    }

    TEST_CASE("the ring's neighbours start at the thread's own seat") {
        picker picks(of_kind("ring", 5, 4), 3, 1, nullptr);
        CHECK(locks_of(picks.next()) == std::vector<std::uint32_t>{3, 4, 0, 1});
    }

    TEST_CASE("the share of shared requests is as asked for") {
        auto w = of_kind("uniform", 100, 10);
        w.read_percent = 30;
        picker picks(w, 0, 1, nullptr);
        int shared = 0;
        for (int i = 0; i < 2000; ++i) {
            for (auto const& r : picks.next()) shared += r.shared ? 1 : 0;
        }
        CHECK(std::abs(shared - 6000) < 300);
    }

    TEST_CASE("the histogram keeps quantiles within 1.6 percent and the largest value exactly") {
        auto const h = std::make_unique<histogram>();
        for (std::uint64_t v = 1; v <= 100'000; ++v) h->record(v);
        for (double const q : {0.5, 0.99, 0.999}) {
            auto const exact = q * 100'000;
            CHECK(static_cast<double>(h->at(q)) >= exact);
            CHECK(static_cast<double>(h->at(q)) <= exact * 1.016 + 1);
        }
        CHECK(h->at(1.0) == 100'000);
        auto const large = std::make_unique<histogram>();
        large->record(~std::uint64_t{0});
        large->record(0);
        CHECK(large->max() == ~std::uint64_t{0});
        CHECK(large->at(1.0) == ~std::uint64_t{0});
        CHECK(large->at(0.5) == 0);
        large->add(*h);
        CHECK(large->count() == 100'002);
        CHECK(std::make_unique<histogram>()->at(0.5) == 0);
    }

    TEST_CASE("the median of an even number of rounds lies between the middle two") {
        CHECK(summarise({3, 1, 2}).median == 2);
        CHECK(summarise({4, 1, 2, 3}).median == 2.5);
        CHECK(summarise({80, 120}).spread_percent() == 20);
        CHECK(summarise({}).rounds == 0);
    }

    TEST_CASE("a serialisable history passes and one with a planted cycle does not") {
        access const a1{0, false, 1};
        access const a2{0, false, 2};
        access const b1{1, false, 1};
        access const b2{1, false, 2};
        CHECK_FALSE(find_fault({history_of({{a1, b1}}), history_of({{a2, b2}})}).has_value());
        CHECK(find_fault({history_of({{a1, b2}}), history_of({{a2, b1}})}).has_value());
    }

    TEST_CASE("a reader that saw the old and the new is a cycle") {
        access const write_a{0, false, 1};
        access const write_b{1, false, 1};
        access const old_a{0, true, 0};
        access const new_b{1, true, 1};
        CHECK(find_fault({history_of({{write_a, write_b}}), history_of({{old_a, new_b}})})
                  .has_value());
        access const new_a{0, true, 1};
        CHECK_FALSE(find_fault({history_of({{write_a, write_b}}), history_of({{new_a, new_b}})})
                        .has_value());
    }

    TEST_CASE("two exclusive holders at once are found by version and by holder word") {
        access const a1{0, false, 1};
        auto const fault = find_fault({history_of({{a1}}), history_of({{a1}})});
        REQUIRE(fault.has_value());
        CHECK(fault->find("two exclusive holders") != std::string::npos);
        for (bool const first_shared : {false, true}) {
            lock_witness witness(1);
            witness.entered(0, first_shared, 0);
            CHECK_FALSE(witness.broken());
            witness.entered(0, false, 1);
            CHECK(witness.broken());
        }
        lock_witness readers(1);
        readers.entered(0, true, 0);
        readers.entered(0, true, 1);
        readers.left(0, true, 0);
        readers.left(0, true, 1);
        readers.entered(0, false, 2);
        CHECK_FALSE(readers.broken());
    }

    TEST_CASE("a history keeps whole transactions up to its bound") {
        thread_history history(3);
        REQUIRE(history.begin(2));
        history.add({0, false, 1});
        history.add({1, false, 1});
        CHECK_FALSE(history.begin(2));
        CHECK(history.begin(1));
    }

    TEST_CASE("a crew commits as often as asked in all and counts only what is measured") {
        crew threads(3, {.seconds = 0, .commits = 100});
        std::atomic<std::uint64_t> works{0};
        int marks = 0;
        auto const seconds = threads.run(
            [&](crew::member& me) {
                while (me.next()) {
                    works.fetch_add(1, std::memory_order_relaxed);  // relaxed: a count
                    me.committed(measuring_clock::now(), {.restarts = {1, 0, 2},
                                                          .wasted_ns = 50,
                                                          .wasted_locks = 4,
                                                          .tags = {2, 1}});
                }
            },
            [&](bool) { ++marks; });
        auto const total = threads.total();
        CHECK(total.commits == 100);
        CHECK(works.load() >= 100 + 9);
        CHECK(total.restarts[0] == 100);
        CHECK(total.restarts[2] == 200);
        CHECK(total.restarts_max_of_one_transaction == 3);
        CHECK(total.wasted_ns == 5000);
        CHECK(total.wasted_locks == 400);
        CHECK(total.tags.cycle == 200);
        CHECK(total.tags.precaution == 100);
        CHECK(total.latency.count() == 100);
        CHECK(marks == 2);
        CHECK(seconds > 0);
    }

    TEST_CASE("an exception in one thread ends the run and comes out") {
        for (auto const& length : {extent{60, std::nullopt}, extent{0, 1'000'000'000'000}}) {
            crew threads(2, length);
            CHECK_THROWS_AS(threads.run(
                                [](crew::member& me) {
                                    while (me.next()) {
                                        if (me.index() == 1) throw std::logic_error("planted");
                                    }
                                },
                                [](bool) {}),
                            std::logic_error);
        }
    }
}

}  // namespace manylock::stress

// The parts that measuring rests on: random numbers, picks, histogram, medians, and the history
// check, which must find a fault that was planted.
#include "allocation.hpp"
#include "histogram.hpp"
#include "random.hpp"
#include "statistics.hpp"
#include "workloads/crew.hpp"
#include "workloads/history.hpp"
#include "workloads/picker.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <malloc.h>
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

/// Sum of k^-theta for k from `first` to `last`: the first ones one by one, the rest by Euler and
/// Maclaurin's formula, whose error is far below that of a double's sum there.
double weight_sum(double first, double last, double theta) {
    double sum = 0;
    for (; first <= last && first < 1000; ++first) sum += std::pow(first, -theta);
    if (first > last) return sum;
    auto const integral =
        theta == 1 ? std::log(last / first)
                   : (std::pow(last, 1 - theta) - std::pow(first, 1 - theta)) / (1 - theta);
    auto const slope = [&](double x) { return -theta * std::pow(x, -theta - 1); };
    return sum + integral + (std::pow(first, -theta) + std::pow(last, -theta)) / 2 +
           (slope(last) - slope(first)) / 12;
}

/// Pearson's chi-square test of the sampler against the exact distribution of `expected_theta`, its
/// value as that of a normal variable (Wilson and Hilferty). The bins are single numbers first, and
/// grow with them; those expected to stay nearly empty are joined.
double zipf_deviation(std::size_t n, double theta, int draws, double expected_theta = -1) {
    if (expected_theta < 0) expected_theta = theta;
    auto const total = weight_sum(1, static_cast<double>(n), expected_theta);
    std::vector<std::size_t> ends;
    std::vector<double> expected;
    double pending = 0;
    for (std::size_t first = 0; first < n;) {
        auto const end = std::min(n, first + 1 + first / 8);
        pending +=
            draws / total *
            weight_sum(static_cast<double>(first + 1), static_cast<double>(end), expected_theta);
        if (pending >= 10 || end == n) {
            ends.push_back(end);
            expected.push_back(pending);
            pending = 0;
        }
        first = end;
    }
    zipf_sampler const sample(n, theta);
    generator random(5);
    std::vector<double> seen(ends.size());
    for (int i = 0; i < draws; ++i) {
        auto const number = sample(random);
        if (number >= n) throw std::out_of_range("zipf_sampler");
        seen[static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), number) -
                                      ends.begin())] += 1;
    }
    if (ends.size() > 1 && expected.back() < 10) {  // too few for a bin of their own
        expected[ends.size() - 2] += expected.back();
        seen[ends.size() - 2] += seen.back();
        expected.pop_back();
    }
    if (expected.size() < 2) return 0;
    double chi = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
        chi += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
    auto const freedom = static_cast<double>(expected.size() - 1);
    auto const spread = 2 / (9 * freedom);
    return (std::cbrt(chi / freedom) - (1 - spread)) / std::sqrt(spread);
}

/// Bytes that this process has from malloc.
std::size_t memory_in_use() {
    auto const now = ::mallinfo2();
    return now.uordblks + now.hblkhd;
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

    TEST_CASE("zipf follows its weights whatever the skew and the number of locks") {
        for (auto const n : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{20},
                             std::size_t{1000}, std::size_t{100'000'000}}) {
            for (double const theta : {0.0, 0.3, 0.6, 0.9, 0.995, 1.0, 1.005, 1.2, 2.0, 10.0}) {
                CAPTURE(n);
                CAPTURE(theta);
                CHECK(std::abs(zipf_deviation(n, theta, 40'000)) < 4.5);
            }
        }
        // The test can tell a skew from its neighbour.
        CHECK(zipf_deviation(1000, 0.9, 40'000, 0.87) > 4.5);
        CHECK(zipf_deviation(1000, 1.0, 40'000, 1.03) > 4.5);
    }

    TEST_CASE("one seed gives zipf the same numbers again and theta 0 reaches every one") {
        zipf_sampler const sample(5, 0);
        generator one(7);
        generator other(7);
        std::set<std::size_t> seen;
        for (int i = 0; i < 200; ++i) {
            auto const number = sample(one);
            CHECK(number == sample(other));
            seen.insert(number);
        }
        CHECK(seen == std::set<std::size_t>{0, 1, 2, 3, 4});
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
        zipf_sampler const many(100'000'000, 0.8);
        check_distinct(of_kind("zipf", 100'000'000, 200), &many);
        check_distinct(of_kind("uniform", 100'000'000, 800));
        auto hot = find_preset("oversub", 2)->workloads.front();
        check_distinct(hot);
    }

    TEST_CASE("picking among very many locks takes no memory for them") {
        if (test::sanitized) return;  // the memory is counted in malloc, which a sanitizer replaces
        for (auto const* kind : {"uniform", "zipf", "hotspot"}) {
            for (std::uint64_t const k : {16U, 800U}) {
                CAPTURE(kind);
                CAPTURE(k);
                auto const before = memory_in_use();
                zipf_sampler const zipf(100'000'000, 0.9);
                picker picks(of_kind(kind, 100'000'000, k), 0, 1, &zipf);
                CHECK(picks.next().size() == k);
                CHECK(memory_in_use() - before < 64 * k + 4096);
            }
        }
    }

    TEST_CASE("the locks of a long transaction are drawn uniformly") {
        // 20 of 100: rejecting repeats by the table of marks must favour none.
        picker picks(of_kind("uniform", 100, 20), 0, 1, nullptr);
        std::vector<double> seen(100);
        for (int i = 0; i < 5000; ++i) {
            for (auto const& r : picks.next()) seen[r.lock] += 1;
        }
        for (auto const n : seen) CHECK(std::abs(n - 1000) < 150);
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

    TEST_CASE("a hot lock that is always written is so among reads too") {
        auto w = of_kind("hotspot", 100, 5);
        w.read_percent = 100;
        for (bool const exclusive : {true, false}) {
            w.hot_exclusive = exclusive;
            picker picks(w, 0, 1, nullptr);
            for (auto const& r : picks.next()) CHECK(r.shared == !(exclusive && r.lock == 0));
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

    TEST_CASE("threads with locks of their own never meet") {
        picker second(of_kind("disjoint", 12, 3), 1, 1, nullptr);
        picker last(of_kind("disjoint", 12, 3), 3, 1, nullptr);
        for (int i = 0; i < 2; ++i) {
            CHECK(locks_of(second.next()) == std::vector<std::uint32_t>{3, 4, 5});
            CHECK(locks_of(last.next()) == std::vector<std::uint32_t>{9, 10, 11});
        }
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
                    using enum restart_tag;
                    me.restarted({restart_reason::wounded, 20, 1, cycle, 1});
                    me.restarted({restart_reason::deadlock, 20, 2, cycle, 2});
                    me.restarted({restart_reason::deadlock, 10, 1, precaution, 3});
                    me.committed(measuring_clock::now());
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

// Goal:   waiting for a lock on the virtual machine is what queueing theory says it is.
// Method: one lock. Where costs and times are fixed, throughput is exact. With exponential times every wait
//         is that of Lindley's recursion, customer by customer, and the means are those of the closed forms
//         (L. Kleinrock, Queueing Systems I, 1975: 3.2 M/M/1, 3.8 M/M/1//M, 5.6 M/G/1), within four standard
//         errors, which come from the means of batches.
#include "support.hpp"

#include <random.hpp>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>

namespace manylock::simulate::testing {
namespace {

double exponential(stress::generator& random, double mean) {
    return -mean * std::log1p(-random.unit());
}
ns whole(double time) {
    return static_cast<ns>(std::llround(time));
}

struct estimate {
    double mean;
    double error;  ///< standard error
};
estimate from_batches(std::vector<double> const& values) {
    constexpr std::size_t batches = 20;
    auto const size = values.size() / batches;
    std::vector<double> means(batches);
    for (std::size_t b = 0; b < batches; ++b) {
        for (std::size_t i = b * size; i < (b + 1) * size; ++i)
            means[b] += values[i] / static_cast<double>(size);
    }
    double mean = 0;
    for (auto const m : means) mean += m / batches;
    double square = 0;
    for (auto const m : means) square += (m - mean) * (m - mean);
    return {mean, std::sqrt(square / (batches - 1) / batches)};
}

/// Nanoseconds between the last `counted` of `visits` to one lock, by n threads that compute `outside`, take it,
/// and compute `inside`.
ns time_of_visits(unsigned n, costs const& cost, ns inside, ns outside, unsigned visits,
                  unsigned counted, ns stagger = 1'000) {
    program p(n, cost);
    timed::mutex lock;
    std::vector<ns> left;
    for (unsigned i = 0; i < n; ++i) {
        p.thread([&, i] {
            p.until(i * stagger + 1);
            while (left.size() < visits) {
                lock.lock();
                p.on().compute(inside);
                p.on().in_order();
                left.push_back(p.on().now());
                lock.unlock();
                p.on().compute(outside);
                p.on().in_order();
            }
        });
    }
    p.run();
    return left[visits - 1] - left[visits - 1 - counted];
}

struct open_system {
    std::vector<ns> arrives;
    std::vector<ns> service;
};
open_system make_open(std::size_t customers, double mean_service, double rho, bool fixed,
                      std::uint64_t seed) {
    stress::generator random(seed);
    open_system made;
    double now = 0;
    for (std::size_t i = 0; i < customers; ++i) {
        now += exponential(random, mean_service / rho);
        made.arrives.push_back(whole(now));
        made.service.push_back(whole(fixed ? mean_service : exponential(random, mean_service)));
    }
    return made;
}
/// Customer i comes on core i % cores, which is free again by then.
std::vector<double> waits_of(open_system const& all, unsigned cores) {
    program p(cores, free_of_charge());
    timed::mutex lock;
    std::vector<double> waits(all.arrives.size());
    for (unsigned core = 0; core < cores; ++core) {
        p.thread([&, core] {
            for (std::size_t i = core; i < waits.size(); i += cores) {
                REQUIRE(p.on().now() <= all.arrives[i]);
                p.until(all.arrives[i]);
                lock.lock();
                waits[i] = static_cast<double>(p.on().now() - all.arrives[i]);
                p.until(p.on().now() + all.service[i]);
                lock.unlock();
            }
        });
    }
    p.run();
    return waits;
}

}  // namespace

TEST_SUITE("simulate/queueing") {
    TEST_CASE("a closed system with one lock has the throughput of its bottleneck exactly") {
        constexpr ns inside = 1'000;
        constexpr ns outside = 4'300;
        for (unsigned const n : {1U, 2U, 4U, 5U, 6U, 7U, 16U, 70U}) {
            CAPTURE(n);
            auto const visits = 40 * n;
            auto const took = time_of_visits(n, free_of_charge(), inside, outside, visits, 20 * n);
            // 20 rounds of n visits each: a round takes as long as one thread needs alone, or the lock for all.
            CHECK(took == 20 * std::max<ns>(inside + outside, n * inside));
        }
    }

    TEST_CASE("what the lock's line costs counts to the work inside and outside") {
        auto cost = plain_costs();
        constexpr ns inside = 3'000;
        constexpr ns outside = 9'000;
        ns const hit = cost.instructions + cost.atomic_hit;
        // Alone: both touches are hits.
        CHECK(time_of_visits(1, cost, inside, outside, 40, 20) ==
              20 * (inside + outside + 2 * hit));
        // A few, who never meet: the line has to come from whoever was there before.
        for (unsigned const n : {2U, 3U}) {
            CAPTURE(n);
            auto const took = time_of_visits(n, cost, inside, outside, 40 * n, 20 * n, 4'000);
            CHECK(took == 20 * (inside + outside + 2 * hit + cost.transfer));
        }
    }

    TEST_CASE(
        "a lock that is always wanted is handed on in the time that unlocking and waking take") {
        auto const cost = plain_costs();
        constexpr ns inside = 20'000;
        constexpr ns outside =
            6'000;  // more than wake_latency, or whoever leaves takes it again at once
        ns const hit = cost.instructions + cost.atomic_hit;
        for (unsigned const n : {2U, 3U, 8U, 33U}) {
            CAPTURE(n);
            // Whoever came last has the line, which its holder needs for unlocking.
            auto const service = inside + hit + cost.transfer + cost.wake_latency;
            CHECK(time_of_visits(n, cost, inside, outside, 40 * n, 20 * n) == 20 * n * service);
        }
    }

    TEST_CASE("every wait in an open system is Lindley's") {
        for (bool const fixed : {true, false}) {
            for (double const rho : {0.5, 0.8}) {
                CAPTURE(fixed);
                CAPTURE(rho);
                constexpr double service = 1'000'000;
                auto const all = make_open(6'000, service, rho, fixed, 77);
                auto const waits = waits_of(all, 64);
                std::vector<double> expected(waits.size());
                for (std::size_t i = 1; i < waits.size(); ++i) {
                    auto const left = expected[i - 1] + static_cast<double>(all.service[i - 1]) -
                                      static_cast<double>(all.arrives[i] - all.arrives[i - 1]);
                    expected[i] = std::max(left, 0.0);
                }
                CHECK(waits == expected);
            }
        }
    }

    TEST_CASE("the mean wait of M/M/1 and M/D/1 is the closed form's") {
        for (bool const fixed : {true, false}) {
            for (double const rho : {0.5, 0.8}) {
                CAPTURE(fixed);
                CAPTURE(rho);
                constexpr double service = 1'000'000;
                auto const all = make_open(rho > 0.7 ? 80'000 : 20'000, service, rho, fixed, 5);
                auto const measured = from_batches(waits_of(all, 80));
                // Pollaczek and Khinchin; the coefficient of variation is 0 or 1.
                auto const closed = rho * service / (1 - rho) * (fixed ? 0.5 : 1.0);
                CAPTURE(measured.mean / closed);
                CAPTURE(measured.error / closed);
                CHECK(std::fabs(measured.mean - closed) < 4 * measured.error);
                CHECK(measured.error < 0.05 * closed);  // or the check above would say nothing
            }
        }
    }

    TEST_CASE("machines that wait for one repairman have the closed form's throughput") {
        constexpr double service = 1'000'000;
        constexpr double think = 10 * service;
        for (unsigned const machines : {3U, 10U, 20U}) {
            CAPTURE(machines);
            program p(machines, free_of_charge());
            timed::mutex repairman;
            constexpr std::size_t repairs = 10'000;
            std::vector<double> left;
            for (unsigned i = 0; i < machines; ++i) {
                p.thread([&, i] {
                    stress::generator random(stress::derived_seed(3, i));
                    while (left.size() <= repairs) {
                        p.until(p.on().now() + whole(exponential(random, think)));
                        repairman.lock();
                        p.until(p.on().now() + whole(exponential(random, service)));
                        left.push_back(static_cast<double>(p.on().now()));
                        repairman.unlock();
                    }
                });
            }
            p.run();
            std::vector<double> between;
            for (std::size_t i = 1; i <= repairs; ++i) between.push_back(left[i] - left[i - 1]);
            auto const measured = from_batches(between);
            // The repairman is idle with probability 1 / sum of M! / (M - k)! (service / think)^k.
            double sum = 0;
            double term = 1;
            for (unsigned k = 0; k <= machines; ++k) {
                sum += term;
                term *= (machines - k) * service / think;
            }
            auto const closed = service / (1 - 1 / sum);
            CAPTURE(measured.mean / closed);
            CAPTURE(measured.error / closed);
            CHECK(std::fabs(measured.mean - closed) < 4 * measured.error);
            CHECK(measured.error < 0.03 * closed);
        }
    }
}

}  // namespace manylock::simulate::testing

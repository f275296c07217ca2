// Goal:   what threads do to one address space at once is what some one order of their operations
//         does, and that order is the order of commits.
// Method: see commit_order.hpp. Small windows, so that operations collide all the time. The long run
//         (tests/address_space/long_run) is the same case with more operations, asked for by
//         MANYLOCK_LONG_RUN="operations threads seed".
#include "commit_order.hpp"

#include <manylock/policies.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

namespace {

using namespace manylock::address_space;
namespace policies = manylock::policies;

constexpr std::array<std::size_t, 3> windows{64, 256, 2048};

struct totals {
    std::uint64_t operations = 0;
    std::uint64_t batches = 0;
    std::uint64_t restarts = 0;
    std::uint64_t stale = 0;
    std::uint64_t restarts_max = 0;  ///< of one transaction
};

/// One space from first to last; what is wrong, or nothing.
template <class Policy>
std::string run_once(commit_order_settings const& settings, totals& sum) {
    using run = commit_order_run<basic_address_space<Policy>>;
    run once{settings};
    std::string wrong = once.run();
    manylock::statistics const stats = once.space().domain().stats();
    sum.operations += once.batches_done() * run::batch_per_thread * settings.threads;
    sum.batches += once.batches_done();
    sum.restarts += stats.restarts();
    sum.stale += stats.restarts(manylock::restart_reason::stale);
    sum.restarts_max = std::max(sum.restarts_max, stats.restarts_max_of_one_transaction);
    return wrong;
}

template <class Policy>
void long_run(commit_order_settings settings) {
    constexpr std::uint64_t in_one_space = 100'000;
    std::uint64_t const wanted = settings.operations;
    std::uint64_t const first_seed = settings.seed;
    std::string wrong;
    totals sum;
    for (std::uint64_t told = 0; sum.operations < wanted && wrong.empty(); ++settings.seed) {
        settings.operations = std::min(in_one_space, wanted - sum.operations);
        settings.window_pages = windows[settings.seed % windows.size()];
        wrong = run_once<Policy>(settings, sum);
        if (std::uint64_t const tenths = sum.operations * 10 / wanted; tenths > told) {
            told = tenths;
            std::fprintf(stderr, "%s: %llu operations\n", Policy::name,
                         static_cast<unsigned long long>(sum.operations));
        }
    }
    std::printf("| %-16s %12llu %10llu %10llu %8llu %8llu %s\n", Policy::name,
                static_cast<unsigned long long>(sum.operations),
                static_cast<unsigned long long>(sum.restarts),
                static_cast<unsigned long long>(sum.stale),
                static_cast<unsigned long long>(sum.restarts_max),
                static_cast<unsigned long long>(sum.batches), wrong.empty() ? "ok" : "WRONG");
    INFO("first seed ", first_seed, ", threads ", settings.threads);
    CHECK(wrong == "");
}

}  // namespace

#define MANYLOCK_REGISTER_POLICY(policy) TYPE_TO_STRING(policies::policy);
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY

TEST_SUITE("address_space/commit_order") {
    TEST_CASE_TEMPLATE_DEFINE("in the order of commits every result is an array of pages'", Policy,
                              in_commit_order) {
        if (char const* const asked = std::getenv("MANYLOCK_LONG_RUN")) {
            unsigned long long operations = 0;
            unsigned long long threads = 0;
            unsigned long long seed = 0;
            REQUIRE(std::sscanf(asked, "%llu %llu %llu", &operations, &threads, &seed) == 3);
            long_run<Policy>({operations, threads, seed, 0});
            return;
        }
        totals sum;
        for (std::size_t const window : windows)
            CHECK(run_once<Policy>({6000, 4, 1, window}, sum) == "");
        if (Policy::needs.umbrella) CHECK(sum.restarts == 0);
    }

#define MANYLOCK_REGISTER_POLICY(policy) \
    TEST_CASE_TEMPLATE_INVOKE(in_commit_order, policies::policy);
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
}

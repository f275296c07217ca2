// Goal:   what a simulated row says does not depend on where its objects lie in memory.
// Method: the same row twice, once after the heap was left so that what is allocated next lies in another order.
#include <simulate/simulator.hpp>

#include <workloads/catalogue.hpp>

#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <vector>

namespace manylock::simulate {
namespace {

/// So that blocks of every size are free which lie apart, and come back last one first, or in another order.
void shuffle_heap(std::size_t seed) {
    std::vector<std::vector<std::unique_ptr<char[]>>> all;
    for (std::size_t size = 16; size <= 4096; size += 16) {
        auto& blocks = all.emplace_back();
        for (std::size_t i = 0; i < 12; ++i) blocks.push_back(std::make_unique<char[]>(size));
    }
    for (auto& blocks : all) {
        for (std::size_t i = 0; i < blocks.size(); ++i) blocks[(i * seed) % blocks.size()].reset();
    }
}

stress::row_outcome row(policy_simulator const& policy, std::string const& name) {
    stress::row_request request;
    request.what = *stress::find_workload(name);
    request.what.locks = 40;
    request.what.hold_ns = 100;
    request.threads = 5;
    request.length = {0, 250};
    request.seed = 4;
    return policy.run(request, {.shape = {4, 5}, .cost = {}});
}

}  // namespace

TEST_SUITE("simulate/determinism") {
    TEST_CASE("no result depends on an address") {
        for (auto const* name : {"umbrella", "wound_wait", "wait_die", "cycle_detection",
                                 "lock_ordering", "no_wait", "cycle_detection_8"}) {
            auto const* const policy = find_simulator(name);
            REQUIRE(policy != nullptr);
            for (auto const* workload : {"uniform", "vma_mix"}) {
                if (std::string(name) == "cycle_detection_8" && std::string(workload) == "vma_mix")
                    continue;
                auto const first = row(*policy, workload);
                for (std::size_t const seed : {5U, 7U, 11U}) {
                    INFO(name << " " << workload << " " << seed);
                    shuffle_heap(seed);
                    auto const again = row(*policy, workload);
                    CHECK(again.seconds == first.seconds);
                    CHECK(again.measured.restarts == first.measured.restarts);
                    CHECK(again.measured.latency.max() == first.measured.latency.max());
                    REQUIRE(again.simulated.has_value());
                    CHECK(again.simulated->events == first.simulated->events);
                    CHECK(again.simulated->switches == first.simulated->switches);
                    CHECK(again.simulated->cycle_lengths == first.simulated->cycle_lengths);
                }
            }
        }
    }
}

}  // namespace manylock::simulate

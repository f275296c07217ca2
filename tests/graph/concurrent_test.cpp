// Goal:   a snapshot may be taken at any time, and what it calls exact is.
// Method: four threads run transactions under each policy for half a second while another takes
//         one snapshot after the other. Under the policies that let no cycle form, however short,
//         a snapshot that showed one would have put together edges of different moments. TSan
//         watches the rest.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <manylock/graph/cycle_detection_bgl.hpp>
#include <manylock/graph/wait_for_graph.hpp>
#include <manylock/policies.hpp>

namespace {

using namespace manylock;

constexpr std::size_t lock_count = 6;
constexpr std::size_t thread_count = 4;

/// A policy and whether held locks are published.
template <class Policy, bool Published>
struct setting {
    using policy = Policy;
    static constexpr options knobs{.publish_holds = Published};
};

template <class Domain>
void run_until(std::atomic<bool> const& over, Domain& d,
               std::array<typename Domain::lock_type, lock_count>& locks, std::uint64_t seed) {
    std::mt19937_64 random{seed};
    while (!over) {
        if (random() % 8 == 0) {
            (void)d.read(locks[random() % lock_count], [] {});
            continue;
        }
        d.run([&](auto& txn) {
            for (int i = 0; i < 3; ++i) {
                auto const m = random() % 3 == 0 ? mode::shared : mode::exclusive;
                if (!txn.acquire(locks[random() % lock_count], m)) return;
            }
            if (random() % 4 == 0) std::this_thread::yield();
        });
    }
}

void check(graph::wait_for_graph const& g) {
    for (auto const e : boost::make_iterator_range(edges(g))) {
        auto const& from = g[source(e, g)];
        auto const& to = g[target(e, g)];
        REQUIRE(source(e, g) != target(e, g));
        REQUIRE(from.kind == graph::vertex_kind::waiting);
        REQUIRE(from.wants->lock.address == g[e].lock.address);
        REQUIRE(from.wants->wanted == g[e].wanted);
        REQUIRE(!compatible(g[e].wanted, g[e].other));
        if (g[e].kind == graph::edge_kind::queue) {
            REQUIRE(to.kind == graph::vertex_kind::waiting);
            REQUIRE(to.wants->lock.address == g[e].lock.address);
            REQUIRE(to.wants->place < from.wants->place);
        }
    }
    for (auto const v : boost::make_iterator_range(vertices(g))) {
        REQUIRE((g[v].kind == graph::vertex_kind::waiting) == g[v].wants.has_value());
    }
}

}  // namespace

TYPE_TO_STRING_AS("umbrella", setting<policies::umbrella, false>);
TYPE_TO_STRING_AS("wound_wait", setting<policies::wound_wait, false>);
TYPE_TO_STRING_AS("wait_die", setting<policies::wait_die, false>);
TYPE_TO_STRING_AS("cycle_detection", setting<policies::cycle_detection, false>);
TYPE_TO_STRING_AS("cycle_detection_bgl", setting<policies::cycle_detection_bgl, false>);
TYPE_TO_STRING_AS("lock_ordering", setting<policies::lock_ordering, false>);
TYPE_TO_STRING_AS("no_wait", setting<policies::no_wait, false>);
TYPE_TO_STRING_AS("wound_wait with published holds", setting<policies::wound_wait, true>);
TYPE_TO_STRING_AS("lock_ordering with published holds", setting<policies::lock_ordering, true>);

TEST_SUITE("graph/concurrent") {
    TEST_CASE_TEMPLATE(
        "snapshots while transactions run", Setting, setting<policies::umbrella, false>,
        setting<policies::wound_wait, false>, setting<policies::wait_die, false>,
        setting<policies::cycle_detection, false>, setting<policies::cycle_detection_bgl, false>,
        setting<policies::lock_ordering, false>, setting<policies::no_wait, false>,
        setting<policies::wound_wait, true>, setting<policies::lock_ordering, true>) {
        using policy = typename Setting::policy;
        using test_domain = domain<policy, Setting::knobs>;
        constexpr bool never_a_cycle =
            !policy::needs.stamps;  // those with stamps may let one stand until they break it
        test_domain d;
        std::array<typename test_domain::lock_type, lock_count> locks;
        d.name_lock(locks[0], "first");
        std::atomic<bool> over{false};
        std::uint64_t snapshots = 0;
        std::uint64_t edges_seen = 0;
        {
            std::vector<std::jthread> crew;
            for (std::size_t i = 0; i < thread_count; ++i) {
                crew.emplace_back([&, i] { run_until(over, d, locks, i + 1); });
            }
            auto const end = std::chrono::steady_clock::now() + std::chrono::milliseconds{500};
            struct stopper {  // on a failed check too
                std::atomic<bool>& flag;
                ~stopper() { flag = true; }
            } const at_the_end{over};
            while (std::chrono::steady_clock::now() < end) {
                auto const g = graph::snapshot(d);
                check(g);
                if (never_a_cycle) REQUIRE(graph::find_cycle(g).empty());
                ++snapshots;
                edges_seen += num_edges(g);
                std::this_thread::yield();  // or two cores see little but snapshots
            }
        }
        CHECK(snapshots > 0);
        CHECK(d.stats()[counter::commits] > 0);
        CHECK(num_vertices(graph::snapshot(d)) == 0);
        MESSAGE(snapshots << " snapshots with " << edges_seen << " edges during "
                          << d.stats()[counter::commits] << " commits");
    }
}

// Goal:   a snapshot shows exactly the edges that stand: holders, queue, upgrades, readers,
//         umbrella.
// Method: transactions on threads of their own under policies that only wait, looked at once all
//         of them are queued; a standing deadlock is broken by cancelling one of its members.
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <manylock/policies.hpp>

#include "support.hpp"

namespace {

using namespace manylock;
using namespace manylock::test;
using graph::vertex_kind;
using expected = std::multiset<std::string>;

template <class Policy>
using published = domain<Policy, options{.publish_holds = true}>;

}  // namespace

TEST_SUITE("graph/snapshot") {
    TEST_CASE("an idle domain has an empty graph") {
        domain<policies::wound_wait> d;
        auto const g = graph::snapshot(d);
        CHECK(num_vertices(g) == 0);
        CHECK(graph::find_cycle(g).empty());
        CHECK(graph::strong_components(g).size.empty());
    }

    TEST_CASE("abba: both edges and the cycle stand until one is cancelled") {
        using test_domain = published<only_waits_by_age>;
        test_domain d;
        test_domain::lock_type a;
        test_domain::lock_type b;
        d.name_lock(a, "a");
        d.name_lock(b, "b");
        sleeper<test_domain> one{d, {{&a, mode::exclusive}}, {&b, mode::exclusive}};
        sleeper<test_domain> two{d, {{&b, mode::exclusive}}, {&a, mode::exclusive}};
        one.go(1);
        two.go(1);

        auto const g = graph::snapshot(d);
        CHECK(edges_of(g, {{one.number(), "one"}, {two.number(), "two"}}) ==
              expected{"one -> two holder of b: exclusive behind exclusive",
                       "two -> one holder of a: exclusive behind exclusive"});
        REQUIRE(num_vertices(g) == 2);
        CHECK(graph::find_cycle(g).size() == 2);
        auto const found = graph::strong_components(g);
        CHECK(found.size == std::vector<std::size_t>{2});
        CHECK(found.on_cycle(0));

        auto const* const t = vertex_of(g, one.number());
        REQUIRE(t != nullptr);
        CHECK(t->kind == vertex_kind::waiting);
        CHECK(t->age.drawn());
        CHECK(t->age_ns.has_value());
        CHECK(!t->told_to_restart);
        REQUIRE(t->holds.size() == 1);
        CHECK(t->holds[0].lock.address == &a);
        CHECK(t->holds[0].held == mode::exclusive);
        REQUIRE(t->wants.has_value());
        CHECK(t->wants->lock.name == "b");
        CHECK(t->wants->wanted == mode::exclusive);
        CHECK(!t->wants->upgrade);

        one.cancel();
        CHECK(one.answer() == status::cancelled);
        CHECK(two.answer() == status::granted);
        CHECK(num_vertices(graph::snapshot(d)) == 0);
    }

    TEST_CASE("a reader behind a queued writer waits for the writer and not for the readers") {
        using test_domain = published<only_waits>;
        test_domain d;
        test_domain::lock_type row;
        d.name_lock(row, "row");
        auto holder = d.begin();
        REQUIRE(holder.acquire(row, mode::shared));
        sleeper<test_domain> writer{d, {}, {&row, mode::exclusive}};
        sleeper<test_domain> reader{d, {}, {&row, mode::shared}};
        writer.go(1);
        reader.go(2);

        auto const g = graph::snapshot(d);
        CHECK(edges_of(g, {{holder.number(), "holder"},
                           {writer.number(), "writer"},
                           {reader.number(), "reader"}}) ==
              expected{"writer -> holder holder of row: exclusive behind shared",
                       "reader -> writer ahead for row: shared behind exclusive"});
        CHECK(graph::find_cycle(g).empty());
        CHECK(vertex_of(g, holder.number())->kind == vertex_kind::running);
        CHECK(vertex_of(g, writer.number())->wants->place == 0);
        CHECK(vertex_of(g, reader.number())->wants->place == 1);
        holder.commit();
        CHECK(writer.answer() == status::granted);
        CHECK(reader.answer() == status::granted);
    }

    TEST_CASE("two upgrades wait for each other by what they hold and by their places") {
        using test_domain = published<only_waits>;
        test_domain d;
        test_domain::lock_type row;
        d.name_lock(row, "row");
        sleeper<test_domain> one{d, {{&row, mode::shared}}, {&row, mode::exclusive}};
        sleeper<test_domain> two{d, {{&row, mode::shared}}, {&row, mode::exclusive}};
        one.go(1);
        two.go(2);

        auto const g = graph::snapshot(d);
        CHECK(edges_of(g, {{one.number(), "one"}, {two.number(), "two"}}) ==
              expected{"one -> two holder of row: exclusive behind shared",
                       "two -> one holder of row: exclusive behind shared",
                       "two -> one ahead for row: exclusive behind exclusive"});
        CHECK(graph::find_cycle(g).size() == 2);
        CHECK(vertex_of(g, one.number())->wants->upgrade);
        CHECK(vertex_of(g, one.number())->holds.size() == 1);
        two.cancel();
        CHECK(two.answer() == status::cancelled);
        CHECK(one.answer() == status::granted);
    }

    TEST_CASE("upgrades are known where nothing is published") {
        using test_domain = domain<only_waits>;
        test_domain d;
        test_domain::lock_type row;
        d.name_lock(row, "row");
        auto other = d.begin();
        REQUIRE(other.acquire(row, mode::shared));
        sleeper<test_domain> upgrader{d, {{&row, mode::shared}}, {&row, mode::exclusive}};
        upgrader.go(1);
        auto const g = graph::snapshot(d);
        CHECK(edges_of(g, {{upgrader.number(), "upgrader"}}) ==
              expected{"upgrader -> 1 readers holder of row: exclusive behind shared"});
        CHECK(vertex_of(g, upgrader.number())->holds.size() == 1);
        CHECK(!g[boost::graph_bundle].holds_known);
        other.commit();
        CHECK(upgrader.answer() == status::granted);
    }

    TEST_CASE_TEMPLATE("readers are named as far as the policy knows them", Policy,
                       policies::no_wait, policies::lock_ordering, policies::wound_wait,
                       policies::wait_die, policies::cycle_detection) {
        using test_domain = domain<Policy>;
        test_domain d;
        typename test_domain::lock_type row;
        d.name_lock(row, "row");
        auto one = d.begin();
        auto two = d.begin();
        REQUIRE(one.acquire(row, mode::shared));
        REQUIRE(two.acquire(row, mode::shared));
        sleeper<test_domain> writer{d, {}, {&row, mode::exclusive}};
        auto guard = d.read_lock(row);
        writer.go(1);

        auto const g = graph::snapshot(d);
        expected edges;
        if (Policy::needs.holders || Policy::needs.held_list) {
            edges = {"writer -> one holder of row: exclusive behind shared",
                     "writer -> two holder of row: exclusive behind shared",
                     "writer -> 1 readers holder of row: exclusive behind shared"};
        } else {
            edges = {"writer -> 3 readers holder of row: exclusive behind shared"};
        }
        CHECK(edges_of(
                  g, {{one.number(), "one"}, {two.number(), "two"}, {writer.number(), "writer"}}) ==
              edges);
        CHECK(g[boost::graph_bundle].policy == Policy::name);
        guard.release();
        one.commit();
        two.commit();
        CHECK(writer.answer() == status::granted);
    }

    TEST_CASE("a waiting single-object reader is told from a transaction") {
        domain<policies::wound_wait> d;
        domain<policies::wound_wait>::lock_type row;
        auto holder = d.begin();
        REQUIRE(holder.acquire(row));
        std::jthread const reader{[&] { (void)d.read_lock(row); }};
        while (row.waiter_count() != 1) std::this_thread::yield();
        auto const g = graph::snapshot(d);
        REQUIRE(num_edges(g) == 1);
        auto const e = *edges(g).first;
        CHECK(g[source(e, g)].single_reader);
        CHECK(!g[target(e, g)].single_reader);
        CHECK(g[target(e, g)].number == holder.number());
        holder.commit();
    }

    TEST_CASE("under umbrella the umbrella's holder and waiters are shown") {
        using test_domain = domain<policies::umbrella>;
        test_domain d;
        test_domain::lock_type row;
        test_domain::lock_type other;
        auto holder = d.begin();
        REQUIRE(holder.acquire(row));
        sleeper<test_domain> waiter{d, {}, {&other, mode::exclusive}};
        waiter.go(d.core().umbrella, 1);
        auto const g = graph::snapshot(d);
        CHECK(edges_of(g, {{holder.number(), "holder"}, {waiter.number(), "waiter"}}) ==
              expected{"waiter -> holder holder of umbrella: exclusive behind exclusive"});
        holder.commit();
        CHECK(waiter.answer() == status::granted);
    }

    TEST_CASE("long queues and many readers are copied whole") {
        using test_domain = published<policies::wound_wait>;
        test_domain d;
        test_domain::lock_type row;
        std::vector<test_domain::transaction> readers;
        for (int i = 0; i < 40; ++i) {
            readers.push_back(d.begin());
            REQUIRE(readers.back().acquire(row, mode::shared));
        }
        std::vector<std::unique_ptr<sleeper<test_domain>>> writers;
        for (std::size_t i = 0; i < 20; ++i) {
            writers.push_back(std::make_unique<sleeper<test_domain>>(
                d, std::vector<sleeper<test_domain>::wish>{},
                sleeper<test_domain>::wish{&row, mode::exclusive}));
            writers.back()->go(i + 1);
        }
        auto const g = graph::snapshot(d);
        CHECK(num_vertices(g) == 60);
        CHECK(num_edges(g) == 20 * 40 + 20 * 19 / 2);
        for (auto& txn : readers) txn.commit();
    }
}

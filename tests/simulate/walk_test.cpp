// Goal:   a walk looks at a queue once, however long it is: everybody in it waits for its holder, so nobody in it
//         has to be asked once more who is behind.
// Method: one transaction holds a lock that `length` others wait for, and then waits itself for another; the edges
//         of its walk are counted.
// Goal:   no storm of walks on a hot lock: a request is walked for once, by the one who makes it. Whoever is woken, and
//         whoever stays in the queue while the lock is handed on, waits for nobody new and walks no more.
// Method: `length` transactions queue on one held lock, each when the one before it has walked and sleeps; then the
//         lock is handed on from one to the next. Walks and edges are counted before and after.
#include "support.hpp"

#include <memory>
#include <vector>

#include <manylock/domain.hpp>
#include <manylock/policies/cycle_detection.hpp>

namespace manylock::simulate::testing {
namespace {

/// Edges of the one walk that a holder makes whose lock is waited for by `length` writers.
std::uint64_t edges_of_walk(std::size_t length) {
    using domain_type = domain<policies::cycle_detection, options{}, timed>;
    program p(static_cast<unsigned>(length + 2));
    domain_type d;
    domain_type::lock_type hot;
    domain_type::lock_type other;
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    auto const hold = [&](domain_type::lock_type& lock, ns until) {
        auto txn = d.begin();
        CHECK(txn.acquire(lock));
        machine::current()->compute_until(until);
        return txn;
    };
    p.thread([&] {  // the holder of the queue
        auto txn = hold(hot, 1'000'000);
        before = d.stats()[counter::detector_edges];
        CHECK(txn.acquire(other));
        after = d.stats()[counter::detector_edges];
        txn.commit();
    });
    p.thread([&] { hold(other, 2'000'000).commit(); });
    for (std::size_t i = 0; i < length; ++i) {
        p.thread([&, i] {
            machine::current()->compute_until(10'000 * (i + 1));
            auto txn = d.begin();
            CHECK(txn.acquire(hot));
            txn.commit();
        });
    }
    p.run();
    return after - before;
}

enum class arrival { eldest_first, youngest_first };

struct storm {
    std::uint64_t walks_queued;  ///< when all are queued
    std::uint64_t edges_queued;
    std::uint64_t walks;  ///< when all have had the lock
    std::uint64_t edges;
    std::uint64_t parks;
    std::uint64_t commits;
};

/// `pokes`: how often each is woken, for nothing, while it waits.
storm hot_lock(std::size_t length, arrival order, int pokes) {
    using domain_type = domain<policies::cycle_detection, options{}, timed>;
    program p(static_cast<unsigned>(length + 1));
    domain_type d;
    domain_type::lock_type hot;
    domain_type::lock_type birth;  // whoever asks for it gets a stamp
    std::vector<domain_type::lock_type> own(length);
    storm result{};
    ns const gap = 20'000;  // longer than a spin and a walk
    auto const reach = [&](std::size_t i) { machine::current()->compute_until(gap * i); };
    p.thread([&] {
        auto txn = d.begin();
        CHECK(txn.acquire(hot));
        CHECK(txn.acquire(birth));
        reach(2 * length + 2);
        CHECK(hot.waiter_count() == length);
        for (int i = 0; i < pokes; ++i) {
            d.core().shared.pool.for_each([](auto& block) {
                if (block.queued()) block.park.deliver(manylock::detail::signal::poke);
            });
            reach(2 * length + 3 + static_cast<std::size_t>(i));
        }
        result.walks_queued = d.stats()[counter::detector_walks];
        result.edges_queued = d.stats()[counter::detector_edges];
        txn.commit();
    });
    for (std::size_t i = 0; i < length; ++i) {
        p.thread([&, i] {
            reach(i + 1);
            auto txn = d.begin();
            CHECK(txn.acquire(own[i]));
            CHECK(txn.try_acquire(birth) == status::busy);
            reach(length + 1 + (order == arrival::eldest_first ? i : length - 1 - i));
            CHECK(txn.acquire(hot));
            machine::current()->compute(gap);
            txn.commit();
        });
    }
    p.run();
    auto const all = d.stats();
    result.walks = all[counter::detector_walks];
    result.edges = all[counter::detector_edges];
    result.parks = all[counter::parks];
    result.commits = all[counter::commits];
    return result;
}

TEST_CASE("walk: a queue of writers is looked at once") {
    CHECK(edges_of_walk(1) == 1);
    CHECK(edges_of_walk(2) == 2);
    CHECK(edges_of_walk(30) == 30);
}

TEST_CASE("walk: a hot lock costs one walk a request however often it is handed on") {
    for (std::size_t const n : {1U, 2U, 30U, 100U}) {
        for (int const pokes : {0, 3}) {
            CAPTURE(n);
            CAPTURE(pokes);
            auto const r = hot_lock(n, arrival::eldest_first, pokes);
            CHECK(r.commits == n + 1);
            CHECK(r.parks >= n * static_cast<std::size_t>(
                                     1 + pokes));  // all slept, and were woken for nothing
            CHECK(r.walks_queued == n);
            CHECK(r.walks == n);
            CHECK(r.edges == 0);  // the last in the queue bars nobody
        }
    }
}

TEST_CASE("walk: an edge of a hot lock's queue is met once in all") {
    for (std::size_t const n : {1U, 2U, 30U, 100U}) {
        CAPTURE(n);
        // Each goes ahead of all that wait already, who wait for it from then on.
        auto const r = hot_lock(n, arrival::youngest_first, 3);
        CHECK(r.commits == n + 1);
        CHECK(r.walks_queued == n);
        CHECK(r.edges_queued == n * (n - 1) / 2);
        CHECK(r.walks == n);
        CHECK(r.edges == r.edges_queued);
    }
}

}  // namespace
}  // namespace manylock::simulate::testing

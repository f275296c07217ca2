// Goal:   a walk looks at a queue once, however long it is: everybody in it waits for its holder, so nobody in it
//         has to be asked once more who is behind.
// Method: one transaction holds a lock that `length` others wait for, and then waits itself for another; the edges
//         of its walk are counted.
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

TEST_CASE("walk: a queue of writers is looked at once") {
    CHECK(edges_of_walk(1) == 1);
    CHECK(edges_of_walk(2) == 2);
    CHECK(edges_of_walk(30) == 30);
}

}  // namespace
}  // namespace manylock::simulate::testing

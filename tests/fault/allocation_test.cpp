// Goal:   whichever allocation fails, the operation fails whole: everything is released, the next transaction works, nobody
//         hangs, and no control block is lost.
// Method: each scenario runs with its first allocation failing, then its second, and so on until none fails. Two threads meet in a
//         fixed order, so that the allocations under a wait are the same each time.
#include "support.hpp"

#include "naive_comparison.hpp"
#include "random_operations.hpp"
#include "serial_space.hpp"
#include "small_space.hpp"

#include <manylock/address_space/space.hpp>
#include <manylock/graph/snapshot.hpp>

#include <array>
#include <atomic>
#include <cstdio>
#include <new>
#include <optional>
#include <stop_token>
#include <vector>

using namespace fault;
using manylock::counter;
using manylock::test::fail_allocation;

namespace {

/// Whether the last attempt met the failure. Written on the thread that did, read when that has ended.
std::atomic<bool> met{false};

/// Calls `attempt(fails)` until no allocation failed in it, counting how many did. `attempt` says whether it
/// ran to its end, and calls `fails()` on the thread whose allocations are meant, just ahead of them.
/// `once`: it must not run again after a failure that it made up for.
template <class Attempt>
std::uint64_t at_every_allocation(Attempt attempt, bool once = false) {
    for (std::uint64_t n = 1;; ++n) {
        CAPTURE(n);
        REQUIRE(n < 1000);
        met = false;
        bool const survived = attempt([n] { fail_allocation(n); });
        // A failure may also be made up for: then those after it come next.
        if (survived && (!met || once)) return n - 1;
    }
}

/// Runs `f`, whose allocation may fail. False if one did.
template <class Fails, class F>
bool survives(Fails const& fails, F f) {
    fails();
    try {
        f();
        met = manylock::test::allocation_failed();
        fail_allocation(0);
        return true;
    } catch (std::bad_alloc const&) {
        met = true;
        fail_allocation(0);
        return false;
    }
}

template <class P>
struct engine {
    using domain_type = manylock::domain<P>;
    using lock_type = typename domain_type::lock_type;
    static constexpr std::size_t many = 60;
    using array = std::array<lock_type, many>;

    /// Lists of holds that grow, are searched, get holes and are filled again.
    static std::uint64_t lists() {
        return at_every_allocation([](auto const& fails) {
            domain_type domain;
            array locks;
            int runs = 0;
            bool const done = survives(fails, [&] {
                domain.run([&](auto& txn) {
                    ++runs;
                    for (std::size_t i = 0; i < 40; ++i) txn.lock(locks[i]);
                    CHECK(txn.holds(locks[7], mode::exclusive));
                    for (std::size_t i = 10; i < 30; i += 2) txn.release(locks[i]);
                    for (std::size_t i = 40; i < many; ++i) txn.lock_shared(locks[i]);
                    txn.lock(locks[many - 1]);
                    CHECK(txn.acquire_shared(locks[3]) == status::already_held);
                });
            });
            CHECK(runs <= 1);
            REQUIRE(all_free(domain, locks));
            REQUIRE(usable(domain, locks));
            CHECK(domain.core().shared.pool.size() == 1);
            return done;
        });
    }
    /// A scope that gives one lock back among many: its destructor cannot fail.
    static std::uint64_t scopes() {
        return at_every_allocation([](auto const& fails) {
            domain_type domain;
            array locks;
            bool const done = survives(fails, [&] {
                domain.run([&](auto& txn) {
                    for (std::size_t i = 0; i < 31; ++i) txn.lock(locks[i]);
                    for (std::size_t i = 31; i < many; ++i) {
                        manylock::scoped_hold const hold{txn, locks[i]};
                    }
                });
            });
            REQUIRE(usable(domain, locks));
            return done;
        });
    }
    static std::uint64_t sorted_range() {
        return at_every_allocation([](auto const& fails) {
            domain_type domain;
            array locks;
            bool const done =
                survives(fails, [&] { domain.run([&](auto& txn) { txn.lock_all(locks); }); });
            REQUIRE(usable(domain, locks));
            return done;
        });
    }
    /// The domain, and one transaction after another beside those that are open.
    static std::uint64_t pools() {
        return at_every_allocation([](auto const& fails) {
            std::size_t begun = 0;
            bool const done = survives(fails, [&] {
                domain_type domain;
                std::array<std::optional<typename domain_type::transaction>, 9> open;
                for (auto& txn : open) {
                    txn.emplace(domain.begin());
                    ++begun;
                }
                for (auto& txn : open) txn.reset();
                CHECK(domain.core().shared.pool.size() == open.size());
            });
            CHECK(done == (begun == 9));
            return done;
        });
    }
    static std::uint64_t names() {
        domain_type domain;
        array locks;
        return at_every_allocation([&](auto const& fails) {
            bool const done = survives(fails, [&] {
                domain.name_lock(locks[0], "a name that is too long to be kept without memory");
            });
            REQUIRE(usable(domain, locks));
            return done;
        });
    }

    /// One waits for a lock, and another behind it. Without memory to look for a cycle the first goes away,
    /// and the second is served.
    static std::uint64_t waits() {
        return at_every_allocation([](auto const& fails) {
            domain_type domain;
            array locks;
            auto holder = domain.begin();
            REQUIRE(holder.acquire(locks[0]));
            actor first;
            actor second;
            auto attempt = first.does([&] {
                return survives(fails, [&] {
                    domain.run([&](auto& txn) {
                        if constexpr (!P::needs.umbrella) txn.lock(locks[1]);
                        txn.lock(locks[0]);
                    });
                });
            });
            until([&] { return waiting(domain, locks[0]) == 1 || is_ready(attempt); });
            auto served = second.does([&] { domain.run([&](auto& txn) { txn.lock(locks[0]); }); });
            until([&] { return waiting(domain, locks[0]) >= 1; });
            holder.commit();
            served.get();
            bool const done = attempt.get();
            REQUIRE(usable(domain, locks));
            CHECK(domain.stats()[counter::commits] == (done ? 4 : 3));
            return done;
        });
    }
    /// A reader that must wait borrows a control block, and gives it back.
    static std::uint64_t reads() {
        domain_type domain;
        array locks;
        actor other;
        auto const failed = at_every_allocation([&](auto const& fails) {
            auto holder = domain.begin();
            REQUIRE(holder.acquire(locks[0]));
            auto attempt =
                other.does([&] { return survives(fails, [&] { domain.read(locks[0], [] {}); }); });
            until([&] { return waiting(domain, locks[0]) == 1 || is_ready(attempt); });
            holder.commit();
            bool const done = attempt.get();
            REQUIRE(usable(domain, locks));
            return done;
        });
        CHECK(domain.core().shared.pool.size() <= 2);
        return failed;
    }
    /// Two close a cycle; the one that closes it has no memory to find it, or to come back for the lock.
    static std::uint64_t cycles() {
        if constexpr (P::needs.umbrella || std::is_same_v<P, manylock::policies::no_wait>) {
            return 0;
        } else {
            return at_every_allocation([](auto const& fails) {
                domain_type domain;
                array locks;
                actor other;
                auto elder = domain.begin();
                REQUIRE(elder.acquire(locks[0]));
                answer<bool> served;
                bool started = false;
                bool const done = survives(
                    [] {},
                    [&] {
                        domain.run([&](auto& txn) {
                            txn.lock(locks[1]);
                            if (!std::exchange(started, true)) {
                                served = other.does([&] {
                                    // Until the younger one is gone or has given way. May be told to restart itself.
                                    auto const answer = elder.acquire(locks[1]);
                                    if (answer) {
                                        elder.commit();
                                    } else {
                                        elder.abandon();
                                    }
                                    return static_cast<bool>(answer);
                                });
                                until([&] {
                                    return locks[1].waiter_count() == 1 || is_ready(served);
                                });
                                fails();
                            }
                            txn.lock(locks[0]);
                        });
                    });
                served.get();
                REQUIRE(usable(domain, locks));
                return done;
            });
        }
    }
    /// Looking at the graph while somebody waits.
    static std::uint64_t snapshots() {
        domain_type domain;
        array locks;
        auto holder = domain.begin();
        REQUIRE(holder.acquire(locks[0]));
        actor other;
        auto served = other.does([&] { domain.run([&](auto& txn) { txn.lock(locks[0]); }); });
        until([&] { return waiting(domain, locks[0]) == 1; });
        auto const failed = at_every_allocation([&](auto const& fails) {
            return survives(fails,
                            [&] { CHECK(num_vertices(manylock::graph::snapshot(domain)) == 2); });
        });
        holder.commit();
        served.get();
        REQUIRE(usable(domain, locks));
        return failed;
    }
};

using namespace manylock::address_space;
using namespace manylock::address_space::small;

/// A few VMAs with gaps between them.
constexpr address pages(std::uint64_t n) {
    return n * page_size;
}
operation map(std::uint64_t first, std::uint64_t count) {
    operation op;
    op.what = call::map;
    op.start = base + pages(first);
    op.length = pages(count);
    op.prot = abi::prot_read | abi::prot_write;
    op.flags = abi::map_private | abi::map_anonymous | abi::map_fixed;
    return op;
}
operation unmap(std::uint64_t first, std::uint64_t count) {
    auto op = map(first, count);
    op.what = call::unmap;
    return op;
}

template <class P>
class space {
    using space_type = basic_address_space<P>;
    using worker_type = typename space_type::worker;

public:
    /// Random operations, each of which fails at each allocation before it passes, against a space of one
    /// thread that has all the memory it asks for.
    static std::uint64_t alone() {
        space_type concurrent{small_globals(100, 600)};
        serial_space serial{small_globals(100, 600)};
        worker_type me;
        random_operations draw{7, base, 48};
        std::uint64_t points = 0;
        for (int i = 0; i < 60; ++i) {
            auto const op = draw.next(serial.globals());
            CAPTURE(describe(op));
            auto const before = canonical(concurrent.vmas());
            std::int64_t result = 0;
            points += at_every_allocation(
                [&](auto const& fails) {
                    bool const done = survives(fails, [&] { result = concurrent.apply(me, op); });
                    if (!done) REQUIRE(canonical(concurrent.vmas()) == before);
                    REQUIRE(concurrent.broken_invariant(false).empty());
                    return done;
                },
                true);
            REQUIRE(result == serial.apply(op));
            std::vector<vma> expected;
            for (auto const& [start, area] : serial.vmas()) expected.push_back(area);
            REQUIRE(canonical(concurrent.vmas()) == canonical(expected));
        }
        return points;
    }
    /// One that must wait for another, in the same place or beside it, and holds more than a few locks.
    static std::uint64_t behind() {
        space_type space{small_globals(100, 600)};
        worker_type first;
        actor other;
        std::uint64_t points = 0;
        for (auto const& second : {map(0, 60), map(14, 3), unmap(1, 58)}) {
            points += at_every_allocation([&](auto const& fails) {
                REQUIRE(space.apply(first, unmap(0, 64)) == 0);
                for (std::uint64_t i = 0; i < 20; ++i) {
                    auto piece = map(3 * i + 1, 1);
                    piece.prot = i % 2 != 0 ? abi::prot_read : abi::prot_write;
                    REQUIRE(space.apply(first, piece) > 0);
                }
                worker_type fresh;
                auto const waits = [&] { return space.domain().stats()[counter::waits]; };
                auto const before = waits();
                answer<bool> done;
                REQUIRE(space.apply(first, map(12, 3), [&] {
                    done = other.does([&] {
                        return survives(fails, [&] { CHECK(space.apply(fresh, second) >= 0); });
                    });
                    until([&] { return waits() > before || is_ready(done); });
                }) > 0);
                bool const passed = done.get();
                REQUIRE(space.broken_invariant(false).empty());
                REQUIRE(space.apply(first, map(12, 3)) > 0);
                return passed;
            });
        }
        return points;
    }
};

/// How often a thread asks for memory once it has seen as much before.
template <class P>
class steady {
    using domain_type = manylock::domain<P>;
    using lock_type = typename domain_type::lock_type;
    static constexpr std::uint64_t warm_ups = 3;
    static constexpr std::uint64_t rounds = 20;

public:
    /// More holds than a block has in it, looked up, given back early, and once told to restart.
    static std::uint64_t alone() {
        domain_type domain;
        std::array<lock_type, 60> locks;
        std::uint64_t asked = 0;
        for (std::uint64_t i = 0; i < warm_ups + rounds; ++i) {
            auto const before = manylock::test::allocations();
            bool all = true;
            domain.run([&](auto& txn) {
                for (std::size_t k = 0; k < 40; ++k) all = txn.acquire(locks[k]) && all;
                all = txn.holds(locks[7], mode::exclusive) && all;
                for (std::size_t k = 10; k < 30; k += 2) txn.release(locks[k]);
                for (std::size_t k = 40; k < locks.size(); ++k) {
                    all = txn.acquire_shared(locks[k]) && all;
                }
                if (txn.attempt() == 1) {
                    (void)txn.restart_because(manylock::restart_reason::injected);
                }
            });
            domain.read(locks[0], [] {});
            if (i >= warm_ups) asked += manylock::test::allocations() - before;
            REQUIRE(all);
        }
        return asked;
    }
    /// One that waits for `wanted`, or restarts and then waits, while another waits for what it holds.
    static std::uint64_t waiting_for_others() {
        domain_type domain;
        lock_type own;
        lock_type wanted;
        actor waiter;
        actor follower;
        std::uint64_t asked = 0;
        for (std::uint64_t i = 0; i < warm_ups + rounds; ++i) {
            auto holder = domain.begin();
            REQUIRE(holder.acquire(wanted));
            std::atomic<bool> holds_own{false};
            std::atomic<bool> go_on{P::needs.umbrella};  // that one waits at its first request
            auto done = waiter.does([&] {
                auto const before = manylock::test::allocations();
                domain.run([&](auto& txn) {
                    if (!txn.acquire(own)) return;
                    holds_own = true;
                    until([&] { return go_on.load(); });
                    (void)txn.acquire(wanted);
                });
                return manylock::test::allocations() - before;
            });
            until([&] { return holds_own || waiting(domain, own) == 1; });
            auto served = follower.does([&] { domain.run([&](auto& txn) { txn.lock(own); }); });
            until([&] { return waiting(domain, own) == (P::needs.umbrella ? 2 : 1); });
            go_on = true;
            until([&] { return waiting(domain, wanted) >= 1; });
            if (P::needs.held_list) {  // both have walked, and one over the other
                until([&] { return domain.stats()[counter::detector_walks] == 2 * (i + 1); });
            }
            holder.commit();
            auto const by_the_waiter = done.get();
            served.get();
            if (i >= warm_ups) asked += by_the_waiter;
        }
        if (P::needs.held_list) CHECK(domain.stats()[counter::detector_edges] == warm_ups + rounds);
        return asked;
    }
};

void visited(char const* what, std::uint64_t points) {
    std::printf("allocations made to fail, %s: %llu\n", what,
                static_cast<unsigned long long>(points));
}

}  // namespace

TEST_SUITE_BEGIN("allocation" * doctest::skip(!manylock::test::counts_allocations));

TEST_CASE("allocation: none that fails leaves a lock or a waiter behind") {
    std::uint64_t points = 0;
    for_every_policy([&]<class P>() {
        CAPTURE(std::string{P::name});
        using e = engine<P>;
        auto const lists = e::lists();
        auto const pools = e::pools();
        CHECK(pools >= 9);
        auto const waits = e::waits();
        auto const reads = e::reads();
        CHECK(reads >= 1);
        if constexpr (!P::needs.umbrella) CHECK(lists >= 5);
        if constexpr (manylock::graph_policy<P>) CHECK(waits >= 3);
        points += lists + pools + waits + reads + e::scopes() + e::sorted_range() + e::names() +
                  e::cycles();
        if constexpr (std::is_same_v<P, manylock::policies::cycle_detection>) {
            points += e::snapshots();
        }
    });
    visited("engine", points);
}

TEST_CASE("allocation: in a steady state a transaction asks for no memory") {
    for_every_policy([&]<class P>() {
        CAPTURE(std::string{P::name});
        CHECK(steady<P>::alone() == 0);
        auto const asked = steady<P>::waiting_for_others();
        if constexpr (std::is_same_v<P, manylock::policies::cycle_detection_bgl>) {
            CHECK(asked > 0);  // Boost's walk makes its vertices and colours anew
        } else {
            CHECK(asked == 0);
        }
    });
}

TEST_CASE("allocation: an operation of the address space that fails changes nothing") {
    std::uint64_t points = 0;
    for_every_policy([&]<class P>() {
        CAPTURE(std::string{P::name});
        auto const alone = space<P>::alone();
        auto const behind = space<P>::behind();
        CHECK(alone > 20);
        CHECK(behind > 20);
        points += alone + behind;
    });
    visited("address space", points);
}

TEST_SUITE_END();

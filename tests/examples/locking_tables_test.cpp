// Goal:   the tables of docs/locking.md say what the code does.
// Method: one check a cell. Transactions are contexts, so one thread plays all parties with try forms;
//         only where the table speaks of waiters does a thread wait.
#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

namespace policies = manylock::policies;
using manylock::mode;
using manylock::read_status;
using manylock::status;

#define QUEUED_POLICIES                                                                           \
    policies::wound_wait, policies::wait_die, policies::cycle_detection, policies::lock_ordering, \
        policies::no_wait
TYPE_TO_STRING(policies::wound_wait);
TYPE_TO_STRING(policies::wait_die);
TYPE_TO_STRING(policies::cycle_detection);
TYPE_TO_STRING(policies::lock_ordering);
TYPE_TO_STRING(policies::no_wait);

namespace {

/// A transaction that waits for `lock`, holding nothing, until it is stopped or granted.
template <class Domain>
class waiter {
public:
    waiter(Domain& d, typename Domain::lock_type& lock, mode m)
        : thread_{[&d, &lock, m](std::stop_token const& stop) {
              auto txn = d.begin();
              (void)txn.acquire(lock, m, stop);
          }} {
        while (lock.waiter_count() == 0) std::this_thread::yield();
    }

private:
    std::jthread thread_;
};

template <class Domain>
read_status try_read(Domain& d, typename Domain::lock_type& lock) {
    return d.try_read_lock(lock).status();  // given back at once
}

}  // namespace

TEST_SUITE("locking_tables") {
    TEST_CASE_TEMPLATE("queued lock: free and shared and exclusive", Policy, QUEUED_POLICIES) {
        using domain = manylock::domain<Policy>;
        domain d;
        typename domain::lock_type lock;
        auto a = d.begin();
        auto b = d.begin();

        SUBCASE("free") {
            CHECK(a.try_acquire(lock) == status::granted);
            a.release(lock);
            CHECK(a.try_acquire(lock, mode::shared) == status::granted);
            a.release(lock);
            CHECK(try_read(d, lock) == read_status::fast);
            CHECK_FALSE(lock.busy());
        }
        SUBCASE("shared by another") {
            CHECK(a.acquire_shared(lock) == status::granted);
            CHECK(b.try_acquire(lock) == status::busy);
            CHECK(b.try_acquire(lock, mode::shared) == status::granted);
            CHECK(try_read(d, lock) == read_status::fast);
        }
        SUBCASE("shared by the requester") {
            CHECK(a.acquire_shared(lock) == status::granted);
            CHECK(a.try_acquire(lock, mode::shared) == status::already_held);
            CHECK(b.acquire_shared(lock) == status::granted);
            CHECK(a.try_acquire(lock) == status::busy);  // n = 2
            b.release(lock);
            CHECK(a.try_acquire(lock) == status::granted);  // n = 1: upgraded in place
            CHECK(a.holds(lock, mode::exclusive));
            CHECK(a.held() == 1);
        }
        SUBCASE("exclusive") {
            CHECK(a.acquire(lock) == status::granted);
            CHECK(a.try_acquire(lock) == status::already_held);
            CHECK(a.try_acquire(lock, mode::shared) == status::already_held);
            CHECK(b.try_acquire(lock) == status::busy);
            CHECK(b.try_acquire(lock, mode::shared) == status::busy);
            CHECK(try_read(d, lock) == read_status::busy);
        }
        SUBCASE("with a single-object reader inside") {
            auto const inside = d.read_lock(lock);
            CHECK(inside.status() == read_status::fast);
            CHECK(a.try_acquire(lock) == status::busy);
            CHECK(a.try_acquire(lock, mode::shared) == status::granted);
            CHECK(try_read(d, lock) == read_status::fast);
        }
        a.commit();
        b.commit();
        CHECK_FALSE(lock.busy());
    }

    TEST_CASE_TEMPLATE("queued lock: waiters", Policy, QUEUED_POLICIES) {
        using domain = manylock::domain<Policy>;
        domain d;
        typename domain::lock_type lock;
        auto a = d.begin();
        auto b = d.begin();
        REQUIRE(a.acquire_shared(lock) == status::granted);
        waiter<domain> const writer{d, lock, mode::exclusive};

        CHECK(b.try_acquire(lock) == status::busy);
        CHECK(b.try_acquire(lock, mode::shared) == status::busy);  // the writer is ahead
        CHECK(try_read(d, lock) == read_status::busy);
        CHECK(a.try_acquire(lock, mode::shared) == status::already_held);
        CHECK(a.try_acquire(lock) == status::granted);  // an upgrade goes ahead of the writer
    }

    TEST_CASE_TEMPLATE("queued lock: detached", Policy, QUEUED_POLICIES) {
        using domain = manylock::domain<Policy>;
        domain d;
        typename domain::lock_type lock;
        auto a = d.begin();
        REQUIRE(a.acquire(lock) == status::granted);
        a.detach(lock);
        for (auto const m : {mode::shared, mode::exclusive}) {
            auto b = d.begin();
            auto const answer = b.try_acquire(lock, m);
            REQUIRE(answer.is_restart());
            CHECK(answer.reason() == manylock::restart_reason::stale);
            CHECK(b.acquire(lock, m).reason() == manylock::restart_reason::stale);  // poisoned
        }
        CHECK(try_read(d, lock) == read_status::stale);
    }

    TEST_CASE("umbrella: objects by the umbrella's state") {
        using domain = manylock::domain<policies::umbrella>;
        domain d;
        domain::lock_type marked;
        domain::lock_type other;
        auto a = d.begin();
        auto b = d.begin();

        SUBCASE("free") {
            CHECK(try_read(d, marked) == read_status::fast);
        }
        SUBCASE("shared by a fallback") {
            auto const shared = d.fall_back();
            CHECK(try_read(d, marked) == read_status::fast);
            CHECK(a.try_acquire(marked) == status::busy);
            CHECK(a.held() == 0);
        }
        SUBCASE("exclusive") {
            CHECK(a.acquire(marked) == status::granted);
            CHECK(a.acquire(marked) == status::already_held);
            CHECK(a.acquire_shared(marked) == status::already_held);
            CHECK(a.acquire_shared(other) == status::granted);
            CHECK(try_read(d, marked) == read_status::busy);  // marked: it would fall back
            CHECK(try_read(d, other) == read_status::fast);   // not marked
            CHECK(b.try_acquire(other, mode::shared) == status::busy);
            a.commit();
            CHECK(try_read(d, marked) == read_status::fast);  // unmarked with all others
        }
        SUBCASE("draining that fails") {
            {
                auto const inside = d.read_lock(other);
                CHECK(a.try_acquire(other) == status::busy);
                CHECK(a.held() == 0);                            // the umbrella is given back
                CHECK(try_read(d, other) == read_status::fast);  // readers are let in again
            }
            CHECK(a.acquire(other) == status::granted);
        }
        SUBCASE("detached") {
            REQUIRE(a.acquire(marked) == status::granted);
            a.detach(marked);
            CHECK(try_read(d, marked) == read_status::stale);
            a.commit();
            CHECK(try_read(d, marked) == read_status::stale);
            CHECK(b.acquire(marked).reason() == manylock::restart_reason::stale);
        }
    }

    TEST_CASE("umbrella: a fallback keeps the object and not the umbrella") {
        using domain = manylock::domain<policies::umbrella>;
        domain d;
        domain::lock_type object;
        domain::lock_type other;
        auto a = d.begin();
        REQUIRE(a.acquire(object) == status::granted);
        std::atomic<read_status> seen{read_status::busy};
        std::atomic<bool> done{false};
        {
            std::jthread const reader{[&] {
                auto const guard = d.read_lock(object);  // meets the mark
                seen = guard.status();
                seen.notify_one();
                done.wait(false);
            }};
            while (!d.core().umbrella.has_waiters()) std::this_thread::yield();
            a.commit();
            seen.wait(read_status::busy);
            auto b = d.begin();
            CHECK(b.try_acquire(other) == status::granted);  // while the reader is still inside
            CHECK(b.try_acquire(object) == status::busy);
            b.commit();
            done = true;
            done.notify_one();
        }
        CHECK(seen == read_status::fell_back);
        CHECK(d.stats()[manylock::counter::fallbacks] == 1);
    }
}

// Goal:   the forms of acquiring, releasing and ending do what docs/engine-api.md says, alike everywhere.
// Method: one or two transactions, on one thread wherever nothing has to wait.
#include "support.hpp"

#include <algorithm>
#include <array>
#include <shared_mutex>
#include <stop_token>
#include <vector>

using namespace contract;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("api");

TEST_CASE_TEMPLATE("aa: what is held already is held already", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto txn = domain.begin();
    CHECK(txn.acquire(a) == status::granted);
    CHECK(txn.acquire(a) == status::already_held);
    CHECK(txn.acquire(a, mode::shared) == status::already_held);
    CHECK(txn.try_acquire(a) == status::already_held);
    CHECK(txn.holds(a, mode::exclusive));
    CHECK(txn.held() == 1);
    txn.commit();
    CHECK_FALSE(a.busy());
    CHECK(domain.stats()[manylock::counter::commits] == 1);
}

TEST_CASE_TEMPLATE("aa: a shared hold taken twice counts once", P, EVERY_OBJECT_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto other = domain.begin();
    auto txn = domain.begin();
    CHECK(other.acquire_shared(a) == status::granted);
    CHECK(txn.acquire_shared(a) == status::granted);
    CHECK(txn.acquire_shared(a) == status::already_held);
    CHECK(txn.held() == 1);
    txn.commit();
    other.commit();
    CHECK_FALSE(a.busy());
}

TEST_CASE_TEMPLATE("aa: held by another it is busy to a try", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto holder = domain.begin();
    auto other = domain.begin();
    REQUIRE(holder.acquire(a));
    CHECK(other.try_acquire(a) == status::busy);
    CHECK(other.try_acquire(a, mode::shared) == status::busy);
    CHECK(other.held() == 0);
    CHECK_FALSE(other.must_restart());
    holder.commit();
    CHECK(other.try_acquire(a) == status::granted);
    other.commit();
    CHECK(domain.stats().restarts() == 0);
}

TEST_CASE_TEMPLATE("upgrade: alone it is granted and excludes readers", P, EVERY_OBJECT_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto txn = domain.begin();
    auto other = domain.begin();
    REQUIRE(txn.acquire_shared(a));
    CHECK_FALSE(txn.holds(a, mode::exclusive));
    CHECK(txn.acquire(a) == status::granted);
    CHECK(txn.holds(a, mode::exclusive));
    CHECK(txn.held() == 1);
    CHECK(other.try_acquire(a, mode::shared) == status::busy);
    txn.commit();
    CHECK_FALSE(a.busy());
}

TEST_CASE_TEMPLATE("run: returns what the body returns", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    int value = 7;
    CHECK(domain.run([&](auto& txn) {
        txn.lock(a);
        return value + 1;
    }) == 8);
    int& alias = domain.run([&](auto& txn) -> int& {
        txn.lock_shared(a);
        return value;
    });
    CHECK(&alias == &value);
}

TEST_CASE_TEMPLATE("exception: anywhere in the body everything is released and nothing retried", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 4> locks;
    for (std::size_t thrown_at = 0; thrown_at <= locks.size(); ++thrown_at) {
        int runs = 0;
        auto const body = [&](auto& txn) {
            ++runs;
            for (std::size_t i = 0; i < locks.size(); ++i) {
                if (i == thrown_at) throw std::runtime_error{"body"};
                txn.lock(locks[i], i % 2 == 0 ? mode::exclusive : mode::shared);
            }
            throw std::runtime_error{"body"};
        };
        CHECK_THROWS_AS(domain.run(body), std::runtime_error);
        CHECK(runs == 1);
        for (auto& lock : locks) CHECK_FALSE(lock.busy());
    }
    CHECK(domain.stats()[manylock::counter::commits] == 0);
    CHECK(domain.stats()[manylock::counter::abandons] == locks.size() + 1);
}

TEST_CASE_TEMPLATE("restart: one that a body swallows is carried out all the same", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    int runs = 0;
    auto const attempts = domain.run([&](auto& txn) {
        ++runs;
        if (txn.attempt() == 1) {
            try {
                CHECK(txn.restart_because(restart_reason::injected).is_restart());
                txn.lock(a);  // poisoned: throws the same restart again
                FAIL("a poisoned transaction acquired a lock");
            } catch (...) {
            }
            CHECK(txn.must_restart());
            CHECK(txn.try_acquire(a).is_restart());
            return std::uint64_t{0};
        }
        txn.lock(a);
        return txn.attempt();
    });
    CHECK(runs == 2);
    CHECK(attempts == 2);
    CHECK(domain.stats().restarts(restart_reason::injected) == 1);
    CHECK(domain.stats().restarts() == 1);
    CHECK(domain.stats().restarts_max_of_one_transaction == 1);
}

TEST_CASE("restart: the thrown one is no std::exception") {
    CHECK_FALSE(std::is_base_of_v<std::exception, manylock::restart>);
}

TEST_CASE_TEMPLATE("retry: the hook sees every restart and the bound ends in abandon", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    std::vector<std::uint64_t> seen;
    auto const body = [&](auto& txn) {
        txn.lock(a);
        (void)txn.restart_because(restart_reason::injected);
    };
    auto const retry =
        manylock::retry_options{.max_attempts = 3, .on_restart = [&](auto reason, auto n) {
                                    CHECK(reason == restart_reason::injected);
                                    CHECK_FALSE(a.busy());  // it holds nothing
                                    seen.push_back(n);
                                }};
    try {
        domain.run(retry, body);
        FAIL("it committed");
    } catch (manylock::abandoned const& e) {
        CHECK(e.attempts() == 3);
        CHECK(e.last_reason() == restart_reason::injected);
    }
    CHECK(seen == std::vector<std::uint64_t>{1, 2});
    CHECK_FALSE(a.busy());
}

TEST_CASE_TEMPLATE("deadline: one that passes changes nothing and lets those behind in", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto holder = domain.begin();
    auto late = domain.begin();
    REQUIRE(holder.acquire(a));
    CHECK(late.acquire_for(a, mode::exclusive, 1ms) == status::timed_out);
    CHECK(late.held() == 0);
    CHECK_FALSE(late.must_restart());
    CHECK(waiting(domain, a) == 0);
    holder.commit();
    CHECK(late.acquire_for(a, mode::exclusive, 0ms) == status::granted);
    late.commit();
    CHECK(domain.stats().restarts() == 0);
}

TEST_CASE_TEMPLATE("deadline: a writer that gives up lets the readers behind it in", P,
                   EVERY_OBJECT_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto reader = domain.begin();
    auto writer = domain.begin();
    auto second = domain.begin();
    REQUIRE(reader.acquire_shared(a));
    actor w;
    actor s;
    std::stop_source stop;
    auto written = w.does([&] { return writer.acquire(a, mode::exclusive, stop.get_token()); });
    until([&] { return a.waiter_count() == 1; });
    auto read = s.does([&] { return second.acquire_shared(a); });
    until([&] { return a.waiter_count() == 2; });
    stop.request_stop();
    CHECK(written.get() == status::cancelled);
    CHECK(read.get() == status::granted);
    CHECK(domain.stats().restarts() == 0);
}

TEST_CASE_TEMPLATE("cancel: a stop requested beforehand cancels only what would wait", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    std::stop_source stop;
    stop.request_stop();
    auto holder = domain.begin();
    CHECK(holder.acquire(a, mode::exclusive, stop.get_token()) == status::granted);
    auto other = domain.begin();
    CHECK(other.acquire(a, mode::exclusive, stop.get_token()) == status::cancelled);
    CHECK(other.held() == 0);
}

TEST_CASE_TEMPLATE("lock_all: takes a range of locks or of pointers", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 5> locks;
    domain.run([&](auto& txn) {
        txn.lock_all(locks);
        for (auto& lock : locks) CHECK(txn.holds(lock, mode::exclusive));
    });
    std::vector<typename manylock::domain<P>::lock_type*> pointers{&locks[3], &locks[0], &locks[3]};
    domain.run([&](auto& txn) {
        CHECK(txn.acquire_all(pointers, mode::shared));
        CHECK(txn.holds(locks[0], mode::shared));
    });
    for (auto& lock : locks) CHECK_FALSE(lock.busy());
}

TEST_CASE_TEMPLATE("guard: a scope gives back what it took and nothing else", P,
                   EVERY_OBJECT_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    typename manylock::domain<P>::lock_type b;
    domain.run([&](auto& txn) {
        txn.lock(a);
        {
            manylock::scoped_hold const first{txn, b};
            manylock::scoped_hold const again{txn, a};
            CHECK(txn.held() == 2);
        }
        CHECK(txn.held() == 1);
        CHECK_FALSE(b.busy());
        CHECK(txn.holds(a, mode::exclusive));
    });
}

TEST_CASE_TEMPLATE("detach: waiters and later requests find the object stale", P,
                   EVERY_OBJECT_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto owner = domain.begin();
    auto waiter = domain.begin();
    auto later = domain.begin();
    REQUIRE(owner.acquire(a));
    actor w;
    auto waited = w.does([&] { return waiter.acquire(a); });
    until([&] { return a.waiter_count() == 1; });
    owner.detach(a);
    auto const answer = waited.get();
    REQUIRE(answer.is_restart());
    CHECK(answer.reason() == restart_reason::stale);
    CHECK(owner.acquire(a) == status::already_held);
    owner.commit();
    CHECK(later.acquire(a).reason() == restart_reason::stale);
    CHECK_FALSE(domain.read(a, [] { FAIL("a detached object was read"); }));
    waiter.rollback();  // nothing to wait for: the object is gone
    later.rollback();
}

TEST_CASE_TEMPLATE("detach: under umbrella later requests and readers find it stale", P,
                   manylock::policies::umbrella) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    domain.run([&](auto& txn) {
        txn.lock(a);
        txn.detach(a);
    });
    auto later = domain.begin();
    CHECK(later.acquire(a).reason() == restart_reason::stale);
    later.rollback();
    CHECK_FALSE(domain.read(a, [] { FAIL("a detached object was read"); }));
}

TEST_CASE_TEMPLATE("context: a transaction may begin on one thread and end on another", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    typename manylock::domain<P>::lock_type b;
    auto txn = domain.begin();
    actor first;
    actor second;
    first.does([&] { CHECK(txn.acquire(a)); }).get();
    second.does([&] { CHECK(txn.acquire(b)); }).get();
    first.does([&] { txn.commit(); }).get();
    CHECK_FALSE(a.busy());
    CHECK_FALSE(b.busy());
}

TEST_CASE_TEMPLATE("many: a hundred thousand locks in one transaction", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    constexpr std::size_t n = 100'000;
    auto const locks = std::make_unique<typename manylock::domain<P>::lock_type[]>(n);
    domain.run([&](auto& txn) {
        for (std::size_t i = 0; i < n; ++i)
            txn.lock(locks[i], i % 3 == 0 ? mode::shared : mode::exclusive);
        for (std::size_t i = 0; i < n; i += 3) CHECK(txn.holds(locks[i], mode::shared));
        std::size_t held_already = 0;
        for (std::size_t i = 1; i < n; i += 3) {
            if (txn.acquire(locks[i]) == status::already_held) ++held_already;
        }
        CHECK(held_already == n / 3);
    });
    for (std::size_t i = 0; i < n; ++i) REQUIRE_FALSE(locks[i].busy());
}

TEST_CASE_TEMPLATE("release: holes in the list of holds do not lose a lock", P,
                   EVERY_OBJECT_POLICY) {
    manylock::domain<P> domain;
    constexpr std::size_t n = 40;
    std::array<typename manylock::domain<P>::lock_type, n> locks;
    typename manylock::domain<P>::lock_type busy;
    auto other = domain.begin();
    REQUIRE(other.acquire(busy));
    {
        auto txn = domain.begin();
        for (auto& lock : locks) REQUIRE(txn.acquire(lock));
        for (std::size_t i = 3; i < n - 1; i += 2) txn.release(locks[i]);
        CHECK(txn.try_acquire(busy) == status::busy);  // had reserved a hole
        for (std::size_t i = n; i-- > 4;) {
            if (txn.holds(locks[i], mode::exclusive)) txn.release(locks[i]);
        }
        CHECK(txn.acquire(locks[20]) == status::granted);
        CHECK(txn.acquire(locks[20]) == status::already_held);
        txn.commit();
    }
    for (auto& lock : locks) CHECK_FALSE(lock.busy());
}

TEST_CASE_TEMPLATE("lockable: works with the standard library's locks", P, EVERY_POLICY) {
    using domain_type = manylock::domain<P>;
    domain_type domain;
    typename domain_type::lock_type lock;
    manylock::lockable<domain_type> mutex{domain, lock};
    int turn = 0;
    std::condition_variable_any changed;
    actor other;
    auto done = other.does([&] {
        std::unique_lock guard{mutex};
        changed.wait(guard, [&] { return turn == 1; });
        turn = 2;
        changed.notify_all();
    });
    {
        std::unique_lock guard{mutex};
        turn = 1;
        changed.notify_all();
        changed.wait(guard, [&] { return turn == 2; });
    }
    done.get();
    {
        std::shared_lock const reader{mutex};
        std::shared_lock const another{mutex};
        CHECK(lock.busy());
    }
    CHECK(mutex.try_lock());
    mutex.unlock();
    CHECK_FALSE(lock.busy());
    CHECK(domain.stats().restarts() == 0);
}

TEST_CASE_TEMPLATE("read: waits for an exclusive holder and holds up the next", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto holder = domain.begin();
    REQUIRE(holder.acquire(a));
    CHECK(domain.try_read_lock(a).status() == manylock::read_status::busy);
    actor r;
    auto read = r.does([&] { return domain.enter_read(a); });
    until([&] { return waiting(domain, a) == 1; });
    holder.commit();
    auto const how = read.get();
    CHECK(how ==
          (P::needs.umbrella ? manylock::read_status::fell_back : manylock::read_status::fast));
    CHECK(domain.stats()[manylock::counter::fallbacks] == (P::needs.umbrella ? 1 : 0));
    actor w;
    auto txn = domain.begin();
    auto written = w.does([&] { return txn.acquire(a); });
    until([&] { return waiting(domain, a) == 1; });
    CHECK_FALSE(is_ready(written));
    domain.leave_read(a);
    CHECK(written.get() == status::granted);
    txn.commit();
}

TEST_CASE_TEMPLATE("umbrella: one end unmarks everything on every way out", P,
                   manylock::policies::umbrella) {
    manylock::domain<P> domain;
    constexpr std::size_t n = 10'000;
    auto const locks = std::make_unique<typename manylock::domain<P>::lock_type[]>(n);
    auto const all_free = [&] {
        for (std::size_t i = 0; i < n; ++i) {
            if (domain.try_read_lock(locks[i]).status() != manylock::read_status::fast)
                return false;
        }
        return true;
    };
    auto const take_all = [&](auto& txn) {
        for (std::size_t i = 0; i < n; ++i) txn.lock(locks[i]);
    };
    domain.run(take_all);
    CHECK(all_free());
    CHECK_THROWS_AS(domain.run([&](auto& txn) {
        take_all(txn);
        throw std::runtime_error{"body"};
    }),
                    std::runtime_error);
    CHECK(all_free());
    auto txn = domain.begin();
    take_all(txn);
    CHECK(domain.try_read_lock(locks[5]).status() == manylock::read_status::busy);
    (void)txn.restart_because(restart_reason::injected);
    txn.rollback();
    CHECK(all_free());
    take_all(txn);
    txn.abandon();
    CHECK(all_free());
}

TEST_CASE_TEMPLATE("umbrella: an object that is not marked is read without a fallback", P,
                   manylock::policies::umbrella) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    typename manylock::domain<P>::lock_type b;
    auto txn = domain.begin();
    REQUIRE(txn.acquire(a));
    REQUIRE(txn.acquire_shared(b));
    CHECK(domain.enter_read(b) == manylock::read_status::fast);
    domain.leave_read(b);
    CHECK(domain.stats()[manylock::counter::fallbacks] == 0);
    txn.commit();
}

TEST_SUITE_END();

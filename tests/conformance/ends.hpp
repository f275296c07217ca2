// Goal:   every way out of a transaction, a wait or an object releases what docs/engine-api.md says.
// Method: one or two transactions, on one thread wherever nothing has to wait.
#pragma once

#include <array>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <vector>

#include "support.hpp"

namespace conformance {

template <class P>
void ends_of_objects(cases<P> const& add) {
    add("deadline: a writer that gives up lets the readers behind it in", [] {
        domain_of<P> domain;
        lock_of<P> a;
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
    });

    add("detach: waiters and later requests find the object stale", [] {
        domain_of<P> domain;
        lock_of<P> a;
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
    });
}

template <class P>
void ends_of_umbrella(cases<P> const& add) {
    add("detach: under umbrella later requests and readers find it stale", [] {
        domain_of<P> domain;
        lock_of<P> a;
        domain.run([&](auto& txn) {
            txn.lock(a);
            txn.detach(a);
        });
        auto later = domain.begin();
        CHECK(later.acquire(a).reason() == restart_reason::stale);
        later.rollback();
        CHECK_FALSE(domain.read(a, [] { FAIL("a detached object was read"); }));
    });

    add("U2: umbrella: one end unmarks everything on every way out", [] {
        domain_of<P> domain;
        constexpr std::size_t n = 10'000;
        auto const locks = std::make_unique<lock_of<P>[]>(n);
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
    });

    add("U3: umbrella: an object that is not marked is read without a fallback", [] {
        domain_of<P> domain;
        lock_of<P> a;
        lock_of<P> b;
        auto txn = domain.begin();
        REQUIRE(txn.acquire(a));
        REQUIRE(txn.acquire_shared(b));
        CHECK(domain.enter_read(b) == manylock::read_status::fast);
        domain.leave_read(b);
        CHECK(domain.stats()[manylock::counter::fallbacks] == 0);
        txn.commit();
    });
}

template <class P>
void ends(cases<P> const& add) {
    add("run: returns what the body returns", [] {
        domain_of<P> domain;
        lock_of<P> a;
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
    });

    add("E2: exception: anywhere in the body everything is released and nothing retried", [] {
        domain_of<P> domain;
        std::array<lock_of<P>, 4> locks;
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
    });

    add("E12: restart: one that a body swallows is carried out all the same", [] {
        domain_of<P> domain;
        lock_of<P> a;
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
    });

    add("retry: the hook sees every restart and the bound ends in abandon", [] {
        domain_of<P> domain;
        lock_of<P> a;
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
    });

    add("E3 INV-E3: deadline: one that passes changes nothing and lets those behind in", [] {
        domain_of<P> domain;
        lock_of<P> a;
        auto holder = domain.begin();
        auto late = domain.begin();
        REQUIRE(holder.acquire(a));
        CHECK(late.acquire_for(a, mode::exclusive, std::chrono::milliseconds{1}) ==
              status::timed_out);
        CHECK(late.held() == 0);
        CHECK_FALSE(late.must_restart());
        CHECK(waiting(domain, a) == 0);
        holder.commit();
        CHECK(late.acquire_for(a, mode::exclusive, std::chrono::milliseconds{0}) ==
              status::granted);
        late.commit();
        CHECK(domain.stats().restarts() == 0);
    });

    add("E3 INV-E3: cancel: a stop requested beforehand cancels only what would wait", [] {
        domain_of<P> domain;
        lock_of<P> a;
        std::stop_source stop;
        stop.request_stop();
        auto holder = domain.begin();
        CHECK(holder.acquire(a, mode::exclusive, stop.get_token()) == status::granted);
        auto other = domain.begin();
        CHECK(other.acquire(a, mode::exclusive, stop.get_token()) == status::cancelled);
        CHECK(other.held() == 0);
    });

    add("E12: restart: the thrown one is no std::exception",
        [] { CHECK_FALSE(std::is_base_of_v<std::exception, manylock::restart>); });
    if constexpr (locks_objects<P>) ends_of_objects(add);
    if constexpr (!locks_objects<P>) ends_of_umbrella(add);
}

}  // namespace conformance

// Goal:   the forms of acquiring and releasing do what docs/engine-api.md says, alike everywhere.
// Method: one or two transactions, on one thread wherever nothing has to wait.
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "support.hpp"

namespace conformance {

template <class P>
void api_of_objects(cases<P> const& add) {
    add("aa: a shared hold taken twice counts once", [] {
        domain_of<P> domain;
        lock_of<P> a;
        auto other = domain.begin();
        auto txn = domain.begin();
        CHECK(other.acquire_shared(a) == status::granted);
        CHECK(txn.acquire_shared(a) == status::granted);
        CHECK(txn.acquire_shared(a) == status::already_held);
        CHECK(txn.held() == 1);
        txn.commit();
        other.commit();
        CHECK_FALSE(a.busy());
    });

    add("upgrade: alone it is granted and excludes readers", [] {
        domain_of<P> domain;
        lock_of<P> a;
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
    });

    add("guard: a scope gives back what it took and nothing else", [] {
        domain_of<P> domain;
        lock_of<P> a;
        lock_of<P> b;
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
    });

    add("release: holes in the list of holds do not lose a lock", [] {
        domain_of<P> domain;
        constexpr std::size_t n = 40;
        std::array<lock_of<P>, n> locks;
        lock_of<P> busy;
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
    });
}

template <class P>
void api(cases<P> const& add) {
    add("E11: aa: what is held already is held already", [] {
        domain_of<P> domain;
        lock_of<P> a;
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
    });

    add("aa: held by another it is busy to a try", [] {
        domain_of<P> domain;
        lock_of<P> a;
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
    });

    add("lock_all: takes a range of locks or of pointers", [] {
        domain_of<P> domain;
        std::array<lock_of<P>, 5> locks;
        domain.run([&](auto& txn) {
            txn.lock_all(locks);
            for (auto& lock : locks) CHECK(txn.holds(lock, mode::exclusive));
        });
        std::vector<lock_of<P>*> pointers{&locks[3], &locks[0], &locks[3]};
        domain.run([&](auto& txn) {
            CHECK(txn.acquire_all(pointers, mode::shared));
            CHECK(txn.holds(locks[0], mode::shared));
        });
        for (auto& lock : locks) CHECK_FALSE(lock.busy());
    });

    add("E7: context: a transaction may begin on one thread and end on another", [] {
        domain_of<P> domain;
        lock_of<P> a;
        lock_of<P> b;
        auto txn = domain.begin();
        actor first;
        actor second;
        first.does([&] { CHECK(txn.acquire(a)); }).get();
        second.does([&] { CHECK(txn.acquire(b)); }).get();
        first.does([&] { txn.commit(); }).get();
        CHECK_FALSE(a.busy());
        CHECK_FALSE(b.busy());
    });

    add("E11: many: a hundred thousand locks in one transaction", [] {
        domain_of<P> domain;
        constexpr std::size_t n = 100'000;
        auto const locks = std::make_unique<lock_of<P>[]>(n);
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
    });

    add("lockable: works with the standard library's locks", [] {
        domain_of<P> domain;
        lock_of<P> lock;
        manylock::lockable<domain_of<P>> mutex{domain, lock};
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
            std::shared_lock const another{mutex, std::try_to_lock};
            CHECK(another.owns_lock());
            CHECK(lock.busy());
        }
        CHECK(mutex.try_lock());
        mutex.unlock();
        CHECK_FALSE(lock.busy());
        CHECK(domain.stats().restarts() == 0);
    });

    add("lockable: several with std::scoped_lock and std::lock in any order", [] {
        domain_of<P> domain;
        std::array<lock_of<P>, 3> locks;
        std::array<int, 3> values{};
        constexpr int rounds = 500;
        together(3, [&](std::size_t me) {
            manylock::lockable<domain_of<P>> a{domain, locks[me]};
            manylock::lockable<domain_of<P>> b{domain, locks[(me + 1) % 3]};
            manylock::lockable<domain_of<P>> c{domain, locks[(me + 2) % 3]};
            for (int i = 0; i < rounds; ++i) {
                switch (i % 4) {
                    case 0: {
                        std::scoped_lock const all{a, b, c};
                        for (auto& v : values) ++v;
                        break;
                    }
                    case 1: {  // given back in another order
                        std::unique_lock first{a, std::defer_lock};
                        std::unique_lock second{b, std::defer_lock};
                        std::lock(first, second);
                        ++values[me], ++values[(me + 1) % 3];
                        first.unlock();
                        ++values[(me + 1) % 3];
                        second.unlock();
                        std::scoped_lock const rest{c, a};
                        ++values[me], ++values[(me + 2) % 3];
                        break;
                    }
                    case 2: {
                        std::shared_lock first{b, std::defer_lock};
                        std::shared_lock second{c, std::defer_lock};
                        std::lock(first, second);
                        CHECK(values[(me + 1) % 3] >= 0);
                        break;
                    }
                    default: {
                        std::unique_lock first{a, std::defer_lock};
                        std::shared_lock second{c, std::defer_lock};
                        std::lock(first, second);
                        CHECK(values[(me + 2) % 3] >= 0);
                        break;
                    }
                }
                domain.run([&](auto& txn) {
                    txn.lock_all(std::array{&locks[0], &locks[1], &locks[2]});
                });
                domain.read(locks[me], [&] { CHECK(values[me] >= 0); });
            }
        });
        // Of 4 rounds one adds 3, one 5.
        CHECK(values[0] + values[1] + values[2] == 3 * rounds / 4 * 8);
        for (auto const& lock : locks) CHECK_FALSE(lock.busy());
        CHECK_FALSE(domain.core().umbrella.busy());
    });

    add("lockable: two in one context, one of them asked for twice or in vain", [] {
        domain_of<P> domain;
        std::array<lock_of<P>, 3> locks;
        manylock::lockable<domain_of<P>> a{domain, locks[0]};
        manylock::lockable<domain_of<P>> b{domain, locks[1]};
        manylock::lockable<domain_of<P>> c{domain, locks[2]};
        manylock::lockable<domain_of<P>> again{domain, locks[1]};
        auto txn = domain.begin();
        actor other;
        for (bool const first_goes_first : {true, false}) {
            a.lock();
            REQUIRE(b.try_lock());
            CHECK_FALSE(again.try_lock());
            REQUIRE(other.does([&] { return domain.enter_read(locks[2]); }).get() ==
                    manylock::read_status::fast);
            CHECK_FALSE(c.try_lock());  // somebody reads it
            other.does([&] { domain.leave_read(locks[2]); }).get();
            CHECK(c.try_lock());
            c.unlock();
            CHECK(domain.try_read_lock(locks[2]));  // as soon as it is given back
            auto& early = first_goes_first ? a : b;
            auto& late = first_goes_first ? b : a;
            early.unlock();
            CHECK(domain.try_read_lock(locks[first_goes_first ? 0 : 1]));
            CHECK_FALSE(domain.try_read_lock(locks[first_goes_first ? 1 : 0]));
            CHECK_FALSE(
                other.does([&] { return txn.try_lock(locks[first_goes_first ? 1 : 0]); }).get());
            other.does([&] { late.unlock(); }).get();  // and on another thread
            CHECK(txn.try_lock(locks[1]));
            txn.release(locks[1]);
            txn.abandon();
            std::destroy_at(&txn);
            std::construct_at(&txn, domain.begin());
        }
        {
            manylock::lockable<domain_of<P>> dropped{domain, locks[2]};
            a.lock();
            REQUIRE(dropped.try_lock());
        }
        CHECK(c.try_lock());
        c.unlock();
        a.unlock();
        REQUIRE(txn.acquire(locks[0]));
        txn.detach(locks[0]);
        txn.commit();
        b.lock();
        CHECK_THROWS_AS((void)a.try_lock(), manylock::restart);  // gone
        b.unlock();
        for (auto const& lock : locks) CHECK_FALSE(lock.busy());
        CHECK_FALSE(domain.core().umbrella.busy());
    });

    add("read: waits for an exclusive holder and holds up the next", [] {
        domain_of<P> domain;
        lock_of<P> a;
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
    });
    if constexpr (locks_objects<P>) api_of_objects(add);
}

}  // namespace conformance

// Goal:   each misuse that a checked build promises to name is named, in words.
// Method: a handler that throws the sentence; without checks there is nothing to test.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <stop_token>
#include <string>

#include "support.hpp"

namespace conformance {

template <class P>
void misuse_named(cases<P> const& add) {
    add("E8: misuse: a lock used with two domains", [] {
        domain_of<P> one;
        domain_of<P> another;
        lock_of<P> a;
        one.run([&](auto& txn) { txn.lock(a); });
        auto txn = another.begin();
        CHECK(misuse_of([&] { (void)txn.acquire(a); }) ==
              "lock used with two domains: a lock belongs to one domain");
    });

    add("E8: misuse: a lock acquired after seal", [] {
        domain_of<P> domain;
        lock_of<P> a;
        auto txn = domain.begin();
        txn.seal();
        CHECK(misuse_of([&] { (void)txn.acquire(a); }) ==
              "lock acquired after seal: acquire it before sealing the transaction");
    });

    add("E8: misuse: a lock destroyed while held", [] {
        domain_of<P> domain;
        auto txn = domain.begin();
        std::optional<lock_of<P>> a;
        a.emplace();
        REQUIRE(txn.acquire(*a));
        CHECK(misuse_of([&] { a.reset(); }) == "lock destroyed while held");
        a.emplace();  // what the transaction gives back at its end must be there
        txn.commit();
    });

    add("E8: misuse: a lock destroyed while a transaction waits for it", [] {
        domain_of<P> domain;
        // Memory that stays what it was: those who still use it must find it there.
        alignas(lock_of<P>) std::array<std::byte, sizeof(lock_of<P>)> memory;
        auto* const lock = ::new (memory.data()) lock_of<P>;
        auto holder = domain.begin();
        auto waiter = domain.begin();
        std::stop_source stop;
        actor other;
        if constexpr (P::needs.umbrella) {
            REQUIRE(domain.enter_read(*lock) == manylock::read_status::fast);
        } else {
            REQUIRE(holder.acquire(*lock));
        }
        auto waited =
            other.does([&] { return waiter.acquire(*lock, mode::exclusive, stop.get_token()); });
        until([&] { return lock->waiter_count() == 1; });
        CHECK(misuse_of([&] { std::destroy_at(lock); }) ==
              "lock destroyed while a transaction waits for it");
        stop.request_stop();
        CHECK(waited.get() == status::cancelled);
        if constexpr (P::needs.umbrella) domain.leave_read(*lock);
    });

    add("E8: misuse: a domain destroyed while a transaction of it is open", [] {
        using transaction = typename domain_of<P>::transaction;
        std::optional<domain_of<P>> domain{std::in_place};
        domain->run([](auto&) {});  // one that has ended
        CHECK(misuse_of([&] { domain.reset(); }).empty());
        domain.emplace();
        // Never ended: its control block goes with the domain.
        alignas(transaction) std::array<std::byte, sizeof(transaction)> memory;
        ::new (memory.data()) transaction{domain->begin()};
        CHECK(misuse_of([&] { domain.reset(); }) ==
              "domain destroyed while a transaction of it is open");
    });

    add("E8: misuse: a transaction used after its end", [] {
        domain_of<P> domain;
        lock_of<P> a;
        auto txn = domain.begin();
        txn.commit();
        CHECK(misuse_of([&] { (void)txn.acquire(a); }) ==
              "lock acquired by a transaction that has ended");
        CHECK(misuse_of([&] { txn.commit(); }) == "transaction ended twice");
    });

    add("E8: misuse: two live transactions of one domain in one context", [] {
        domain_of<P> domain;
        CHECK(misuse_of([&] { domain.run([&](auto&) { domain.run([](auto&) {}); }); }) ==
              "two live transactions of one domain in one context");
    });

    add("E8: misuse: a read and a transaction of one domain inside each other", [] {
        domain_of<P> domain;
        lock_of<P> a;
        CHECK(misuse_of([&] { domain.run([&](auto&) { domain.read(a, [] {}); }); }) ==
              "single-object read inside a transaction of its domain");
        CHECK(misuse_of([&] { domain.read(a, [&] { domain.run([](auto&) {}); }); }) ==
              "transaction begun inside a single-object read of its domain");
        CHECK_FALSE(a.busy());
    });

    add("E8: misuse: domains nested against their declared order", [] {
        domain_of<P> outer{1};
        domain_of<P> inner{2};
        CHECK(misuse_of([&] { outer.run([&](auto&) { inner.run([](auto&) {}); }); }).empty());
        CHECK(misuse_of([&] { inner.run([&](auto&) { outer.run([](auto&) {}); }); }) ==
              "domains nested against their declared order");
    });

    add("E8: misuse: commit of a transaction that must restart and rollback of one that need not",
        [] {
            domain_of<P> domain;
            auto txn = domain.begin();
            CHECK(misuse_of([&] { txn.rollback(); }) ==
                  "rollback of a transaction that was not told to restart");
            (void)txn.restart_because(restart_reason::injected);
            CHECK(misuse_of([&] { txn.commit(); }) ==
                  "commit of a transaction that was told to restart");
        });

    add("E8: misuse: detaching what is not held exclusively", [] {
        domain_of<P> domain;
        lock_of<P> a;
        auto txn = domain.begin();
        CHECK(misuse_of([&] { txn.detach(a); }) == "lock detached that is not held exclusively");
    });

    add("E8: misuse: unlocking a Lockable twice", [] {
        domain_of<P> domain;
        lock_of<P> a;
        manylock::lockable<domain_of<P>> mutex{domain, a};
        mutex.lock();
        mutex.unlock();
        CHECK(misuse_of([&] { mutex.unlock(); }) ==
              "unlock of a lock that is not held: double unlock?");
    });
}

template <class P>
void misuse_of_objects(cases<P> const& add) {
    add("E8: misuse: double unlock", [] {
        domain_of<P> domain;
        lock_of<P> a;
        auto txn = domain.begin();
        REQUIRE(txn.acquire(a));
        txn.release(a);
        CHECK(misuse_of([&] { txn.release(a); }) ==
              "lock released that is not held: double unlock?");
    });
}

template <class P>
void misuse(cases<P> const& add) {
    if constexpr (manylock::checks_enabled) misuse_named(add);
    if constexpr (manylock::checks_enabled && locks_objects<P>) misuse_of_objects(add);
}

}  // namespace conformance

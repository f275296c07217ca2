// Goal:   at each shape of conflict exactly those restart whom the policy names, and all commit in the end.
// Method: ages are fixed beforehand by a failed try; a thread per waiting transaction; the test goes on
//         when the wait can be seen, never after a time.
#pragma once

#include <array>
#include <atomic>
#include <barrier>
#include <vector>

#include "support.hpp"

namespace conformance {

template <class P>
void conflict_of_objects(cases<P> const& add) {
    add("W3 D3: zero locks: one that holds nothing waits and never restarts", [] {
        domain_of<P> domain;
        lock_of<P> a;
        auto holder = domain.begin();
        auto newcomer = domain.begin();
        REQUIRE(holder.acquire(a));
        actor n;
        auto wait = acquires(n, newcomer, a);
        until([&] { return a.waiter_count() == 1; });
        holder.commit();
        CHECK(wait.get() == status::granted);
        CHECK(domain.stats().restarts() == 0);
    });

    add("reader against writer: a queued writer is not overtaken for ever", [] {
        domain_of<P> domain;
        lock_of<P> a;
        auto reader = domain.begin();
        auto writer = domain.begin();
        auto late = domain.begin();
        REQUIRE(reader.acquire_shared(a));
        actor w;
        actor l;
        auto written = acquires(w, writer, a);
        until([&] { return a.waiter_count() == 1; });
        CHECK(domain.try_read_lock(a).status() == manylock::read_status::busy);
        auto read = acquires(l, late, a, mode::shared);
        until([&] { return a.waiter_count() == 2; });
        reader.commit();
        CHECK(written.get() == status::granted);
        CHECK_FALSE(is_ready(read));
        writer.commit();
        CHECK(read.get() == status::granted);
        late.commit();
        CHECK(domain.stats().restarts() == 0);
    });

    add("reader behind queued writer: a leaving reader lets nobody past it", [] {
        domain_of<P> domain;
        lock_of<P> l;
        auto stays = domain.begin();
        auto leaves = domain.begin();
        auto writer = domain.begin();
        auto reader = domain.begin();
        REQUIRE(stays.acquire_shared(l));
        REQUIRE(leaves.acquire_shared(l));
        actor w;
        actor r;
        auto writer_waits = acquires(w, writer, l);
        until([&] { return l.waiter_count() == 1; });
        auto reader_waits = acquires(r, reader, l, mode::shared);
        until([&] { return l.waiter_count() == 2; });
        leaves.commit();
        CHECK(l.waiter_count() == 2);
        stays.commit();
        CHECK(writer_waits.get() == status::granted);
        CHECK(l.waiter_count() == 1);
        writer.commit();
        CHECK(reader_waits.get() == status::granted);
    });

    add("two upgraders: both commit", [] {
        domain_of<P> domain;
        lock_of<P> a;
        std::barrier both_read{2};
        int value = 0;
        together(2, [&](std::size_t) {
            domain.run([&](auto& txn) {
                if (!txn.acquire_shared(a)) return;
                if (txn.attempt() == 1) both_read.arrive_and_wait();
                if (txn.acquire(a)) ++value;
            });
        });
        CHECK(value == 2);
        CHECK(domain.stats().restarts() >= 1);
    });

    add("upgrade: it goes ahead of a queued writer", [] {
        domain_of<P> domain;
        lock_of<P> a;
        auto upgrader = domain.begin();
        auto writer = domain.begin();
        REQUIRE(upgrader.acquire_shared(a));
        actor w;
        auto written = acquires(w, writer, a);
        until([&] { return a.waiter_count() == 1; });
        CHECK(upgrader.acquire(a) == status::granted);
        upgrader.commit();
        CHECK(written.get() == status::granted);
    });

    add("upgrade: a single-object reader bars it", [] {
        domain_of<P> domain;
        lock_of<P> a;
        std::atomic<bool> inside{false};
        std::atomic<bool> may_leave{false};
        actor r;
        auto read = r.does([&] {
            auto const guard = domain.read_lock(a);
            inside = true;
            until([&] { return may_leave.load(); });
        });
        until([&] { return inside.load(); });
        auto upgrader = domain.begin();
        REQUIRE(upgrader.acquire_shared(a));
        CHECK(upgrader.try_acquire(a) == status::busy);
        may_leave = true;
        read.get();
        CHECK(upgrader.try_acquire(a) == status::granted);
        upgrader.commit();
        CHECK_FALSE(a.busy());
    });
}

template <class P>
void conflict_of_ages(cases<P> const& add) {
    add("E9: abba: the younger transaction is the only victim", [] {
        two<P> t;
        REQUIRE(t.elder.age().older_than(t.younger.age()));
        auto first = acquires(t.elder_thread, t.elder, t.b);
        until([&] { return t.b.waiter_count() == 1; });
        auto const answer = t.younger.acquire(t.a);
        REQUIRE(answer.is_restart());
        CHECK(answer.reason() == P::reason);
        CHECK_FALSE(is_ready(first));  // what the victim holds is its own until it rolls back
        auto back = t.younger_thread.does([&] { t.younger.rollback(); });
        CHECK(first.get() == status::granted);
        CHECK_FALSE(is_ready(back));  // the contending lock is waited for, holding nothing
        t.elder.commit();
        back.get();
        CHECK(t.younger.attempt() == 2);
        CHECK(t.younger.held() == 1);
        CHECK(t.younger.acquire(t.a) == status::already_held);
        CHECK(t.younger.acquire(t.b) == status::granted);
        t.younger.commit();
        auto const stats = t.domain.stats();
        CHECK(stats.restarts(P::reason) == 1);
        CHECK(stats.restarts() == 1);
        CHECK(stats.restarts_max_of_one_transaction == 1);
        CHECK(stats[manylock::counter::commits] == 2);
    });

    add("E9: two upgraders: the elder gets it and the younger restarts", [] {
        domain_of<P> domain;
        lock_of<P> clock;
        lock_of<P> a;
        auto first = domain.begin();
        auto elder = domain.begin();
        auto younger = domain.begin();
        REQUIRE(first.acquire(clock));
        make_younger(elder, clock);
        make_younger(younger, clock);
        REQUIRE(elder.acquire_shared(a));
        REQUIRE(younger.acquire_shared(a));
        actor e;
        actor y;
        auto upgraded = acquires(e, elder, a);
        until([&] { return a.waiter_count() == 1; });
        auto const answer = younger.acquire(a);
        REQUIRE(answer.is_restart());
        CHECK(answer.reason() == P::reason);
        auto back = y.does([&] { younger.rollback(); });
        CHECK(upgraded.get() == status::granted);
        elder.commit();
        back.get();
        CHECK(younger.holds(a, mode::exclusive));  // the contending lock, in the wanted mode
        CHECK(domain.stats().restarts() == 1);
    });

    add("upgrade: it waits for the other readers only", [] {
        domain_of<P> domain;
        lock_of<P> clock;
        lock_of<P> a;
        auto first = domain.begin();
        auto upgrader = domain.begin();
        auto reader = domain.begin();
        REQUIRE(first.acquire(clock));
        make_younger(upgrader, clock);
        make_younger(reader, clock);
        REQUIRE(reader.acquire_shared(a));
        REQUIRE(upgrader.acquire_shared(a));
        actor u;
        auto upgraded = acquires(u, upgrader, a);
        until([&] { return a.waiter_count() == 1; });
        reader.commit();
        CHECK(upgraded.get() == status::granted);
        CHECK(upgrader.holds(a, mode::exclusive));
        upgrader.commit();
        CHECK_FALSE(a.busy());
        CHECK(domain.stats().restarts() == 0);
    });
}

template <class P>
void conflict_where_younger_waits(cases<P> const& add) {
    add("C2: abba: whoever comes second closes the cycle", [] {
        // The other way round: the younger waits first, then the elder's request closes the cycle.
        two<P> t;
        auto first = acquires(t.younger_thread, t.younger, t.a);
        until([&] { return t.a.waiter_count() == 1; });
        auto second = acquires(t.elder_thread, t.elder, t.b);
        auto const answer = first.get();
        REQUIRE(answer.is_restart());
        CHECK(answer.reason() == P::reason);
        auto back = t.younger_thread.does([&] { t.younger.rollback(); });
        CHECK(second.get() == status::granted);
        t.elder.commit();
        back.get();
        CHECK(t.domain.stats().restarts() == 1);
    });
}

template <class P>
void conflict(cases<P> const& add) {
    if constexpr (locks_objects<P>) conflict_of_objects(add);
    if constexpr (spares_eldest<P>) conflict_of_ages(add);
    if constexpr (spares_eldest<P> && younger_waits<P>) conflict_where_younger_waits(add);
}

}  // namespace conformance

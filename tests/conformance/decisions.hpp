// Goal:   what a policy decides at a conflict is carried out, at once and on the right transaction.
// Method: as conflict.hpp. Which cases a policy gets follows from its answers to on_conflict.
#pragma once

#include <array>

#include "support.hpp"

namespace conformance {

template <class P>
void wounding(cases<P> const& add) {
    add("wound while running: the victim commits if it meets no further conflict", [] {
        lock_of<P> free_lock;
        two<P> t;
        auto wait = acquires(t.elder_thread, t.elder, t.b);
        until([&] { return t.b.waiter_count() == 1; });
        CHECK(t.younger.marked_for_restart());
        CHECK_FALSE(t.younger.must_restart());
        CHECK(t.younger.acquire(free_lock) == status::granted);
        t.younger.commit();
        CHECK(wait.get() == status::granted);
        t.elder.commit();
        CHECK(t.domain.stats().restarts() == 0);
        CHECK(t.domain.stats()[manylock::counter::wounds] == 1);
    });

    add("wound after the last lock: a sealed transaction commits", [] {
        two<P> t;
        t.younger.seal();
        auto wait = acquires(t.elder_thread, t.elder, t.b);
        until([&] { return t.b.waiter_count() == 1; });
        CHECK(t.younger.marked_for_restart());
        t.younger.commit();
        CHECK(wait.get() == status::granted);
        CHECK(t.domain.stats().restarts() == 0);
    });

    add("wound: a rollback leaves none to the next attempt", [] {
        two<P> t;
        auto wait = acquires(t.elder_thread, t.elder, t.b);
        until([&] { return t.b.waiter_count() == 1; });
        REQUIRE(t.younger.marked_for_restart());
        REQUIRE(t.younger.restart_because(restart_reason::injected).is_restart());
        t.younger.rollback();
        CHECK_FALSE(t.younger.marked_for_restart());
        CHECK(wait.get() == status::granted);
    });

    add("W3: zero locks: an elder that holds nothing wounds nobody", [] {
        domain_of<P> domain;
        lock_of<P> a;
        lock_of<P> b;
        auto other = domain.begin();
        auto elder = domain.begin();
        auto younger = domain.begin();
        REQUIRE(other.acquire(b));
        make_younger(elder, b);
        REQUIRE(younger.acquire(a));
        make_younger(younger, b);
        REQUIRE(elder.age().older_than(younger.age()));
        actor e;
        auto wait = acquires(e, elder, a);
        until([&] { return a.waiter_count() == 1; });
        CHECK_FALSE(younger.marked_for_restart());
        younger.commit();
        CHECK(wait.get() == status::granted);
        CHECK(domain.stats()[manylock::counter::wounds] == 0);
    });
}

template <class P>
void wounding_and_waiting(cases<P> const& add) {
    add("wound while waiting: the victim leaves its queue at once", [] {
        lock_of<P> c;
        two<P> t;
        auto eldest = t.domain.begin();
        REQUIRE(eldest.acquire(c));
        auto waiting_for_c = acquires(t.younger_thread, t.younger, c);
        until([&] { return c.waiter_count() == 1; });
        auto wait = acquires(t.elder_thread, t.elder, t.b);
        auto const answer = waiting_for_c.get();
        REQUIRE(answer.is_restart());
        CHECK(answer.reason() == P::reason);
        CHECK(c.waiter_count() == 0);
        auto back = t.younger_thread.does([&] { t.younger.rollback(); });
        CHECK(wait.get() == status::granted);
        t.elder.commit();
        eldest.commit();
        back.get();
    });

    add("E10: wound: none outlives the attempt or the holds that it was meant for", [] {
        lock_of<P> c;
        two<P> t;
        auto wait = acquires(t.elder_thread, t.elder, t.b);
        until([&] { return t.b.waiter_count() == 1; });
        REQUIRE(t.younger.marked_for_restart());
        t.younger.release(t.b);
        CHECK(wait.get() == status::granted);
        CHECK_FALSE(t.younger.marked_for_restart());
        REQUIRE(t.younger.acquire(c));
        auto again = acquires(t.younger_thread, t.younger, t.a);  // must wait, not restart
        until([&] { return t.a.waiter_count() == 1; });
        t.elder.commit();
        CHECK(again.get() == status::granted);
    });

    add("zero locks: whoever queues behind one wounds in its place", [] {
        // h (young) reads L; z (old, holds nothing) wants to write L; y (between, holds M) wants to read L and
        // so queues behind z. If h now wants M, h waits for y, y for z and z for h.
        domain_of<P> domain;
        lock_of<P> clock;
        lock_of<P> l;
        lock_of<P> m;
        auto first = domain.begin();
        auto z = domain.begin();
        auto y = domain.begin();
        auto h = domain.begin();
        REQUIRE(first.acquire(clock));
        make_younger(z, clock);
        make_younger(y, clock);
        make_younger(h, clock);
        REQUIRE(h.acquire_shared(l));
        REQUIRE(y.acquire(m));
        actor z_thread;
        actor y_thread;
        actor h_thread;
        auto z_waits = acquires(z_thread, z, l);
        until([&] { return l.waiter_count() == 1; });
        CHECK_FALSE(h.marked_for_restart());
        auto y_waits = acquires(y_thread, y, l, mode::shared);
        until([&] { return l.waiter_count() == 2; });
        CHECK(h.marked_for_restart());
        auto const answer = h.acquire(m);
        REQUIRE(answer.is_restart());
        auto back = h_thread.does([&] { h.rollback(); });
        CHECK(z_waits.get() == status::granted);
        z.commit();
        CHECK(y_waits.get() == status::granted);
        y.commit();
        back.get();
    });
}

template <class P>
void waiting_and_dying(cases<P> const& add) {
    add("wait_die: a reader that joins ahead of a queued writer makes it die", [] {
        domain_of<P> domain;
        lock_of<P> clock;
        lock_of<P> l;
        lock_of<P> m;
        auto first = domain.begin();
        auto elder = domain.begin();
        auto writer = domain.begin();
        auto youngest = domain.begin();
        REQUIRE(first.acquire(clock));
        make_younger(elder, clock);
        make_younger(writer, clock);
        make_younger(youngest, clock);
        REQUIRE(youngest.acquire_shared(l));
        REQUIRE(writer.acquire(m));
        actor w;
        auto wait = acquires(w, writer, l);  // older than the reader: it may wait
        until([&] { return l.waiter_count() == 1; });
        CHECK(elder.acquire_shared(l) == status::granted);  // older than the writer: ahead of it
        auto const answer = wait.get();
        REQUIRE(answer.is_restart());
        CHECK(answer.reason() == P::reason);
    });

    add("wait_die: an elder that queues ahead makes a queued younger one die at once", [] {
        domain_of<P> domain;
        lock_of<P> ages;
        lock_of<P> mine;
        lock_of<P> wanted;
        auto elder = domain.begin();
        auto middle = domain.begin();
        auto youngest = domain.begin();
        REQUIRE(elder.acquire(ages));
        make_younger(middle, ages);
        make_younger(youngest, ages);
        REQUIRE(youngest.acquire(wanted));
        REQUIRE(middle.acquire(mine));
        actor middle_thread;
        actor elder_thread;
        auto wait = acquires(middle_thread, middle, wanted);
        until([&] { return wanted.waiter_count() == 1; });
        auto ahead = acquires(elder_thread, elder, wanted);
        auto const answer = wait.get();  // the holder has not moved
        REQUIRE(answer.is_restart());
        CHECK(answer.reason() == P::reason);
        middle.abandon();
        youngest.commit();
        CHECK(ahead.get() == status::granted);
        elder.commit();
    });
}

template <class P>
void dying(cases<P> const& add) {
    add("N1: no_wait: whoever holds something restarts at any conflict", [] {
        two<P> t;
        CHECK(t.elder.acquire(t.b).reason() == P::reason);
        CHECK(t.younger.acquire(t.a).reason() == P::reason);
        auto back = t.elder_thread.does([&] { t.elder.rollback(); });
        t.younger.rollback();  // a is free now, or will be: the elder lets go before it waits for b
        back.get();
        CHECK(t.younger.holds(t.a, mode::exclusive));
        CHECK(t.elder.holds(t.b, mode::exclusive));
    });
}

template <class P>
void ordering(cases<P> const& add) {
    add("O1: lock_ordering: in order it waits and out of order it tries and restarts", [] {
        domain_of<P> domain;
        std::array<lock_of<P>, 3> locks;
        auto low = domain.begin();
        auto high = domain.begin();
        REQUIRE(low.acquire(locks[0]));
        REQUIRE(high.acquire(locks[2]));
        CHECK(high.acquire(locks[1]) == status::granted);  // out of order, but free
        CHECK(high.acquire(locks[0]).reason() == P::reason);
        actor l;
        auto wait = acquires(l, low, locks[2]);  // in order
        until([&] { return locks[2].waiter_count() == 1; });
        actor h;
        auto back = h.does([&] { high.rollback(); });
        CHECK(wait.get() == status::granted);
        low.commit();
        back.get();
        high.commit();
        CHECK(domain.stats().restarts(P::reason) == 1);
    });

    add("INV-R: lock_ordering: a named rank decides and falls when the lock is given back", [] {
        domain_of<P> domain;
        std::array<lock_of<P>, 3> locks;
        auto other = domain.begin();
        REQUIRE(other.acquire(locks[0]));
        auto txn = domain.begin();
        REQUIRE(txn.acquire_ranked(locks[2], mode::exclusive, 10));
        REQUIRE(txn.acquire_ranked(locks[1], mode::exclusive, 30));
        CHECK(txn.acquire_ranked(locks[0], mode::exclusive, 20).is_restart());
        txn.abandon();
        auto again = domain.begin();
        REQUIRE(again.acquire_ranked(locks[2], mode::exclusive, 10));
        REQUIRE(again.acquire_ranked(locks[1], mode::exclusive, 30));
        again.release(locks[1]);
        actor a;
        auto wait = a.does([&] { return again.acquire_ranked(locks[0], mode::exclusive, 20); });
        until([&] { return locks[0].waiter_count() == 1; });
        other.commit();
        CHECK(wait.get() == status::granted);
    });

    add("INV-R: lock_ordering: out-of-order releases leave no rank behind", [] {
        domain_of<P> domain;
        std::array<lock_of<P>, 5> locks;
        auto other = domain.begin();
        REQUIRE(other.acquire(locks[4]));
        auto txn = domain.begin();
        REQUIRE(txn.acquire_ranked(locks[0], mode::exclusive, 10));
        REQUIRE(txn.acquire_ranked(locks[1], mode::exclusive, 5));
        REQUIRE(txn.acquire_ranked(locks[2], mode::exclusive, 20));
        txn.release(locks[0]);
        txn.release(locks[2]);
        SUBCASE("with something still held") {}
        SUBCASE("with nothing held any more") {
            txn.release(locks[1]);
            REQUIRE(txn.acquire_ranked(locks[3], mode::exclusive, 3));
        }
        actor a;
        auto wait = a.does([&] { return txn.acquire_ranked(locks[4], mode::exclusive, 7); });
        until([&] { return locks[4].waiter_count() == 1; });  // in order: above 5, or above 3
        other.commit();
        CHECK(wait.get() == status::granted);
    });
}

template <class P>
void decisions(cases<P> const& add) {
    if constexpr (elder_wounds<P>) wounding(add);
    if constexpr (elder_wounds<P> && younger_waits<P>) wounding_and_waiting(add);
    if constexpr (elder_waits<P> && younger_dies<P>) waiting_and_dying(add);
    if constexpr (never_waits<P>) dying(add);
    if constexpr (waits_in_order_only<P>) ordering(add);
}

}  // namespace conformance

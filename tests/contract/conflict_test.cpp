// Goal:   at each shape of conflict exactly those restart whom the policy names, and all commit in the end.
// Method: ages are fixed beforehand by a failed try; a thread per waiting transaction; the test goes on
//         when the wait can be seen, never after a time.
#include "support.hpp"

#include <array>
#include <barrier>
#include <optional>
#include <vector>

using namespace contract;

namespace {

template <class P>
struct two {
    using domain_type = manylock::domain<P>;
    domain_type domain;
    typename domain_type::lock_type a;
    typename domain_type::lock_type b;
    typename domain_type::transaction elder = domain.begin();
    typename domain_type::transaction younger = domain.begin();
    actor elder_thread;
    actor younger_thread;

    /// The elder holds `a`, the younger `b`; both have their stamps.
    two() {
        REQUIRE(elder.acquire(a));
        REQUIRE(younger.acquire(b));
        if (P::needs.stamps) make_younger(younger, a);
    }
};

template <class Txn, class Lock>
auto acquires(actor& who, Txn& txn, Lock& lock, mode m = mode::exclusive) {
    return who.does([&txn, &lock, m] { return txn.acquire(lock, m); });
}

}  // namespace

TEST_SUITE_BEGIN("conflict");

TEST_CASE_TEMPLATE("abba: the younger transaction is the only victim", P, EVERY_FAIR_POLICY) {
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
}

TEST_CASE_TEMPLATE("abba: whoever comes second closes the cycle", P, EVERY_FAIR_POLICY) {
    // The other way round: the younger waits first, then the elder's request closes the cycle.
    if (std::is_same_v<P, manylock::policies::wait_die>) return;  // there the younger never waits
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
}

TEST_CASE_TEMPLATE("cycle of n: every member commits and nothing stays locked", P, EVERY_POLICY) {
    for (std::size_t n = 2; n <= 5; ++n) {
        CAPTURE(n);
        manylock::domain<P> domain;
        std::vector<typename manylock::domain<P>::lock_type> locks(n);
        std::barrier all_hold{static_cast<std::ptrdiff_t>(n)};
        {
            std::vector<std::jthread> threads;
            for (std::size_t i = 0; i < n; ++i) {
                threads.emplace_back([&, i] {
                    domain.run([&](auto& txn) {
                        if (!txn.acquire(locks[i])) return;
                        if (txn.attempt() == 1 && !P::needs.umbrella) all_hold.arrive_and_wait();
                        (void)txn.acquire(locks[(i + 1) % n]);
                    });
                });
            }
        }
        auto const stats = domain.stats();
        CHECK(stats[manylock::counter::commits] == n);
        CHECK(stats.restarts(P::reason) == stats.restarts());
        CHECK((stats.restarts() > 0) == !P::needs.umbrella);
        if (P::needs.held_list) CHECK(stats.restarts() == 1);  // one victim a cycle
        if (P::needs.stamps) CHECK(stats.restarts() < n);      // the eldest never
        for (auto& lock : locks) CHECK_FALSE(lock.busy());
    }
}

TEST_CASE("wound while running: the victim commits if it meets no further conflict") {
    manylock::domain<manylock::policies::wound_wait>::lock_type free_lock;
    two<manylock::policies::wound_wait> t;
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
}

TEST_CASE("wound while waiting: the victim leaves its queue at once") {
    manylock::domain<manylock::policies::wound_wait>::lock_type c;
    two<manylock::policies::wound_wait> t;
    auto eldest = t.domain.begin();
    REQUIRE(eldest.acquire(c));
    auto waiting_for_c = acquires(t.younger_thread, t.younger, c);
    until([&] { return c.waiter_count() == 1; });
    auto wait = acquires(t.elder_thread, t.elder, t.b);
    auto const answer = waiting_for_c.get();
    REQUIRE(answer.is_restart());
    CHECK(answer.reason() == restart_reason::wounded);
    CHECK(c.waiter_count() == 0);
    auto back = t.younger_thread.does([&] { t.younger.rollback(); });
    CHECK(wait.get() == status::granted);
    t.elder.commit();
    eldest.commit();
    back.get();
}

TEST_CASE("wound after the last lock: a sealed transaction commits") {
    two<manylock::policies::wound_wait> t;
    t.younger.seal();
    auto wait = acquires(t.elder_thread, t.elder, t.b);
    until([&] { return t.b.waiter_count() == 1; });
    CHECK(t.younger.marked_for_restart());
    t.younger.commit();
    CHECK(wait.get() == status::granted);
    CHECK(t.domain.stats().restarts() == 0);
}

TEST_CASE("wound: none outlives the attempt or the holds that it was meant for") {
    using domain_type = manylock::domain<manylock::policies::wound_wait>;
    domain_type::lock_type c;
    two<manylock::policies::wound_wait> t;
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
}

TEST_CASE("wound: a rollback leaves none to the next attempt") {
    two<manylock::policies::wound_wait> t;
    auto wait = acquires(t.elder_thread, t.elder, t.b);
    until([&] { return t.b.waiter_count() == 1; });
    REQUIRE(t.younger.marked_for_restart());
    REQUIRE(t.younger.restart_because(restart_reason::injected).is_restart());
    t.younger.rollback();
    CHECK_FALSE(t.younger.marked_for_restart());
    CHECK(wait.get() == status::granted);
}

TEST_CASE("zero locks: an elder that holds nothing wounds nobody") {
    using domain_type = manylock::domain<manylock::policies::wound_wait>;
    domain_type domain;
    domain_type::lock_type a;
    domain_type::lock_type b;
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
}

TEST_CASE_TEMPLATE("zero locks: one that holds nothing waits and never restarts", P,
                   EVERY_OBJECT_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto holder = domain.begin();
    auto newcomer = domain.begin();
    REQUIRE(holder.acquire(a));
    actor n;
    auto wait = acquires(n, newcomer, a);
    until([&] { return a.waiter_count() == 1; });
    holder.commit();
    CHECK(wait.get() == status::granted);
    CHECK(domain.stats().restarts() == 0);
}

TEST_CASE("zero locks: whoever queues behind one wounds in its place") {
    // h (young) reads L; z (old, holds nothing) wants to write L; y (between, holds M) wants to read L and
    // so queues behind z. If h now wants M, h waits for y, y for z and z for h.
    using domain_type = manylock::domain<manylock::policies::wound_wait>;
    domain_type domain;
    domain_type::lock_type clock;
    domain_type::lock_type l;
    domain_type::lock_type m;
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
}

TEST_CASE_TEMPLATE("reader against writer: a queued writer is not overtaken for ever", P,
                   EVERY_OBJECT_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
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
}

TEST_CASE_TEMPLATE("reader behind queued writer: a leaving reader lets nobody past it", P,
                   EVERY_OBJECT_POLICY) {
    using domain_type = manylock::domain<P>;
    domain_type domain;
    typename domain_type::lock_type l;
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
}

TEST_CASE("wait_die: a reader that joins ahead of a queued writer makes it die") {
    using domain_type = manylock::domain<manylock::policies::wait_die>;
    domain_type domain;
    domain_type::lock_type clock;
    domain_type::lock_type l;
    domain_type::lock_type m;
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
    CHECK(answer.reason() == restart_reason::died);
}

TEST_CASE_TEMPLATE("upgrade: it waits for the other readers only", P,
                   manylock::policies::wound_wait, manylock::policies::wait_die,
                   manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type clock;
    typename manylock::domain<P>::lock_type a;
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
}

TEST_CASE_TEMPLATE("upgrade: it goes ahead of a queued writer", P, manylock::policies::wait_die,
                   manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto upgrader = domain.begin();
    auto writer = domain.begin();
    REQUIRE(upgrader.acquire_shared(a));
    actor w;
    auto written = acquires(w, writer, a);
    until([&] { return a.waiter_count() == 1; });
    CHECK(upgrader.acquire(a) == status::granted);
    upgrader.commit();
    CHECK(written.get() == status::granted);
}

TEST_CASE_TEMPLATE("two upgraders: the elder gets it and the younger restarts", P,
                   EVERY_FAIR_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type clock;
    typename manylock::domain<P>::lock_type a;
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
}

TEST_CASE_TEMPLATE("two upgraders: both commit", P, EVERY_OBJECT_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    std::barrier both_read{2};
    int value = 0;
    {
        std::array<std::jthread, 2> threads;
        for (auto& thread : threads) {
            thread = std::jthread{[&] {
                domain.run([&](auto& txn) {
                    if (!txn.acquire_shared(a)) return;
                    if (txn.attempt() == 1) both_read.arrive_and_wait();
                    if (txn.acquire(a)) ++value;
                });
            }};
        }
    }
    CHECK(value == 2);
    CHECK(domain.stats().restarts() >= 1);
}

TEST_CASE("no_wait: whoever holds something restarts at any conflict") {
    two<manylock::policies::no_wait> t;
    CHECK(t.elder.acquire(t.b).reason() == restart_reason::conflict);
    CHECK(t.younger.acquire(t.a).reason() == restart_reason::conflict);
    auto back = t.elder_thread.does([&] { t.elder.rollback(); });
    t.younger.rollback();  // a is free now, or will be: the elder lets go before it waits for b
    back.get();
    CHECK(t.younger.holds(t.a, mode::exclusive));
    CHECK(t.elder.holds(t.b, mode::exclusive));
}

TEST_CASE("lock_ordering: in order it waits and out of order it tries and restarts") {
    using domain_type = manylock::domain<manylock::policies::lock_ordering>;
    domain_type domain;
    std::array<domain_type::lock_type, 3> locks;
    auto low = domain.begin();
    auto high = domain.begin();
    REQUIRE(low.acquire(locks[0]));
    REQUIRE(high.acquire(locks[2]));
    CHECK(high.acquire(locks[1]) == status::granted);  // out of order, but free
    CHECK(high.acquire(locks[0]).reason() == restart_reason::out_of_order);
    actor l;
    auto wait = acquires(l, low, locks[2]);  // in order
    until([&] { return locks[2].waiter_count() == 1; });
    actor h;
    auto back = h.does([&] { high.rollback(); });
    CHECK(wait.get() == status::granted);
    low.commit();
    back.get();
    high.commit();
    CHECK(domain.stats().restarts(restart_reason::out_of_order) == 1);
}

TEST_CASE("lock_ordering: a named rank decides, and falls when the lock is given back") {
    using domain_type = manylock::domain<manylock::policies::lock_ordering>;
    domain_type domain;
    std::array<domain_type::lock_type, 3> locks;
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
}

TEST_CASE("lock_ordering: out-of-order releases leave no rank behind") {
    using domain_type = manylock::domain<manylock::policies::lock_ordering>;
    domain_type domain;
    std::array<domain_type::lock_type, 5> locks;
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
}

TEST_CASE("wait_die: an elder that queues ahead makes a queued younger one die at once") {
    using domain_type = manylock::domain<manylock::policies::wait_die>;
    domain_type domain;
    domain_type::lock_type ages;
    domain_type::lock_type mine;
    domain_type::lock_type wanted;
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
    CHECK(answer.reason() == restart_reason::died);
    middle.abandon();
    youngest.commit();
    CHECK(ahead.get() == status::granted);
    elder.commit();
}

namespace {

/// cycle_detection whose walker can be stopped between being chosen and leaving its queue.
struct gated {
    static constexpr char const* name = "gated";
    static constexpr manylock::policy_needs needs{.stamps = true, .held_list = true};
    static constexpr manylock::policy_promises promises{};
    static constexpr restart_reason reason = restart_reason::deadlock;
    static constexpr manylock::decision on_conflict(manylock::conflict const&) noexcept {
        return manylock::decision::wait;
    }
    template <class View>
    static bool on_wait(View& view) {
        bool const victim = manylock::policies::cycle_detection::on_wait(view);
        walks.fetch_add(1);
        if (victim && gate.load() == closed) {
            gate.store(reached);
            until([] { return gate.load() == open; });
        }
        return victim;
    }
    enum { open, closed, reached };
    static inline std::atomic<int> gate{open};
    static inline std::atomic<int> walks{0};
};

}  // namespace

TEST_CASE("detection: who is chosen and has not left yet is no reason for a second victim") {
    using domain_type = manylock::domain<gated>;
    domain_type domain;
    domain_type::lock_type ages;
    domain_type::lock_type m;
    domain_type::lock_type v1;
    domain_type::lock_type v2;
    auto first = domain.begin();
    auto middle = domain.begin();
    auto victim = domain.begin();
    auto youngest = domain.begin();
    REQUIRE(first.acquire(ages));
    make_younger(middle, ages);
    make_younger(victim, ages);
    make_younger(youngest, ages);
    REQUIRE(middle.acquire_shared(m));
    REQUIRE(youngest.acquire_shared(m));
    REQUIRE(victim.acquire(v1));
    REQUIRE(victim.acquire(v2));
    actor middle_thread;
    actor victim_thread;
    actor youngest_thread;
    gated::gate.store(gated::closed);
    int const none = gated::walks.load();
    auto middle_waits = acquires(middle_thread, middle, v1);
    until([&] { return gated::walks.load() > none; });  // a later walk of its own would choose
    auto chosen = acquires(victim_thread, victim, m);   // closes the cycle with middle
    until([] { return gated::gate.load() == gated::reached; });
    int const before = gated::walks.load();
    auto youngest_waits = acquires(youngest_thread, youngest, v2);  // would close another
    until([&] { return gated::walks.load() > before; });
    CHECK_FALSE(is_ready(youngest_waits));
    gated::gate.store(gated::open);
    CHECK(chosen.get().is_restart());
    victim.abandon();
    CHECK(middle_waits.get() == status::granted);
    CHECK(youngest_waits.get() == status::granted);
    CHECK(domain.stats().restarts() == 1);
}

TEST_CASE_TEMPLATE("detection: waiting alone is no reason to restart", P,
                   manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl) {
    two<P> t;
    auto wait = acquires(t.elder_thread, t.elder, t.b);
    until([&] { return t.b.waiter_count() == 1; });
    t.younger.commit();
    CHECK(wait.get() == status::granted);
    CHECK(t.domain.stats().restarts() == 0);
    CHECK(t.domain.stats()[manylock::counter::detector_walks] <= 1);
    CHECK(t.domain.stats().held_list_bytes_max > 0);
}

TEST_CASE_TEMPLATE("detection: a cycle through a queue only is broken by overtaking", P,
                   manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl) {
    // r1 reads L; w (holds nothing) wants to write L; r2 (holds M) wants to read L and queues behind w; r1
    // wants M. r1 -> r2 -> w -> r1, but r2 could read L with r1.
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type clock;
    typename manylock::domain<P>::lock_type l;
    typename manylock::domain<P>::lock_type m;
    auto first = domain.begin();
    auto r1 = domain.begin();
    auto w = domain.begin();
    auto r2 = domain.begin();
    REQUIRE(first.acquire(clock));
    make_younger(r1, clock);
    make_younger(w, clock);
    make_younger(r2, clock);
    REQUIRE(r1.acquire_shared(l));
    REQUIRE(r2.acquire(m));
    actor w_thread;
    actor r1_thread;
    actor r2_thread;
    auto written = acquires(w_thread, w, l);
    until([&] { return l.waiter_count() == 1; });
    auto read = acquires(r2_thread, r2, l, mode::shared);
    until([&] { return l.waiter_count() == 2; });
    auto closing = acquires(r1_thread, r1, m);
    CHECK(read.get() == status::granted);
    r2.commit();
    CHECK(closing.get() == status::granted);
    r1.commit();
    CHECK(written.get() == status::granted);
    CHECK(domain.stats().restarts() == 0);
    CHECK(domain.stats()[manylock::counter::overtakes] == 1);
}

TEST_CASE_TEMPLATE("detection: one request that closes two cycles makes one victim of each", P,
                   manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl) {
    // x (eldest) reads nothing yet and holds A and B; y waits for A holding L shared, z for B holding L
    // shared. x wants to write L: two cycles, which share only x.
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type clock;
    typename manylock::domain<P>::lock_type a;
    typename manylock::domain<P>::lock_type b;
    typename manylock::domain<P>::lock_type l;
    auto first = domain.begin();
    auto x = domain.begin();
    auto y = domain.begin();
    auto z = domain.begin();
    REQUIRE(first.acquire(clock));
    make_younger(x, clock);
    make_younger(y, clock);
    make_younger(z, clock);
    REQUIRE(x.acquire(a));
    REQUIRE(x.acquire(b));
    REQUIRE(y.acquire_shared(l));
    REQUIRE(z.acquire_shared(l));
    actor x_thread;
    actor y_thread;
    actor z_thread;
    auto y_waits = acquires(y_thread, y, a);
    auto z_waits = acquires(z_thread, z, b);
    until([&] { return a.waiter_count() + b.waiter_count() == 2; });
    auto x_waits = acquires(x_thread, x, l);
    CHECK(y_waits.get().is_restart());
    CHECK(z_waits.get().is_restart());
    auto y_back = y_thread.does([&] { y.rollback(); });
    auto z_back = z_thread.does([&] { z.rollback(); });
    CHECK(x_waits.get() == status::granted);
    x.commit();
    y_back.get();
    z_back.get();
    CHECK(domain.stats().restarts() == 2);
}

TEST_CASE_TEMPLATE("starving elder: it commits without a single restart", P, EVERY_FAIR_POLICY) {
    manylock::domain<P> domain;
    constexpr std::size_t n = 12;
    std::array<typename manylock::domain<P>::lock_type, n> locks;
    typename manylock::domain<P>::lock_type clock;
    auto first = domain.begin();
    auto elder = domain.begin();
    REQUIRE(first.acquire(clock));
    make_younger(elder, clock);  // every later stamp is younger
    std::atomic<bool> stop{false};
    std::vector<std::jthread> rivals;
    for (unsigned t = 0; t < 3; ++t) {
        rivals.emplace_back([&, t] {
            for (std::size_t round = t; !stop.load(std::memory_order_relaxed); ++round) {
                domain.run([&](auto& txn) {
                    for (std::size_t k = 0; k < 3; ++k) {
                        if (!txn.acquire(locks[(round * 7 + n - k * 5) % n])) return;
                    }
                });
            }
        });
    }
    until([&] { return domain.stats()[manylock::counter::commits] > 100; });
    std::size_t restarts = 0;
    for (auto& lock : locks) {
        if (elder.acquire(lock).is_restart()) ++restarts;
    }
    CHECK(restarts == 0);
    CHECK(elder.held() == n);
    elder.commit();
    stop.store(true, std::memory_order_relaxed);
}

TEST_SUITE_END();

// Goal:   a policy that walks the wait-for graph restarts one transaction a cycle and nobody else.
// Method: as conflict.hpp.
#pragma once

#include <atomic>

#include "support.hpp"

namespace conformance {

/// P, whose walker can be stopped between being chosen and leaving its queue.
template <class P>
struct gated : P {
    template <class View>
    static bool on_wait(View& view) {
        bool const victim = P::on_wait(view);
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

template <class P>
void detecting(cases<P> const& add) {
    add("C3: detection: who is chosen and has not left yet is no reason for a second victim", [] {
        using domain_type = manylock::domain<gated<P>>;
        domain_type domain;
        typename domain_type::lock_type ages;
        typename domain_type::lock_type m;
        typename domain_type::lock_type v1;
        typename domain_type::lock_type v2;
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
        gated<P>::gate.store(gated<P>::closed);
        int const none = gated<P>::walks.load();
        auto middle_waits = acquires(middle_thread, middle, v1);
        until(
            [&] { return gated<P>::walks.load() > none; });  // a later walk of its own would choose
        auto chosen = acquires(victim_thread, victim, m);    // closes the cycle with middle
        until([] { return gated<P>::gate.load() == gated<P>::reached; });
        int const before = gated<P>::walks.load();
        auto youngest_waits = acquires(youngest_thread, youngest, v2);  // would close another
        until([&] { return gated<P>::walks.load() > before; });
        CHECK_FALSE(is_ready(youngest_waits));
        gated<P>::gate.store(gated<P>::open);
        CHECK(chosen.get().is_restart());
        victim.abandon();
        CHECK(middle_waits.get() == status::granted);
        CHECK(youngest_waits.get() == status::granted);
        CHECK(domain.stats().restarts() == 1);
    });

    add("detection: waiting alone is no reason to restart", [] {
        two<P> t;
        auto wait = acquires(t.elder_thread, t.elder, t.b);
        until([&] { return t.b.waiter_count() == 1; });
        t.younger.commit();
        CHECK(wait.get() == status::granted);
        CHECK(t.domain.stats().restarts() == 0);
        CHECK(t.domain.stats()[manylock::counter::detector_walks] <= 1);
        CHECK(t.domain.stats().held_list_bytes_max > 0);
    });

    add("detection: a cycle through a queue only is broken by overtaking", [] {
        // r1 reads L; w (holds nothing) wants to write L; r2 (holds M) wants to read L and queues behind w; r1
        // wants M. r1 -> r2 -> w -> r1, but r2 could read L with r1.
        domain_of<P> domain;
        lock_of<P> clock;
        lock_of<P> l;
        lock_of<P> m;
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
    });

    add("detection: one request that closes two cycles makes one victim of each", [] {
        // x (eldest) reads nothing yet and holds A and B; y waits for A holding L shared, z for B holding L
        // shared. x wants to write L: two cycles, which share only x.
        domain_of<P> domain;
        lock_of<P> clock;
        lock_of<P> a;
        lock_of<P> b;
        lock_of<P> l;
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
    });
}

template <class P>
void detection(cases<P> const& add) {
    if constexpr (manylock::graph_policy<P> && P::promises.only_cycles_restart) detecting(add);
}

}  // namespace conformance

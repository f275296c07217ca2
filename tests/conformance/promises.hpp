// Goal:   break each promise that the policy declares (policy.hpp), and those that every policy makes:
//         nobody waits for ever, and queues are served in order.
// Method: first the smallest situation in which a policy that does not keep the promise must break it, with
//         ages and arrival fixed; then closed groups of transactions at random, where the promise is counted.
//         A policy without ages counts as if its first to meet a conflict were the eldest.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <vector>

#include "groups.hpp"
#include "support.hpp"

namespace conformance {

template <class P>
inline constexpr bool promises_eldest =
    P::promises.eldest_never_restarts || P::promises.bounded_restarts;

/// The elder and the younger ask for each other's lock, one after the other. True if the elder restarts.
template <class P>
bool elder_restarts_in_abba(bool elder_asks_first) {
    two<P> t;
    auto const younger_asks = [&t] {
        return t.younger_thread.does([&t] {
            if (t.younger.acquire(t.a).is_restart()) t.younger.abandon();
        });
    };
    answer<manylock::acquire_result> elder;
    answer<void> younger;
    if (elder_asks_first) {
        elder = acquires(t.elder_thread, t.elder, t.b);
        until([&] { return is_ready(elder) || t.b.waiter_count() == 1; });
        younger = younger_asks();
    } else {
        younger = younger_asks();
        until([&] { return is_ready(younger) || t.a.waiter_count() == 1; });
        elder = acquires(t.elder_thread, t.elder, t.b);
    }
    bool const restarts = elder.get().is_restart();
    t.elder.abandon();
    younger.get();
    return restarts;
}

/// Both read one lock and want to write it. True if the elder restarts.
template <class P>
bool elder_restarts_in_upgrade(bool elder_asks_first) {
    two<P> t;
    lock_of<P> both;
    REQUIRE(t.elder.acquire_shared(both));
    REQUIRE(t.younger.acquire_shared(both));
    auto const asks = [&both](actor& who, auto& txn) {
        return who.does([&both, &txn] {
            bool const restarts = txn.acquire(both).is_restart();
            txn.abandon();
            return restarts;
        });
    };
    auto first =
        elder_asks_first ? asks(t.elder_thread, t.elder) : asks(t.younger_thread, t.younger);
    until([&] { return is_ready(first) || both.waiter_count() == 1; });
    auto second =
        elder_asks_first ? asks(t.younger_thread, t.younger) : asks(t.elder_thread, t.elder);
    bool const first_restarts = first.get();
    bool const second_restarts = second.get();
    return elder_asks_first ? first_restarts : second_restarts;
}

/// 0 waits for 1 and 1 for 2, each holding a lock of its own, in the order of ranks. No cycle. Returns the
/// restarts of all.
template <class P>
std::uint64_t restarts_in_chain(bool first_is_eldest) {
    domain_of<P> domain;
    lock_of<P> ages;
    std::array<lock_of<P>, 3> locks;
    auto eldest = domain.begin();
    std::array<typename domain_of<P>::transaction, 3> txns{domain.begin(), domain.begin(),
                                                           domain.begin()};
    REQUIRE(eldest.acquire(ages));
    for (std::size_t i = 0; i < 3; ++i) make_younger(txns[first_is_eldest ? i : 2 - i], ages);
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(txns[i].acquire(locks[i]));
    std::array<actor, 2> actors;
    auto const asks = [&](std::size_t i) {
        return actors[i].does([&, i] { (void)txns[i].acquire(locks[i + 1]); });
    };
    auto middle = asks(1);
    until([&] { return is_ready(middle) || locks[2].waiter_count() == 1; });
    auto first = asks(0);
    until([&] { return is_ready(first) || is_ready(middle) || locks[1].waiter_count() == 1; });
    // Whoever is told to restart while it waits does so before the others let go.
    until([&] { return is_ready(middle) || !txns[1].marked_for_restart(); });
    txns[2].abandon();
    middle.get();
    txns[1].abandon();  // not by its own thread, since it is looked at above
    first.get();
    txns[0].abandon();
    return domain.stats().restarts();
}

template <class P>
void promises_of_eldest(cases<P> const& add) {
    add("E4 W2 D2 V2 C4: eldest: a cycle of two does not make it restart", [] {
        CHECK_FALSE(elder_restarts_in_abba<P>(true));
        CHECK_FALSE(elder_restarts_in_abba<P>(false));
        CHECK_FALSE(elder_restarts_in_upgrade<P>(true));
        CHECK_FALSE(elder_restarts_in_upgrade<P>(false));
    });

    add("E4 W2 D2 V2 C4: eldest: whoever becomes it does not restart any more", [] {
        two<P> t;
        lock_of<P> c;
        auto third = t.domain.begin();
        REQUIRE(third.acquire(c));
        make_younger(third, t.b);
        t.elder.commit();
        auto closing = t.younger_thread.does([&] { return t.younger.acquire(c); });
        until([&] { return is_ready(closing) || c.waiter_count() == 1; });
        auto other = t.elder_thread.does([&] {
            if (third.acquire(t.b).is_restart()) third.abandon();
        });
        CHECK_FALSE(closing.get().is_restart());
        t.younger.abandon();
        other.get();
    });

    add("E4: starving elder: it commits without a single restart", [] {
        domain_of<P> domain;
        constexpr std::size_t n = 12;
        std::array<lock_of<P>, n> locks;
        lock_of<P> clock;
        auto first = domain.begin();
        auto elder = domain.begin();
        REQUIRE(first.acquire(clock));
        make_younger(elder, clock);  // every later stamp is younger
        std::atomic<bool> stop{false};
        crew const rivals{3, [&](std::size_t t) {
                              // relaxed: only tells them to end
                              for (auto round = t; !stop.load(std::memory_order_relaxed); ++round) {
                                  domain.run([&](auto& txn) {
                                      for (std::size_t k = 0; k < 3; ++k) {
                                          auto& lock = locks[(round * 7 + n - k * 5) % n];
                                          if (!txn.acquire(lock)) return;
                                      }
                                  });
                              }
                          }};
        until([&] { return domain.stats()[manylock::counter::commits] > 100; });
        std::size_t restarts = 0;
        for (auto& lock : locks) {
            if (elder.acquire(lock).is_restart()) ++restarts;
        }
        CHECK(restarts == 0);
        CHECK(elder.held() == n);
        elder.abandon();
        stop.store(true, std::memory_order_relaxed);  // relaxed: as above
    });

    add("eldest and bound: restarts in closed groups at random", [] {
        auto const seen = closed_groups<P>(4, 250, 3, script::anything);
        CHECK(seen.commits == 4 * 250);
        CHECK(seen.eldest_restarts == 0);
        if constexpr (P::promises.bounded_restarts) CHECK(seen.beyond_bound == 0);
    });
}

template <class P>
void promises_in_order(cases<P> const& add) {
    add("O2: in order: nobody restarts where all lock exclusively and in order", [] {
        if constexpr (locks_objects<P>) {
            CHECK(restarts_in_chain<P>(true) == 0);
            CHECK(restarts_in_chain<P>(false) == 0);
        }
        CHECK(closed_groups<P>(4, 150, 3, script::in_order_exclusive).restarts == 0);
    });
}

template <class P>
void promises_of_cycles(cases<P> const& add) {
    add("C1: only cycles: nobody restarts where none can close", [] {
        CHECK(restarts_in_chain<P>(true) == 0);
        CHECK(restarts_in_chain<P>(false) == 0);
        CHECK(closed_groups<P>(4, 150, 3, script::in_order).restarts == 0);
    });
}

template <class P>
void promises_of_none(cases<P> const& add) {
    add("U1: never restarts: nobody does in any order", [] {
        domain_of<P> domain;
        std::array<lock_of<P>, 2> locks;
        auto txn = domain.begin();
        REQUIRE(txn.acquire(locks[0]));
        actor other;
        auto opposite = other.does([&] {
            domain.run({.max_attempts = 1}, [&](auto& second) {
                if (second.acquire(locks[1])) (void)second.acquire(locks[0]);
            });
        });
        until([&] { return is_ready(opposite) || waiting(domain, locks[0]) == 1; });
        CHECK_FALSE(txn.acquire(locks[1]).is_restart());
        txn.abandon();
        CHECK_NOTHROW(opposite.get());
        CHECK(domain.stats().restarts() == 0);
        CHECK(closed_groups<P>(4, 150, 3, script::anything).restarts == 0);
    });
}

template <class P>
void promises(cases<P> const& add) {
    add("E2 W1 D1 V1 C2 O1 N1 U1: cycle of n: every member commits and nothing stays locked", [] {
        for (std::size_t n = 2; n <= 5; ++n) {
            CAPTURE(n);
            domain_of<P> domain;
            std::vector<lock_of<P>> locks(n);
            std::vector<std::pair<std::uint64_t, std::uint64_t>> age_and_attempts(n);
            std::barrier all_hold{static_cast<std::ptrdiff_t>(n)};
            together(n, [&](std::size_t i) {
                domain.run([&](auto& txn) {
                    if (!txn.acquire(locks[i])) return;
                    if (txn.attempt() == 1 && locks_objects<P>) all_hold.arrive_and_wait();
                    (void)txn.acquire(locks[(i + 1) % n]);
                    age_and_attempts[i] = {txn.age().value, txn.attempt()};
                });
            });
            auto const stats = domain.stats();
            CHECK(stats[manylock::counter::commits] == n);
            CHECK(stats.restarts(P::reason) == stats.restarts());
            CHECK((stats.restarts() > 0) == locks_objects<P>);
            if (P::promises.only_cycles_restart)
                CHECK(stats.restarts() == 1);  // one victim a cycle
            if (spares_eldest<P>) {
                CHECK(std::min_element(age_and_attempts.begin(), age_and_attempts.end())->second ==
                      1);
            }
            for (auto& lock : locks) CHECK_FALSE(lock.busy());
        }
    });

    add("INV-Q1: queue: oldest first where there are ages and first come first served where not",
        [] {
            domain_of<P> domain;
            lock_of<P> a;
            auto holder = domain.begin();
            std::array<typename domain_of<P>::transaction, 3> txns{domain.begin(), domain.begin(),
                                                                   domain.begin()};
            REQUIRE(holder.acquire(a));
            for (auto& txn : txns) make_younger(txn, a);
            std::vector<std::size_t> served;
            std::array<actor, 3> actors;
            std::vector<std::size_t> const arrive{2, 0, 1};
            std::vector<answer<void>> ends;
            for (auto const i : arrive) {
                ends.push_back(actors[i].does([&, i] {
                    if (txns[i].acquire(a)) served.push_back(i);
                    txns[i].abandon();
                }));
                until([&] { return waiting(domain, a) == ends.size(); });
            }
            holder.commit();
            for (auto& end : ends) end.get();
            CHECK(served == (P::needs.stamps ? std::vector<std::size_t>{0, 1, 2} : arrive));
        });

    if constexpr (locks_objects<P> && promises_eldest<P>) promises_of_eldest(add);
    if constexpr (P::promises.in_order_never_restarts) promises_in_order(add);
    if constexpr (locks_objects<P> && P::promises.only_cycles_restart) promises_of_cycles(add);
    if constexpr (P::promises.never_restarts) promises_of_none(add);
}

}  // namespace conformance

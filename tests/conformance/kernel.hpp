// The scenarios of the kernel's ww_mutex self-test (kernel/locking/test-ww_mutex.c) on this interface, for
// every policy: mutual exclusion with and without a transaction, AA, ABBA four ways, rings up to one more
// than there are processors, and the stress runs: in a fixed order, reordered, single locks among them.
// Where the original asks only that somebody lost, conflict.hpp asks who.
#pragma once

#include <algorithm>
#include <atomic>
#include <barrier>
#include <numeric>
#include <random>
#include <vector>

#include "support.hpp"

namespace conformance {

/// `threads` threads take all of `n` locks `rounds` times: thread i in its own random order, which it keeps
/// (in order), or moving the lock it could not get to the front (reorder); every third takes one at a time.
template <class P>
void stress(std::size_t n, std::size_t threads, int rounds, bool reorder, bool some_single) {
    domain_of<P> domain;
    std::vector<lock_of<P>> locks(n);
    std::vector<long> values(n, 0);
    together(threads, [&](std::size_t t) {
        std::vector<std::size_t> order(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::shuffle(order.begin(), order.end(), std::mt19937{static_cast<unsigned>(t)});
        for (int r = 0; r < rounds; ++r) {
            if (some_single && t % 3 == 2) {
                for (auto const i : order) {
                    domain.run([&](auto& txn) {
                        if (txn.acquire(locks[i])) ++values[i];
                    });
                }
                continue;
            }
            domain.run([&](auto& txn) {
                for (auto at = order.begin(); at != order.end(); ++at) {
                    if (txn.acquire(locks[*at])) continue;
                    if (reorder) std::rotate(order.begin(), at, at + 1);
                    return;
                }
                for (auto& v : values) ++v;
            });
        }
    });
    for (auto const v : values) CHECK(v == static_cast<long>(threads) * rounds);
    for (auto& lock : locks) CHECK_FALSE(lock.busy());
}

template <class P>
void kernel_of_objects(cases<P> const& add) {
    add("abba: taken by lock or by try and resolved or given up", [] {
        for (bool const first_by_try : {false, true}) {
            for (bool const resolve : {false, true}) {
                domain_of<P> domain;
                lock_of<P> a;
                lock_of<P> b;
                std::barrier both_hold{2};
                std::atomic<int> lost{0};
                auto const side = [&](auto& mine, auto& theirs) {
                    auto txn = domain.begin();
                    CHECK((first_by_try ? txn.try_acquire(mine) : txn.acquire(mine)));
                    both_hold.arrive_and_wait();
                    auto answer = txn.acquire(theirs);
                    if (answer.is_restart()) lost.fetch_add(1, std::memory_order_relaxed);
                    while (resolve && answer.is_restart()) {
                        txn.rollback();
                        answer = txn.acquire(mine);
                        if (answer) answer = txn.acquire(theirs);
                    }
                    if (answer) {
                        txn.commit();
                    } else {
                        txn.abandon();
                    }
                };
                together(2, [&](std::size_t i) { i == 0 ? side(a, b) : side(b, a); });
                CHECK(lost.load(std::memory_order_relaxed) >= 1);
                CHECK_FALSE(a.busy());
                CHECK_FALSE(b.busy());
                if (resolve) CHECK(domain.stats()[manylock::counter::commits] == 2);
            }
        }
    });
}

template <class P>
void kernel(cases<P> const& add) {
    add("E1: mutex: nobody gets in while it is held with or without a transaction", [] {
        for (bool const hold_by_transaction : {false, true}) {
            for (bool const ask_by_transaction : {false, true}) {
                for (bool const only_try : {false, true}) {
                    domain_of<P> domain;
                    lock_of<P> lock;
                    manylock::lockable<domain_of<P>> held{domain, lock};
                    manylock::lockable<domain_of<P>> asked{domain, lock};
                    auto holder = domain.begin();
                    auto asker = domain.begin();
                    if (hold_by_transaction) {
                        REQUIRE(holder.acquire(lock));
                    } else {
                        held.lock();
                    }
                    if (only_try) {
                        CHECK_FALSE((ask_by_transaction ? asker.try_lock(lock) : asked.try_lock()));
                        hold_by_transaction ? holder.commit() : held.unlock();
                        CHECK((ask_by_transaction ? asker.try_lock(lock) : asked.try_lock()));
                    } else {
                        actor a;
                        auto in = a.does([&] {
                            if (ask_by_transaction) {
                                asker.lock(lock);
                            } else {
                                asked.lock();
                            }
                        });
                        until([&] { return waiting(domain, lock) == 1; });
                        CHECK_FALSE(is_ready(in));
                        hold_by_transaction ? holder.commit() : held.unlock();
                        in.get();
                    }
                    ask_by_transaction ? asker.commit() : asked.unlock();
                    CHECK_FALSE(lock.busy());
                }
            }
        }
    });

    add("stress: in order", [] { stress<P>(16, 4, 60, false, false); });

    add("stress: reordered", [] { stress<P>(16, 4, 60, true, false); });

    add("stress: two thousand locks with single ones mixed in",
        [] { stress<P>(2'046, 6, 2, true, true); });
    if constexpr (locks_objects<P>) kernel_of_objects(add);
}

}  // namespace conformance

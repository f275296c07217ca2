// The scenarios of the kernel's ww_mutex self-test (kernel/locking/test-ww_mutex.c) on this interface, for
// every policy: mutual exclusion with and without a transaction, AA, ABBA four ways, rings up to one more
// than there are processors, and the stress runs: in a fixed order, reordered, single locks among them.
// Where the original asks only that somebody lost, conflict_test.cpp asks who.
#include "support.hpp"

#include <algorithm>
#include <barrier>
#include <numeric>
#include <random>
#include <vector>

using namespace contract;

TEST_SUITE_BEGIN("kernel");

TEST_CASE_TEMPLATE("mutex: nobody gets in while it is held with or without a transaction", P,
                   EVERY_POLICY) {
    using domain_type = manylock::domain<P>;
    for (bool const hold_by_transaction : {false, true}) {
        for (bool const ask_by_transaction : {false, true}) {
            for (bool const only_try : {false, true}) {
                domain_type domain;
                typename domain_type::lock_type lock;
                manylock::lockable<domain_type> held{domain, lock};
                manylock::lockable<domain_type> asked{domain, lock};
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
}

TEST_CASE_TEMPLATE("abba: taken by lock or by try and resolved or given up", P,
                   EVERY_OBJECT_POLICY) {
    for (bool const first_by_try : {false, true}) {
        for (bool const resolve : {false, true}) {
            manylock::domain<P> domain;
            typename manylock::domain<P>::lock_type a;
            typename manylock::domain<P>::lock_type b;
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
            {
                std::jthread const one{[&] { side(a, b); }};
                std::jthread const other{[&] { side(b, a); }};
            }
            CHECK(lost.load(std::memory_order_relaxed) >= 1);
            CHECK_FALSE(a.busy());
            CHECK_FALSE(b.busy());
            if (resolve) CHECK(domain.stats()[manylock::counter::commits] == 2);
        }
    }
}

namespace {

/// `threads` threads take all of `n` locks `rounds` times: thread i in its own random order, which it keeps
/// (in order), or moving the lock it could not get to the front (reorder); every third takes one at a time.
template <class P>
void stress(std::size_t n, std::size_t threads, int rounds, bool reorder, bool some_single) {
    using domain_type = manylock::domain<P>;
    domain_type domain;
    std::vector<typename domain_type::lock_type> locks(n);
    std::vector<long> values(n, 0);
    {
        std::vector<std::jthread> running;
        for (std::size_t t = 0; t < threads; ++t) {
            running.emplace_back([&, t] {
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
        }
    }
    for (auto const v : values) CHECK(v == static_cast<long>(threads) * rounds);
    for (auto& lock : locks) CHECK_FALSE(lock.busy());
}

}  // namespace

TEST_CASE_TEMPLATE("stress: in order", P, EVERY_POLICY) {
    stress<P>(16, 4, 60, false, false);
}

TEST_CASE_TEMPLATE("stress: reordered", P, EVERY_POLICY) {
    stress<P>(16, 4, 60, true, false);
}

TEST_CASE_TEMPLATE("stress: two thousand locks with single ones mixed in", P, EVERY_POLICY) {
    stress<P>(2'046, 6, 2, true, true);
}

TEST_SUITE_END();

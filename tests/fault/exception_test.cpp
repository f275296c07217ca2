// Goal:   whatever ends a body or a thread early, everything is released, nothing is retried, nobody hangs, and the statistics
//         are right.
// Method: one body that passes a point after each thing a body can do, thrown out of at every point in turn; threads that end
//         while others wait for them, or that are cancelled while they wait.
#include "support.hpp"

#include <array>
#include <optional>
#include <pthread.h>
#include <stop_token>
#include <vector>

using namespace fault;
using manylock::counter;
using namespace std::chrono_literals;

namespace {

template <class P>
struct scene {
    using domain_type = manylock::domain<P>;
    using lock_type = typename domain_type::lock_type;

    domain_type domain{1};
    domain_type inner{2};
    std::array<lock_type, 12> locks;
    std::array<lock_type, 2> inner_locks;
    tripwire wire;
    std::uint64_t restarts = 0;

    /// Restarts once of its own accord; then holds more and more, and gives some back.
    void body(typename domain_type::transaction& txn) {
        wire.point();
        txn.lock(locks[0]);
        wire.point();
        txn.lock_shared(locks[1]);
        wire.point();
        if (txn.attempt() == 1) {
            (void)txn.restart_because(restart_reason::injected);
            ++restarts;
            wire.point();  // told to restart, and thrown out of before it can
            return;
        }
        txn.lock(locks[1]);  // an upgrade
        wire.point();
        CHECK(txn.try_acquire(locks[2]));
        wire.point();
        CHECK(txn.acquire_for(locks[3], mode::exclusive, 1h));
        wire.point();
        {
            manylock::scoped_hold const hold{txn, locks[4]};
            wire.point();
        }
        wire.point();
        txn.lock_all(std::vector{&locks[5], &locks[6], &locks[7], &locks[8], &locks[9]});
        wire.point();
        txn.release(locks[6]);
        wire.point();
        inner.run([&](auto& nested) {
            wire.point();
            nested.lock(inner_locks[0]);
            wire.point();
        });
        {
            auto const read = inner.read_lock(inner_locks[1]);
            wire.point();
        }
        inner.read(inner_locks[1], [&] { wire.point(); });
        txn.detach(locks[11 - (txn.acquire(locks[11]) ? 0 : 1)]);
        wire.point();
        txn.seal();
        wire.point();
    }
};

}  // namespace

TEST_SUITE_BEGIN("exception");

TEST_CASE_TEMPLATE("exception: out of every point of a body", P, EVERY_POLICY) {
    constexpr std::uint64_t told_to_restart = 4;
    std::uint64_t points = 0;
    for (std::uint64_t n = 1; n <= points + 1; ++n) {
        CAPTURE(n);
        bool committed = false;
        scene<P> s;
        s.wire.arm(n);
        manylock::retry_options const retry{.on_restart = [&](auto, auto) {
            s.wire.point();
            CHECK(all_free(s.domain, s.locks));
        }};
        int runs = 0;
        try {
            s.domain.run(retry, [&](auto& txn) {
                ++runs;
                s.body(txn);
            });
            committed = true;
        } catch (tripwire::tripped) {
        }
        points = s.wire.passed();
        // One that was thrown comes out, but where the body was to run again anyway.
        CHECK(committed == (points < n || n == told_to_restart));
        REQUIRE(all_free(s.domain, s.locks));
        REQUIRE(all_free(s.inner, s.inner_locks));
        auto const stats = s.domain.stats();
        CHECK(runs <= 2);  // an exception is no reason to try again
        CHECK(stats[counter::commits] == (committed ? 1 : 0));
        CHECK(stats[counter::abandons] == (committed ? 0 : 1));
        CHECK(stats.restarts() == s.restarts);
        CHECK(stats.restarts(restart_reason::injected) == s.restarts);
        auto const inner = s.inner.stats();
        bool const began_inner = inner[counter::commits] + inner[counter::abandons] > 0;
        CHECK((!began_inner || inner[counter::commits] + inner[counter::abandons] == 1));
        CHECK(usable(s.inner, s.inner_locks));
    }
    CHECK(points == 21);
}

TEST_CASE_TEMPLATE("exception: another transaction's restart is no reason to try again", P,
                   EVERY_POLICY) {
    manylock::domain<P> outer{1};
    manylock::domain<P> inner{2};
    std::array<typename manylock::domain<P>::lock_type, 1> locks;
    int runs = 0;
    CHECK_THROWS_AS(outer.run([&](auto& txn) {
        ++runs;
        txn.lock(locks[0]);
        auto nested = inner.begin();
        (void)nested.restart_because(restart_reason::injected);
        typename manylock::domain<P>::lock_type other;
        nested.lock(other);
    }),
                    manylock::restart);
    CHECK(runs == 1);
    CHECK(all_free(outer, locks));
    CHECK(outer.stats()[counter::abandons] == 1);
    CHECK(outer.stats().restarts() == 0);
    CHECK(inner.stats()[counter::abandons] == 1);
}

namespace {
struct of_the_body {};
}  // namespace

TEST_CASE_TEMPLATE("E12: exception: one that a body makes of a restart is retried", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 2> locks;
    constexpr int rounds = manylock::test::sanitized ? 200 : 2'000;
    std::array<int, 2> values{};
    std::atomic<int> failed{0};
    together(4, [&](std::size_t me) {
        for (int i = 0; i < rounds; ++i) {
            try {
                domain.run([&](auto& txn) {
                    try {
                        txn.lock(locks[me % 2]);
                        if (i % 8 == 0)
                            std::this_thread::yield();  // so that others come in between
                        txn.lock(locks[1 - me % 2]);
                        ++values[0], ++values[1];
                    } catch (...) {
                        throw of_the_body{};
                    }
                });
            } catch (of_the_body const&) {
                failed.fetch_add(1, std::memory_order_relaxed);  // relaxed: a count
            }
        }
    });
    CHECK(failed == 0);
    CHECK(values == std::array<int, 2>{4 * rounds, 4 * rounds});
    CHECK(domain.stats()[counter::commits] == 4 * rounds);
    CHECK(usable(domain, locks));
}

TEST_CASE_TEMPLATE(
    "exception: told to restart before it throws, a body runs again, else it does not", P,
    EVERY_POLICY) {
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 1> locks;
    int runs = 0;
    auto const restarts_and_throws = [&](auto& txn) {
        ++runs;
        txn.lock(locks[0]);
        if (txn.attempt() < 3) {
            (void)txn.restart_because(restart_reason::injected);
            throw std::bad_alloc{};
        }
        return 5;
    };
    CHECK(domain.run(restarts_and_throws) == 5);
    CHECK(runs == 3);
    // The bound holds for such attempts, too.
    CHECK_THROWS_AS(domain.run({.max_attempts = 2}, restarts_and_throws), manylock::abandoned);
    CHECK(runs == 5);
    // An exception of an attempt that nobody told to restart leaves at once, also after earlier restarts.
    runs = 0;
    CHECK_THROWS_AS(domain.run([&](auto& txn) {
        ++runs;
        if (txn.attempt() == 1)
            txn.lock(locks[0]), (void)txn.restart_because(restart_reason::injected);
        throw of_the_body{};
    }),
                    of_the_body);
    CHECK(runs == 2);
    // Whoever wants to give up for a restart's sake says so.
    runs = 0;
    CHECK_THROWS_AS(domain.run([&](auto& txn) {
        ++runs;
        txn.lock(locks[0]);
        (void)txn.restart_because(restart_reason::injected);
        txn.abandon();
        throw of_the_body{};
    }),
                    of_the_body);
    CHECK(runs == 1);
    CHECK(usable(domain, locks));
}

TEST_CASE_TEMPLATE("E2: exception: those who wait are served when a body is thrown out of", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 3> locks;
    for (std::size_t held = 1; held <= locks.size(); ++held) {
        actor first;
        actor second;
        answer<void> waits;
        // Caught on its own thread: TSan does not see how an exception_ptr counts its owners.
        auto thrown = first.does([&] {
            try {
                domain.run([&](auto& txn) {
                    for (std::size_t i = 0; i < held; ++i) txn.lock(locks[i]);
                    waits = second.does(
                        [&] { domain.run([&](auto& other) { other.lock(locks[0]); }); });
                    until([&] { return waiting(domain, locks[0]) == 1; });
                    throw std::runtime_error{"body"};
                });
            } catch (std::runtime_error const&) {
                return true;
            }
            return false;
        });
        CHECK(thrown.get());
        waits.get();
        CHECK(all_free(domain, locks));
    }
    CHECK(domain.stats()[counter::commits] == locks.size());
    CHECK(domain.stats()[counter::abandons] == locks.size());
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("thread");

TEST_CASE_TEMPLATE("thread: one that waits is cancelled and ends and leaves nothing behind", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 2> locks;
    auto holder = domain.begin();
    REQUIRE(holder.acquire(locks[0]));
    auto const wait_and_end = [&](bool throws) {
        std::exception_ptr thrown;
        std::jthread waiter{[&](std::stop_token const& stop) {
            try {
                domain.run([&](auto& txn) {
                    auto const answer = txn.acquire(locks[0], mode::exclusive, stop);
                    CHECK(answer == status::cancelled);
                    if (throws) throw std::runtime_error{"cancelled"};
                });
            } catch (...) {
                thrown = std::current_exception();
            }
        }};
        until([&] { return waiting(domain, locks[0]) == 1; });
        waiter.request_stop();
        waiter.join();
        CHECK((thrown != nullptr) == throws);
        CHECK(waiting(domain, locks[0]) == 0);
    };
    wait_and_end(false);
    auto const blocks = domain.core().shared.pool.size();
    for (int i = 0; i < 8; ++i) wait_and_end(i % 2 == 0);
    for (int i = 0; i < 4; ++i) {  // by deadline
        std::jthread{[&] {
            auto txn = domain.begin();
            CHECK(txn.acquire_for(locks[0], mode::exclusive, 1ms) == status::timed_out);
        }};
    }
    // Each thread gave its control block back when it ended.
    CHECK(domain.core().shared.pool.size() == blocks);
    holder.commit();
    CHECK(usable(domain, locks));
}

TEST_CASE_TEMPLATE("thread: a transaction outlives the thread that began it and waited for it", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 2> locks;
    auto elder = domain.begin();
    REQUIRE(elder.acquire(locks[0]));
    std::optional<typename manylock::domain<P>::transaction> wandering;
    {
        std::jthread const thread{[&] {
            wandering.emplace(domain.begin());
            CHECK(wandering->acquire(locks[0]) == status::granted);  // waits for it
            CHECK(wandering->acquire(locks[1]) == status::granted);
        }};
        until([&] { return waiting(domain, locks[0]) == 1; });
        elder.commit();
    }
    CHECK(domain.begin().try_acquire(locks[1]) == status::busy);
    wandering->commit();
    CHECK(usable(domain, locks));
}

namespace {
/// Runs a transaction when its thread ends: after the thread's spare blocks are gone, if it was there before them.
template <class Domain>
struct at_thread_end {
    Domain* domain = nullptr;
    typename Domain::lock_type* lock = nullptr;
    ~at_thread_end() {
        if (domain != nullptr) domain->run([&](auto& txn) { txn.lock(*lock); });
    }
};
}  // namespace

TEST_CASE_TEMPLATE("thread: one that ends may run transactions to the last", P, EVERY_POLICY) {
    using domain_type = manylock::domain<P>;
    domain_type domain;
    std::array<typename domain_type::lock_type, 1> locks;
    constexpr int threads = 20;
    for (int i = 0; i < threads; ++i) {
        std::jthread{[&] {
            static thread_local at_thread_end<domain_type> last;
            last.domain = &domain;
            last.lock = &locks[0];
            domain.run(
                [&](auto& txn) { txn.lock(locks[0]); });  // and here the thread gets a spare block
        }};
    }
    CHECK(domain.stats()[counter::commits] == 2 * threads);
    CHECK(domain.core().shared.pool.size() <= 2);  // one for all, not one for each
    CHECK(usable(domain, locks));
}

TEST_CASE_TEMPLATE("thread: pthread_cancel ends a body at its next cancellation point and no wait",
                   P, EVERY_POLICY) {
#if defined(MANYLOCK_TSAN) || defined(MANYLOCK_ASAN)
    return;  // they do not follow the unwinding of a cancelled thread
#endif
    struct shared {
        manylock::domain<P> domain;
        std::array<typename manylock::domain<P>::lock_type, 2> locks;
        bool got_both = false;
    } s;
    auto holder = s.domain.begin();
    REQUIRE(holder.acquire(s.locks[0]));
    pthread_t thread{};
    REQUIRE(::pthread_create(
                &thread, nullptr,
                [](void* argument) -> void* {
                    auto& mine = *static_cast<shared*>(argument);
                    mine.domain.run([&](auto& txn) {
                        txn.lock(mine.locks[0]);  // cancelled while it waits here
                        txn.lock(mine.locks[1]);
                        mine.got_both = true;
                        ::pthread_testcancel();
                        FAIL("the thread was not cancelled");
                    });
                    return nullptr;
                },
                &s) == 0);
    until([&] { return waiting(s.domain, s.locks[0]) == 1; });
    REQUIRE(::pthread_cancel(thread) == 0);
    holder.commit();
    void* result = nullptr;
    REQUIRE(::pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK(s.got_both);
    CHECK(s.domain.stats()[counter::abandons] == 1);
    CHECK(usable(s.domain, s.locks));
}

TEST_CASE_TEMPLATE("thread: one that ends inside a body ends though the body was told to restart",
                   P, EVERY_POLICY) {
#if defined(MANYLOCK_TSAN) || defined(MANYLOCK_ASAN)
    return;  // they do not follow the unwinding of a cancelled thread
#endif
    struct shared {
        manylock::domain<P> domain;
        std::array<typename manylock::domain<P>::lock_type, 1> locks;
        int runs = 0;
    } s;
    for (auto* const how : {+[] { ::pthread_cancel(::pthread_self()), ::pthread_testcancel(); },
                            +[] { ::pthread_exit(PTHREAD_CANCELED); }}) {
        s.runs = 0;
        std::pair<shared*, void (*)()> argument{&s, how};
        pthread_t thread{};
        REQUIRE(::pthread_create(
                    &thread, nullptr,
                    [](void* given) -> void* {
                        auto* const mine =
                            static_cast<std::pair<shared*, void (*)()>*>(given)->first;
                        auto* const end =
                            static_cast<std::pair<shared*, void (*)()>*>(given)->second;
                        mine->domain.run([&](auto& txn) {
                            if (++mine->runs > 1) return;
                            txn.lock(mine->locks[0]);
                            (void)txn.restart_because(restart_reason::injected);
                            end();
                        });
                        return nullptr;
                    },
                    &argument) == 0);
        void* result = nullptr;
        REQUIRE(::pthread_join(thread, &result) == 0);
        CHECK(result == PTHREAD_CANCELED);
        CHECK(s.runs == 1);
        CHECK(usable(s.domain, s.locks));
    }
    CHECK(s.domain.stats()[counter::abandons] == 2);
}

namespace {
/// Threads at once. Fewer where each waiter walks over all the others, or where all but one restart whenever
/// one commits: a thousand would take longer than a test should.
template <class P>
constexpr std::size_t crowd =
    manylock::graph_policy<P> || std::is_same_v<P, manylock::policies::no_wait> ? 250 : 1000;
}  // namespace

TEST_CASE_TEMPLATE("thread: a thousand contend for a few locks", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    constexpr std::size_t threads = manylock::test::sanitized ? 64 : crowd<P>;
    std::array<typename manylock::domain<P>::lock_type, 4> locks;
    std::array<std::uint64_t, 4> values{};
    std::atomic<std::size_t> here{0};
    {
        std::vector<std::jthread> running;
        for (std::size_t t = 0; t < threads; ++t) {
            running.emplace_back([&, t] {
                here.fetch_add(1, std::memory_order_relaxed);  // relaxed: a head count
                until([&] { return here.load(std::memory_order_relaxed) == threads; });
                auto const a = t % 4;
                auto const b = (a + 1 + t / 4 % 3) % 4;
                domain.run([&](auto& txn) {
                    if (!txn.acquire(locks[a])) return;
                    if (t % 8 == 0) std::this_thread::yield();
                    if (!txn.acquire(locks[b])) return;
                    ++values[a];
                    ++values[b];
                });
            });
        }
    }
    CHECK(values[0] + values[1] + values[2] + values[3] == 2 * threads);
    CHECK(domain.stats()[counter::commits] == threads);
    CHECK(usable(domain, locks));
}

TEST_SUITE_END();

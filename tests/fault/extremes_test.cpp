// Goal:   counters near their ends, clocks that jump, very many locks and a misuse handler that returns are no way to hang, to lose a
//         lock or to spoil a statistic.
// Method: set the counter, or give the engine a platform of its own, and run transactions whose outcome is known.
#include "support.hpp"

#include <array>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace fault;
using manylock::counter;
using namespace std::chrono_literals;

namespace {

/// Three threads take pairs of a few locks in every order; true if all of them commit and nothing is lost.
template <class Domain>
bool contended(Domain& domain) {
    constexpr std::size_t threads = 3;
    constexpr std::size_t rounds = 40;
    std::array<typename Domain::lock_type, 4> locks;
    std::array<std::uint64_t, 4> values{};
    {
        std::vector<std::jthread> running;
        for (std::size_t t = 0; t < threads; ++t) {
            running.emplace_back([&, t] {
                std::mt19937_64 random{t};
                for (std::size_t i = 0; i < rounds; ++i) {
                    auto const a = random() % 4;
                    auto const b = (a + 1 + random() % 3) % 4;
                    domain.run([&](auto& txn) {
                        if (!txn.acquire(locks[a])) return;
                        std::this_thread::yield();  // so that others come in between
                        if (!txn.acquire(locks[b])) return;
                        ++values[a];
                        ++values[b];
                    });
                    domain.read(locks[a], [] {});
                }
            });
        }
    }
    return std::accumulate(values.begin(), values.end(), std::uint64_t{0}) ==
               2 * threads * rounds &&
           all_free(domain, locks);
}

/// A clock whose readings jump an hour to either side, each time that it is told to.
struct jumping : manylock::platform::native {
    static inline std::atomic<std::uint64_t> readings{0};
    static time_point now() noexcept {
        // relaxed: a counter of its own
        auto const n = readings.fetch_add(1, std::memory_order_relaxed);
        if (n % 4 == 1) return native::now() - 1h;
        if (n % 4 == 3) return native::now() + 1h;
        return native::now();
    }
};
/// A clock that is set back by an hour after the third reading, and right again from the fortieth on.
struct set_back : manylock::platform::native {
    static inline std::atomic<int> readings{0};
    static time_point now() noexcept {
        // relaxed: a counter of its own
        auto const n = readings.fetch_add(1, std::memory_order_relaxed);
        return n > 2 && n < 40 ? native::now() - 1h : native::now();
    }
};

/// Notes who is told that a lock is his, or free, in their order.
struct noting : manylock::platform::native {
    static inline std::vector<void const*> told;
    struct parker : manylock::platform::futex_parker<native> {
        void deliver(std::uint32_t bits) noexcept {
            if ((bits & (manylock::detail::signal::granted | manylock::detail::signal::poke)) != 0)
                told.push_back(this);
            futex_parker::deliver(bits);
        }
    };
};

}  // namespace

TEST_SUITE_BEGIN("extremes");

TEST_CASE_TEMPLATE("stamps: the 64 bits come round and no transaction is lost", P,
                   EVERY_FAIR_POLICY) {
    for (std::uint64_t const left : {0U, 1U, 2U, 30U}) {
        CAPTURE(left);
        manylock::domain<P> domain;
        domain.core().shared.last_stamp = ~std::uint64_t{0} - left;
        CHECK(contended(domain));
    }
    // Nobody draws the number that stands for none.
    manylock::domain<P> domain;
    domain.core().shared.last_stamp = ~std::uint64_t{0} - 1;
    typename manylock::domain<P>::lock_type a;
    auto first = domain.begin();
    auto second = domain.begin();
    REQUIRE(first.acquire(a));
    CHECK(second.try_acquire(a) == status::busy);
    CHECK(first.age().value == ~std::uint64_t{0});
    CHECK(second.age().drawn());
}

TEST_CASE_TEMPLATE("attempts and waits: their numbers come round", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    auto& pool = domain.core().shared.pool;
    std::vector<decltype(&pool.take())> blocks;
    for (std::uint64_t i = 0; i < 4; ++i) {
        blocks.push_back(&pool.take());
        blocks.back()->attempt = ~std::uint64_t{0} - 2 * i;
        blocks.back()->wait = ~std::uint64_t{1} - 4 * i;  // even: not queued
    }
    for (auto* const b : blocks) pool.put_back(b);
    CHECK(contended(domain));
    int came_round = 0;
    pool.for_each([&](auto const& b) { came_round += b.attempt < 100'000 ? 1 : 0; });
    CHECK(came_round > 0);
}

TEST_CASE_TEMPLATE("umbrella: its number comes round under transactions and readers", P,
                   manylock::policies::umbrella) {
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 3> locks;
    std::array<typename manylock::domain<P>::lock_type, 8> fresh;
    actor reader;
    domain.core().sequence = 0xffff'fffdU;
    for (int i = 0; i < 8; ++i) {  // through 0, the number of locks that were never marked
        CAPTURE(domain.core().sequence.load());
        REQUIRE(domain.try_read_lock(locks[0]).status() != manylock::read_status::stale);
        auto txn = domain.begin();
        REQUIRE(txn.acquire(locks[0]));
        CHECK(txn.holds(locks[0], mode::exclusive));
        CHECK(domain.try_enter_read(locks[0]) == manylock::read_status::busy);
        auto other = domain.begin();
        CHECK(other.try_acquire(locks[1]) == status::busy);
        txn.commit();
        CHECK(other.try_acquire(locks[1]));
        other.commit();
        // A reader inside keeps a marker out, also where the object's number has come round meanwhile.
        auto& read_early = fresh[static_cast<std::size_t>(i)];
        CHECK(reader.does([&] { return domain.enter_read(read_early); }).get() ==
              manylock::read_status::fast);
        domain.run([&](auto& next) { next.lock(locks[1]); });
        auto marker = domain.begin();
        CHECK(marker.try_acquire(read_early) == status::busy);
        reader.does([&] { domain.leave_read(read_early); }).get();
        marker.abandon();
        REQUIRE(holds(reader.does([&] { return domain.enter_read(locks[2]); }).get()));
        auto late = domain.begin();
        CHECK(late.try_acquire(locks[2]) == status::busy);
        reader.does([&] { domain.leave_read(locks[2]); }).get();
        CHECK(late.try_acquire(locks[2]));
        late.commit();
    }
    domain.core().sequence = 0xffff'ffe0U;
    CHECK(contended(domain));
}

TEST_CASE_TEMPLATE("clock: one that jumps spoils no statistic and stops nobody", P, EVERY_POLICY) {
    manylock::domain<P, manylock::options{.spin_limit = 0}, jumping> domain;
    CHECK(contended(domain));
    auto const stats = domain.stats();
    // Readings differ by two hours at most; a difference below zero is no time, and not 584 years.
    CHECK(stats[counter::wait_ns] <=
          (stats[counter::waits] + 1) * std::uint64_t{2 * 3600 + 60} * 1'000'000'000);
}

TEST_CASE_TEMPLATE("clock: one that is set back ends no wait early and none never", P,
                   EVERY_POLICY) {
    using domain_type = manylock::domain<P, manylock::options{}, set_back>;
    domain_type domain;
    std::array<typename domain_type::lock_type, 1> locks;
    auto holder = domain.begin();
    REQUIRE(holder.acquire(locks[0]));
    auto late = domain.begin();
    set_back::readings = 0;
    auto const begin = manylock::platform::native::now();
    CHECK(late.acquire_for(locks[0], mode::exclusive, 20ms) == status::timed_out);
    CHECK(manylock::platform::native::now() - begin >= 20ms);
    CHECK(set_back::readings > 3);
    CHECK(waiting(domain, locks[0]) == 0);
    holder.commit();
    CHECK(late.acquire_for(locks[0], mode::exclusive, 0ms) == status::granted);
    late.commit();
    CHECK(usable(domain, locks));
}

TEST_CASE_TEMPLATE("many: a hundred thousand locks go back latest first and to those who wait", P,
                   EVERY_OBJECT_POLICY) {
    using domain_type = manylock::domain<P, manylock::options{}, noting>;
    constexpr std::size_t n = manylock::test::sanitized ? 10'000 : 100'000;
    domain_type domain;
    std::vector<typename domain_type::lock_type> locks(n);
    noting::told.clear();
    noting::told.reserve(100);
    std::array<std::size_t, 4> const wanted{5, n / 2, 17, n - 1};
    auto big = domain.begin();
    for (auto& lock : locks) REQUIRE(big.acquire(lock));
    std::vector<typename domain_type::transaction> waiters;
    for (std::size_t i = 0; i < wanted.size(); ++i) waiters.push_back(domain.begin());
    {
        std::array<actor, 4> actors;
        std::vector<answer<manylock::acquire_result>> got;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            got.push_back(actors[i].does([&, i] { return waiters[i].acquire(locks[wanted[i]]); }));
            until([&] { return locks[wanted[i]].waiter_count() == 1; });
        }
        big.commit();
        for (auto& g : got) CHECK(g.get() == status::granted);
    }
    std::vector<std::uint32_t> order;
    domain.core().shared.pool.for_each([&](auto const& b) {
        for (auto const* const p : noting::told) {
            if (p == &b.park) order.push_back(b.number);
        }
    });
    REQUIRE(noting::told.size() == wanted.size());
    REQUIRE(order.size() == wanted.size());
    auto const told_at = [&](std::size_t i) {
        std::size_t at = 0;
        domain.core().shared.pool.for_each([&](auto const& b) {
            if (b.number != waiters[i].number()) return;
            auto const found = std::find(noting::told.begin(), noting::told.end(), &b.park);
            at = static_cast<std::size_t>(found - noting::told.begin());
        });
        return at;
    };
    CHECK(told_at(3) == 0);
    CHECK(told_at(1) == 1);
    CHECK(told_at(2) == 2);
    CHECK(told_at(0) == 3);
    for (auto& waiter : waiters) waiter.commit();
    // The next one as big asks for no memory, and what others may read of it is 8 bytes a lock or, where
    // readers are linked, an entry a lock.
    auto const blocks = domain.core().shared.pool.size();
    auto const before = manylock::test::allocations();
    domain.run([&](auto& txn) {
        for (auto& lock : locks) txn.lock(lock);
    });
    CHECK(manylock::test::allocations() - before <= 1);  // which block it got is not said
    CHECK(domain.core().shared.pool.size() == blocks);
    if (P::needs.held_list) CHECK(domain.stats().held_list_bytes_max == 8 * n);
}

TEST_CASE_TEMPLATE("E8: misuse: a handler that returns lets the program go on", P, EVERY_POLICY) {
    if (!manylock::checks_enabled) return;
    static std::vector<std::string> said;
    said.clear();
    auto* const former =
        manylock::set_misuse_handler([](char const* sentence) { said.emplace_back(sentence); });
    {
        manylock::domain<P> domain;
        std::array<typename manylock::domain<P>::lock_type, 3> locks;
        domain.run([&](auto& txn) {
            txn.lock(locks[0]);
            txn.seal();
            txn.lock(locks[1]);
            domain.run([](auto&) {});
            CHECK(domain.try_enter_read(locks[2]) != manylock::read_status::stale);
            domain.leave_read(locks[2]);
            txn.release(locks[1]);
            if constexpr (!P::needs.umbrella) txn.release(locks[1]);
        });
        auto txn = domain.begin();
        (void)txn.restart_because(restart_reason::injected);
        txn.abandon();
        CHECK(usable(domain, locks));
    }
    manylock::set_misuse_handler(former);
    CHECK(said.size() == (P::needs.umbrella ? 3 : 4));
}

TEST_SUITE_END();

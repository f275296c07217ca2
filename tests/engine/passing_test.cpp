// Goal:   who waits is passed where decision 23 says so, and only there; told once; and not for ever.
// Method: a platform that withholds pokes, so that a waiter which was told of a free lock looks when the test says so.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

#include "object_policies.hpp"

using namespace manylock;

namespace {

struct withholding : platform::native {
    static inline std::atomic<bool> withholds{false};
    static inline std::atomic<unsigned> pokes{0};
    struct parker : platform::futex_parker<native> {
        void deliver(std::uint32_t bits) noexcept {
            if ((bits & detail::signal::poke) != 0) {
                ++pokes;
                if (withholds) return;
            }
            futex_parker::deliver(bits);
        }
        void poke() noexcept { futex_parker::deliver(detail::signal::poke); }
    };
};

constexpr options three_times{.pass_limit = 3};

/// Locks a and b, somebody who waits for a on a thread of its own, and the others.
template <class Policy>
struct situation {
    using domain_type = domain<Policy, three_times, withholding>;
    using transaction = typename domain_type::transaction;
    using lock_type = typename domain_type::lock_type;
    using queue = detail::wait_queue<typename domain_type::config>;

    domain_type family;
    lock_type a, b;  // by address too: b ranks above a
    std::atomic<bool> has_it{false};
    std::atomic<bool> may_go{false};
    std::jthread waiter;

    situation() {
        withholding::withholds = true;
        withholding::pokes = 0;
    }
    ~situation() {
        withholding::withholds = false;
        may_go = true;
    }
    /// Returns when the waiter, which may hold something, is queued for `wanted`.
    void let_wait_for(lock_type& wanted, transaction&& t, mode m = mode::exclusive) {
        waiter = std::jthread{[&wanted, this, m, mine = std::move(t)]() mutable {
            CHECK(mine.acquire(wanted, m) == status::granted);
            has_it = true;
            while (!may_go) std::this_thread::yield();
            mine.commit();
        }};
        while (wanted.waiter_count() == 0) std::this_thread::yield();
    }
    /// Returns when one that holds nothing waits for a, which is free, and was told so.
    void let_one_be_told(mode m = mode::exclusive) {
        auto holder = family.begin();
        REQUIRE(holder.acquire(a) == status::granted);
        let_wait_for(a, family.begin(), m);
        holder.commit();
    }
    void tell() {
        family.core().shared.pool.for_each([](auto const& each) {
            auto& block = const_cast<typename queue::block&>(each);
            if (block.queued()) block.park.poke();
        });
    }
    [[nodiscard]] unsigned misses(lock_type& lock) {
        auto const w = queue::latch(lock);
        unsigned const n = queue::first(lock)->wait_passes;
        queue::unlatch(lock, w);
        return n;
    }
    void ends() {
        may_go = true;
        waiter.join();
        CHECK_FALSE(a.busy());
        CHECK_FALSE(b.busy());
    }
};

}  // namespace

TEST_SUITE_BEGIN("passing");

TEST_CASE_TEMPLATE("who holds nothing is passed, and is told once that the lock is free", P,
                   OBJECT_POLICIES) {
    situation<P> s;
    auto holder = s.family.begin();
    REQUIRE(holder.acquire(s.a) == status::granted);
    s.let_wait_for(s.a, s.family.begin());
    CHECK(withholding::pokes == 0);
    holder.commit();
    CHECK(withholding::pokes == 1);
    for (int i = 0; i < 5; ++i) {
        auto passer = s.family.begin();
        CHECK(passer.acquire(s.a) == status::granted);
        passer.commit();
    }
    CHECK(withholding::pokes == 1);
    CHECK_FALSE(s.has_it);
    s.tell();
    while (!s.has_it) std::this_thread::yield();
    s.ends();
}

TEST_CASE_TEMPLATE("readers pass as well, but only onto a free lock", P, OBJECT_POLICIES) {
    situation<P> s;
    s.let_one_be_told();
    auto reader = s.family.begin();
    CHECK(reader.acquire_shared(s.a) == status::granted);
    auto second = s.family.begin();
    CHECK(second.try_acquire(s.a, mode::shared) == status::busy);  // behind the writer that waits
    CHECK_FALSE(s.family.try_read_lock(s.a));
    reader.commit();
    s.tell();
    while (!s.has_it) std::this_thread::yield();
    s.ends();
}

TEST_CASE_TEMPLATE("a reader that a reader has passed joins it", P, OBJECT_POLICIES) {
    situation<P> s;
    s.let_one_be_told(mode::shared);
    auto passer = s.family.begin();
    CHECK(passer.acquire_shared(s.a) == status::granted);
    s.tell();
    while (!s.has_it) std::this_thread::yield();  // for ever, if it had to wait for the passer
    passer.commit();
    s.ends();
}

TEST_CASE_TEMPLATE("a waiter that has found the lock taken three times is handed it", P,
                   OBJECT_POLICIES) {
    situation<P> s;
    s.let_one_be_told();
    for (unsigned i = 1; i <= 3; ++i) {
        auto passer = s.family.begin();
        REQUIRE(passer.acquire(s.a) == status::granted);
        s.tell();
        while (s.misses(s.a) < i) std::this_thread::yield();
        CHECK(s.a.waiter_count() == 1);
        passer.commit();
    }
    auto late = s.family.begin();
    CHECK(late.try_acquire(s.a) == status::busy);
    while (!s.has_it) std::this_thread::yield();
    s.ends();
}

TEST_CASE_TEMPLATE(
    "who holds something is passed only where the policy promises the eldest nothing", P,
    policies::wound_wait, policies::wait_die, policies::cycle_detection, policies::lock_ordering) {
    situation<P> s;
    auto elder = s.family.begin();
    REQUIRE(elder.acquire(s.a) == status::granted);
    auto younger = s.family.begin();
    CHECK(younger.try_acquire(s.a) == status::busy);  // draws their ages, where there are any
    REQUIRE(younger.acquire(s.b) == status::granted);
    s.let_wait_for(s.b, std::move(elder));
    younger.commit();
    auto newcomer = s.family.begin();
    bool const passes = detail::config<P, three_times, withholding>::may_pass_holders;
    CHECK(newcomer.try_acquire(s.b) == (passes ? status::granted : status::busy));
    newcomer.commit();
    if (passes) s.tell();
    while (!s.has_it) std::this_thread::yield();
    s.ends();
}

TEST_SUITE_END();

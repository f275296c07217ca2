// Goal:   who waits is passed where decision 23 says so, and only there; told once; and not for ever.
// Method: a platform that withholds pokes, so that a waiter which was told of a free lock looks when the test says so.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

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

TEST_CASE_TEMPLATE("how often a waiter was passed counts in one wait only", P, OBJECT_POLICIES) {
    situation<P> s;
    auto passes_three_times = [&] {
        for (unsigned i = 1; i <= 3; ++i) {
            auto passer = s.family.begin();
            REQUIRE(passer.acquire(s.a) == status::granted);
            s.tell();
            while (s.misses(s.a) < i) std::this_thread::yield();
            passer.commit();
        }
    };
    // One block for both waits: the waiter keeps its transaction, and holds nothing in between.
    auto holder = s.family.begin();
    REQUIRE(holder.acquire(s.a) == status::granted);
    std::atomic<bool> waits_again{false};
    s.waiter = std::jthread{[&s, &waits_again, mine = s.family.begin()]() mutable {
        CHECK(mine.acquire(s.a) == status::granted);
        mine.release(s.a);
        waits_again = true;
        while (!s.a.busy()) std::this_thread::yield();
        CHECK(mine.acquire(s.a) == status::granted);
        s.has_it = true;
        mine.commit();
    }};
    while (s.a.waiter_count() == 0) std::this_thread::yield();
    holder.commit();
    passes_three_times();  // and then it is handed the lock
    while (!waits_again) std::this_thread::yield();
    auto second = s.family.begin();
    REQUIRE(second.acquire(s.a) == status::granted);
    while (s.a.waiter_count() == 0) std::this_thread::yield();
    second.commit();
    auto passer = s.family.begin();
    CHECK(passer.try_acquire(s.a) == status::granted);
    passer.commit();
    s.tell();
    s.ends();
    CHECK(s.has_it);
}

// Under wait_die nobody that holds something queues behind older ones.
TEST_CASE_TEMPLATE("however long the queue, nobody passes one in it that holds something", P,
                   policies::wound_wait, policies::cycle_detection) {
    situation<P> s;
    auto holder = s.family.begin();
    REQUIRE(holder.acquire(s.a) == status::granted);
    std::vector<std::jthread> queue;
    for (std::size_t i = 1; i <= 5; ++i) {
        auto mine = s.family.begin();
        if (i == 5) REQUIRE(mine.acquire(s.b) == status::granted);
        queue.emplace_back([&s, mine = std::move(mine)]() mutable {
            CHECK(mine.acquire(s.a) == status::granted);
            while (!s.may_go) std::this_thread::yield();
            mine.commit();
        });
        while (s.a.waiter_count() < i) std::this_thread::yield();
    }
    holder.commit();
    auto newcomer = s.family.begin();
    CHECK(newcomer.try_acquire(s.a) == status::busy);
    newcomer.commit();
    withholding::withholds = false;
    s.tell();
    s.may_go = true;
    queue.clear();
    CHECK_FALSE(s.a.busy());
}

TEST_CASE_TEMPLATE("who was told of a free lock and found it taken keeps its deadline", P,
                   OBJECT_POLICIES) {
    using namespace std::chrono_literals;
    for (bool passed = false;
         !passed;) {  // again if it was late before it was passed, which shows nothing
        situation<P> s;
        auto holder = s.family.begin();
        REQUIRE(holder.acquire(s.a) == status::granted);
        std::atomic<bool> answered{false};
        auto outcome = status::granted;
        auto const deadline = platform::native::now() + 100ms;
        s.waiter = std::jthread{[&, mine = s.family.begin()]() mutable {
            auto const answer = mine.acquire_until(s.a, mode::exclusive, deadline);
            outcome = answer == status::timed_out ? status::timed_out : status::granted;
            answered = true;
            mine.commit();
        }};
        while (s.a.waiter_count() == 0 && !answered) std::this_thread::yield();
        holder.commit();
        auto passer = s.family.begin();
        passed = passer.try_acquire(s.a) == status::granted && !answered;
        s.tell();
        auto const given_up = deadline + 5s;
        while (passed && !answered && platform::native::now() < given_up) std::this_thread::yield();
        CHECK((!passed || answered));
        passer.commit();
        s.tell();
        s.ends();
        CHECK((!passed || outcome == status::timed_out));
    }
}

TEST_CASE_TEMPLATE("a single-object reader that waits, older than the eldest, makes nobody restart",
                   P, policies::wound_wait, policies::wait_die, policies::cycle_detection) {
    situation<P> s;
    auto eldest = s.family.begin();
    auto holder = s.family.begin();
    REQUIRE(holder.acquire(s.a) == status::granted);
    std::atomic<bool> may_end{false};
    std::jthread reader{[&] {
        auto const inside = s.family.read_lock(s.a);
        while (!may_end) std::this_thread::yield();
    }};
    while (s.a.waiter_count() == 0) std::this_thread::yield();
    CHECK(eldest.try_acquire(s.a) == status::busy);  // draws its age, after the reader's
    REQUIRE(eldest.acquire(s.b) == status::granted);
    holder.commit();
    auto passer = s.family.begin();
    REQUIRE(passer.acquire(s.a) == status::granted);
    std::atomic<bool> granted{false};
    s.waiter = std::jthread{[&, mine = std::move(eldest)]() mutable {
        CHECK(mine.acquire(s.a) == status::granted);
        granted = true;
        mine.commit();
    }};
    while (s.a.waiter_count() < 2) std::this_thread::yield();
    withholding::withholds = false;
    s.tell();
    passer.commit();
    may_end = true;
    s.ends();
    CHECK(granted);
}

TEST_SUITE_END();

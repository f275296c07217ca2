// Goal:   a restart is tagged by whether the refused wait would have closed a cycle.
// Method: few transactions in known positions, some of which wait on threads of their own; the victim's restart
//         is the policy's own. Who is older is settled at conflicts before.
#include "workloads/restart_sample.hpp"

#include <manylock/policies.hpp>

#include <array>
#include <chrono>
#include <doctest/doctest.h>
#include <future>
#include <thread>

namespace manylock::stress {
namespace {

/// Locks and transactions: the first is the eldest, if the policy knows ages.
template <class Policy>
struct scene {
    using domain_type = domain<Policy, options{.publish_holds = true}>;
    using lock_type = typename domain_type::lock_type;
    using transaction = typename domain_type::transaction;

    scene() {
        auto holder = all.at(0).try_acquire(ages);
        REQUIRE(holder == status::granted);
        for (std::size_t i = 1; i < all.size(); ++i) {
            REQUIRE(all[i].try_acquire(ages) == status::busy);
        }
        all[0].release(ages);
    }

    void hold(std::size_t who, lock_type& lock, mode m = mode::exclusive) {
        REQUIRE(all.at(who).acquire(lock, m) == status::granted);
    }
    /// Returns when `who` is queued, or has been and is no more; what it waits for is answered on its own thread.
    std::future<status> wait(std::size_t who, lock_type& lock, mode m = mode::exclusive) {
        auto const before = lock.waiter_count();
        auto answer = std::async(std::launch::async, [this, who, m, &lock] {
            auto const s = all.at(who).acquire(lock, m).what();
            if (s == status::restart) {
                tag_of_waiter = tag(who, lock, m);
            }
            all.at(who).abandon();
            return s;
        });
        auto const answered = [&] {
            return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
        };
        while (lock.waiter_count() != before + 1 && !answered()) std::this_thread::yield();
        return answer;
    }
    /// `who` asks, is refused, and is tagged.
    restart_tag refused(std::size_t who, lock_type& lock, mode m = mode::exclusive) {
        REQUIRE(all.at(who).acquire(lock, m).is_restart());
        auto const t = tag(who, lock, m);
        all.at(who).abandon();
        return t;
    }
    restart_tag tag(std::size_t who, lock_type& lock, mode m) {
        return tag_of_restart(domain_, all.at(who), lock, m);
    }

    domain_type domain_;
    lock_type ages;
    std::array<lock_type, 3> locks;  // in the order of their ranks
    lock_type& a = locks[0];
    lock_type& b = locks[1];
    lock_type& c = locks[2];
    std::array<transaction, 4> all{domain_.begin(), domain_.begin(), domain_.begin(),
                                   domain_.begin()};
    restart_tag tag_of_waiter = restart_tag::none;
};

/// The elder holds a and waits for b, which the younger holds; now the younger asks for a.
template <class Policy>
restart_tag abba() {
    scene<Policy> s;
    s.hold(0, s.a);
    s.hold(1, s.b);
    auto elder = s.wait(0, s.b);
    auto const t = s.refused(1, s.a);
    CHECK(elder.get() == status::granted);
    return t;
}

}  // namespace

TEST_SUITE("stress/restart_sample") {
    TEST_CASE(
        "a restart in a cycle of two is tagged so under every policy that lets holders wait") {
        CHECK(abba<policies::wound_wait>() == restart_tag::cycle);
        CHECK(abba<policies::wait_die>() == restart_tag::cycle);
        CHECK(abba<policies::cycle_detection>() == restart_tag::cycle);
        CHECK(abba<policies::lock_ordering>() == restart_tag::cycle);
    }

    TEST_CASE("no_wait restarts before anybody waits so that every restart is a precaution") {
        scene<policies::no_wait> s;
        s.hold(0, s.a);
        s.hold(1, s.b);
        CHECK(s.refused(0, s.b) == restart_tag::precaution);
    }

    TEST_CASE("an umbrella has nothing to tag") {
        domain<policies::umbrella> d;
        domain<policies::umbrella>::lock_type a;
        auto txn = d.begin();
        REQUIRE(txn.acquire(a) == status::granted);
        CHECK(tag_of_restart(d, txn, a, mode::exclusive) == restart_tag::none);
    }

    TEST_CASE("dying because of a holder that runs is a precaution") {
        scene<policies::wait_die> s;
        s.hold(0, s.a);
        s.hold(1, s.b);
        CHECK(s.refused(1, s.a) == restart_tag::precaution);
    }

    TEST_CASE("dying because of a holder that waits for somebody else is a precaution") {
        scene<policies::wait_die> s;
        s.hold(2, s.c);
        s.hold(0, s.a);
        s.hold(1, s.b);
        auto elder = s.wait(0, s.c);
        CHECK(s.refused(1, s.a) == restart_tag::precaution);
        s.all[2].abandon();
        CHECK(elder.get() == status::granted);
    }

    TEST_CASE("restarting out of order is a precaution if the holder does not wait") {
        scene<policies::lock_ordering> s;
        s.hold(0, s.a);
        s.hold(1, s.b);
        CHECK(s.refused(1, s.a) == restart_tag::precaution);
    }

    TEST_CASE("a wounded transaction that meets a conflict elsewhere restarts as a precaution") {
        scene<policies::wound_wait> s;
        s.hold(2, s.c);
        s.hold(1, s.b);
        s.hold(0, s.a);               // who holds nothing wounds nobody
        auto elder = s.wait(0, s.b);  // wounds 1
        CHECK(s.refused(1, s.c) == restart_tag::precaution);
        CHECK(elder.get() == status::granted);
    }

    TEST_CASE("wounded while queued: a cycle if the wounder holds what is waited for") {
        scene<policies::wound_wait> s;
        s.hold(0, s.c);
        s.hold(1, s.b);
        auto younger = s.wait(1, s.c);
        auto elder = s.wait(0, s.b);  // wounds 1, which then leaves the queue
        CHECK(younger.get() == status::restart);
        CHECK(s.tag_of_waiter == restart_tag::cycle);
        CHECK(elder.get() == status::granted);
    }

    TEST_CASE("wounded while queued: a precaution if somebody else does who runs") {
        scene<policies::wound_wait> s;
        s.hold(2, s.c);
        s.hold(1, s.b);
        s.hold(0, s.a);
        auto const wounded = [&] {
            auto younger = s.wait(1, s.c);  // wounds 2, which runs on
            auto elder =
                std::async(std::launch::async, [&] { return s.all[0].acquire(s.b).what(); });
            auto const answer = younger.get();
            CHECK(elder.get() == status::granted);
            return answer;
        };
        CHECK(wounded() == status::restart);
        CHECK(s.tag_of_waiter == restart_tag::precaution);
    }

    TEST_CASE("readers: every one of them may close the cycle") {
        scene<policies::wait_die> s;
        s.hold(3, s.a, mode::shared);
        s.hold(0, s.a, mode::shared);
        s.hold(1, s.b);
        auto elder = s.wait(0, s.b);
        CHECK(s.refused(1, s.a) == restart_tag::cycle);
        CHECK(elder.get() == status::granted);
    }

    TEST_CASE("readers: one that reads as well is not waited for") {
        // 0 reads a and waits for b, which 2 holds. 1 writes a, waiting for nobody's sake but the readers';
        // 2 asks to read a: only 1, which queues for it, is in its way.
        scene<policies::wait_die> s;
        s.hold(0, s.a, mode::shared);
        s.hold(2, s.b);
        SUBCASE("nobody between: it is granted") {
            CHECK(s.all[2].acquire(s.a, mode::shared) == status::granted);
            CHECK(s.tag(2, s.a, mode::shared) == restart_tag::precaution);
        }
        SUBCASE("a writer ahead: the cycle runs through the queue") {
            // Holding nothing it may wait, though it is younger than the reader.
            auto writer = s.wait(1, s.a);
            auto elder = s.wait(0, s.b);
            CHECK(s.refused(2, s.a, mode::shared) == restart_tag::cycle);
            CHECK(elder.get() == status::granted);
            CHECK(writer.get() == status::granted);
        }
        SUBCASE("a writer ahead that waits for somebody who runs: a precaution") {
            auto writer = s.wait(1, s.a);
            CHECK(s.refused(2, s.a, mode::shared) == restart_tag::precaution);
            s.all[0].abandon();
            CHECK(writer.get() == status::granted);
        }
    }

    TEST_CASE("two upgrades of one lock are a cycle") {
        scene<policies::wait_die> s;
        s.hold(0, s.a, mode::shared);
        s.hold(1, s.a, mode::shared);
        auto elder = s.wait(0, s.a);
        CHECK(s.refused(1, s.a) == restart_tag::cycle);
        CHECK(elder.get() == status::granted);
    }

    TEST_CASE("one of n restarts is looked at") {
        restart_sampler every(1, 7);
        restart_sampler never(0, 7);
        restart_sampler some(8, 7);
        int seen = 0;
        for (int i = 0; i < 8000; ++i) {
            CHECK(every.due());
            CHECK_FALSE(never.due());
            seen += some.due() ? 1 : 0;
        }
        CHECK(seen > 800);
        CHECK(seen < 1200);
    }
}

}  // namespace manylock::stress

// Goal:   checked builds name what is opened inside something else of its domain, and every call on a transaction that has
//         ended; and no such call crashes, whether the handler of misuse throws or returns.
// Method: every pair and every member in a table, under every policy; guards that other threads give back.
#include "support.hpp"

#include <array>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stop_token>
#include <string>
#include <vector>

using namespace fault;
using manylock::read_status;

namespace {

std::vector<std::string> said;

/// What is said in `f` by a handler that returns.
std::vector<std::string> said_in(std::function<void()> const& f) {
    said.clear();
    auto* const former =
        manylock::set_misuse_handler([](char const* sentence) { said.emplace_back(sentence); });
    f();
    manylock::set_misuse_handler(former);
    return said;
}

template <class Txn>
struct member {
    char const* sentence;
    std::function<void(Txn&)> call;
};

}  // namespace

TEST_SUITE_BEGIN("misuse");

TEST_CASE_TEMPLATE("E8: ended: every call on a transaction that has ended is named", P,
                   EVERY_POLICY) {
    if (!manylock::checks_enabled) return;
    using domain_type = manylock::domain<P>;
    using txn_type = typename domain_type::transaction;
    domain_type domain;
    typename domain_type::lock_type a;
    typename domain_type::lock_type b;
    std::vector<typename domain_type::lock_type*> none;
    auto const soon = manylock::platform::native::now();
    constexpr auto* acquired = "lock acquired by a transaction that has ended";
    std::vector<member<txn_type>> const members{
        {acquired, [&](auto& t) { CHECK_FALSE(t.acquire(a)); }},
        {acquired, [&](auto& t) { CHECK_FALSE(t.acquire_shared(a)); }},
        {acquired, [&](auto& t) { CHECK_FALSE(t.acquire_ranked(a, mode::exclusive, 7)); }},
        {acquired,
         [&](auto& t) {
             typename domain_type::read_section section;
             CHECK_FALSE(t.acquire_found(a, mode::exclusive, section, 7));
         }},
        {acquired, [&](auto& t) { CHECK_FALSE(t.try_acquire(a)); }},
        {acquired, [&](auto& t) { CHECK_FALSE(t.acquire_until(a, mode::shared, soon)); }},
        {acquired,
         [&](auto& t) { CHECK_FALSE(t.acquire_for(a, mode::shared, std::chrono::hours{1})); }},
        {acquired,
         [&](auto& t) {
             CHECK_FALSE(t.acquire(a, mode::exclusive, std::stop_source{}.get_token()));
         }},
        {acquired,
         [&](auto& t) {
             std::stop_source stop;
             stop.request_stop();
             CHECK_FALSE(t.acquire(a, mode::exclusive, stop.get_token()));
         }},
        {acquired,
         [&](auto& t) {
             CHECK_FALSE(t.acquire_all(std::array{&a, &b}));
         }},
        {acquired, [&](auto& t) { CHECK_FALSE(t.acquire_all(none)); }},
        {acquired, [&](auto& t) { t.lock(a); }},
        {acquired, [&](auto& t) { t.lock_shared(a); }},
        {acquired,
         [&](auto& t) {
             t.lock_all(std::array{&a, &b});
         }},
        {acquired, [&](auto& t) { CHECK_FALSE(t.try_lock(a)); }},
        {"lock released by a transaction that has ended", [&](auto& t) { t.release(a); }},
        {"lock detached by a transaction that has ended", [&](auto& t) { t.detach(a); }},
        {"restart asked of a transaction that has ended",
         [](auto& t) { CHECK_FALSE(t.restart_because(restart_reason::stale)); }},
        {"seal of a transaction that has ended", [](auto& t) { t.seal(); }},
        {"transaction ended twice", [](auto& t) { t.commit(); }},
        {"rollback of a transaction that has ended", [](auto& t) { t.rollback(); }},
        {"everything released by a transaction that has ended",
         [](auto& t) { t.release_everything(); }},
        {"attempt asked of a transaction that has ended", [](auto& t) { CHECK(t.attempt() == 0); }},
        {"age asked of a transaction that has ended",
         [](auto& t) { CHECK_FALSE(t.age().drawn()); }},
        {"must_restart asked of a transaction that has ended",
         [](auto& t) { CHECK_FALSE(t.must_restart()); }},
        {"last restart asked of a transaction that has ended",
         [](auto& t) { (void)t.last_restart(); }},
        {"held locks asked of a transaction that has ended", [](auto& t) { CHECK(t.held() == 0); }},
        {"held lock asked of a transaction that has ended",
         [&](auto& t) { CHECK_FALSE(t.holds(a, mode::shared)); }},
        {"mark for restart asked of a transaction that has ended",
         [](auto& t) { CHECK_FALSE(t.marked_for_restart()); }},
        {"number asked of a transaction that has ended", [](auto& t) { CHECK(t.number() == 0); }},
    };
    auto const each_named = [&](txn_type& ended) {
        REQUIRE(ended.ended());
        for (auto const& m : members) {
            CAPTURE(m.sentence);
            CHECK(misuse_of([&] { m.call(ended); }) == m.sentence);
            CHECK(said_in([&] { m.call(ended); }) == std::vector<std::string>{m.sentence});
        }
        CHECK(said_in([&] { ended.abandon(); }).empty());  // as its destructor does
    };
    auto committed = domain.begin();
    REQUIRE(committed.acquire(a));
    CHECK_FALSE(committed.ended());
    committed.commit();
    each_named(committed);
    auto abandoned = domain.begin();
    (void)abandoned.restart_because(restart_reason::injected);
    abandoned.abandon();
    each_named(abandoned);
    auto moved_from = domain.begin();
    REQUIRE(moved_from.acquire(a));
    auto const moved = std::move(moved_from);
    each_named(moved_from);
    CHECK(moved.holds(a, mode::exclusive));
}

TEST_CASE_TEMPLATE("ended: a body that ends its transaction, and a hold that outlives it", P,
                   EVERY_POLICY) {
    if (!manylock::checks_enabled) return;
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 1> locks;
    using txn_type = typename manylock::domain<P>::transaction;
    constexpr auto* inside = "transaction ended inside the body of run, which ends it itself";
    for (int how = 0; how < 3; ++how) {
        auto const end = [&](txn_type& txn) {
            txn.lock(locks[0]);
            if (how == 0) txn.commit();
            if (how == 1) txn.abandon();
            if (how == 2) auto const elsewhere = std::move(txn);
        };
        CHECK(misuse_of([&] { domain.run(end); }) == inside);
        CHECK(said_in([&] { domain.run(end); }) == std::vector<std::string>{inside});
        CHECK(said_in([&] {
                  CHECK(domain.run([&](auto& txn) {
                      end(txn);
                      return 7;
                  }) == 7);
              }) == std::vector<std::string>{inside});
    }
    auto const outlives = [&] {
        auto txn = domain.begin();
        manylock::scoped_hold const hold{txn, locks[0]};
        txn.commit();
    };
    CHECK(said_in(outlives) == std::vector<std::string>{"scoped hold outlives its transaction"});
    if constexpr (locks_objects<P>) {
        auto const by_hand = [&] {
            auto txn = domain.begin();
            manylock::scoped_hold const hold{txn, locks[0]};
            txn.release(locks[0]);
        };
        CHECK(said_in(by_hand) ==
              std::vector<std::string>{"lock of a scoped hold released by hand: double unlock?"});
    }
    CHECK(usable(domain, locks));
}

TEST_CASE_TEMPLATE("ended: what a live transaction must not be asked either", P, EVERY_POLICY) {
    if (!manylock::checks_enabled) return;
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 1> locks;
    auto txn = domain.begin();
    CHECK(misuse_of([&] { txn.release_everything(); }) ==
          "everything released by a transaction that was not told to restart");
    CHECK(misuse_of([&] { (void)txn.last_restart(); }) ==
          "last restart asked of a transaction that was never told to restart");
    CHECK(said_in([&] { txn.detach(locks[0]); }) ==
          std::vector<std::string>{"lock detached that is not held exclusively"});
    CHECK_FALSE(locks[0].detached());
    (void)txn.restart_because(restart_reason::injected);
    CHECK(txn.last_restart() == restart_reason::injected);
    txn.release_everything();
    txn.rollback();
    CHECK(txn.last_restart() == restart_reason::injected);
    txn.commit();
    CHECK(usable(domain, locks));
}

TEST_CASE_TEMPLATE("nesting: what must not be opened inside a single-object read is named", P,
                   EVERY_POLICY) {
    if (!manylock::checks_enabled) return;
    using domain_type = manylock::domain<P>;
    domain_type domain;
    std::array<typename domain_type::lock_type, 2> locks;
    auto& a = locks[0];
    manylock::lockable<domain_type> as_lockable{domain, a};
    constexpr auto* read_in_read =
        "single-object read inside a single-object read of its domain: only a try form may be";
    constexpr auto* begun_in_read = "transaction begun inside a single-object read of its domain";
    auto const check_inside = [&] {
        for (auto& lock :
             locks) {  // two readers that nest two objects in turn deadlock behind writers, too
            manylock::lockable<domain_type> shared{domain, lock};
            CHECK(misuse_of([&] { domain.read(lock, [] {}); }) == read_in_read);
            CHECK(misuse_of([&] { (void)domain.read_lock(lock); }) == read_in_read);
            CHECK(misuse_of([&] { (void)domain.enter_read(lock); }) == read_in_read);
            CHECK(misuse_of([&] {
                      typename domain_type::read_section section;
                      (void)domain.enter_read(lock, section);
                  }) == read_in_read);
            CHECK(misuse_of([&] { shared.lock_shared(); }) == read_in_read);
            CHECK(misuse_of([&] {
                      CHECK(domain.try_read_lock(lock));
                      REQUIRE(domain.try_enter_read(lock) == read_status::fast);
                      domain.leave_read(lock);
                      REQUIRE(shared.try_lock_shared());
                      shared.unlock_shared();
                  }).empty());
        }
        CHECK(misuse_of([&] { domain.run([](auto&) {}); }) == begun_in_read);
        CHECK(misuse_of([&] { (void)domain.begin(); }) == begun_in_read);
        CHECK(misuse_of([&] { as_lockable.lock(); }) == begun_in_read);
        CHECK(misuse_of([&] { auto const f = domain.fall_back(); }) ==
              "fallback inside a single-object read of its domain");
    };
    SUBCASE("body") {
        domain.read(a, check_inside);
    }
    SUBCASE("guard") {
        auto first = domain.read_lock(a);
        auto const guard = std::move(first);
        check_inside();
    }
    SUBCASE("try guard") {
        auto const guard = domain.try_read_lock(a);
        check_inside();
    }
    SUBCASE("no guard") {
        REQUIRE(domain.enter_read(a) == read_status::fast);
        check_inside();
        domain.leave_read(a);
    }
    SUBCASE("in a read section") {
        typename domain_type::read_section section;
        REQUIRE(domain.enter_read(a, section) == read_status::fast);
        section.leave();
        check_inside();
        domain.leave_read(a);
    }
    SUBCASE("lockable") {
        std::shared_lock const shared{as_lockable};
        check_inside();
    }
    CHECK(misuse_of([&] { domain.run([&](auto& txn) { txn.lock(a); }); }).empty());
    CHECK(misuse_of([&] { domain.read(a, [] {}); }).empty());
    CHECK(usable(domain, locks));
}

TEST_CASE_TEMPLATE(
    "nesting: a read, a fallback or a transaction inside a transaction or a fallback", P,
    EVERY_POLICY) {
    if (!manylock::checks_enabled) return;
    using domain_type = manylock::domain<P>;
    domain_type domain;
    domain_type elsewhere;
    std::array<typename domain_type::lock_type, 1> locks;
    constexpr auto* read_inside = "single-object read inside a transaction of its domain";
    domain.run([&](auto&) {
        CHECK(misuse_of([&] { (void)domain.read_lock(locks[0]); }) == read_inside);
        CHECK(misuse_of([&] { (void)domain.try_read_lock(locks[0]); }) == read_inside);
        CHECK(misuse_of([&] { auto const f = domain.fall_back(); }) ==
              "fallback inside a transaction of its domain");
        CHECK(misuse_of([&] {
                  auto const f = elsewhere.fall_back();
                  auto const begun = domain.begin();  // on behalf of another context
              }).empty());
    });
    manylock::lockable<domain_type> held{domain, locks[0]};
    typename domain_type::lock_type another;
    manylock::lockable<domain_type> second{domain, another};
    constexpr auto* two = "two live transactions of one domain in one context";
    domain.run([&](auto&) {
        CHECK(misuse_of([&] { held.lock(); }) == two);
        CHECK(misuse_of([&] { (void)held.try_lock(); }) == two);
    });
    {
        std::unique_lock const guard{held};
        CHECK(misuse_of([&] { domain.run([](auto&) {}); }) == two);
        CHECK(misuse_of([&] { second.lock(); }) == two);
        CHECK(misuse_of([&] { domain.read(another, [] {}); }) == read_inside);
        CHECK(misuse_of([&] { auto const f = domain.fall_back(); }) ==
              "fallback inside a transaction of its domain");
        CHECK(misuse_of([&] {
                  CHECK(second.try_lock());  // as std::lock does
                  second.unlock();
                  CHECK(second.try_lock_shared());
                  second.unlock_shared();
                  auto const begun = domain.begin();
              }).empty());
    }
    {
        actor other;  // whoever gives it back, it is open nowhere then
        held.lock();
        other.does([&] { held.unlock(); }).get();
    }
    {
        auto const fallen = domain.fall_back();
        CHECK(misuse_of([&] { domain.run([](auto&) {}); }) ==
              "transaction begun inside a fallback of its domain");
        CHECK(misuse_of([&] { (void)domain.begin(); }) ==
              "transaction begun inside a fallback of its domain");
        CHECK(misuse_of([&] { auto const f = domain.fall_back(); }) ==
              "fallback inside a fallback of its domain");
        CHECK(misuse_of([&] { CHECK(domain.read(locks[0], [] {})); }).empty());
    }
    CHECK(misuse_of([&] { domain.run([](auto&) {}); }).empty());
    CHECK(usable(domain, locks));
}

TEST_CASE_TEMPLATE("nesting: reads count among the domains that are nested in their declared order",
                   P, EVERY_POLICY) {
    if (!manylock::checks_enabled) return;
    manylock::domain<P> outer{1};
    manylock::domain<P> inner{2};
    typename manylock::domain<P>::lock_type a;
    typename manylock::domain<P>::lock_type b;
    {
        auto const guard = outer.read_lock(a);
        CHECK(misuse_of([&] { inner.run([&](auto& txn) { txn.lock(b); }); }).empty());
        CHECK(misuse_of([&] { inner.read(b, [] {}); }).empty());
    }
    auto const guard = inner.read_lock(b);
    CHECK(misuse_of([&] { outer.run([](auto&) {}); }) ==
          "domains nested against their declared order");
    CHECK(misuse_of([&] { outer.read(a, [] {}); }) ==
          "domains nested against their declared order");
    CHECK(misuse_of([&] { CHECK(outer.try_read_lock(a)); }).empty());
}

TEST_CASE_TEMPLATE("nesting: a guard that another thread gives back is open nowhere", P,
                   EVERY_POLICY) {
    using domain_type = manylock::domain<P>;
    using guard_type = typename domain_type::read_guard;
    domain_type domain;
    std::array<typename domain_type::lock_type, 2> locks;
    std::optional<guard_type> wandering;
    actor other;
    auto const begins = [&] { domain.run([&](auto& txn) { txn.lock(locks[1]); }); };

    wandering.emplace(domain.read_lock(locks[0]));
    other
        .does([&] {
            begins();  // the guard is not this thread's
            wandering.reset();
            begins();
        })
        .get();
    CHECK(misuse_of(begins).empty());
    // The same without a guard, while this thread reads the same object too.
    REQUIRE(domain.enter_read(locks[0]) == read_status::fast);
    other.does([&] { domain.leave_read(locks[0]); }).get();
    CHECK(misuse_of(begins).empty());
    REQUIRE(other.does([&] { return domain.enter_read(locks[0]); }).get() == read_status::fast);
    REQUIRE(domain.enter_read(locks[0]) == read_status::fast);
    actor third;
    third.does([&] { domain.leave_read(locks[0]); }).get();
    domain.leave_read(locks[0]);
    CHECK(misuse_of(begins).empty());
    other.does([&] { CHECK(misuse_of(begins).empty()); }).get();
    // The thread that took it is gone.
    {
        actor gone;
        gone.does([&] { wandering.emplace(domain.read_lock(locks[0])); }).get();
    }
    CHECK(misuse_of(begins).empty());
    wandering.reset();
    CHECK(usable(domain, locks));
}

TEST_CASE_TEMPLATE("nesting: a read that was not entered cannot be left", P, EVERY_POLICY) {
    if (!manylock::checks_enabled) return;
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 2> locks;
    auto const left = std::vector<std::string>{"single-object read left that was not entered"};
    CHECK(said_in([&] { domain.leave_read(locks[0]); }) == left);
    REQUIRE(domain.enter_read(locks[0]) == read_status::fast);
    CHECK(said_in([&] { domain.leave_read(locks[1]); }) == left);
    domain.leave_read(locks[0]);
    CHECK(said_in([&] { domain.leave_read(locks[0]); }) == left);
    CHECK(usable(domain, locks));
}

TEST_SUITE_END();

// Goal:   a transaction out of patience waits for its turn, and gives it on whichever way it ends.
// Method: patience of one and injected restarts, which need no other transaction; the turn's lock tells.
#include <doctest/doctest.h>

#include <stdexcept>
#include <thread>

#include <manylock/domain.hpp>
#include <manylock/policies/lock_ordering.hpp>
#include <manylock/policies/no_wait.hpp>
#include <manylock/policies/wound_wait.hpp>

using namespace manylock;

namespace {

constexpr options impatient{.turn_after = 1};
using domain_type = domain<policies::no_wait, impatient>;

/// A transaction whose turn it is.
domain_type::transaction with_turn(domain_type& d) {
    auto txn = d.begin();
    (void)txn.restart_because(restart_reason::injected);
    txn.rollback();
    CHECK(d.core().turn.busy());
    return txn;
}

}  // namespace

TEST_CASE("turn: given back by commit, by abandoning and by the destructor, also after a move") {
    domain_type d;
    domain_type::lock_type a;
    SUBCASE("commit") {
        auto txn = with_turn(d);
        txn.lock(a);
        txn.commit();
    }
    SUBCASE("abandon") {
        with_turn(d).abandon();
    }
    SUBCASE("destructor") {
        (void)with_turn(d);
    }
    SUBCASE("destructor of where it was moved to") {
        auto txn = with_turn(d);
        auto const moved = std::move(txn);
    }
    SUBCASE("another thread") {
        auto txn = with_turn(d);
        std::jthread{[&] { txn.commit(); }}.join();
    }
    CHECK_FALSE(d.core().turn.busy());
    CHECK_FALSE(a.busy());
}

TEST_CASE("turn: given back by an exception out of the body and by a bound on attempts") {
    domain_type d;
    int attempts = 0;
    CHECK_THROWS_AS(d.run([&](auto& txn) {
        if (++attempts < 3) (void)txn.restart_because(restart_reason::injected);
        if (attempts == 3) throw std::runtime_error{"the body"};
    }),
                    std::runtime_error);
    CHECK_FALSE(d.core().turn.busy());
    CHECK_THROWS_AS(d.run({.max_attempts = 3},
                          [](auto& txn) { (void)txn.restart_because(restart_reason::injected); }),
                    abandoned);
    CHECK_FALSE(d.core().turn.busy());
}

TEST_CASE("turn: not kept while a hook on restart runs") {
    domain_type d;
    int hooks = 0;
    int attempts = 0;
    d.run({.on_restart =
               [&](restart_reason, std::uint64_t) {
                   ++hooks;
                   CHECK_FALSE(d.core().turn.busy());
               }},
          [&](auto& txn) {
              if (attempts > 0) CHECK(d.core().turn.busy());
              if (++attempts < 4) (void)txn.restart_because(restart_reason::injected);
          });
    CHECK(hooks == 3);
    CHECK_FALSE(d.core().turn.busy());
}

TEST_CASE(
    "turn: the next one out of patience waits until it is given on, first come first served") {
    domain_type d;
    auto first = with_turn(d);
    bool second_began = false;
    std::jthread second{[&] {
        auto txn = with_turn(d);
        second_began = true;
        txn.commit();
    }};
    while (d.core().turn.waiter_count() == 0) std::this_thread::yield();
    CHECK_FALSE(second_began);  // ordered by the turn
    first.commit();
    second.join();
    CHECK(second_began);
    CHECK_FALSE(d.core().turn.busy());
}

TEST_CASE(
    "turn: comes after as many restarts as patience says, and only under policies that need it") {
    domain<policies::lock_ordering, options{.turn_after = 3}> d;
    auto txn = d.begin();
    for (int restarts = 1; restarts <= 4; ++restarts) {
        (void)txn.restart_because(restart_reason::injected);
        txn.rollback();
        CHECK(d.core().turn.busy() == (restarts >= 3));
    }
    txn.commit();

    domain<policies::wound_wait, options{.turn_after = 1}> fair;
    auto eldest = fair.begin();
    (void)eldest.restart_because(restart_reason::injected);
    eldest.rollback();
    CHECK_FALSE(fair.core().turn.busy());
    eldest.commit();
}

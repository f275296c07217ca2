// Goal:   each misuse that a checked build promises to name is named, in words.
// Method: a handler that throws the sentence; without checks there is nothing to test.
#include "support.hpp"

#include <array>
#include <cstddef>
#include <new>
#include <optional>
#include <stop_token>
#include <string>

using namespace contract;

namespace {

struct named {
    std::string sentence;
};

class catching {
public:
    catching()
        : former_{manylock::set_misuse_handler([](char const* s) {
              last = s;
              throw named{s};
          })} {
        last.clear();
    }
    ~catching() { manylock::set_misuse_handler(former_); }
    static inline std::string last;

private:
    manylock::misuse_handler former_;
};

template <class F>
std::string misuse_of(F f) {
    catching const handler;
    try {
        f();
    } catch (named const& n) {
        return n.sentence;
    }
    return catching::last;  // from a destructor nothing is thrown
}

}  // namespace

TEST_SUITE_BEGIN("misuse" * doctest::skip(!manylock::checks_enabled));

TEST_CASE_TEMPLATE("misuse: double unlock", P, EVERY_OBJECT_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto txn = domain.begin();
    REQUIRE(txn.acquire(a));
    txn.release(a);
    CHECK(misuse_of([&] { txn.release(a); }) == "lock released that is not held: double unlock?");
}

TEST_CASE_TEMPLATE("misuse: a lock used with two domains", P, EVERY_POLICY) {
    manylock::domain<P> one;
    manylock::domain<P> another;
    typename manylock::domain<P>::lock_type a;
    one.run([&](auto& txn) { txn.lock(a); });
    auto txn = another.begin();
    CHECK(misuse_of([&] { (void)txn.acquire(a); }) ==
          "lock used with two domains: a lock belongs to one domain");
}

TEST_CASE_TEMPLATE("misuse: a lock acquired after seal", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto txn = domain.begin();
    txn.seal();
    CHECK(misuse_of([&] { (void)txn.acquire(a); }) ==
          "lock acquired after seal: acquire it before sealing the transaction");
}

TEST_CASE_TEMPLATE("misuse: a lock destroyed while held", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    auto txn = domain.begin();
    std::optional<typename manylock::domain<P>::lock_type> a;
    a.emplace();
    REQUIRE(txn.acquire(*a));
    CHECK(misuse_of([&] { a.reset(); }) == "lock destroyed while held");
    a.emplace();  // what the transaction gives back at its end must be there
    txn.commit();
}

TEST_CASE_TEMPLATE("misuse: a lock destroyed while a transaction waits for it", P, EVERY_POLICY) {
    using lock_type = typename manylock::domain<P>::lock_type;
    manylock::domain<P> domain;
    // Memory that stays what it was: those who still use it must find it there.
    alignas(lock_type) std::array<std::byte, sizeof(lock_type)> memory;
    auto* const lock = ::new (memory.data()) lock_type;
    auto holder = domain.begin();
    auto waiter = domain.begin();
    std::stop_source stop;
    actor other;
    if constexpr (P::needs.umbrella) {
        REQUIRE(domain.enter_read(*lock) == manylock::read_status::fast);
    } else {
        REQUIRE(holder.acquire(*lock));
    }
    auto waited =
        other.does([&] { return waiter.acquire(*lock, mode::exclusive, stop.get_token()); });
    until([&] { return lock->waiter_count() == 1; });
    CHECK(misuse_of([&] { lock->~lock_type(); }) ==
          "lock destroyed while a transaction waits for it");
    stop.request_stop();
    CHECK(waited.get() == status::cancelled);
    if constexpr (P::needs.umbrella) domain.leave_read(*lock);
}

TEST_CASE_TEMPLATE("misuse: a domain destroyed while a transaction of it is open", P,
                   EVERY_POLICY) {
    using transaction = typename manylock::domain<P>::transaction;
    std::optional<manylock::domain<P>> domain{std::in_place};
    domain->run([](auto&) {});  // one that has ended
    CHECK(misuse_of([&] { domain.reset(); }).empty());
    domain.emplace();
    // Never ended: its control block goes with the domain.
    alignas(transaction) std::array<std::byte, sizeof(transaction)> memory;
    ::new (memory.data()) transaction{domain->begin()};
    CHECK(misuse_of([&] { domain.reset(); }) == "domain destroyed while a transaction of it is open");
}

TEST_CASE_TEMPLATE("misuse: a transaction used after its end", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto txn = domain.begin();
    txn.commit();
    CHECK(misuse_of([&] { (void)txn.acquire(a); }) ==
          "lock acquired by a transaction that has ended");
    CHECK(misuse_of([&] { txn.commit(); }) == "transaction ended twice");
}

TEST_CASE_TEMPLATE("misuse: two live transactions of one domain in one context", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    CHECK(misuse_of([&] { domain.run([&](auto&) { domain.run([](auto&) {}); }); }) ==
          "two live transactions of one domain in one context");
}

TEST_CASE_TEMPLATE("misuse: a read and a transaction of one domain inside each other", P,
                   EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    CHECK(misuse_of([&] { domain.run([&](auto&) { domain.read(a, [] {}); }); }) ==
          "single-object read inside a transaction of its domain");
    CHECK(misuse_of([&] { domain.read(a, [&] { domain.run([](auto&) {}); }); }) ==
          "transaction begun inside a single-object read of its domain");
    CHECK_FALSE(a.busy());
}

TEST_CASE("misuse: domains nested against their declared order") {
    using domain_type = manylock::domain<manylock::policies::wound_wait>;
    domain_type outer{1};
    domain_type inner{2};
    CHECK(misuse_of([&] { outer.run([&](auto&) { inner.run([](auto&) {}); }); }).empty());
    CHECK(misuse_of([&] { inner.run([&](auto&) { outer.run([](auto&) {}); }); }) ==
          "domains nested against their declared order");
}

TEST_CASE_TEMPLATE(
    "misuse: commit of a transaction that must restart and rollback of one that need not", P,
    EVERY_POLICY) {
    manylock::domain<P> domain;
    auto txn = domain.begin();
    CHECK(misuse_of([&] { txn.rollback(); }) ==
          "rollback of a transaction that was not told to restart");
    (void)txn.restart_because(restart_reason::injected);
    CHECK(misuse_of([&] { txn.commit(); }) == "commit of a transaction that was told to restart");
}

TEST_CASE_TEMPLATE("misuse: detaching what is not held exclusively", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    typename manylock::domain<P>::lock_type a;
    auto txn = domain.begin();
    CHECK(misuse_of([&] { txn.detach(a); }) == "lock detached that is not held exclusively");
}

TEST_CASE("misuse: unlocking a Lockable twice") {
    using domain_type = manylock::domain<manylock::policies::no_wait>;
    domain_type domain;
    domain_type::lock_type a;
    manylock::lockable<domain_type> mutex{domain, a};
    mutex.lock();
    mutex.unlock();
    CHECK(misuse_of([&] { mutex.unlock(); }) ==
          "unlock of a lock that is not held: double unlock?");
}

TEST_SUITE_END();

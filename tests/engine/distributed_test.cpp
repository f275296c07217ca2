// Goal:   readers of one lock write to no line but their own, and whoever wants it exclusively still finds all of them.
// Method: the lock's word, read under its latch, and the answers that a writer gets.
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

#include "object_policies.hpp"

using namespace manylock;

namespace {

constexpr options distributed{.distributed_readers = true};

template <class Policy>
struct place {
    using domain_type = domain<Policy, distributed>;
    using lock_type = typename domain_type::lock_type;
    using transaction = typename domain_type::transaction;

    domain_type family;
    lock_type a;

    [[nodiscard]] detail::lock_word word() {
        using queue = detail::wait_queue<typename domain_type::config>;
        auto const w = queue::latch(a);
        queue::unlatch(a, w);
        return w;
    }
    [[nodiscard]] std::vector<transaction> readers(unsigned n) {
        std::vector<transaction> all;
        for (unsigned i = 0; i < n; ++i) {
            all.push_back(family.begin());
            REQUIRE(all.back().acquire_shared(a) == status::granted);
        }
        return all;
    }
};

}  // namespace

TEST_SUITE_BEGIN("distributed");

TEST_CASE_TEMPLATE("the second reader and those after it leave the lock's word alone", P,
                   OBJECT_POLICIES) {
    place<P> p;
    auto first = p.readers(1);
    CHECK(p.word() == detail::lock_word{}.distributed());
    auto more = p.readers(20);
    CHECK(p.word() == detail::lock_word{}.distributed());
    for (auto& r : more) r.commit();
    CHECK(p.word() == detail::lock_word{}.distributed());
}

TEST_CASE_TEMPLATE("a writer finds every reader, and the last one to leave lets it in", P,
                   OBJECT_POLICIES) {
    place<P> p;
    auto readers = p.readers(7);
    auto writer = p.family.begin();
    CHECK(writer.try_acquire(p.a) == status::busy);
    CHECK_FALSE(p.word().is_distributed());
    auto late = p.readers(1);  // reads on, and is distributed again
    CHECK(p.word().is_distributed());
    late.back().commit();
    for (auto& r : readers) {
        CHECK(writer.try_acquire(p.a) == status::busy);
        r.commit();
    }
    CHECK(writer.try_acquire(p.a) == status::granted);
    auto next = p.family.begin();
    CHECK(next.try_acquire(p.a, mode::shared) == status::busy);
    writer.commit();
    CHECK(p.word() == detail::lock_word{});
}

TEST_CASE_TEMPLATE("what is read already is already_held, and the only reader upgrades", P,
                   OBJECT_POLICIES) {
    place<P> p;
    auto t = p.family.begin();
    CHECK(t.acquire_shared(p.a) == status::granted);
    CHECK(t.acquire_shared(p.a) == status::already_held);
    CHECK(t.held() == 1);
    CHECK(t.acquire(p.a) == status::granted);
    CHECK(t.acquire_shared(p.a) == status::already_held);
    CHECK(t.holds(p.a, mode::exclusive));
    t.commit();
    CHECK(p.word() == detail::lock_word{});
}

TEST_CASE_TEMPLATE("one of two readers does not upgrade by a try", P, OBJECT_POLICIES) {
    place<P> p;
    auto readers = p.readers(2);
    CHECK(readers[0].try_acquire(p.a) == status::busy);
    CHECK(readers[0].holds(p.a, mode::shared));
    readers[1].commit();
    CHECK(readers[0].try_acquire(p.a) == status::granted);
    readers[0].commit();
    CHECK(p.word() == detail::lock_word{});
}

TEST_CASE_TEMPLATE("many at once, given back early and in any order", P, OBJECT_POLICIES) {
    place<P> p;
    std::vector<typename place<P>::lock_type> locks(100);
    auto t = p.family.begin();
    for (auto& l : locks) REQUIRE(t.acquire_shared(l) == status::granted);
    for (std::size_t i = 0; i < locks.size(); i += 3) t.release(locks[i]);
    auto writer = p.family.begin();
    for (std::size_t i = 0; i < locks.size(); ++i) {
        CHECK(writer.try_acquire(locks[i]) == (i % 3 == 0 ? status::granted : status::busy));
    }
    for (std::size_t i = 0; i < locks.size(); i += 3) writer.release(locks[i]);
    for (std::size_t i = 0; i < locks.size(); i += 3)
        REQUIRE(t.acquire_shared(locks[i]) == status::granted);
    t.commit();
    for (auto& l : locks) CHECK(writer.try_acquire(l) == status::granted);
    writer.commit();
}

TEST_CASE("an older writer wounds every younger reader") {
    place<policies::wound_wait> p;
    place<policies::wound_wait>::lock_type b;
    auto elder = p.family.begin();
    REQUIRE(elder.acquire(b) == status::granted);
    {
        auto other = p.family.begin();
        CHECK(other.try_acquire(b) == status::busy);  // the elder draws its age
    }
    auto readers = p.readers(5);
    std::jthread writer{[&] {
        CHECK(elder.acquire(p.a) == status::granted);
        elder.commit();
    }};
    while (p.a.waiter_count() == 0) std::this_thread::yield();
    for (auto& r : readers) {
        CHECK(r.marked_for_restart());
        r.commit();
    }
}

TEST_CASE("single-object readers stand beside distributed ones, and are waited for") {
    place<policies::no_wait> p;
    auto readers = p.readers(1);
    auto writer = p.family.begin();
    {
        auto const guard = p.family.read_lock(p.a);
        CHECK(guard);
        readers[0].commit();
        CHECK(writer.try_acquire(p.a) == status::busy);
    }
    CHECK(writer.try_acquire(p.a) == status::granted);
    writer.commit();
}

TEST_SUITE_END();

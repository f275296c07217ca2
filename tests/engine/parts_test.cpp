// Goal:   the parts of the engine that have no policy do what their banners say.
// Method: each alone, against a naive model where it has state.
#include <doctest/doctest.h>

#include <algorithm>
#include <latch>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <manylock/domain.hpp>
#include <manylock/platform/native_rcu.hpp>
#include <manylock/policies.hpp>

namespace {

using config = manylock::detail::config<manylock::policies::wound_wait, manylock::options{},
                                        manylock::platform::native>;
using lock_type = manylock::queued_lock<config>;
using manylock::mode;
using native = manylock::platform::native;

}  // namespace

TEST_SUITE_BEGIN("parts");

TEST_CASE("modes: what covers another conflicts with all the other does") {
    CHECK(manylock::compatible(mode::shared, mode::shared));
    CHECK_FALSE(manylock::compatible(mode::shared, mode::exclusive));
    CHECK_FALSE(manylock::compatible(mode::exclusive, mode::exclusive));
    CHECK(manylock::covers(mode::exclusive, mode::shared));
    CHECK_FALSE(manylock::covers(mode::shared, mode::exclusive));
    manylock::mode_set set;
    CHECK_FALSE(set.conflicts_with(mode::exclusive));
    set.add(mode::shared);
    CHECK(set.conflicts_with(mode::exclusive));
    CHECK_FALSE(set.conflicts_with(mode::shared));
    CHECK_FALSE(set.conflicts_with_all());
    set.add(mode::exclusive);
    CHECK(set.conflicts_with_all());
}

TEST_CASE("stamps: smaller is older and none is youngest") {
    using manylock::stamp;
    CHECK(stamp{1}.older_than(stamp{2}));
    CHECK_FALSE(stamp{2}.older_than(stamp{1}));
    CHECK_FALSE(stamp{1}.older_than(stamp{1}));
    CHECK(stamp{~std::uint64_t{0}}.older_than(stamp{}));
    CHECK_FALSE(stamp{}.older_than(stamp{}));
}

TEST_CASE("E11: hold index: agrees with a map over clears and growth") {
    std::mt19937 random{4};
    manylock::detail::hold_index index;
    for (int round = 0; round < 50; ++round) {
        std::map<std::uintptr_t, std::uint32_t> model;
        for (std::uint32_t i = 0; i < 300; ++i) {
            std::uintptr_t const key = (random() % 400 + 1) * 16;
            index.insert(key, i);
            model[key] = i;
        }
        for (std::uintptr_t key = 16; key <= 400 * 16; key += 16) {
            auto const known = model.find(key);
            CHECK(index.find(key) ==
                  (known == model.end() ? manylock::detail::hold_index::none : known->second));
        }
        index.clear();
        CHECK(index.find(16) == manylock::detail::hold_index::none);
    }
}

TEST_CASE("E11: hold list: agrees with a map whatever is pushed and removed and reserved in vain") {
    constexpr std::size_t n = 70;
    auto const locks = std::make_unique<lock_type[]>(n);
    for (unsigned seed = 0; seed < 40; ++seed) {
        std::mt19937 random{seed};
        manylock::detail::hold_list<config> list;
        std::map<lock_type*, mode> model;
        for (int step = 0; step < 2'000; ++step) {
            auto* const lock = &locks[random() % n];
            auto* const entry = list.find(lock);
            REQUIRE((entry != nullptr) == (model.count(lock) != 0));
            switch (random() % 8) {
                case 0: (void)list.reserve(); break;
                case 1:
                case 2:
                case 3:
                    if (entry != nullptr) {
                        CHECK(entry->held_mode() == model[lock]);
                        list.remove(*entry);
                        model.erase(lock);
                    }
                    break;
                default:
                    if (entry == nullptr) {
                        auto const m = random() % 2 == 0 ? mode::shared : mode::exclusive;
                        if (auto* const e = list.first_free(); e != nullptr && random() % 2 == 0) {
                            list.append(*e, e->value_of(lock, m));
                        } else {
                            list.push(list.reserve(), lock, m);
                        }
                        model[lock] = m;
                    }
            }
            REQUIRE(list.held() == model.size());
        }
        std::size_t drained = 0;
        list.drain([&](auto& e) {
            CHECK(model.count(e.lock()) == 1);
            ++drained;
        });
        CHECK(drained == model.size());
        CHECK(list.size() == 0);
    }
}

TEST_CASE("hold list: chunks begin on a cache line of their own") {
    using published =
        manylock::detail::config<manylock::policies::cycle_detection, manylock::options{}, native>;
    manylock::queued_lock<published> lock;
    manylock::detail::hold_list<published> list;
    // More lists, so that a chunk that is not aligned does not come to a line's begin by luck.
    std::vector<std::unique_ptr<manylock::detail::hold_list<published>>> others;
    auto const fill = [&](auto& into) {
        for (std::uint32_t i = 0; i < 56; ++i) into.push(into.reserve(), &lock, mode::shared);
        for (std::uint32_t const first : {8U, 24U}) {
            CHECK(reinterpret_cast<std::uintptr_t>(&into.at(first)) % 64 == 0);
        }
        into.drain([](auto&) {});
    };
    fill(list);
    for (int i = 0; i < 8; ++i) {
        others.push_back(std::make_unique<manylock::detail::hold_list<published>>());
        fill(*others.back());
    }
}

TEST_CASE("parker: a signal sent before the wait is not lost") {
    native::parker parker;
    parker.reset();
    parker.deliver(4);
    parker.wait(nullptr);
    CHECK(parker.signals() == 4);
    parker.deliver(8);
    parker.clear(4);
    CHECK(parker.signals() == 8);
    parker.reset();
    CHECK(parker.signals() == 0);
}

TEST_CASE("parker: a deadline in the past returns and one signal wakes") {
    native::parker parker;
    auto const past = native::now();
    parker.wait(&past);
    CHECK(parker.signals() == 0);
    std::jthread sender{[&] { parker.deliver(2); }};
    while (parker.signals() == 0) parker.wait(nullptr);
    CHECK(parker.signals() == 2);
}

TEST_CASE("parker: ten thousand hand-overs lose none") {
    native::parker here;
    native::parker there;
    std::jthread partner{[&] {
        for (int i = 0; i < 10'000; ++i) {
            while (there.signals() == 0) there.wait(nullptr);
            there.reset();
            here.deliver(2);
        }
    }};
    for (int i = 0; i < 10'000; ++i) {
        there.deliver(2);
        while (here.signals() == 0) here.wait(nullptr);
        here.reset();
    }
    CHECK(here.signals() == 0);
}

TEST_CASE("grace: who waits for readers waits for those who were inside") {
    std::latch inside{1};
    std::latch may_leave{1};
    std::atomic<bool> left{false};
    std::jthread reader{[&] {
        native::read_section section;
        inside.count_down();
        may_leave.wait();
        left.store(true, std::memory_order_relaxed);  // the section's end orders it
        section.leave();
    }};
    inside.wait();
    std::jthread releaser{[&] { may_leave.count_down(); }};
    native::wait_for_readers();
    CHECK(left.load(std::memory_order_relaxed));
}

TEST_CASE("grace: nested sections and re-entry") {
    manylock::platform::native_rcu::read_section outer;
    { manylock::platform::native_rcu::read_section const inner; }
    outer.leave();
    outer.leave();
    outer.enter();
    native::read_section one;
    one.leave();
    one.enter();
    one.leave();
    native::wait_for_readers();
    CHECK(true);  // it returned
}

TEST_CASE("blocks: more domains than a thread caches and threads that end") {
    using domain_type = manylock::domain<manylock::policies::wound_wait>;
    for (int round = 0; round < 20; ++round) {
        std::vector<std::unique_ptr<domain_type>> domains;
        for (int i = 0; i < 9; ++i) domains.push_back(std::make_unique<domain_type>());
        lock_type locks[9];
        auto const use_all = [&] {
            for (std::size_t i = 0; i < domains.size(); ++i) {
                domains[i]->run([&](auto& txn) { txn.lock(locks[i]); });
            }
        };
        use_all();
        std::jthread{use_all}.join();
        use_all();
        if (round % 2 == 0) domains.resize(3);
        // A pool's blocks come back when a thread ends, so they do not pile up.
        CHECK(domains.front()->core().shared.pool.size() <= 3);
    }
}

TEST_CASE("marked lock: a number that comes round again does not hide a reader") {
    using domain_type = manylock::domain<manylock::policies::umbrella>;
    domain_type domain;
    domain_type::lock_type a;
    domain.run([&](auto& txn) { txn.lock(a); });  // marked under 1
    {
        auto txn = domain.begin();
        CHECK(domain.enter_read(a) == manylock::read_status::fast);
        domain.core().sequence.store(1);                      // as if 2^32 umbrellas had passed
        CHECK(txn.try_acquire(a) == manylock::status::busy);  // the reader is still inside
        CHECK(txn.held() == 0);
    }
    domain.leave_read(a);
    auto txn = domain.begin();
    CHECK(txn.try_acquire(a));
    CHECK(domain.try_enter_read(a) == manylock::read_status::busy);
}

TEST_CASE("INV-Q1: queue: served oldest first, upgrades before all") {
    using domain_type = manylock::domain<manylock::policies::cycle_detection>;
    domain_type domain;
    domain_type::lock_type clock;
    domain_type::lock_type a;
    auto holder = domain.begin();
    REQUIRE(holder.acquire(clock));
    REQUIRE(holder.acquire(a));
    std::vector<domain_type::transaction> waiters;
    for (int i = 0; i < 5; ++i) waiters.push_back(domain.begin());
    for (auto& txn : waiters) REQUIRE(txn.try_acquire(clock) == manylock::status::busy);
    std::mutex order_mutex;
    std::vector<std::uint64_t> order;
    {
        std::vector<std::jthread> threads;
        std::size_t queued = 0;
        for (std::size_t i : {3U, 0U, 4U, 1U, 2U}) {  // arrival is not by age
            threads.emplace_back([&, i] {
                REQUIRE(waiters[i].acquire(a));
                {
                    std::lock_guard const guard{order_mutex};
                    order.push_back(waiters[i].age().value);
                }
                waiters[i].commit();
            });
            ++queued;
            while (a.waiter_count() != queued) std::this_thread::yield();
        }
        holder.commit();
    }
    CHECK(order.size() == 5);
    CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("E5: uncontended: no stamp is drawn and no block comes from the shared pool") {
    using domain_type = manylock::domain<manylock::policies::wound_wait>;
    domain_type domain;
    domain_type::lock_type locks[3];
    for (int i = 0; i < 100; ++i) {
        domain.run([&](auto& txn) {
            for (auto& lock : locks) txn.lock(lock, i % 2 == 0 ? mode::shared : mode::exclusive);
            CHECK_FALSE(txn.age().drawn());
        });
        domain.read(locks[0], [] {});
    }
    CHECK(domain.core().shared.last_stamp.load() == 0);
    CHECK(domain.core().shared.pool.size() == 1);
}

TEST_CASE("pokes: more than there is room for are delivered all the same") {
    using rules = manylock::detail::conflicts<config>;
    std::vector<std::unique_ptr<rules::block>> blocks;
    rules::pokes poked;
    for (int i = 0; i < 12; ++i) {
        blocks.push_back(std::make_unique<rules::block>());
        poked.add(*blocks.back());
    }
    poked.deliver();
    for (auto const& b : blocks) CHECK(b->park.signals() == manylock::detail::signal::poke);
}

TEST_CASE("E6: sizes: 16 bytes a lock and 8 under umbrella") {
    if (manylock::checks_enabled) return;  // checked builds carry the domain
    CHECK(sizeof(lock_type) == 16);
    CHECK(sizeof(manylock::domain<manylock::policies::umbrella>::lock_type) == 8);
}

TEST_CASE("events: the sink sees restarts and commits") {
    using domain_type =
        manylock::domain<manylock::policies::no_wait, manylock::options{.events = true}>;
    domain_type domain;
    domain_type::lock_type a;
    std::vector<manylock::event> seen;
    domain.set_event_sink(
        [](void* user, manylock::event const& e) noexcept {
            static_cast<std::vector<manylock::event>*>(user)->push_back(e);
        },
        &seen);
    domain.run([&](auto& txn) {
        txn.lock(a);
        if (txn.attempt() == 1) (void)txn.restart_because(manylock::restart_reason::injected);
    });
    REQUIRE(seen.size() == 2);
    CHECK(seen[0].kind == manylock::event_kind::restart);
    CHECK(seen[0].reason == manylock::restart_reason::injected);
    CHECK(seen[1].kind == manylock::event_kind::commit);
}

TEST_SUITE_END();

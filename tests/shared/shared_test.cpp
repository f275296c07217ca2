// Goal:   a program and its shared libraries, all compiled with hidden visibility, can use one domain: it does not
//         matter in whose code it is made, used or destroyed.
// Method: one library that is linked, and one that is opened at run time with RTLD_LOCAL; each case is run with both.
//         What has to be one in a process is found to be one by what it does.
#include "library.hpp"

#include <dlfcn.h>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

namespace {

using namespace shared_test;
using manylock::counter;
using manylock::mode;
using manylock::platform::native;
using manylock::platform::native_rcu;

class opened {
public:
    opened() : handle_{dlopen(MANYLOCK_OPENED_LIBRARY, RTLD_NOW | RTLD_LOCAL)} {
        REQUIRE(handle_ != nullptr);
    }
    opened(opened const&) = delete;
    opened& operator=(opened const&) = delete;
    ~opened() { close(); }
    void close() {
        if (auto* const h = std::exchange(handle_, nullptr)) dlclose(h);
    }
    [[nodiscard]] library const& operator*() const {
        return *reinterpret_cast<shared_test_library_type*>(
            dlsym(handle_, "shared_test_library"))();
    }

private:
    void* handle_;
};

template <class F>
void with_each_library(F f) {
    SUBCASE("linked") {
        f(*shared_test_library());
    }
    SUBCASE("opened") {
        opened const theirs;
        f(*theirs);
    }
}

/// On a thread of its own, so that what the thread keeps is given back.
template <class F>
void on_a_thread(F f) {
    std::thread{f}.join();
}

TEST_CASE("shared: the cached block of one domain does not serve another") {
    with_each_library([](library const& l) {
        on_a_thread([&] {
            auto ours = std::make_optional<bank>();
            bank::lock_type a, b;
            ours->run([&](auto& txn) { txn.lock(a); });
            auto* const theirs = l.make();
            theirs->run([&](auto& txn) { txn.lock(b); });
            l.run(*theirs, b);
            CHECK(theirs->stats()[counter::commits] == 2);
            CHECK(ours->stats()[counter::commits] == 1);
            ours.reset();
            theirs->run([&](auto& txn) { txn.lock(b); });
            l.run(*theirs, b);
            CHECK(theirs->stats()[counter::commits] == 4);
            l.destroy(theirs);
        });
    });
}

TEST_CASE("shared: domains that come and go on both sides are told apart") {
    with_each_library([](library const& l) {
        on_a_thread([&] {
            for (int i = 0; i < 50; ++i) {
                bank::lock_type a, b;
                auto const ours = std::make_unique<bank>();
                std::unique_ptr<bank, void (*)(bank*)> const theirs{l.make(), l.destroy};
                for (int j = 0; j < 3; ++j) {
                    l.run(*ours, a);
                    theirs->run([&](auto& txn) { txn.lock(b); });
                    ours->run([&](auto& txn) { txn.lock(a); });
                    l.run(*theirs, b);
                }
                REQUIRE(ours->stats()[counter::commits] == 6);
                REQUIRE(theirs->stats()[counter::commits] == 6);
            }
        });
    });
}

TEST_CASE("shared: a transaction begins in one and ends in the other") {
    with_each_library([](library const& l) {
        on_a_thread([&] {
            bank ours;
            bank::lock_type a;
            for (int i = 0; i < 3; ++i) {
                auto theirs = l.begin(ours);
                CHECK(theirs.acquire(a));
                theirs.commit();
                auto mine = ours.begin();
                CHECK(mine.acquire(a));
                l.commit(mine);
            }
            CHECK(ours.stats()[counter::commits] == 6);
            CHECK(ours.core().shared.pool.size() <= 2);
        });
    });
}

TEST_CASE("shared: threads that end give their blocks back, whoever made the domain") {
    with_each_library([](library const& l) {
        std::unique_ptr<bank, void (*)(bank*)> const theirs{l.make(), l.destroy};
        bank ours;
        bank::lock_type a, b;
        for (int i = 0; i < 10; ++i) {
            on_a_thread([&] {
                theirs->run([&](auto& txn) { txn.lock(a); });
                l.run(ours, b);
            });
        }
        CHECK(theirs->core().shared.pool.size() == 1);
        CHECK(ours.core().shared.pool.size() == 1);
    });
}

TEST_CASE("shared: a library may be closed while a thread keeps a block that it had lent") {
    std::atomic<bool> used{false};
    std::atomic<bool> closed{false};
    bank ours;
    bank::lock_type a;
    opened theirs;
    std::thread user{[&] {
        (*theirs).run(ours, a);
        used.store(true, std::memory_order_release);
        while (!closed.load(std::memory_order_acquire)) std::this_thread::yield();
    }};
    while (!used.load(std::memory_order_acquire)) std::this_thread::yield();
    theirs.close();
    closed.store(true, std::memory_order_release);
    user.join();
    CHECK(ours.core().shared.pool.size() == 1);
    ours.run([&](auto& txn) { txn.lock(a); });
    CHECK(ours.core().shared.pool.size() == 1);
}

TEST_CASE("shared: a lock's destructor waits for a section of the other") {
    with_each_library([](library const& l) {
        void* const section = l.enter();
        std::atomic<bool> begun{false};
        std::atomic<bool> over{false};
        std::thread destroys{[&] {
            auto lock = std::make_optional<bank::lock_type>();
            begun.store(true, std::memory_order_release);
            lock.reset();
            over.store(true, std::memory_order_release);
        }};
        while (!begun.load(std::memory_order_acquire)) std::this_thread::yield();
        for (int i = 0; i < 1000; ++i) std::this_thread::yield();
        CHECK(!over.load(std::memory_order_acquire));
        l.leave(section);
        destroys.join();
    });
}

TEST_CASE("shared: a thread is known to RCU once, and its pins are waited for") {
    with_each_library([](library const& l) {
        on_a_thread([&] {
            { native_rcu::read_section const ours; }
            l.enter_rcu_section();
            { native_rcu::read_section const ours; }
        });
        native_rcu::synchronize();
        void* const pin = l.pin();
        std::atomic<bool> over{false};
        std::thread waits{[&] {
            native_rcu::wait_for_pins();
            over.store(true, std::memory_order_release);
        }};
        for (int i = 0; i < 1000; ++i) std::this_thread::yield();
        CHECK(!over.load(std::memory_order_acquire));
        l.unpin(pin);
        waits.join();
    });
}

TEST_CASE("shared: a restart that is thrown in one is caught in the other") {
    with_each_library([](library const& l) {
        bool caught = false;
        try {
            l.throws_a_restart();
        } catch (manylock::restart const& r) {
            caught = r.reason() == manylock::restart_reason::injected;
        }
        CHECK(caught);
    });
}

thread_local std::string sentence;

TEST_CASE("shared: misuse across both is named, by the handler that either has set" *
          doctest::skip(!manylock::checks_enabled)) {
    auto const former = manylock::set_misuse_handler([](char const* said) { sentence = said; });
    with_each_library([](library const& l) {
        bank ours;
        bank::lock_type a;
        sentence.clear();
        ours.run([&](auto&) { l.run(ours, a); });
        CHECK(sentence == "two live transactions of one domain in one context");

        sentence.clear();
        marked umbrella;
        auto object = std::make_optional<marked::lock_type>();
        l.mark(
            umbrella, *object, [](void* o) { static_cast<decltype(object)*>(o)->reset(); },
            &object);
        CHECK(sentence == "lock destroyed while held");

        sentence.clear();
        std::unique_ptr<bank, void (*)(bank*)> const theirs{l.make(), l.destroy};
        theirs->run([&](auto& txn) { txn.lock(a); });
        CHECK(sentence == "lock used with two domains: a lock belongs to one domain");
    });
    manylock::set_misuse_handler(former);
}

}  // namespace

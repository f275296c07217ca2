#include <atomic>
#include <doctest/doctest.h>
#include <manylock/platform/native_rcu.hpp>
#include <thread>
#include <vector>

namespace manylock::platform {
namespace {

/// Counts those alive.
struct counted {
    explicit counted(int v) : value{v} { alive.fetch_add(1, std::memory_order_relaxed); }
    counted(counted const&) = delete;
    counted& operator=(counted const&) = delete;
    ~counted() { alive.fetch_sub(1, std::memory_order_relaxed); }
    static inline std::atomic<int> alive{0};  // relaxed throughout: read when all threads are done
    int value;
};
using pool = native_rcu::recycler<counted>;

TEST_CASE("M2: recycler: what a read section may know stays as it was") {
    {
        pool shared;
        pool::stock mine{shared};
        counted* const known = mine.make(7);
        native_rcu::read_section section;
        mine.retire(known);
        // Many batches: memory that no section keeps would come back long before the end.
        std::jthread{[&] {
            pool::stock other{shared};
            for (int i = 0; i < 20'000; ++i) other.retire(other.make(i + 100));
        }}.join();
        for (int i = 0; i < 100; ++i) mine.retire(mine.make(i + 100));
        CHECK(known->value == 7);
        section.leave();
    }
    CHECK(counted::alive.load(std::memory_order_relaxed) == 0);
}

TEST_CASE("recycler: nothing is lost between threads that make and retire") {
    {
        pool shared;
        std::vector<std::jthread> threads;
        for (int t = 0; t < 3; ++t)
            threads.emplace_back([&shared, t] {
                pool::stock mine{shared};
                std::vector<counted*> held;
                for (int i = 0; i < 20'000; ++i) {
                    held.push_back(mine.make(t));
                    if (i % 7 == 0) {
                        mine.discard(held.back());
                        held.pop_back();
                    }
                    if (held.size() > 50) {
                        for (counted* const c : held) {
                            REQUIRE(c->value == t);  // nobody else has been given this memory
                            mine.retire(c);
                        }
                        held.clear();
                    }
                }
                for (counted* const c : held) mine.retire(c);
            });
    }
    CHECK(counted::alive.load(std::memory_order_relaxed) == 0);
}

}  // namespace
}  // namespace manylock::platform

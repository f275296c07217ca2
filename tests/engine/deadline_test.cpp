// Goal:   every duration and every point in time that std::chrono can name is a deadline: one that is past, negative or
//         not a number times out at once, one that no clock reaches is never.
// Method: the sum by itself, in constant expressions, where an overflow does not compile; then every policy.
#include <manylock/engine/deadline.hpp>
#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <thread>

namespace manylock {
namespace {

using namespace std::chrono;
using point = steady_clock::time_point;
using detail::deadline_after;

constexpr point now{seconds{1'000'000}};
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

static_assert(deadline_after(now, nanoseconds{7}) == now + nanoseconds{7});
static_assert(deadline_after(now, hours{2}) == now + hours{2});
static_assert(deadline_after(now, years{200}) == now + years{200});
static_assert(deadline_after(now, duration<double>{0.5}) == now + milliseconds{500});
static_assert(deadline_after(now, duration<double, std::pico>{1}) ==
              now + nanoseconds{1});  // up, not away
static_assert(deadline_after(now, duration<std::uint64_t>{3}) == now + seconds{3});
static_assert(deadline_after(now, duration<unsigned char>{3}) == now + seconds{3});

static_assert(deadline_after(now, nanoseconds{0}) == now);
static_assert(deadline_after(now, nanoseconds::min()) == now);
static_assert(deadline_after(now, hours::min()) == now);
static_assert(deadline_after(now, years{-300}) == now);
static_assert(deadline_after(now, duration<double>{-1e30}) == now);
static_assert(deadline_after(now, duration<double>{-infinity}) == now);
static_assert(deadline_after(now, duration<double>{nan}) == now);

static_assert(deadline_after(now, nanoseconds::max()) == point::max());
static_assert(deadline_after(now, hours::max()) == point::max());
static_assert(deadline_after(now, years{300}) == point::max());
static_assert(deadline_after(now, duration<double>{1e30}) == point::max());
static_assert(deadline_after(now, duration<float, std::ratio<86400>>{1e30F}) == point::max());
static_assert(deadline_after(now, duration<double>{infinity}) == point::max());
static_assert(deadline_after(now, duration<std::uint64_t>{~std::uint64_t{0}}) == point::max());
static_assert(deadline_after(now, point::max() - now) == point::max());
static_assert(deadline_after(point::min(), nanoseconds{1}) == point::min() + nanoseconds{1});
static_assert(deadline_after(point::min(), nanoseconds::max()) == point{nanoseconds{-1}});

/// Waits for a lock that is given back once the waiter sleeps, or once it has given up, which it should not.
template <class P>
void never_comes(auto acquire) {
    domain<P> d;
    typename domain<P>::lock_type a;
    auto holder = d.begin();
    REQUIRE(holder.acquire(a));
    std::atomic<bool> over{false};
    acquire_result answer = status::busy;
    std::thread waiter{[&] {
        auto txn = d.begin();
        answer = acquire(txn, a);
        over.store(true, std::memory_order_release);
    }};
    while (d.stats()[counter::parks] == 0 && !over.load(std::memory_order_acquire))
        std::this_thread::yield();
    holder.commit();
    waiter.join();
    CHECK(answer == status::granted);
}

template <class P>
void is_past(auto acquire) {
    domain<P> d;
    typename domain<P>::lock_type a, other;
    auto holder = d.begin();
    REQUIRE(holder.acquire(a));
    auto txn = d.begin();
    CHECK(acquire(txn, a) == status::timed_out);
    CHECK(d.stats()[counter::parks] == 0);
    holder.commit();
    CHECK(acquire(txn, a) == status::granted);  // nobody to wait for
}

template <class P>
void all() {
    auto const lasting = [](auto time) {
        never_comes<P>(
            [time](auto& txn, auto& lock) { return txn.acquire_for(lock, mode::exclusive, time); });
    };
    lasting(hours::max());
    lasting(nanoseconds::max());
    lasting(years{300});
    lasting(duration<double>{1e30});
    lasting(duration<double>{infinity});
    never_comes<P>([](auto& txn, auto& lock) {
        return txn.acquire_until(lock, mode::exclusive, point::max());
    });
    auto const over = [](auto time) {
        is_past<P>(
            [time](auto& txn, auto& lock) { return txn.acquire_for(lock, mode::exclusive, time); });
    };
    over(hours::min());
    over(nanoseconds::min());
    over(nanoseconds{-1});
    over(duration<double>{-1e30});
    over(duration<double>{nan});
    is_past<P>([](auto& txn, auto& lock) {
        return txn.acquire_until(lock, mode::exclusive, point::min());
    });
    is_past<P>([](auto& txn, auto& lock) {
        return txn.acquire_until(lock, mode::exclusive, point{nanoseconds{-1}});
    });
}

TEST_CASE("deadline: none is too far, too early or too odd"){
#define MANYLOCK_REGISTER_POLICY(policy) \
    {                                    \
        INFO(#policy);                   \
        all<policies::policy>();         \
    }
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
}

TEST_CASE("deadline: a futex that waits until before the clock began does not wait") {
    std::atomic<std::uint32_t> word{1};
    for (auto const at : {point::min(), point{nanoseconds{-1}}, point{seconds{-5}}}) {
        platform::native::futex_wait(word, 1, &at);  // and returns
    }
    CHECK(word.load(std::memory_order_relaxed) == 1);
}

}  // namespace
}  // namespace manylock

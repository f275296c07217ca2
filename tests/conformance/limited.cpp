// cycle_detection with a limit: it keeps what every policy has to, and its limit is what restarts.
#include <experiments/cycle_detection_limited.hpp>

#include <array>
#include <atomic>

#include "conflict.hpp"
#include "ends.hpp"
#include "kernel.hpp"
#include "promises.hpp"
#include "random.hpp"

namespace conformance {
namespace {

/// Low, so that cycles of three members meet it.
struct limited_2 : manylock::stress::cycle_detection_limited<2> {
    static constexpr char const* name = "cycle_detection_limited_2";
};

bool contract() {
    ends(cases<limited_2>{"ends"});
    conflict(cases<limited_2>{"conflict"});
    promises(cases<limited_2>{"promises"});
    kernel(cases<limited_2>{"kernel"});
    random(cases<limited_2>{"random"});
    return true;
}
[[maybe_unused]] bool const entered = contract();

/// P, whose last answer to a walker can be seen.
template <class P>
struct answering : P {
    template <class View>
    static bool on_wait(View& view) {
        bool const restarts = P::on_wait(view);
        last.store(restarts);
        walks.fetch_add(1);
        return restarts;
    }
    static inline std::atomic<bool> last{false};
    static inline std::atomic<std::size_t> walks{0};
};

/// A line of transactions, each of whom but the first, the eldest, waits for the one before: so many wait for
/// the first. It then asks for a lock that another holds, who does not wait. Returns the restarts of all.
template <class Policy>
std::uint64_t restarts_of_first(std::size_t behind) {
    using P = answering<Policy>;
    P::walks = 0;
    constexpr std::size_t most = 4;
    domain_of<P> domain;
    lock_of<P> ages;
    lock_of<P> wanted;
    std::array<lock_of<P>, most + 1> locks;
    auto holder = domain.begin();
    std::array<typename domain_of<P>::transaction, most + 1> line{
        domain.begin(), domain.begin(), domain.begin(), domain.begin(), domain.begin()};
    REQUIRE(line[0].acquire(ages));
    for (std::size_t i = 1; i <= most; ++i) make_younger(line[i], ages);
    REQUIRE(holder.acquire(wanted));
    std::array<actor, most + 1> actors;
    std::array<answer<manylock::acquire_result>, most + 1> answers;
    for (std::size_t i = 0; i <= behind; ++i) REQUIRE(line[i].acquire(locks[i]));
    for (std::size_t i = 1; i <= behind; ++i) {
        answers[i] = acquires(actors[i], line[i], locks[i - 1]);
        until([&] { return P::walks == i; });  // nobody behind it yet: it waits, whatever the limit
    }
    answers[0] = acquires(actors[0], line[0], wanted);
    until([&] { return P::walks > behind; });
    if (!P::last) holder.commit();  // else it restarts without
    if (answers[0].get().is_restart()) CHECK(line[0].last_restart() == P::reason);
    line[0].abandon();
    for (std::size_t i = 1; i <= behind; ++i) {
        CHECK(answers[i].get() == status::granted);
        line[i].commit();
    }
    return domain.stats().restarts();
}

TEST_SUITE("conformance/limited") {
    TEST_CASE("a chain that is longer than the limit restarts the eldest though it is no cycle") {
        CHECK(restarts_of_first<limited_2>(1) == 0);
        CHECK(restarts_of_first<limited_2>(2) == 0);
        CHECK(restarts_of_first<limited_2>(3) == 1);
        CHECK(restarts_of_first<limited_2>(4) == 1);
        CHECK(restarts_of_first<manylock::policies::cycle_detection>(4) == 0);
    }

    TEST_CASE("a cycle within the limit is broken at its youngest as without one") {
        CHECK_FALSE(elder_restarts_in_abba<limited_2>(true));
        CHECK_FALSE(elder_restarts_in_abba<limited_2>(false));
    }
}

}  // namespace
}  // namespace conformance

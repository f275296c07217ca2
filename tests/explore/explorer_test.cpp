// The explorer itself: it must see what goes wrong, call it what it is, find all of a schedule space that
// can be counted by hand, and replay what it found.
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <manylock/policies.hpp>
#include <simulate/explore.hpp>
#include <simulate/platform.hpp>

#include "actors.hpp"

using namespace manylock;
using simulate::outcome;
using simulate::strategy;

namespace {

/// Waits always: deadlocks.
struct only_waits {
    static constexpr char const* name = "only_waits";
    static constexpr policy_needs needs{};
    static constexpr policy_promises promises{};
    static constexpr restart_reason reason = restart_reason::conflict;
    static constexpr decision on_conflict(conflict const&) noexcept { return decision::wait; }
};
/// Dies always, and promises that the eldest does not.
struct liar {
    static constexpr char const* name = "liar";
    static constexpr policy_needs needs{.stamps = true, .holders = true};
    static constexpr policy_promises promises{.eldest_never_restarts = true};
    static constexpr restart_reason reason = restart_reason::conflict;
    static constexpr decision on_conflict(conflict const&) noexcept { return decision::die; }
};

template <class Policy>
simulate::scenario_factory factory(explore::script const& what) {
    return [&what] { return std::make_unique<explore::actors<Policy>>(what); };
}

/// Threads that are functions of a step.
class steps : public simulate::scenario {
public:
    explicit steps(std::vector<std::function<void()>> bodies) : bodies_{std::move(bodies)} {}
    [[nodiscard]] unsigned threads() const override {
        return static_cast<unsigned>(bodies_.size());
    }
    void thread(unsigned number) override { bodies_[number](); }
    [[nodiscard]] bool waits_in_circle() const override { return false; }
    [[nodiscard]] std::string describe() const override { return "\n"; }

private:
    std::vector<std::function<void()>> bodies_;
};

using cell = simulate::simulated::atomic<std::uint64_t>;
constexpr auto relaxed = simulate::simulated::relaxed;

}  // namespace

TEST_CASE("exhaustive: every interleaving once, as many as can be counted by hand") {
    // Two threads of n operations each: with enough preemptions all (2n choose n) orders.
    struct counted {
        int count;
        std::size_t orders;
        std::uint64_t segments;
    };
    for (auto const& [count, orders, segments] :
         {counted{1, 2, 6}, counted{2, 6, 20}, counted{3, 20, 70}, counted{4, 70, 252}}) {
        int const n = count;  // a binding cannot be captured
        std::set<std::string> seen;
        std::string order;
        auto const make = [&] {
            order.clear();
            auto const thread = [&order, n](char who) {
                for (int i = 0; i < n; ++i) {
                    simulate::exploring_kernel::step();
                    order += who;
                }
            };
            class recorded final : public steps {
            public:
                recorded(std::set<std::string>& all, std::string& one,
                         std::vector<std::function<void()>> bodies)
                    : steps{std::move(bodies)}, all_{all}, one_{one} {}
                void at_end() override { all_.insert(one_); }

            private:
                std::set<std::string>& all_;
                std::string& one_;
            };
            return std::make_unique<recorded>(
                seen, order,
                std::vector<std::function<void()>>{[=] { thread('a'); }, [=] { thread('b'); }});
        };
        auto const result = simulate::explore(
            make, {.by = strategy::exhaustive, .preemptions = 99, .schedules = 10'000});
        CHECK(result.exhausted);
        CHECK_FALSE(result.found);
        CHECK(seen.size() == orders);
        // What comes before a thread's first operation is a segment of its own: (2n + 2 choose n + 1).
        CHECK(result.schedules == segments);
    }
}

TEST_CASE("exhaustive: a defect that takes one preemption is found with one and not with none") {
    // A lost update: load, then store.
    auto const make = [] {
        struct counter final : steps {
            cell value{0};
            counter() : steps{{[this] { add(); }, [this] { add(); }}} {}
            void add() { value.store(value.load(relaxed) + 1, relaxed); }
            void at_end() override {
                if (value.load(relaxed) != 2) {
                    simulate::world::active().fail(outcome::broken, "an update is lost");
                }
            }
        };
        return std::make_unique<counter>();
    };
    CHECK_FALSE(simulate::explore(make, {.by = strategy::exhaustive, .preemptions = 0}).found);
    auto const one = simulate::explore(make, {.by = strategy::exhaustive, .preemptions = 1});
    REQUIRE(one.found);
    CHECK(one.found->kind == outcome::broken);
    SUBCASE("and replays from its text") {
        auto const how = simulate::schedule::parse(one.found->how.text());
        auto const again = simulate::replay(make, how);
        REQUIRE(again);
        CHECK(again->complaint == one.found->complaint);
        CHECK(again->how.text() == one.found->how.text());
    }
    SUBCASE("random and PCT find it too") {
        CHECK(simulate::explore(make, {.by = strategy::random, .seed = 7}).found);
        CHECK(simulate::explore(make, {.by = strategy::pct, .depth = 2, .seed = 7}).found);
    }
}

TEST_CASE("a deadlock is called a deadlock and shows who holds and wants what") {
    auto const what = explore::script::parse("AB|BA");
    for (auto const by : {strategy::random, strategy::pct, strategy::exhaustive}) {
        auto const result =
            simulate::explore(factory<only_waits>(what), {.by = by, .schedules = 2'000, .seed = 3});
        REQUIRE(result.found);
        CHECK(result.found->kind == outcome::deadlock);
        CHECK(result.found->threads.find("holds A, wants B") != std::string::npos);
        CHECK(result.found->threads.find("holds B, wants A") != std::string::npos);
        // As simple as it gets: one runs until it holds its first lock, the other until it waits, and then
        // the first until it waits.
        CHECK(result.found->how.segments().size() <= 3);
    }
}

TEST_CASE("a missing wake-up is called one") {
    auto const make = [] {
        struct sleeper final : steps {
            simulate::simulated::atomic<std::uint32_t> word{0};
            sleeper() : steps{{[this] { simulate::simulated::futex_wait(word, 0, nullptr); }}} {}
        };
        return std::make_unique<sleeper>();
    };
    auto const result = simulate::explore(make, {.schedules = 1});
    REQUIRE(result.found);
    CHECK(result.found->kind == outcome::lost_wakeup);
}

TEST_CASE("steps without end are a livelock, also when they give way") {
    for (bool const gives_way : {false, true}) {
        auto const make = [gives_way] {
            struct spinner final : steps {
                cell flag{0};
                explicit spinner(bool y)
                    : steps{{[this, y] { spin(y); }, [this, y] { spin(y); }}} {}
                void spin(bool y) {
                    while (flag.load(relaxed) == 0) {
                        if (y) simulate::simulated::yield();
                    }
                }
            };
            return std::make_unique<spinner>(gives_way);
        };
        auto const result =
            simulate::explore(make, {.schedules = 1, .limits = {.steps_without_progress = 500}});
        REQUIRE(result.found);
        CHECK(result.found->kind == outcome::livelock);
    }
}

TEST_CASE("who spins is overtaken by everyone it waits for under every strategy") {
    auto const make = [] {
        struct handover final : steps {
            cell flag{0};
            handover()
                : steps{{[this] { wait(); }, [this] { wait(); },
                         [this] { flag.store(1, relaxed); }}} {}
            void wait() {
                while (flag.load(relaxed) == 0) simulate::simulated::yield();
            }
        };
        return std::make_unique<handover>();
    };
    for (auto const by : {strategy::random, strategy::pct, strategy::exhaustive}) {
        CHECK_FALSE(
            simulate::explore(make, {.by = by, .preemptions = 3, .schedules = 3'000}).found);
    }
}

TEST_CASE("a deadline comes true at any moment, and is the only way on where nobody wakes") {
    std::set<bool> timed_out;
    auto const make = [&] {
        struct late final : steps {
            std::set<bool>& seen;
            simulate::simulated::atomic<std::uint32_t> word{0};
            explicit late(std::set<bool>& s)
                : steps{{[this] { wait(); }, [this] { wake(); }}}, seen{s} {}
            void wait() {
                auto const at = simulate::simulated::now() + std::chrono::nanoseconds{1'000};
                simulate::simulated::futex_wait(word, 0, &at);
                seen.insert(simulate::simulated::now() >= at);
            }
            void wake() {
                word.store(1, relaxed);
                simulate::simulated::futex_wake(word);
            }
        };
        return std::make_unique<late>(timed_out);
    };
    CHECK_FALSE(simulate::explore(make, {.by = strategy::exhaustive, .preemptions = 2}).found);
    CHECK(timed_out.size() == 2);
}

TEST_CASE(
    "an exception that leaves a thread is a broken invariant, and one in flight survives a "
    "switch") {
    auto const make = [] {
        struct thrower final : steps {
            int caught = 0;
            thrower() : steps{{[this] { guarded(); }, [this] { guarded(); }}} {}
            void guarded() {
                try {
                    throw std::runtime_error{"mine"};
                } catch (std::runtime_error const&) {
                    simulate::exploring_kernel::step();  // the other throws and catches meanwhile
                    try {
                        throw;
                    } catch (std::runtime_error const& again) {
                        caught += again.what() == std::string{"mine"} ? 1 : 0;
                    }
                }
            }
            void at_end() override {
                if (caught != 2) simulate::world::active().fail(outcome::broken, "not rethrown");
            }
        };
        return std::make_unique<thrower>();
    };
    CHECK_FALSE(simulate::explore(make, {.by = strategy::exhaustive, .preemptions = 9}).found);

    auto const escaping = [] {
        return std::make_unique<steps>(
            std::vector<std::function<void()>>{[] { throw std::runtime_error{"out"}; }});
    };
    auto const result = simulate::explore(escaping, {.schedules = 1});
    REQUIRE(result.found);
    CHECK(result.found->kind == outcome::broken);
    CHECK(result.found->complaint.find("out") != std::string::npos);
}

TEST_CASE("a policy that breaks its promise is told so") {
    auto const what = explore::script::parse("AB|BA");
    auto const result = simulate::explore(factory<liar>(what), {.by = strategy::exhaustive});
    REQUIRE(result.found);
    CHECK(result.found->kind == outcome::broken);
    CHECK(result.found->complaint.find("no older transaction") != std::string::npos);
}

TEST_CASE("the same seed gives the same runs") {
    auto const what = explore::script::parse("AB|BC|CA");
    auto const once = [&](std::uint64_t seed) {
        return simulate::explore(factory<policies::wound_wait>(what),
                                 {.schedules = 200, .seed = seed})
            .steps;
    };
    CHECK(once(11) == once(11));
    CHECK(once(11) != once(12));
}

TEST_CASE("a schedule and a script that cannot be read are refused in a sentence") {
    for (auto const* const bad :
         {"x", "0", "0:", "0:1;", "0:1,,1:2", ":3", "0:99999999999999999999999"}) {
        CHECK_THROWS_AS((void)simulate::schedule::parse(bad), std::invalid_argument);
    }
    for (auto const* const bad : {"", "|", "A1", "?", "A|*"}) {
        CHECK_THROWS_AS((void)explore::script::parse(bad), std::invalid_argument);
    }
    for (auto const* const good : {"AB/c|?A~b-A*B=a!^", "A", "aA|Z"}) {
        CHECK(explore::script::parse(good).text() == good);
    }
    CHECK(simulate::schedule::parse("0:12,1:3,0:4").text() == "0:12,1:3,0:4");
}

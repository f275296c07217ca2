// Goal:   the invariants INV-Q1 to INV-Q4 of a lock's word and queue hold after every step.
// Method: random steps of many transactions for one lock, on one thread: requests are queued as the
//         engine queues them, but nobody sleeps. Beside them a book, from which follows who must not
//         be waiting. The fast paths, which change the word without the latch, are tried on every
//         combination of its bits.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <tuple>
#include <vector>

#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

#include "object_policies.hpp"

using namespace manylock;

namespace {

constexpr options twice{.pass_limit = 2};

/// An explicit instantiation may name what is private.
template <auto Member, class Tag>
struct opens {
    friend constexpr auto opened(Tag) { return Member; }
};
template <class Config>
struct looks;
#define OPEN(policy)                                                                   \
    using policy##_config = detail::config<policies::policy, twice, platform::native>; \
    struct policy##_looks {                                                            \
        friend constexpr auto opened(policy##_looks);                                  \
    };                                                                                 \
    template <>                                                                        \
    struct looks<policy##_config> {                                                    \
        using tag = policy##_looks;                                                    \
    };                                                                                 \
    template struct opens<&detail::waiting<policy##_config>::takes_open_lock, policy##_looks>
OPEN(wound_wait);
OPEN(wait_die);
OPEN(cycle_detection);
OPEN(lock_ordering);
OPEN(no_wait);

template <class Policy>
class book {
public:
    using domain_type = domain<Policy, twice>;
    using config = typename domain_type::config;
    using block = detail::control_block<config>;
    using queue = detail::wait_queue<config>;
    using giving = detail::giving_back<config>;
    using lock_type = typename domain_type::lock_type;

    struct actor {
        typename domain_type::transaction txn;
        block* who;
        std::optional<mode> held{};
        std::optional<mode> wanted{};  ///< queued
        std::uint64_t wait = 0;        ///< as the block's should be
        std::uint64_t arrival = 0;
    };

    explicit book(std::uint32_t seed) : random_{seed} {
        for (int i = 0; i < 6; ++i) {
            auto txn = d_.begin();
            block* who = nullptr;
            d_.core().shared.pool.for_each([&](block const& b) {
                if (b.number == txn.number()) who = const_cast<block*>(&b);
            });
            // Some hold something else: they may be made to restart, or must not be passed.
            if (static_cast<std::uint32_t>(i) < seed % 4)
                REQUIRE(txn.acquire(own_[i]) == status::granted);
            auto const wait = who->wait.load();
            actors_.push_back({std::move(txn), who, {}, {}, wait, 0});
        }
        std::vector<actor*> order;
        for (auto& a : actors_) order.push_back(&a);
        std::shuffle(order.begin(), order.end(), random_);
        for (auto* const a : order)
            detail::conflicts<config>::ensure_stamp(d_.core().shared, *a->who);
    }
    ~book() {
        for (auto& a : actors_) {
            if (a.wanted) leave(a);
            take_grants();
        }
    }
    book(book const&) = delete;
    book& operator=(book const&) = delete;

    void step() {
        auto& a = actors_[random_() % actors_.size()];
        auto const m = random_() % 2 == 0 ? mode::shared : mode::exclusive;
        if (a.wanted) {
            if ((a.who->park.signals() & detail::signal::poke) != 0) {
                look(a);
            } else if (random_() % 8 == 0) {
                leave(a);
            }
        } else if (a.held && random_() % 2 == 0) {
            a.txn.release(lock_);
            a.held.reset();
        } else if (!a.held || (*a.held == mode::shared && m == mode::exclusive)) {
            request(a, m);
        }
        take_grants();
    }
    void check() {
        auto const w = queue::look_at_word(lock_);
        std::vector<actor*> queued;
        for (auto* b = queue::first(lock_); b != nullptr; b = queue::next(*b)) {
            auto const found =
                std::find_if(actors_.begin(), actors_.end(), [&](auto& a) { return a.who == b; });
            REQUIRE(found != actors_.end());
            queued.push_back(&*found);
        }
        REQUIRE_FALSE(w.is_latched());
        REQUIRE(w.has_waiters() == !queued.empty());
        // INV-Q4
        for (auto& a : actors_) {
            bool const stands = std::find(queued.begin(), queued.end(), &a) != queued.end();
            REQUIRE(stands == a.wanted.has_value());
            REQUIRE(a.who->wait.load() == a.wait);
            REQUIRE((a.wait % 2 == 1) == stands);
        }
        // INV-Q1
        auto const place = [](actor const* a) {
            auto const age = Policy::needs.stamps ? a->who->current_stamp().value : 0;
            return std::tuple{!a->held.has_value(), age, Policy::needs.stamps ? 0 : a->arrival};
        };
        REQUIRE(std::is_sorted(queued.begin(), queued.end(),
                               [&](auto* a, auto* b) { return place(a) < place(b); }));
        // INV-Q3
        mode_set ahead;
        bool somebody_could = false;
        bool somebody_looks = false;
        bool free = true;
        for (auto& a : actors_) free = free && !a.held;
        for (auto* const a : queued) {
            bool barred = ahead.conflicts_with(*a->wanted);
            for (auto& other : actors_) {
                barred =
                    barred || (&other != a && other.held && !compatible(*other.held, *a->wanted));
            }
            somebody_could = somebody_could || !barred;
            somebody_looks = somebody_looks || (a->who->park.signals() & detail::signal::poke) != 0;
            ahead.add(*a->wanted);
        }
        REQUIRE(w.is_free() == free);
        if (somebody_could) {
            ++times_open;
            passed_by_readers += free ? 0 : 1;
            REQUIRE_FALSE(w.is_exclusive());  // it was left free; who is in came past the queue
            REQUIRE((!free || !w.bars_newcomers()));
            REQUIRE(w.is_awake());
            REQUIRE(somebody_looks);
        }
    }

    unsigned granted = 0;
    unsigned taken_open = 0;
    unsigned times_open = 0;
    unsigned passed_by_readers = 0;

private:
    void request(actor& a, mode m) {
        auto const answer = a.txn.try_acquire(lock_, m);
        if (answer) {
            a.held = m;
            return;
        }
        REQUIRE(answer == status::busy);
        auto& me = *a.who;
        auto const w = queue::latch(lock_);
        me.park.reset();
        me.wait_mode.store(m);
        me.wait_upgrade = a.held.has_value();
        me.wait_restartable = me.holds.held() > 0;
        me.wait_passes = 0;
        me.wait_hold = a.held ? me.holds.find(&lock_) : &me.holds.reserve();
        queue::enqueue(lock_, me);
        queue::unlatch(lock_, w);
        a.wanted = m;
        a.arrival = ++arrivals_;
        ++a.wait;
    }
    /// As waiting::leave.
    void leave(actor& a) {
        auto const w = queue::latch(lock_);
        queue::dequeue(lock_, *a.who);
        a.wanted.reset();
        ++a.wait;
        giving::serve(lock_, w.not_awake());
    }
    void look(actor& a) {
        auto& me = *a.who;
        me.park.clear(detail::signal::poke);
        detail::request<config> const r{.lock = lock_,
                                        .wanted = *a.wanted,
                                        .upgraded = a.held ? me.wait_hold : nullptr,
                                        .slot = me.wait_hold,
                                        .restartable = me.wait_restartable};
        if (!opened(typename looks<config>::tag{})(me, r)) return;
        ++taken_open;
        take(a);
    }
    void take_grants() {
        for (auto& a : actors_) {
            if (a.wanted && (a.who->park.signals() & detail::signal::granted) != 0) {
                ++granted;
                take(a);
            }
        }
    }
    void take(actor& a) {
        auto& me = *a.who;
        if (a.held) {
            me.wait_hold->set(&lock_, *a.wanted);
        } else {
            me.holds.push(*me.wait_hold, &lock_, *a.wanted);
        }
        a.held = a.wanted;
        a.wanted.reset();
        ++a.wait;
    }

    domain_type d_;
    lock_type lock_;
    lock_type own_[6];
    std::mt19937 random_;
    std::uint64_t arrivals_ = 0;
    std::deque<actor> actors_;
};

// --- the fast paths ------------------------------------------------------------------------------------

using plain = no_wait_config;
using linked = wound_wait_config;
#define METHOD(config, name)                           \
    struct config##_##name {                           \
        friend constexpr auto opened(config##_##name); \
    };                                                 \
    template struct opens<&queued_lock<config>::name, config##_##name>
#define METHODS(config)                    \
    METHOD(config, word_);                 \
    METHOD(config, try_exclusive);         \
    METHOD(config, try_release_exclusive); \
    METHOD(config, try_release_open);      \
    METHOD(config, try_pass);              \
    METHOD(config, try_add_reader);        \
    METHOD(config, try_remove_reader);     \
    METHOD(config, lets_distributed_in)
METHODS(plain);
METHODS(linked);

/// Sets the word to `bits`, calls each fast path, and hands before and after to f.
#define EACH_FAST_PATH(config, lock, me, bits, unit, f)                                          \
    do {                                                                                         \
        auto& word = (lock).*opened(config##_word_{});                                           \
        auto const after = [&](auto call) {                                                      \
            word.store(bits);                                                                    \
            (void)call();                                                                        \
            f(detail::lock_word{bits}, detail::lock_word{word.load()});                          \
        };                                                                                       \
        after([&] { return ((lock).*opened(config##_try_exclusive{}))(me); });                   \
        after([&] { return ((lock).*opened(config##_try_release_exclusive{}))(me); });           \
        after([&] { return ((lock).*opened(config##_try_release_open{}))(); });                  \
        after([&] { return ((lock).*opened(config##_try_pass{}))(me, mode::exclusive, unit); }); \
        after([&] { return ((lock).*opened(config##_try_pass{}))(me, mode::shared, unit); });    \
        after([&] { return ((lock).*opened(config##_try_add_reader{}))(unit); });                \
        after([&] { return ((lock).*opened(config##_lets_distributed_in{}))(); });               \
        if ((bits & ~std::uint64_t{0x7f}) != 0) {                                                \
            after([&] { return ((lock).*opened(config##_try_remove_reader{}))(unit); });         \
        }                                                                                        \
        word.store(0);                                                                           \
    } while (false)

}  // namespace

TYPE_TO_STRING(policies::wound_wait);
TYPE_TO_STRING(policies::wait_die);
TYPE_TO_STRING(policies::cycle_detection);
TYPE_TO_STRING(policies::lock_ordering);
TYPE_TO_STRING(policies::no_wait);

TEST_CASE_TEMPLATE(
    "INV-Q1 INV-Q3 INV-Q4: order and service and wait numbers of a queue after every step", P,
    OBJECT_POLICIES) {
    unsigned granted = 0;
    unsigned taken_open = 0;
    unsigned times_open = 0;
    unsigned passed_by_readers = 0;
    for (std::uint32_t seed = 0; seed < 60; ++seed) {
        CAPTURE(seed);
        book<P> all{seed};
        for (int i = 0; i < 300; ++i) {
            all.step();
            all.check();
        }
        granted += all.granted;
        taken_open += all.taken_open;
        times_open += all.times_open;
        passed_by_readers += all.passed_by_readers;
    }
    CHECK(granted > 100);
    CHECK(taken_open > 50);
    CHECK(times_open > 50);
    CHECK(passed_by_readers > 10);
}

TEST_CASE(
    "INV-Q2: without the latch only a word that is unlatched and free of waiters or open is "
    "changed") {
    auto me_plain = std::make_unique<detail::control_block<plain>>();
    auto me_linked = std::make_unique<detail::control_block<linked>>();
    queued_lock<plain> counted;
    queued_lock<linked> known;
    std::size_t changed = 0;
    auto const look = [&](detail::lock_word before, detail::lock_word after) {
        if (before == after) return;
        ++changed;
        REQUIRE_FALSE(before.is_latched());
        REQUIRE((!before.has_waiters() || !before.bars_newcomers()));
        // The queue's bits and the latch are the latch holder's; only `awake` is not in question here.
        REQUIRE(after.is_latched() == before.is_latched());
        REQUIRE(after.has_waiters() == before.has_waiters());
        REQUIRE(after.is_awake() == before.is_awake());
        REQUIRE(after.is_detached() == before.is_detached());
    };
    for (std::uint64_t low = 0; low < 128; ++low) {
        for (std::uint64_t const single : {0U, 1U, 511U}) {
            for (auto const* const owner :
                 {static_cast<void const*>(nullptr), static_cast<void const*>(me_plain.get()),
                  static_cast<void const*>(me_linked.get()), static_cast<void const*>(&look)}) {
                auto const bits =
                    low | (single << 7) | (reinterpret_cast<std::uint64_t>(owner) << 16);
                EACH_FAST_PATH(plain, counted, *me_plain, bits, detail::lock_word::counted_one,
                               look);
                EACH_FAST_PATH(linked, known, *me_linked, bits, detail::lock_word::single_one,
                               look);
            }
        }
    }
    CHECK(changed > 100);
}

// Goal:   the engine takes every arrow of docs/engine.md, under every policy that the page names, and
//         no other.
// Method: one thread plays all parties. A platform calls the test wherever a waiter would pause or
//         yield; there the test looks at control block and word, and makes the next move.
#include <doctest/doctest.h>

#include <deque>
#include <fstream>
#include <functional>
#include <new>
#include <regex>
#include <set>
#include <sstream>
#include <stop_token>
#include <string>
#include <tuple>

#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

#include "allocation.hpp"

using namespace manylock;

namespace {

using move = std::function<void()>;

/// What happens while one acquisition is under way.
struct plan {
    std::deque<move> before{};  ///< at each pause before the request is queued
    std::deque<move> queued{};  ///< at each pause while it is
    move yields{};              ///< at its first yield
    std::function<bool()> is_queued{};
};

struct watched : platform::native {
    static inline thread_local plan* current = nullptr;
    static inline thread_local unsigned pauses = 0;
    static void pause() noexcept {
        ++pauses;
        if (current == nullptr) return;
        auto& moves = current->is_queued() ? current->queued : current->before;
        if (moves.empty()) return;
        auto const next = std::move(moves.front());
        moves.pop_front();
        make(next);
    }
    static void yield() noexcept {
        if (current == nullptr || !current->yields) return;
        auto const next = std::exchange(current->yields, nullptr);
        make(next);
    }

private:
    static void make(move const& m) {
        auto* const outer = std::exchange(current, nullptr);
        m();
        current = outer;
    }
};

constexpr options open{.spin_limit = 1, .yield_limit = 1};
constexpr options closed{.spin_limit = 1, .yield_limit = 1, .pass_limit = 0};
constexpr options impatient{.spin_limit = 1, .yield_limit = 1, .turn_after = 1};
constexpr options distributed{.spin_limit = 1, .yield_limit = 1, .distributed_readers = true};

/// Table, from, to, and the function that makes it.
using arrow = std::tuple<std::string, std::string, std::string, std::string>;

std::string text(arrow const& a) {
    auto const& [table, from, to, by] = a;
    return "a " + table + " goes from " + from + " to " + to + " by " + by;
}

/// All of one policy's scenes.
template <class Policy, options Options = open>
class stage {
public:
    static constexpr bool umbrella = Policy::needs.umbrella;
    using domain_type = domain<Policy, Options, watched>;
    using transaction = typename domain_type::transaction;
    using config = typename domain_type::config;
    using lock_type = typename domain_type::lock_type;
    using block = detail::control_block<config>;
    using queue = detail::wait_queue<config>;

    explicit stage(std::set<arrow>& taken) : taken_{taken} {}

    domain_type d;
    lock_type locks[4];
    lock_type& a = locks[0];  // by address: a is the first
    lock_type& b = locks[1];
    lock_type& c = locks[2];
    lock_type& clock = locks[3];

    void request(char const* from, char const* to, char const* by) {
        taken_.insert({"request", from, to, by});
    }
    void life(char const* from, char const* to, char const* by) {
        taken_.insert({"transaction", from, to, by});
    }
    /// The queue that a request for `lock` stands in.
    auto& waited_for(lock_type& lock) {
        if constexpr (umbrella) {
            (void)lock;
            return d.core().umbrella;
        } else {
            return lock;
        }
    }
    auto word(lock_type& lock) { return queue::look_at_word(waited_for(lock)); }
    block& of(transaction const& txn) {
        block* found = nullptr;
        d.core().shared.pool.for_each([&](block const& each) {
            if (each.number == txn.number()) found = const_cast<block*>(&each);
        });
        return *found;
    }
    bool holds_word(transaction const& txn, lock_type& lock) {
        auto const w = word(lock);
        return w.is_exclusive() && w.template exclusive_holder<block>() == &of(txn);
    }
    /// Queued for `lock`, as INV-Q4 and the word say.
    bool is_queued_for(transaction const& txn, lock_type& lock) {
        auto const& me = of(txn);
        return me.wait.load() % 2 == 1 && me.wait_lock.load() == &waited_for(lock) &&
               word(lock).has_waiters() && !word(lock).is_latched();
    }
    bool is_idle(transaction const& txn) { return of(txn).wait.load() % 2 == 0; }

    /// Calls `f`, which acquires for `txn`, and makes the moves of `p` meanwhile: all of them.
    template <class F>
    auto drive(transaction& txn, plan p, F f) {
        struct installed {
            plan* outer = watched::current;
            ~installed() { watched::current = outer; }
        };
        auto& me = of(txn);
        p.is_queued = [&me] { return me.queued(); };
        auto const wait = me.wait.load();
        bool const sees_queue = !p.queued.empty();
        auto const finally = [&] {
            CHECK(p.before.empty());
            CHECK(p.queued.empty());
            CHECK(me.wait.load() == wait + (sees_queue ? 2 : 0));  // one wait, and it is over
        };
        installed const guard;
        watched::current = &p;
        if constexpr (std::is_void_v<decltype(f())>) {
            f();
            finally();
        } else {
            auto const answer = f();
            finally();
            return answer;
        }
    }
    /// A move that records the arrow to `queued`, looks that it was taken, and goes on.
    move when_queued(transaction& txn, lock_type& lock, move then) {
        return [this, &txn, &lock, then] {
            CHECK(is_queued_for(txn, lock));
            request("asking", "queued", "admission::line_up");
            then();
        };
    }
    static bool restarted(acquire_result r, restart_reason why) {
        return r.is_restart() && r.reason() == why;
    }
    static auto long_ago() { return watched::now() - std::chrono::seconds(1); }

    /// Draws a stamp for each, the first one's is the oldest.
    template <class... T>
    void grow_old(T&... each) {
        if constexpr (Policy::needs.stamps) {
            auto first = d.begin();
            REQUIRE(first.acquire(clock));
            (REQUIRE(each.try_acquire(clock) == status::busy), ...);
            first.commit();
        }
    }

private:
    std::set<arrow>& taken_;
};

// --- requests, under every policy ------------------------------------------------------------------

template <class P>
void at_once(std::set<arrow>& taken) {
    stage<P> s{taken};
    auto const* const by = s.umbrella ? "umbrella_protocol::acquire" : "queued_protocol::take";
    auto const* const again =
        s.umbrella ? "umbrella_protocol::acquire" : "queued_protocol::take_contended";
    auto me = s.d.begin();
    CHECK(s.word(s.a).is_free());
    CHECK(me.acquire(s.a) == status::granted);
    CHECK(s.holds_word(me, s.a));
    CHECK(s.is_idle(me));
    s.request("new", "granted", by);
    CHECK(me.acquire(s.a) == status::already_held);
    CHECK(me.held() == 1);
    s.request("new", "already_held", again);
    auto other = s.d.begin();
    CHECK(other.try_acquire(s.a) == status::busy);
    CHECK(s.is_idle(other));
    CHECK_FALSE(s.word(s.a).is_latched());
    CHECK_FALSE(s.word(s.a).has_waiters());
    s.request("asking", "busy", "admission::acquire");
}

template <class P>
void passing(std::set<arrow>& taken) {
    stage<P> s{taken};
    auto holder = s.d.begin();
    auto me = s.d.begin();
    REQUIRE(holder.acquire(s.a));
    auto const answer = s.drive(me, {.before = {[&] {
                                         CHECK(s.holds_word(holder, s.a));
                                         CHECK(s.is_idle(me));
                                         s.request("new", "passing", "admission::passes");
                                         holder.commit();
                                         CHECK(s.word(s.a).is_free());
                                     }}},
                                [&] { return me.acquire(s.a); });
    CHECK(answer == status::granted);
    CHECK(s.holds_word(me, s.a));
    s.request("passing", "granted", "queued_lock::try_pass");
}

/// Somebody has the latch of a free lock while `me` comes.
template <class P>
void under_the_latch(std::set<arrow>& taken) {
    stage<P> s{taken};
    auto me = s.d.begin();
    auto& lock = s.waited_for(s.a);
    auto const w = stage<P>::queue::latch(lock);
    auto const answer =
        s.drive(me,
                {.before = {[] {},
                            [&] {
                                CHECK(s.word(s.a).is_latched());
                                CHECK(s.is_idle(me));
                                s.request("passing", "asking", "admission::acquire");
                                stage<P>::queue::unlatch(lock, w);
                            }}},
                [&] { return me.acquire(s.a); });
    CHECK(answer == status::granted);
    CHECK(s.holds_word(me, s.a));
    CHECK_FALSE(s.word(s.a).is_latched());
    s.request("asking", "granted", "admission::grant");
}

template <class P>
void handed_on(std::set<arrow>& taken) {
    stage<P, closed> s{taken};
    auto holder = s.d.begin();
    auto me = s.d.begin();
    REQUIRE(holder.acquire(s.a));
    auto const answer =
        s.drive(me,
                {.queued = {s.when_queued(me, s.a,
                                          [&] {
                                              holder.commit();
                                              CHECK(s.is_idle(me));  // by the releaser
                                              CHECK(s.holds_word(me, s.a));
                                          })}},
                [&] { return me.acquire(s.a); });
    CHECK(answer == status::granted);
    CHECK_FALSE(s.word(s.a).has_waiters());
    s.request("queued", "granted", "giving_back::serve");
}

template <class P>
void left_open(std::set<arrow>& taken) {
    stage<P> s{taken};
    auto holder = s.d.begin();
    auto other = s.d.begin();
    auto me = s.d.begin();
    REQUIRE(holder.acquire(s.a));
    auto const told = [&] {
        CHECK(s.is_queued_for(me, s.a));
        CHECK(s.word(s.a).is_free());
        CHECK(s.word(s.a).is_awake());
    };
    auto const answer =
        s.drive(me,
                {.queued = {s.when_queued(me, s.a,
                                          [&] {
                                              holder.commit();
                                              told();
                                              CHECK(other.try_acquire(s.a) == status::granted);
                                          }),
                            [&] {
                                CHECK(s.is_queued_for(me, s.a));
                                CHECK(s.of(me).wait_passes == 1);
                                CHECK_FALSE(s.word(s.a).is_awake());
                                s.request("queued", "queued", "waiting::takes_open_lock");
                                other.commit();
                                told();
                            }}},
                [&] { return me.acquire(s.a); });
    CHECK(answer == status::granted);
    CHECK(s.holds_word(me, s.a));
    CHECK_FALSE(s.word(s.a).has_waiters());
    s.request("queued", "granted", "waiting::takes_open_lock");
}

template <class P>
void given_up(std::set<arrow>& taken) {
    stage<P> s{taken};
    auto holder = s.d.begin();
    auto me = s.d.begin();
    REQUIRE(holder.acquire(s.a));
    auto const unchanged = [&] {
        CHECK(s.holds_word(holder, s.a));
        CHECK_FALSE(s.word(s.a).has_waiters());
        CHECK(s.of(me).phase == detail::transaction_phase::running);
        CHECK(me.held() == 0);
    };
    CHECK(s.drive(me, {.queued = {s.when_queued(me, s.a, [] {})}}, [&] {
        return me.acquire_until(s.a, mode::exclusive, s.long_ago());
    }) == status::timed_out);
    unchanged();
    s.request("queued", "timed_out", "waiting::look_again");
    std::stop_source stop;
    CHECK(s.drive(me, {.queued = {s.when_queued(me, s.a, [&] { stop.request_stop(); })}}, [&] {
        return me.acquire(s.a, mode::exclusive, stop.get_token());
    }) == status::cancelled);
    unchanged();
    s.request("queued", "cancelled", "waiting::look_again");
}

// --- requests for a lock of its own ------------------------------------------------------------------

template <class P>
void upgraded(std::set<arrow>& taken) {
    stage<P> s{taken};
    auto me = s.d.begin();
    REQUIRE(me.acquire_shared(s.a));
    CHECK_FALSE(s.word(s.a).is_exclusive());
    auto const pauses = watched::pauses;
    CHECK(me.acquire(s.a) == status::granted);
    CHECK(watched::pauses == pauses);
    CHECK(s.holds_word(me, s.a));
    CHECK(me.held() == 1);
    s.request("new", "asking", "admission::passes");  // it does not look: nobody else could free it
}

template <class P>
void stale(std::set<arrow>& taken) {
    stage<P> s{taken};
    auto holder = s.d.begin();
    auto me = s.d.begin();
    auto late = s.d.begin();
    REQUIRE(holder.acquire(s.a));
    auto const answer =
        s.drive(me,
                {.queued = {s.when_queued(me, s.a,
                                          [&] {
                                              holder.detach(s.a);
                                              CHECK(s.is_idle(me));
                                              CHECK(s.word(s.a).is_detached());
                                              CHECK_FALSE(s.word(s.a).has_waiters());
                                          })}},
                [&] { return me.acquire(s.a); });
    CHECK(s.restarted(answer, restart_reason::stale));
    CHECK(s.of(me).phase == detail::transaction_phase::restarting);
    CHECK(s.of(me).contending == nullptr);
    s.request("queued", "stale", "giving_back::detach");
    CHECK(s.restarted(late.try_acquire(s.a), restart_reason::stale));
    CHECK(s.is_idle(late));
    CHECK_FALSE(s.word(s.a).is_latched());
    s.request("asking", "stale", "admission::acquire");
}

template <class P>
void distributed_readers(std::set<arrow>& taken) {
    stage<P, distributed> s{taken};
    auto me = s.d.begin();
    CHECK(me.acquire_shared(s.a) == status::granted);
    CHECK(s.word(s.a).is_distributed());
    CHECK(s.word(s.a).is_free());  // the word knows of nobody
    CHECK(s.of(me).holds.at(0).read() ==
          detail::hold<typename stage<P, distributed>::config>::distributed_hold_of(&s.a));
    s.request("new", "granted", "queued_protocol::joined_distributed");
}

/// `me`, told to restart for the sake of a, which `holder` has, waits for it between two attempts.
template <class S, class T>
void rejoins(S& s, T& me, T& holder, typename S::lock_type& lock) {
    CHECK(s.of(me).phase == detail::transaction_phase::restarting);
    CHECK(s.of(me).contending == &lock);
    auto const attempt = s.of(me).attempt.load();
    s.drive(me, {.queued = {[&] {
                     CHECK(s.is_queued_for(me, lock));
                     CHECK(s.of(me).phase == detail::transaction_phase::running);
                     CHECK(s.of(me).attempt.load() == attempt + 1);
                     CHECK(me.held() == 0);
                     s.life("restarting", "rejoining", "basic_transaction::rollback");
                     holder.commit();
                 }}},
            [&] { me.rollback(); });
    CHECK(me.held() == 1);
    CHECK(me.holds(lock, mode::exclusive));
    CHECK(s.of(me).contending == nullptr);
    s.life("rejoining", "running", "queued_protocol::rejoin");
}

/// `me` holds b and is told to restart at its request for a.
template <class P>
void told_when_asking(std::set<arrow>& taken) {
    stage<P> s{taken};
    auto elder = s.d.begin();
    auto holder = s.d.begin();
    auto me = s.d.begin();
    s.grow_old(elder, holder, me);
    REQUIRE(holder.acquire(s.a));
    REQUIRE(me.acquire(s.b));
    if (P::reason == restart_reason::wounded) {
        REQUIRE(elder.acquire(s.c));
        CHECK(elder.acquire_until(s.b, mode::exclusive, s.long_ago()) == status::timed_out);
        CHECK(s.of(me).is_wounded());
    }
    CHECK(s.restarted(s.drive(me, {}, [&] { return me.acquire(s.a); }), P::reason));
    CHECK_FALSE(s.word(s.a).has_waiters());
    CHECK_FALSE(s.word(s.a).is_latched());
    CHECK(me.held() == 1);  // nothing is given back yet
    s.request("asking", "restart", "admission::acquire");
    rejoins(s, me, holder, s.a);
}

void wounded_in_queue(std::set<arrow>& taken) {
    stage<policies::wound_wait> s{taken};
    auto elder = s.d.begin();
    auto holder = s.d.begin();
    auto me = s.d.begin();
    s.grow_old(elder, holder, me);
    REQUIRE(elder.acquire(s.c));
    REQUIRE(holder.acquire(s.a));
    REQUIRE(me.acquire(s.b));
    auto const answer = s.drive(
        me,
        {.queued = {s.when_queued(me, s.a,
                                  [&] {
                                      CHECK_FALSE(s.of(me).is_wounded());
                                      CHECK(elder.acquire_until(s.b, mode::exclusive,
                                                                s.long_ago()) == status::timed_out);
                                      CHECK(s.of(me).is_wounded());
                                      CHECK(s.is_queued_for(me, s.a));
                                  })}},
        [&] { return me.acquire(s.a); });
    CHECK(s.restarted(answer, restart_reason::wounded));
    CHECK_FALSE(s.word(s.a).has_waiters());
    s.request("queued", "restart", "waiting::look_again");
}

void dies_in_queue(std::set<arrow>& taken) {
    stage<policies::wait_die> s{taken};
    auto elder = s.d.begin();
    auto me = s.d.begin();
    auto holder = s.d.begin();
    s.grow_old(elder, me, holder);
    REQUIRE(holder.acquire_shared(s.a));
    REQUIRE(me.acquire(s.b));
    auto const answer =
        s.drive(me,
                {.queued = {s.when_queued(
                     me, s.a, [&] { CHECK(elder.acquire_shared(s.a) == status::granted); })}},
                [&] { return me.acquire(s.a); });
    CHECK(s.restarted(answer, restart_reason::died));
    CHECK_FALSE(s.word(s.a).has_waiters());
    s.request("queued", "restart", "waiting::look_again");
}

/// The elder holds b and wants a; the younger holds a and wants b.
void victims(std::set<arrow>& taken) {
    {
        stage<policies::cycle_detection> s{taken};
        auto elder = s.d.begin();
        auto younger = s.d.begin();
        s.grow_old(elder, younger);
        REQUIRE(elder.acquire(s.b));
        REQUIRE(younger.acquire(s.a));
        std::stop_source stop;
        auto const answer = s.drive(
            younger,
            {.queued = {s.when_queued(younger, s.b,
                                      [&] {
                                          plan p{.yields = [&] { stop.request_stop(); }};
                                          auto const cut = s.drive(
                                              elder, {.queued = {[] {}}, .yields = p.yields}, [&] {
                                                  return elder.acquire(s.a, mode::exclusive,
                                                                       stop.get_token());
                                              });
                                          CHECK(cut == status::cancelled);
                                          CHECK(s.is_queued_for(younger, s.b));
                                          CHECK(s.of(younger).is_victim());
                                      })}},
            [&] { return younger.acquire(s.b); });
        CHECK(s.restarted(answer, restart_reason::deadlock));
        s.request("queued", "restart", "waiting::look_again");
    }
    stage<policies::cycle_detection> s{taken};
    auto elder = s.d.begin();
    auto younger = s.d.begin();
    s.grow_old(elder, younger);
    REQUIRE(elder.acquire(s.b));
    REQUIRE(younger.acquire(s.a));
    auto const answer = s.drive(
        elder,
        {.queued = {s.when_queued(elder, s.a,
                                  [&] {
                                      auto const died = s.drive(
                                          younger, {.queued = {s.when_queued(younger, s.b, [] {})}},
                                          [&] { return younger.acquire(s.b); });
                                      CHECK(s.restarted(died, restart_reason::deadlock));
                                      CHECK_FALSE(s.word(s.b).has_waiters());
                                      s.request("queued", "restart",
                                                "waiting::must_restart_after_walk");
                                  })},
         .yields = [&] { younger.release_everything(); }},
        [&] { return elder.acquire(s.a); });
    CHECK(answer == status::granted);
    rejoins(s, younger, elder, s.b);
}

/// A reader of a wants c, which a second reader holds that is queued for a behind a writer.
void let_pass(std::set<arrow>& taken) {
    stage<policies::cycle_detection> s{taken};
    auto first = s.d.begin();
    auto writer = s.d.begin();
    auto second = s.d.begin();
    s.grow_old(first, writer, second);
    REQUIRE(first.acquire_shared(s.a));
    REQUIRE(second.acquire(s.c));
    std::stop_source stop;
    auto const first_asks = [&] {
        CHECK(s.is_queued_for(second, s.a));
        auto const cut =
            s.drive(first,
                    {.queued = {[] {}},
                     .yields =
                         [&] {
                             CHECK(s.is_idle(second));
                             CHECK(s.is_queued_for(writer, s.a));  // it stood ahead
                             stop.request_stop();
                         }},
                    [&] { return first.acquire(s.c, mode::exclusive, stop.get_token()); });
        CHECK(cut == status::cancelled);
    };
    auto const second_asks = [&] {
        auto const read =
            s.drive(second, {.queued = {first_asks}}, [&] { return second.acquire_shared(s.a); });
        CHECK(read == status::granted);
        s.request("queued", "granted", "wait_queue::let_pass");
        second.commit();
        first.commit();
    };
    CHECK(s.drive(writer, {.queued = {second_asks}}, [&] { return writer.acquire(s.a); }) ==
          status::granted);
}

void no_memory_for_a_walk(std::set<arrow>& taken) {
    stage<policies::cycle_detection> s{taken};
    auto holder = s.d.begin();
    auto me = s.d.begin();
    REQUIRE(holder.acquire(s.a));
    REQUIRE(me.acquire(s.b));
    auto& block = s.of(me);
    auto const wait = block.wait.load();
    plan p{.queued = {s.when_queued(me, s.a, [] { test::fail_allocation(1); })}};
    CHECK_THROWS_AS((void)s.drive(me, p, [&] { return me.acquire(s.a); }), std::bad_alloc);
    test::fail_allocation(0);
    CHECK(block.wait.load() == wait + 2);
    CHECK_FALSE(s.word(s.a).has_waiters());
    CHECK(me.held() == 1);
    CHECK(block.phase == detail::transaction_phase::running);
    s.request("queued", "thrown", "waiting::must_restart_after_walk");
}

// --- requests for an object under an umbrella ----------------------------------------------------------

void draining(std::set<arrow>& taken) {
    using policies::umbrella;
    stage<umbrella> s{taken};
    auto const as_before = [&](auto& me) {
        CHECK_FALSE(s.a.has_waiters());
        CHECK(me.held() == 0);
        CHECK(s.word(s.a).is_free());
    };
    auto me = s.d.begin();
    {
        auto const reader = s.d.try_read_lock(s.a);
        CHECK(me.try_acquire(s.a) == status::busy);
        as_before(me);
        s.request("draining", "busy", "umbrella_protocol::drain_readers");
        CHECK(s.drive(me, {.before = {[&] {
                               CHECK(s.a.has_waiters());
                               CHECK(s.holds_word(me, s.a));
                               s.request("new", "draining", "marked_lock::begin_mark");
                           }}},
                      [&] { return me.acquire_until(s.a, mode::exclusive, s.long_ago()); }) ==
              status::timed_out);
        as_before(me);
        s.request("draining", "timed_out", "umbrella_protocol::drain_readers");
        std::stop_source stop;
        CHECK(s.drive(me, {.before = {[&] { stop.request_stop(); }}}, [&] {
            return me.acquire(s.a, mode::exclusive, stop.get_token());
        }) == status::cancelled);
        as_before(me);
        s.request("draining", "cancelled", "umbrella_protocol::drain_readers");
    }
    auto reader = s.d.try_read_lock(s.a);
    CHECK(s.drive(me, {.before = {[&] { reader.release(); }}}, [&] { return me.acquire(s.a); }) ==
          status::granted);
    CHECK(me.holds(s.a, mode::exclusive));
    s.request("draining", "granted", "marked_lock::mark");
    me.detach(s.a);
    me.commit();
    auto late = s.d.begin();
    CHECK(s.restarted(late.acquire(s.a), restart_reason::stale));
    s.request("new", "stale", "umbrella_protocol::acquire");
}

// --- transactions ----------------------------------------------------------------------------------------

template <class P>
void lives(std::set<arrow>& taken) {
    using phase = detail::transaction_phase;
    using inner = typename stage<P>::block;
    stage<P> s{taken};
    auto const begun = [&] {
        auto txn = s.d.begin();
        CHECK(s.of(txn).phase == phase::running);
        CHECK(s.of(txn).restarts == 0);
        CHECK_FALSE(s.of(txn).is_wounded());
        s.life("begun", "running", "basic_transaction::basic_transaction");
        return txn;
    };
    auto const told = [&](auto& txn) {
        CHECK(s.restarted(txn.restart_because(restart_reason::injected), restart_reason::injected));
        CHECK(s.of(txn).phase == phase::restarting);
    };
    auto const ended = [&](inner const& was, auto const& txn) {
        CHECK(txn.ended());
        CHECK(was.phase == phase::running);  // as the next one finds it
        CHECK(was.holds.size() == 0);
        CHECK(was.restarts == 0);
        CHECK(was.current_stamp() == stamp{});
        CHECK_FALSE(s.a.busy());
    };
    {
        auto txn = begun();
        REQUIRE(txn.acquire(s.a));
        auto const& was = s.of(txn);
        txn.commit();
        ended(was, txn);
        s.life("running", "ended", "basic_transaction::commit");
    }
    {
        auto txn = begun();
        REQUIRE(txn.acquire(s.a));
        auto const& was = s.of(txn);
        txn.abandon();
        ended(was, txn);
        s.life("running", "ended", "basic_transaction::abandon");
    }
    for (bool const commits : {true, false}) {
        auto txn = begun();
        REQUIRE(txn.acquire(s.a));
        auto const& was = s.of(txn);
        txn.seal();
        CHECK(was.phase == phase::sealed);
        s.life("running", "sealed", "basic_transaction::seal");
        commits ? txn.commit() : txn.abandon();
        ended(was, txn);
        s.life("sealed", "ended",
               commits ? "basic_transaction::commit" : "basic_transaction::abandon");
    }
    {
        auto txn = begun();
        txn.seal();
        told(txn);
        s.life("sealed", "restarting", "attempts::restart");
    }
    auto txn = begun();
    REQUIRE(txn.acquire(s.a));
    told(txn);
    CHECK(txn.held() == 1);
    s.life("running", "restarting", "attempts::restart");
    CHECK(s.restarted(txn.acquire(s.b), restart_reason::injected));
    CHECK(s.of(txn).phase == phase::restarting);
    CHECK_FALSE(s.b.busy());
    s.life("restarting", "restarting", "basic_transaction::acquire_with");
    txn.release_everything();
    CHECK(s.of(txn).phase == phase::restarting);
    CHECK(txn.held() == 0);
    s.life("restarting", "restarting", "basic_transaction::release_everything");
    auto const attempt = s.of(txn).attempt.load();
    txn.rollback();
    CHECK(s.of(txn).phase == phase::running);
    CHECK(s.of(txn).attempt.load() == attempt + 1);
    CHECK(s.of(txn).restarts == 1);
    s.life("restarting", "running", "basic_transaction::rollback");
    told(txn);
    auto const& was = s.of(txn);
    txn.abandon();
    ended(was, txn);
    s.life("restarting", "ended", "basic_transaction::abandon");
}

template <class P>
void last_hold_given_back(std::set<arrow>& taken) {
    stage<P> s{taken};
    auto me = s.d.begin();
    REQUIRE(me.acquire(s.a));
    REQUIRE(me.acquire(s.b));
    auto const attempt = s.of(me).attempt.load();
    me.release(s.a);
    CHECK(s.of(me).attempt.load() == attempt);
    me.release(s.b);
    CHECK(s.of(me).attempt.load() == attempt + 1);
    CHECK(s.of(me).phase == detail::transaction_phase::running);
    s.life("running", "running", "queued_protocol::release");
}

template <class P>
void turn(std::set<arrow>& taken) {
    stage<P, impatient> s{taken};
    auto first = s.d.begin();
    auto me = s.d.begin();
    for (auto* const each : {&first, &me}) (void)each->restart_because(restart_reason::injected);
    first.rollback();
    CHECK(s.of(first).has_turn);
    s.drive(me, {.queued = {[&] {
                     CHECK(s.of(me).wait_lock.load() == &s.d.core().turn);
                     CHECK_FALSE(s.of(me).has_turn);
                     CHECK(me.held() == 0);
                     first.commit();
                 }}},
            [&] { me.rollback(); });
    CHECK(s.of(me).has_turn);
    CHECK(s.of(me).phase == detail::transaction_phase::running);
    s.life("rejoining", "running", "turns::await");
}

// --- the page ----------------------------------------------------------------------------------------------

/// The arrows that the page's two tables name for a policy.
std::set<arrow> named(std::string const& policy) {
    std::ifstream file{std::string{MANYLOCK_SOURCE_DIR} + "/docs/engine.md"};
    REQUIRE(file);
    std::regex const row{R"(\| (\w+) \| (\w+) \| `(\w+::\w+)` \| ([\w ]+) \| .*)"};
    std::set<arrow> all;
    std::string table;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("#")) {
            table = line == "### Arrows of a request"       ? "request"
                    : line == "### Arrows of a transaction" ? "transaction"
                                                            : "";
        }
        std::smatch m;
        if (table.empty() || !std::regex_match(line, m, row)) continue;
        std::istringstream words{m[4].str()};
        bool for_policy = false;
        for (std::string word; words >> word;) {
            for_policy = for_policy || word == "all" || word == policy ||
                         (word == "queued" && policy != "umbrella");
        }
        if (for_policy) CHECK(all.insert({table, m[1].str(), m[2].str(), m[3].str()}).second);
    }
    return all;
}

template <class P>
std::set<arrow> taken_under() {
    std::set<arrow> taken;
    at_once<P>(taken);
    passing<P>(taken);
    under_the_latch<P>(taken);
    handed_on<P>(taken);
    left_open<P>(taken);
    given_up<P>(taken);
    lives<P>(taken);
    if constexpr (!P::needs.umbrella) {
        upgraded<P>(taken);
        stale<P>(taken);
        distributed_readers<P>(taken);
        last_hold_given_back<P>(taken);
        if constexpr (P::reason != restart_reason::deadlock) told_when_asking<P>(taken);
        if constexpr (!P::promises.eldest_never_restarts) turn<P>(taken);
    } else {
        draining(taken);
    }
    if constexpr (std::is_same_v<P, policies::wound_wait>) wounded_in_queue(taken);
    if constexpr (std::is_same_v<P, policies::wait_die>) dies_in_queue(taken);
    if constexpr (std::is_same_v<P, policies::cycle_detection>) {
        victims(taken);
        let_pass(taken);
        if (test::counts_allocations) no_memory_for_a_walk(taken);
    }
    return taken;
}

}  // namespace

TYPE_TO_STRING(policies::umbrella);
TYPE_TO_STRING(policies::wound_wait);
TYPE_TO_STRING(policies::wait_die);
TYPE_TO_STRING(policies::cycle_detection);
TYPE_TO_STRING(policies::lock_ordering);
TYPE_TO_STRING(policies::no_wait);

TEST_CASE_TEMPLATE("arrows: each one of the page on the engine is taken and no other", P,
                   policies::umbrella, policies::wound_wait, policies::wait_die,
                   policies::cycle_detection, policies::lock_ordering, policies::no_wait) {
    auto const taken = taken_under<P>();
    auto const page = named(P::name);
    CHECK(page.size() > 20);
    for (auto const& a : page) {
        // Without counted allocations none can be made to fail.
        bool const can_be_taken = test::counts_allocations || std::get<2>(a) != "thrown";
        CHECK_MESSAGE((taken.contains(a) || !can_be_taken),
                      "the page says that " << text(a) << ", which no scene shows");
    }
    for (auto const& a : taken) {
        CHECK_MESSAGE(page.contains(a), text(a) << ", which the page does not say");
    }
}

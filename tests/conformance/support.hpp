// What the suites are made of: threads that do one thing at a time, waiting for something observable
// instead of for time, and which cases fit a policy. What needs no template is in support.cpp, compiled once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include <doctest/doctest.h>

#include <manylock/domain.hpp>
#include <manylock/guards.hpp>
#include <manylock/policy.hpp>

namespace conformance {

using manylock::decision;
using manylock::mode;
using manylock::restart_reason;
using manylock::status;

// --- which cases a policy gets: by its facts and its answers, never by its name -----------------------

/// Objects are locked one by one, so that two transactions can run at a time.
template <class P>
inline constexpr bool locks_objects = !P::needs.umbrella;

/// The answer to one question is known at compile time. Where it is not, the cases that need it are left out.
template <class P>
concept constant_decisions = requires {
    typename std::integral_constant<decision, P::on_conflict(manylock::conflict{})>;
};

template <class P>
[[nodiscard]] constexpr bool answers(manylock::conflict c, decision d) {
    if constexpr (constant_decisions<P>) {
        return P::on_conflict(c) == d;
    } else {
        return false;
    }
}
template <class P>
inline constexpr bool elder_wounds = P::needs.holders&& answers<P>({.requester = {1}, .other = {2}},
                                                                   decision::wound);
template <class P>
inline constexpr bool elder_waits = P::needs.stamps&& answers<P>({.requester = {1}, .other = {2}},
                                                                 decision::wait);
template <class P>
inline constexpr bool younger_waits = P::needs.stamps&& answers<P>({.requester = {2}, .other = {1}},
                                                                   decision::wait);
template <class P>
inline constexpr bool younger_dies = P::needs.holders&& answers<P>({.requester = {2}, .other = {1}},
                                                                   decision::die);
/// As lock_ordering: waits in the order of ranks, else only tries.
template <class P>
inline constexpr bool waits_in_order_only =
    P::needs.rank&& answers<P>({.in_order = true}, decision::wait) && answers<P>({}, decision::die);
/// As no_wait: knows nothing about the other and never waits while it holds something.
template <class P>
inline constexpr bool never_waits =
    locks_objects<P> && !P::needs.stamps && !P::needs.rank && answers<P>({}, decision::die);
/// The eldest is promised to be safe, and ages tell who that is.
template <class P>
inline constexpr bool spares_eldest =
    locks_objects<P>&& P::needs.stamps&& P::promises.eldest_never_restarts;

template <class P>
using domain_of = manylock::domain<P>;
template <class P>
using lock_of = typename domain_of<P>::lock_type;

// --- cases -------------------------------------------------------------------------------------------

namespace detail {
void enroll(char const* theme, char const* policy, char const* sentence, void (*body)(),
            char const* file, unsigned line);
}  // namespace detail

/// Where a theme enters its cases for the policy P; each becomes the test `sentence<P::name>`.
template <class P>
class cases {
public:
    explicit cases(char const* theme) : theme_{theme} {}
    void operator()(char const* sentence, void (*body)(), char const* file = __builtin_FILE(),
                    unsigned line = __builtin_LINE()) const {
        detail::enroll(theme_, P::name, sentence, body, file, line);
    }

private:
    char const* theme_;
};

// --- threads -----------------------------------------------------------------------------------------

/// What an actor was given to do. Lighter to compile than std::packaged_task.
class job {
public:
    explicit job(std::function<void()> work);
    ~job();
    void carry_out();
    [[nodiscard]] bool ended() const;
    /// Waits for the end; throws what the work threw.
    void wait();

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// The result of a job that may still be under way.
template <class R>
class answer {
public:
    R get() {
        job_->wait();
        if constexpr (!std::is_void_v<R>) return **value_;
    }
    [[nodiscard]] bool ready() const { return job_->ended(); }

private:
    friend class actor;
    std::shared_ptr<job> job_;
    std::shared_ptr<std::conditional_t<std::is_void_v<R>, void, std::optional<R>>> value_;
};
template <class R>
[[nodiscard]] bool is_ready(answer<R> const& a) {
    return a.ready();
}

/// A thread that carries out what it is given, one after the other.
class actor {
public:
    actor();
    ~actor();
    template <class F>
    auto does(F f) {
        using result = std::invoke_result_t<F>;
        answer<result> a;
        if constexpr (std::is_void_v<result>) {
            a.job_ = add(std::move(f));
        } else {
            a.value_ = std::make_shared<std::optional<result>>();
            a.job_ = add([f = std::move(f), value = a.value_]() mutable { *value = f(); });
        }
        return a;
    }

private:
    std::shared_ptr<job> add(std::function<void()> work);
    struct state;
    std::unique_ptr<state> state_;
};

/// Runs body(0) to body(n - 1), each on a thread of its own, and waits for all.
void together(std::size_t n, std::function<void(std::size_t)> const& body);

/// The threads of one long test, joined by the destructor.
class crew {
public:
    explicit crew(std::size_t n, std::function<void(std::size_t)> body);
    ~crew();

private:
    struct state;
    std::unique_ptr<state> state_;
};

template <class Condition>
void until(Condition condition) {
    while (!condition()) std::this_thread::yield();
}

/// The seed of all random cases, printed once: MANYLOCK_SEED=N uses it again (the same requests in
/// another schedule).
std::uint64_t seed();

/// The sentence that `f` is refused with; empty if it is not.
std::string misuse_of(std::function<void()> const& f);

// --- transactions ------------------------------------------------------------------------------------

/// Requests that wait for `lock`, the umbrella's included.
template <class Domain>
std::size_t waiting(Domain& domain, typename Domain::lock_type& lock) {
    return lock.waiter_count() + domain.core().umbrella.waiter_count();
}

/// Makes `younger` younger than whoever holds `held_by_elder`, exclusively: stamps are drawn at a conflict,
/// the holder's first.
template <class Transaction>
void make_younger(Transaction& younger, typename Transaction::lock_type& held_by_elder) {
    REQUIRE(younger.try_acquire(held_by_elder) == status::busy);
}

template <class Txn, class Lock>
auto acquires(actor& who, Txn& txn, Lock& lock, mode m = mode::exclusive) {
    return who.does([&txn, &lock, m] { return txn.acquire(lock, m); });
}

/// The elder holds `a`, the younger `b`; both have their stamps, if the policy asks for any.
template <class P>
struct two {
    domain_of<P> domain;
    lock_of<P> a;
    lock_of<P> b;
    typename domain_of<P>::transaction elder = domain.begin();
    typename domain_of<P>::transaction younger = domain.begin();
    actor elder_thread;
    actor younger_thread;

    two() {
        REQUIRE(elder.acquire(a));
        REQUIRE(younger.acquire(b));
        make_younger(younger, a);
    }
};

}  // namespace conformance

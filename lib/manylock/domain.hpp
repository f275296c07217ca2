// A domain: a family of locks and the transactions on them, under one policy picked at compile time.
//
//     manylock::domain<manylock::policies::wound_wait> accounts;
//     accounts.run([&](auto& txn) {
//         txn.lock(from.lock);   // any order, found as you go; throws the restart
//         txn.lock(to.lock);
//     });                        // everything is released here
//
// Behaviour across fork(): the child has only the forking thread, so locks that other threads held stay
// held for ever there. Use a domain in the child only if no other thread used it when fork was called,
// or not at all; exec makes the question go away.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <version>

#ifdef __GLIBCXX__
#include <bits/cxxabi_forced.h>  // <cxxabi.h> would bring a global name abi
#endif

#include <manylock/engine/body.hpp>
#include <manylock/engine/checks.hpp>
#include <manylock/engine/single_reads.hpp>
#include <manylock/fwd.hpp>
#include <manylock/platform/concept.hpp>
#include <manylock/platform/native.hpp>
#include <manylock/transaction.hpp>

namespace manylock {

/// How domain::run retries.
struct retry_options {
    /// 0: until it commits. Reached: run throws `abandoned`. Fewer than options::turn_after: callers that begin
    /// anew at once can keep each other from committing, under policies that spare nobody.
    std::uint64_t max_attempts = 0;
    /// Called after each restart, holding nothing, before the wait for the contending lock.
    std::function<void(restart_reason, std::uint64_t attempt)> on_restart{};
};

template <conflict_policy Policy, options Options, class Platform>
class domain {
    static_assert(manylock::platform::platform_type<Platform>);

    using reads = detail::reads_of<detail::config<Policy, Options, Platform>>;

public:
    using config = detail::config<Policy, Options, Platform>;
    using policy = Policy;
    using platform = Platform;
    using transaction = basic_transaction<config>;
    using lock_type = typename transaction::lock_type;
    using read_section = typename Platform::read_section;
    static constexpr options knobs = Options;
    static_assert(checks_enabled || sizeof(typename Platform::template atomic<std::uint64_t>) > 8 ||
                  sizeof(lock_type) == (policy::needs.umbrella ? 8 : 16));

    domain() = default;
    /// `level` orders domains: a transaction may begin inside one of a lower level only (checked builds).
    explicit domain(int level) { core_.level = level; }

    /// Runs `body(transaction&)` until it commits, and returns what the body returns. A body may use the
    /// throwing acquire forms, or the value forms and simply return when it is told to restart: what it
    /// returns then is dropped, and so is whatever exception it ends in (decision 26). Any other exception leaves
    /// with everything released, without a retry. To give up after a restart: txn.abandon(), then throw.
    /// Requires: the body can be run again from its beginning, and is no coroutine.
    /// Blocks:   while acquiring, and between attempts until the contending lock was free.
    template <class Body>
    decltype(auto) run(Body&& body) {
        return run_with(std::forward<Body>(body), [](transaction&) {});
    }
    template <class Body>
    decltype(auto) run(retry_options const& retry, Body&& body) {
        return run_with(std::forward<Body>(body), [&retry](transaction& txn) {
            auto const attempt = txn.attempt();
            auto const reason = txn.last_restart();
            if (retry.max_attempts != 0 && attempt >= retry.max_attempts) {
                txn.abandon();
                throw abandoned{reason, attempt};
            }
            if (retry.on_restart) {
                txn.release_everything();
                retry.on_restart(reason, attempt);
            }
        });
    }

    /// A transaction by hand: on a restart call rollback() and begin anew; at the end commit().
    [[nodiscard]] transaction begin() {
        context::check(&core_, core_.level, detail::scope_kind::begun);
        return transaction{core_};
    }

    /// A held single-object read; gives it back when destroyed, in any context.
    class [[nodiscard]] read_guard {
    public:
        read_guard(read_guard&& other) noexcept
            : domain_{std::exchange(other.domain_, nullptr)},
              lock_{other.lock_},
              status_{other.status_},
              mark_{std::move(other.mark_)} {}
        read_guard& operator=(read_guard&&) = delete;
        ~read_guard() { release(); }
        [[nodiscard]] read_status status() const noexcept { return status_; }
        [[nodiscard]] explicit operator bool() const noexcept { return domain_ != nullptr; }
        void release() noexcept {
            auto* const d = std::exchange(domain_, nullptr);
            if (d == nullptr) return;
            mark_.close();
            reads::leave(d->core_, *lock_);
        }

    private:
        friend class domain;
        read_guard(domain* d, lock_type& lock, read_status status) noexcept
            : domain_{manylock::holds(status) ? d : nullptr},
              lock_{&lock},
              status_{status},
              mark_{d->opened(lock, status)} {}
        domain* domain_;
        lock_type* lock_;
        read_status status_;
        [[no_unique_address]] typename detail::context<Platform>::mark mark_;
    };

    /// Single-object read: the cheapest way to look at one object, the same under every policy. It holds
    /// nothing else and asks for nothing else, so it never restarts anyone, nor is it restarted. Under
    /// umbrella it takes the umbrella (shared, to get in) only if the object is marked.
    /// Requires: while the guard lives its context begins no transaction of this domain and waits for no other
    ///           single-object read of it: both can deadlock. The try forms never wait.
    /// Blocks:   behind exclusive holders and waiters.    Allocates: no.
    read_guard read_lock(lock_type& lock) {
        check_read(lock, true);
        return {this, lock, reads::enter(core_, lock)};
    }
    /// The same without waiting and without fallback: empty if the object cannot be read right now.
    read_guard try_read_lock(lock_type& lock) {
        check_read(lock, false);
        return {this, lock, reads::try_enter(core_, lock)};
    }
    /// Runs `body()` under the single-object read; false, without running it, if the object is stale.
    template <class Body>
    bool read(lock_type& lock, Body&& body) {
        constexpr bool callable = std::is_invocable_v<Body>;
        static_assert(
            callable,
            "manylock: the body of domain::read must be callable without arguments: [&] { ... }.");
        if constexpr (callable) {
            detail::check_result<Body>();
            auto const guard = read_lock(lock);
            if (!guard) return false;
            std::forward<Body>(body)();
        }
        return true;
    }
    /// The same without a guard: if holds(answer), call leave_read.
    read_status enter_read(lock_type& lock) {
        check_read(lock, true);
        return noted(lock, reads::enter(core_, lock));
    }
    read_status try_enter_read(lock_type& lock) {
        check_read(lock, false);
        return noted(lock, reads::try_enter(core_, lock));
    }
    void leave_read(lock_type& lock) noexcept {
        if (!context::close_read(&core_, &lock)) {
            detail::report_in_destructor("single-object read left that was not entered");
            return;
        }
        reads::leave(core_, lock);
    }
    /// For a lock found by lock-free lookup inside `section`, which is left before waiting. Under umbrella
    /// it does not wait: busy if the object is marked; then leave the section, keep fall_back()'s guard,
    /// look the object up again (it may be another one), and try_enter_read succeeds.
    read_status enter_read(lock_type& lock, read_section& section) {
        check_read(lock, true);
        return noted(lock, reads::enter(core_, lock, &section));
    }

    /// Shares the umbrella: while the guard lives nothing can be marked or detached. Counted as a
    /// fallback. Under other policies it does nothing.
    class [[nodiscard]] fallback_guard {
    public:
        ~fallback_guard() {
            mark_.close();
            reads::end_fallback(core_);
        }
        fallback_guard(fallback_guard const&) = delete;
        fallback_guard& operator=(fallback_guard const&) = delete;

    private:
        friend class domain;
        explicit fallback_guard(detail::domain_core<config>& core,
                                typename detail::context<Platform>::mark mark) noexcept
            : core_{core}, mark_{std::move(mark)} {}
        detail::domain_core<config>& core_;
        [[no_unique_address]] typename detail::context<Platform>::mark mark_;
    };
    /// Requires: its context holds nothing of this domain, and while the guard lives begins no transaction of it.
    /// Blocks:   behind the umbrella's holder and those who wait for it.
    fallback_guard fall_back() {
        context::check(&core_, core_.level, detail::scope_kind::fallback);
        reads::fall_back(core_);
        return fallback_guard{core_,
                              context::open(&core_, core_.level, detail::scope_kind::fallback)};
    }

    [[nodiscard]] statistics stats() const {
        statistics total;
        core_.shared.pool.for_each([&](auto const& block) { block.count.add_to(total); });
        return total;
    }
    /// Names a lock in reports and graphs; an empty name takes it back, before the lock is destroyed.
    /// Takes a mutex; not for the hot path.
    void name_lock(lock_type const& lock, std::string const& name) {
        std::lock_guard const guard{core_.names_mutex};
        if (name.empty()) {
            core_.names.erase(&lock);
        } else {
            core_.names[&lock] = name;
        }
    }
    /// Requires: options::events; no transaction is running.
    void set_event_sink(event_sink sink, void* user) noexcept {
        static_assert(Options.events, "set options{.events = true} to receive events");
        core_.sink = sink;
        core_.sink_user = user;
    }
    /// For the wait-for graph; see manylock/graph/.
    [[nodiscard]] detail::domain_core<config>& core() noexcept { return core_; }

private:
    template <class Body, class OnRestart>
    decltype(auto) run_with(Body&& body, OnRestart on_restart);

    using context = detail::context<Platform>;
    void check_read(lock_type& lock, bool may_wait) {
        core_.adopt(&lock);
        context::check(&core_, core_.level, detail::scope_kind::read, may_wait);
    }
    typename context::mark opened(lock_type& lock, read_status status) noexcept {
        if (!manylock::holds(status)) return {};
        return context::open(&core_, core_.level, detail::scope_kind::read, &lock);
    }
    read_status noted(lock_type& lock, read_status status) noexcept {
        (void)opened(lock, status);
        return status;
    }

    detail::domain_core<config> core_;
};

template <conflict_policy Policy, options Options, class Platform>
template <class Body, class OnRestart>
decltype(auto) domain<Policy, Options, Platform>::run_with([[maybe_unused]] Body&& body,
                                                           [[maybe_unused]] OnRestart on_restart) {
    constexpr bool callable = std::is_invocable_v<Body&, transaction&>;
    static_assert(callable,
                  "manylock: the body of domain::run must be callable with a transaction by "
                  "reference, again and again: "
                  "[&](auto& txn) { ... }.");
    if constexpr (callable) {
        using result = std::invoke_result_t<Body&, transaction&>;
        detail::check_result<Body&, transaction&>();
        detail::open_scope<Platform> const scope{&core_, core_.level};
        transaction txn{core_};
        constexpr auto* ended_inside =
            "transaction ended inside the body of run, which ends it itself";
        for (;;) {
            try {
                if constexpr (std::is_void_v<result>) {
                    body(txn);
                    if constexpr (checks_enabled) {
                        check_use(!txn.ended(), ended_inside);
                        if (txn.ended()) return;
                    }
                    if (!txn.must_restart()) {
                        txn.commit();
                        return;
                    }
                } else {
                    // Not a reference: the value is taken before the locks are given back.
                    result value = body(txn);
                    if constexpr (checks_enabled) {
                        check_use(!txn.ended(), ended_inside);
                        if (txn.ended()) return value;
                    }
                    if (!txn.must_restart()) {
                        txn.commit();
                        return value;
                    }
                }
            }
#ifdef __GLIBCXX__
            catch (__cxxabiv1::__forced_unwind const&) {
                throw;  // the thread ends: pthread_cancel, pthread_exit
            }
#endif
            catch (...) {
                // Told to restart, the body has seen half a transaction, and what it throws is
                // about that (decision 26).
                if (txn.ended() || !txn.must_restart()) throw;
            }
            on_restart(txn);
            txn.rollback();
        }
    }
}

}  // namespace manylock

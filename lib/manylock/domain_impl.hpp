// Bodies of domain. Included by domain.hpp only.
#pragma once

#include <version>
#ifdef __GLIBCXX__
#include <bits/cxxabi_forced.h>  // <cxxabi.h> would bring a global name abi
#endif

#include <manylock/engine/context.hpp>
#include <manylock/domain.hpp>

namespace manylock {

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

/// Waits as a reader of `lock` without a transaction. Borrows a control block for the time of the wait.
template <conflict_policy Policy, options Options, class Platform>
acquire_result domain<Policy, Options, Platform>::wait_for_read(queued_lock<config>& lock,
                                                                read_section* section,
                                                                bool fallback) {
    struct borrowed {
        detail::block_pool<config>& pool;
        detail::control_block<config>& me = pool.take();
        ~borrowed() {
            me.age.store(0, Platform::relaxed);  // relaxed: it is in no queue any more
            pool.give_back(me);
        }
    } const block{core_.shared.pool};
    detail::request<config> const r{.lock = lock, .wanted = mode::shared, .patience = {.section = section}};
    auto const answer = detail::admission<config>::acquire(core_.shared, block.me, r);  // may throw
    if (fallback) block.me.count.add(counter::fallbacks);
    return answer;
}

template <conflict_policy Policy, options Options, class Platform>
read_status domain<Policy, Options, Platform>::try_enter(lock_type& lock) {
    core_.adopt(&lock);
    if constexpr (config::needs.umbrella) {
        // acquire; pairs with the bump in drop_umbrella
        switch (lock.try_enter([this] { return core_.sequence.load(Platform::acquire); })) {
            case lock_type::entered::yes: return read_status::fast;
            case lock_type::entered::stale: return read_status::stale;
            case lock_type::entered::marked: return read_status::busy;
        }
        return read_status::busy;
    } else {
        if (lock.try_add_reader(detail::holders<config>::single_unit)) [[likely]] {
            return read_status::fast;
        }
        return lock.detached() ? read_status::stale : read_status::busy;
    }
}

template <conflict_policy Policy, options Options, class Platform>
read_status domain<Policy, Options, Platform>::enter(lock_type& lock) {
    auto const first = try_enter(lock);
    if (first != read_status::busy) [[likely]] return first;
    if constexpr (config::needs.umbrella) {
        struct shared {
            domain& d;
            ~shared() { detail::giving_back<config>::release_single(d.core_.umbrella); }
        };
        share_umbrella();
        shared const umbrella{*this};
        auto const second = try_enter(lock);
        return second == read_status::fast ? read_status::fell_back : second;
    } else {
        return wait_for_read(lock, nullptr, false) ? read_status::fast : read_status::stale;
    }
}

template <conflict_policy Policy, options Options, class Platform>
read_status domain<Policy, Options, Platform>::enter(lock_type& lock, read_section& section) {
    auto const first = try_enter(lock);
    if (first != read_status::busy) [[likely]] return first;
    if constexpr (config::needs.umbrella) {
        return read_status::busy;
    } else {
        return wait_for_read(lock, &section, false) ? read_status::fast : read_status::stale;
    }
}

template <conflict_policy Policy, options Options, class Platform>
void domain<Policy, Options, Platform>::share_umbrella() {
    if constexpr (config::needs.umbrella) {
        (void)wait_for_read(core_.umbrella, nullptr, true);  // holds nothing: it is granted
    }
}

template <conflict_policy Policy, options Options, class Platform>
void domain<Policy, Options, Platform>::leave(lock_type& lock) noexcept {
    if constexpr (config::needs.umbrella) {
        if (lock.leave()) core_.wake_marker();
    } else {
        detail::giving_back<config>::release_single(lock);
    }
}

}  // namespace manylock

// Bodies of domain. Included by domain.hpp only.
#pragma once

#include <optional>

#include <manylock/engine/context.hpp>
#include <manylock/domain.hpp>

namespace manylock {

template <conflict_policy Policy, options Options, class Platform>
template <class Body, class OnRestart>
auto domain<Policy, Options, Platform>::run_with(Body&& body, OnRestart on_restart)
    -> std::invoke_result_t<Body&, transaction&> {
    using result = std::invoke_result_t<Body&, transaction&>;
    detail::open_scope<Platform> const scope{&core_, core_.level};
    transaction txn{core_};
    for (;;) {
        try {
            if constexpr (std::is_void_v<result>) {
                body(txn);
                if (!txn.must_restart()) {
                    txn.commit();
                    return;
                }
            } else {
                // Not a reference: the value is taken before the locks are given back.
                result value = body(txn);
                if (!txn.must_restart()) {
                    txn.commit();
                    return value;
                }
            }
        } catch (restart const&) {
            if (!txn.must_restart()) throw;  // another transaction's restart, on its way through
        }
        on_restart(txn);
        txn.rollback();
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
read_status domain<Policy, Options, Platform>::try_enter_read(lock_type& lock) {
    detail::open_scope<Platform>::forbid(&core_, "single-object read inside a transaction of its domain");
    core_.adopt(&lock);
    if constexpr (config::needs.umbrella) {
        // acquire; pairs with the bump in release_all
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
read_status domain<Policy, Options, Platform>::enter_read(lock_type& lock) {
    auto const first = try_enter_read(lock);
    if (first != read_status::busy) [[likely]] return first;
    if constexpr (config::needs.umbrella) {
        auto const shared = fall_back();
        auto const second = try_enter_read(lock);
        return second == read_status::fast ? read_status::fell_back : second;
    } else {
        return wait_for_read(lock, nullptr, false) ? read_status::fast : read_status::stale;
    }
}

template <conflict_policy Policy, options Options, class Platform>
read_status domain<Policy, Options, Platform>::enter_read(lock_type& lock, read_section& section) {
    auto const first = try_enter_read(lock);
    if (first != read_status::busy) [[likely]] return first;
    if constexpr (config::needs.umbrella) {
        return read_status::busy;
    } else {
        return wait_for_read(lock, &section, false) ? read_status::fast : read_status::stale;
    }
}

template <conflict_policy Policy, options Options, class Platform>
auto domain<Policy, Options, Platform>::fall_back() -> fallback_guard {
    if constexpr (config::needs.umbrella) {
        (void)wait_for_read(core_.umbrella, nullptr, true);  // holds nothing: it is granted
    }
    return fallback_guard{core_};
}

template <conflict_policy Policy, options Options, class Platform>
void domain<Policy, Options, Platform>::leave_read(lock_type& lock) noexcept {
    if constexpr (config::needs.umbrella) {
        if (lock.leave()) core_.wake_marker();
    } else {
        detail::giving_back<config>::release_single(lock);
    }
}

}  // namespace manylock

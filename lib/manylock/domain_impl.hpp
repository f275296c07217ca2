// Bodies of domain. Included by domain.hpp only.
#pragma once

#include <optional>

#include <manylock/context.hpp>
#include <manylock/domain.hpp>

namespace manylock {

template <conflict_policy Policy, options Options, class Platform>
template <class Body, class OnRestart>
auto domain<Policy, Options, Platform>::run_with(Body&& body, OnRestart on_restart)
    -> std::invoke_result_t<Body&, transaction&> {
    using result = std::invoke_result_t<Body&, transaction&>;
    detail::open_scope const scope{&core_, core_.level};
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
auto domain<Policy, Options, Platform>::wait_for_read(detail::domain_core<config>& core,
                                                      queued_lock<config>& lock,
                                                      read_section* section, bool fallback)
    -> acquire_result {
    auto& me = core.shared.pool.take();
    detail::request<config> const r{.lock = lock, .wanted = mode::shared, .section = section};
    auto const answer = detail::arbiter<config>::acquire(core.shared, me, r);
    if (fallback) me.count.add(counter::fallbacks);
    me.age.store(0, Platform::relaxed);  // relaxed: it is in no queue any more
    core.shared.pool.give_back(me);
    return answer;
}

template <conflict_policy Policy, options Options, class Platform>
auto domain<Policy, Options, Platform>::read_lock_in(lock_type& lock, read_section* section)
    -> read_guard {
    detail::open_scope::forbid(&core_, "single-object read inside a transaction of its domain");
    core_.adopt(&lock);
    if constexpr (config::needs.umbrella) {
        // acquire; pairs with the bump in release_all
        auto const now = [this] { return core_.sequence.load(Platform::acquire); };
        auto entered = lock.try_enter(now);
        if (entered == lock_type::entered::yes) return {&core_, &lock, read_status::fast};
        if (entered == lock_type::entered::stale) return {nullptr, &lock, read_status::stale};
        if (!wait_for_read(core_, core_.umbrella, section, true)) {
            return {nullptr, &lock, read_status::stale};
        }
        // The umbrella is shared now: nobody can mark or detach, what was marked is released.
        if (lock.detached()) {
            end_read(core_, lock, read_status::fell_back);
            return {nullptr, &lock, read_status::stale};
        }
        return {&core_, &lock, read_status::fell_back};
    } else {
        if (lock.try_add_reader(detail::arbiter<config>::single_unit)) [[likely]] {
            return {&core_, &lock, read_status::fast};
        }
        if (!wait_for_read(core_, lock, section, false)) return {nullptr, &lock, read_status::stale};
        return {&core_, &lock, read_status::fast};
    }
}

template <conflict_policy Policy, options Options, class Platform>
auto domain<Policy, Options, Platform>::try_read_lock(lock_type& lock) -> read_guard {
    core_.adopt(&lock);
    if constexpr (config::needs.umbrella) {
        // acquire; pairs with the bump in release_all
        auto const entered = lock.try_enter([this] { return core_.sequence.load(Platform::acquire); });
        if (entered == lock_type::entered::yes) return {&core_, &lock, read_status::fast};
        auto const why = entered == lock_type::entered::stale ? read_status::stale : read_status::fast;
        return {nullptr, &lock, why};
    } else {
        if (lock.try_add_reader(detail::arbiter<config>::single_unit)) {
            return {&core_, &lock, read_status::fast};
        }
        return {nullptr, &lock, lock.detached() ? read_status::stale : read_status::fast};
    }
}

template <conflict_policy Policy, options Options, class Platform>
void domain<Policy, Options, Platform>::end_read(detail::domain_core<config>& core, lock_type& lock,
                                                 read_status status) noexcept {
    using arbiter = detail::arbiter<config>;
    if constexpr (config::needs.umbrella) {
        if (status == read_status::fell_back) {
            arbiter::release_single(core.umbrella);
        } else if (lock.leave()) {
            core.wake_marker();
        }
    } else {
        (void)core, (void)status;
        arbiter::release_single(lock);
    }
}

}  // namespace manylock

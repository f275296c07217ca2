// Single-object reads, which belong to no transaction: the same calls for both protocols.
#pragma once

#include <manylock/engine/admission.hpp>
#include <manylock/engine/domain_core.hpp>

namespace manylock::detail {

template <class Config>
class read_wait {
public:
    using platform = typename Config::platform;
    using core = domain_core<Config>;
    using read_section = typename platform::read_section;

    /// Waits as a reader of `lock`. Borrows a control block for the time of the wait.
    static acquire_result wait(core& domain, queued_lock<Config>& lock, read_section* section,
                               bool fallback) {
        borrowed const block{domain.shared.pool};
        auto const answer = admission<Config>::acquire(
            domain.shared, block.me,
            {.lock = lock, .wanted = mode::shared, .patience = {.section = section}});  // may throw
        if (fallback) block.me.count.add(counter::fallbacks);
        return answer;
    }

private:
    struct borrowed {
        block_pool<Config>& pool;
        control_block<Config>& me = pool.take();
        ~borrowed() {
            me.age.store(0, platform::relaxed);  // relaxed: it is in no queue any more
            pool.give_back(me);
        }
    };
};

/// Of objects that have a queue each.
template <class Config>
class queued_reads {
public:
    using core = domain_core<Config>;
    using lock_type = queued_lock<Config>;
    using read_section = typename Config::platform::read_section;

    static read_status try_enter(core&, lock_type& lock) noexcept {
        if (lock.try_add_reader(holders<Config>::single_unit)) [[likely]]
            return read_status::fast;
        return lock.detached() ? read_status::stale : read_status::busy;
    }
    static read_status enter(core& domain, lock_type& lock, read_section* section = nullptr) {
        auto const first = try_enter(domain, lock);
        if (first != read_status::busy) [[likely]]
            return first;
        return read_wait<Config>::wait(domain, lock, section, false) ? read_status::fast
                                                                     : read_status::stale;
    }
    static void leave(core&, lock_type& lock) noexcept {
        giving_back<Config>::release_single(lock);
    }

    static void fall_back(core&) noexcept {}
    static void end_fallback(core&) noexcept {}
};

/// Of objects that are marked under an umbrella.
template <class Config>
class umbrella_reads {
public:
    using platform = typename Config::platform;
    using core = domain_core<Config>;
    using lock_type = marked_lock<Config>;
    using read_section = typename platform::read_section;

    static read_status try_enter(core& domain, lock_type& lock) noexcept {
        // acquire; pairs with the bump in drop_umbrella
        switch (lock.try_enter([&] { return domain.sequence.load(platform::acquire); })) {
            case lock_type::entered::yes: return read_status::fast;
            case lock_type::entered::stale: return read_status::stale;
            case lock_type::entered::marked: return read_status::busy;
        }
        return read_status::busy;
    }
    /// Meets a mark: shares the umbrella to get in; but not for a lock that was found in a section, which may be another
    /// one by then.
    static read_status enter(core& domain, lock_type& lock, read_section* section = nullptr) {
        auto const first = try_enter(domain, lock);
        if (first != read_status::busy || section != nullptr) [[likely]]
            return first;
        fallen_back const umbrella{domain};
        auto const second = try_enter(domain, lock);
        return second == read_status::fast ? read_status::fell_back : second;
    }
    static void leave(core& domain, lock_type& lock) noexcept {
        if (lock.leave()) domain.wake_marker();
    }

    static void fall_back(core& domain) {
        (void)read_wait<Config>::wait(domain, domain.umbrella, nullptr,
                                      true);  // holds nothing: it is granted
    }
    static void end_fallback(core& domain) noexcept {
        giving_back<Config>::release_single(domain.umbrella);
    }

private:
    struct fallen_back {
        core& domain;
        explicit fallen_back(core& d) : domain{d} { fall_back(d); }
        ~fallen_back() { end_fallback(domain); }
        fallen_back(fallen_back const&) = delete;
        fallen_back& operator=(fallen_back const&) = delete;
    };
};

template <class Config>
using reads_of =
    std::conditional_t<Config::needs.umbrella, umbrella_reads<Config>, queued_reads<Config>>;

}  // namespace manylock::detail

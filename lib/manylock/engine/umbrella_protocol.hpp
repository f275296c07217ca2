// How a transaction locks objects under an umbrella: it takes the umbrella at its first lock, and marks what it writes.
// Source: Linux, mmap_lock and per-VMA locks.
#pragma once

#include <cstdint>

#include <manylock/engine/admission.hpp>
#include <manylock/engine/attempts.hpp>

namespace manylock::detail {

template <class Config>
class umbrella_protocol {
    using giving = giving_back<Config>;

public:
    using platform = typename Config::platform;
    using lock_type = marked_lock<Config>;
    using block = control_block<Config>;
    using core = domain_core<Config>;
    using pin = typename platform::restart_pin;
    using patience_type = patience<platform>;

    [[nodiscard, gnu::always_inline]] static bool acquired_at_once(core& domain, block& me,
                                                                   lock_type& lock) noexcept {
        if (me.phase == transaction_phase::restarting) return false;
        if (!me.under_umbrella) {
            if (!domain.umbrella.try_exclusive(me)) return false;
            me.under_umbrella = true;
        }
        return lock.try_mark(number(domain));
    }
    [[nodiscard]] static bool shared_at_once(core&, block&, lock_type&) noexcept { return false; }

    /// As basic_transaction::acquire.
    static acquire_result acquire(core& domain, block& me, pin&, lock_type& lock, mode m,
                                  std::uintptr_t, patience_type const& patience) {
        bool const newcomer = !me.under_umbrella;
        if (newcomer) {
            if (auto const answer = take_umbrella(domain, me, patience); !answer) return answer;
        }
        if (lock.marked_by(number(domain))) return status::already_held;
        // An object found before the umbrella was ours may have left its container since.
        if (lock.detached())
            return attempts<Config>::restart(domain, me, restart_reason::stale, nullptr, m, 0);
        if (m == mode::shared) return status::granted;
        if (lock.try_mark(number(domain))) return status::granted;
        if (!lock.begin_mark()) {
            if (auto const answer = drain_readers(me, lock, patience); !answer) {
                if (newcomer) drop_umbrella(domain, me);
                return answer;
            }
        }
        lock.mark(number(domain));
        return status::granted;
    }
    /// Takes a mark off, so that readers may enter; the umbrella itself stays until the end.
    static void release(core& domain, block& me, lock_type& lock) {
        check_use(me.under_umbrella, "lock released that is not held: double unlock?");
        if (checks_enabled && !me.under_umbrella) return;
        lock.unmark(number(domain));
    }
    [[gnu::always_inline]] static void release_all(core& domain, block& me) noexcept {
        if (me.under_umbrella) drop_umbrella(domain, me);
    }
    static void detach(lock_type& lock) noexcept { lock.set_detached(); }

    [[nodiscard]] static bool holds(core& domain, block& me, lock_type const& lock,
                                    mode at_least) noexcept {
        return me.under_umbrella && (at_least == mode::shared || lock.marked_by(number(domain)));
    }
    /// The umbrella is one.
    [[nodiscard]] static std::uint32_t held(block const& me) noexcept {
        return me.under_umbrella ? 1U : 0U;
    }

    /// Nothing contends under an umbrella but the umbrella, which is waited for holding nothing.
    static void rejoin(core&, block&, pin&) noexcept {}
    static void end(core&, block&) noexcept {}

private:
    /// Requires: the umbrella is ours.
    [[nodiscard]] static std::uint32_t number(core const& domain) noexcept {
        return domain.sequence.load(platform::relaxed);  // relaxed: ours while we hold the umbrella
    }
    static acquire_result take_umbrella(core& domain, block& me, patience_type const& patience) {
        if (!domain.umbrella.try_exclusive(me)) {
            auto const answer = admission<Config>::acquire(domain.shared, me,
                                                           {.lock = domain.umbrella,
                                                            .wanted = mode::exclusive,
                                                            .slot = &me.holds.reserve(),
                                                            .patience = patience});
            if (!answer) return answer;
        }
        me.under_umbrella = true;
        domain.marks_under.set(number(domain));
        return status::granted;
    }
    /// Waits for the single-object readers inside: granted once there is none. On failure the object is as before. The
    /// umbrella keeps the object in its container meanwhile.
    static acquire_result drain_readers(block& me, lock_type& lock, patience_type const& patience) {
        if (patience.section != nullptr && patience.may_wait) patience.section->leave();
        auto const begin = platform::now();
        me.count.add(counter::waits);
        acquire_result answer = status::busy;
        for (unsigned looks = 0;; ++looks) {
            me.park.reset();  // before the look: a reader that leaves after it wakes us
            if (lock.drained()) answer = status::granted;
            if (answer || !patience.may_wait) break;
            if (looks < Config::knobs.spin_limit) {
                platform::pause();
                continue;
            }
            if (patience.is_late()) {
                answer = status::timed_out;
                break;
            }
            if (patience.is_cancelled()) {
                answer = status::cancelled;
                break;
            }
            if (looks < Config::knobs.spin_limit + Config::knobs.yield_limit) {
                platform::yield();
                continue;
            }
            me.count.add(counter::parks);
            me.park.wait(patience.deadline);
        }
        if (!answer) lock.cancel_mark();
        me.count.add(counter::wait_ns, platform::ns_between(begin, platform::now()));
        return answer;
    }
    /// Unmarks whatever was marked, by one store, and gives the umbrella back.
    static void drop_umbrella(core& domain, block& me) noexcept {
        me.under_umbrella = false;
        domain.marks_under.clear();
        // release: who reads the new number sees what we did to every object we had marked
        domain.sequence.store(number(domain) + 1, platform::release);
        if (!domain.umbrella.try_release_exclusive(me)) {
            giving::release(domain.umbrella, mode::exclusive, nullptr);
        }
    }
};

}  // namespace manylock::detail

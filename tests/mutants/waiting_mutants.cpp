// Mistakes of waiting, leaving and restarting.
#include <optional>

#include "mutant.hpp"

// --- between the test and the sleep ----------------------------------------------------------------------
MANYLOCK_MUTANT(forgets_what_came_before_it_sleeps, wound_wait)
template <>
manylock::acquire_result
manylock::detail::waiting<manylock::detail::forgets_what_came_before_it_sleeps_config>::wait(
    shared_state& shared, block& me, request_type const& r) {
    me.park.reset();
    return wait_for_outcome(shared, me, r);
}
MANYLOCK_PLANT(forgets_what_came_before_it_sleeps, wound_wait,
               "wound lost between test and park: the parker is reset after the test", "A|A",
               "AB|BA")

namespace mutants {
/// Sleeps without comparing the word once more.
struct sleeps_blindly : simulated {
    static void futex_wait(atomic<std::uint32_t>& word, std::uint32_t, time_point const*) noexcept {
        step();
        if (auto* const w = simulate::world::current()) w->block(&word, nullptr);
    }
    using parker = manylock::platform::futex_parker<sleeps_blindly>;
};
/// Sends signals and wakes nobody.
struct wakes_nobody : simulated {
    static void futex_wake(atomic<std::uint32_t>&) noexcept { step(); }
    using parker = manylock::platform::futex_parker<wakes_nobody>;
};
/// Waits without its deadline once it was poked.
struct forgets_its_deadline : simulated {
    struct parker : manylock::platform::futex_parker<simulated> {
        void reset() noexcept {
            poked_ = false;
            futex_parker::reset();
        }
        void clear(std::uint32_t bits) noexcept {
            poked_ = true;
            futex_parker::clear(bits);
        }
        void wait(time_point const* deadline) noexcept {
            futex_parker::wait(poked_ ? nullptr : deadline);
        }

    private:
        bool poked_ = false;
    };
};
/// Deadlocks, unless a deadline ends it.
struct only_waits {
    static constexpr char const* name = "only_waits";
    static constexpr policy_needs needs{};
    static constexpr policy_promises promises{};
    static constexpr restart_reason reason = restart_reason::conflict;
    static constexpr decision on_conflict(conflict const&) noexcept { return decision::wait; }
};
static planted<only_waits, only_waits, forgets_its_deadline> const plant_patient{
    "forgets_its_deadline",
    "told of a free lock that another took, a waiter sleeps again, without its deadline",
    {"B~A|AB|A"}};
static planted<policies::wound_wait, policies::wound_wait, sleeps_blindly> const plant_blind{
    "sleeps_blindly", "set state before the test: the futex must compare the word it saw", {"A|A"}};
static planted<policies::wound_wait, policies::wound_wait, wakes_nobody> const plant_deaf{
    "wakes_nobody", "flag then wake: a signal without a wake-up", {"A|A"}};
}  // namespace mutants

MANYLOCK_MUTANT(never_looks_again, wound_wait)
template <>
std::optional<manylock::acquire_result>
manylock::detail::waiting<manylock::detail::never_looks_again_config>::look_again(
    shared_state&, block&, request_type const&, bool, bool) {
    return std::nullopt;
}
MANYLOCK_PLANT(never_looks_again, wound_wait, "woken, and the mark is not read", "AB|BA")

// --- leaving the queue -------------------------------------------------------------------------------
MANYLOCK_MUTANT(drops_a_grant, cycle_detection)
template <>
manylock::acquire_result manylock::detail::waiting<manylock::detail::drops_a_grant_config>::leave(
    shared_state&, block& me, request_type const& r, acquire_result result) noexcept {
    auto const w = queue::latch(r.lock);
    if (me.queued()) {
        queue::dequeue(r.lock, me);
        giving::serve(r.lock, w);
    } else {
        queue::unlatch(r.lock, w);
    }
    return result;
}
MANYLOCK_PLANT(drops_a_grant, cycle_detection,
               "kill test before pick-up of a granted lock: the lock leaks", "B~A|A")

MANYLOCK_MUTANT(leaves_without_handing_on, cycle_detection)
template <>
manylock::acquire_result
manylock::detail::waiting<manylock::detail::leaves_without_handing_on_config>::leave(
    shared_state&, block& me, request_type const& r, acquire_result result) noexcept {
    if ((me.park.signals() & (signal::granted | signal::stale)) == 0) {
        auto const w = queue::latch(r.lock);
        if (me.queued()) {
            queue::dequeue(r.lock, me);
            queue::unlatch(r.lock, w);
            return result;
        }
        queue::unlatch(r.lock, w);
    }
    for (;;) {
        auto const seen = me.park.signals();
        if ((seen & signal::granted) != 0) return status::granted;
        if ((seen & signal::stale) != 0) return restart_reason::stale;
        platform::yield();
    }
}
MANYLOCK_PLANT(leaves_without_handing_on, cycle_detection,
               "signal or time-out while queued: those behind the one who leaves are not served",
               "aB|~A|Ba")

namespace mutants {
struct takes_and_serves_nobody : only_waits {};
}  // namespace mutants
namespace manylock::detail {
using takes_and_serves_nobody_config = MANYLOCK_MUTANT_CONFIG(takes_and_serves_nobody);
}
template <>
bool manylock::detail::waiting<manylock::detail::takes_and_serves_nobody_config>::takes_open_lock(
    block& me, request_type const& r) noexcept {
    auto w = queue::latch(r.lock).not_awake();
    bool const takes = me.queued() && w.is_free();
    if (takes) w = queue::admit(r.lock, w, me);
    queue::unlatch(r.lock, w);
    return takes;
}
namespace mutants {
static planted<takes_and_serves_nobody, only_waits> const plant_egoist{
    "takes_and_serves_nobody",
    "a reader takes the lock that was left open, and those who could share it are not served",
    {"A|Ba|aB"}};
}  // namespace mutants

MANYLOCK_MUTANT(detaches_and_tells_nobody, lock_ordering)
template <>
void manylock::detail::giving_back<manylock::detail::detaches_and_tells_nobody_config>::detach(
    lock_type& lock) noexcept {
    queue::unlatch(lock, queue::latch(lock).detached());
}
MANYLOCK_PLANT(detaches_and_tells_nobody, lock_ordering,
               "object gone: its waiters get the lock of an object that is no more, or nothing",
               "A*A|A", "A*A|A|a")

// --- marks -------------------------------------------------------------------------------------------
MANYLOCK_MUTANT(wounds_outlive_the_attempt, wound_wait)
template <>
bool manylock::detail::control_block<
    manylock::detail::wounds_outlive_the_attempt_config>::is_wounded() const noexcept {
    return wounded_attempt.load(platform::acquire) != 0;
}
MANYLOCK_PLANT(wounds_outlive_the_attempt, wound_wait,
               "wounded flag never cleared: endless self-abort", "AB|BA", "AB/AB|BA/BA")

MANYLOCK_MUTANT(victims_outlive_the_wait, cycle_detection)
template <>
bool manylock::detail::control_block<manylock::detail::victims_outlive_the_wait_config>::is_victim()
    const noexcept {
    return victim_wait.load(platform::acquire) != 0;
}
MANYLOCK_PLANT(victims_outlive_the_wait, cycle_detection, "abort flag not tied to the wait attempt",
               "AB|BA", "AB/AB|BA/BA|A")

MANYLOCK_MUTANT(starts_no_new_attempt, wound_wait)
template <>
void manylock::detail::attempts<manylock::detail::starts_no_new_attempt_config>::begin_next(
    block& me) noexcept {
    if (me.attempt.load(platform::relaxed) == 0) me.attempt.store(1, platform::relaxed);
}
MANYLOCK_PLANT(starts_no_new_attempt, wound_wait, "a wound meant for one attempt hits the next",
               "AB|BA", "AB/AB|BA/BA")

MANYLOCK_MUTANT(forgets_its_age, wound_wait)
template <>
void manylock::detail::attempts<manylock::detail::forgets_its_age_config>::begin_next(
    block& me) noexcept {
    me.attempt.store(me.attempt.load(platform::relaxed) + 1, platform::relaxed);
    me.age.store(0, platform::relaxed);
}
MANYLOCK_PLANT(forgets_its_age, wound_wait, "new stamp on retry: starvation", "AB|BA",
               "AB|BA/BA/BA", "AB|BC|CA", "AB/BA|BA/AB|AB/AB")

MANYLOCK_MUTANT(forgets_wounds_on_an_early_release, wound_wait)
template <>
void manylock::detail::queued_protocol<
    manylock::detail::forgets_wounds_on_an_early_release_config>::release(core&, block& me,
                                                                          lock_type& lock) {
    auto* const entry = me.holds.find(&lock);
    release_hold(me, *entry);
    (void)me.holds.remove(*entry);
    detail::attempts<detail::forgets_wounds_on_an_early_release_config>::begin_next(me);
}
MANYLOCK_PLANT(forgets_wounds_on_an_early_release, wound_wait,
               "wounded flag cleared on unlock while other locks are still held", "DBA|AC-CB|D")

// --- restarting ----------------------------------------------------------------------------------------
MANYLOCK_MUTANT(dies_while_holding_nothing, wait_die)
template <>
std::uint32_t manylock::detail::hold_list<
    manylock::detail::dies_while_holding_nothing_config>::held() const noexcept {
    return own_size() - gaps_ + 1;
}
MANYLOCK_PLANT(dies_while_holding_nothing, wait_die,
               "ww_mutex: who holds nothing must not die, or waiting for the contending lock fails",
               "A|A", "AB|A")

MANYLOCK_MUTANT(wounds_while_holding_nothing, wound_wait)
template <>
std::uint32_t manylock::detail::hold_list<
    manylock::detail::wounds_while_holding_nothing_config>::held() const noexcept {
    return own_size() - gaps_ + 1;
}
MANYLOCK_PLANT(wounds_while_holding_nothing, wound_wait,
               "ww_mutex: who holds nothing must not wound, it can close no cycle", "C-CA|A|C")

MANYLOCK_MUTANT(retries_at_once, wait_die)
template <>
manylock::acquire_result
manylock::detail::attempts<manylock::detail::retries_at_once_config>::restart(
    core&, block& me, restart_reason reason, queued_lock<detail::retries_at_once_config>*, mode,
    std::uintptr_t) {
    me.phase = transaction_phase::restarting;
    me.last_restart = reason;
    me.count.add_restart(reason);
    return reason;
}
MANYLOCK_PLANT(retries_at_once, wait_die,
               "retry without waiting for the contending lock: it spins through restarts", "AB|BA",
               "AB|BC|CA", "ABC|CBA")

MANYLOCK_MUTANT(never_awaits_its_turn, no_wait)
template <>
bool manylock::detail::turns<manylock::detail::never_awaits_its_turn_config>::await(
    core&, block&, platform::restart_pin&) {
    return false;
}
MANYLOCK_PLANT(never_awaits_its_turn, no_wait,
               "decision 19: two that restart each other for ever, found by lockstep", "AB|BA",
               "ABC|BCA|CAB", "ABC|CBA", "AB|BA|AB|BA", "aB|bA")

MANYLOCK_MUTANT(keeps_its_turn, no_wait)
template <>
void manylock::detail::turns<manylock::detail::keeps_its_turn_config>::end(core&, block&) noexcept {
}
MANYLOCK_PLANT(keeps_its_turn, no_wait, "decision 19: a turn that is never given on", "AB|BA",
               "AB/AB|BA/BA")

// --- ranks ---------------------------------------------------------------------------------------------
MANYLOCK_MUTANT(forgets_its_ranks, lock_ordering)
template <>
void manylock::detail::ranks<manylock::detail::forgets_its_ranks_config>::lower(
    block& me, std::uintptr_t, hold_type const*) noexcept {
    me.highest_rank = 0;
}
MANYLOCK_PLANT(forgets_its_ranks, lock_ordering,
               "an early release forgets the ranks of what is still held: it waits out of order",
               "BC-CA|AB", "BDC-DA|AB")

MANYLOCK_MUTANT(ranks_by_the_last_only, lock_ordering)
template <>
void manylock::detail::ranks<manylock::detail::ranks_by_the_last_only_config>::note(
    block& me, hold_type& h, queued_lock<detail::ranks_by_the_last_only_config>& lock,
    std::uintptr_t named) noexcept {
    h.rank = domain_core<detail::ranks_by_the_last_only_config>::rank_of(lock, named);
    h.highest_before = me.highest_rank;
    me.highest_rank = h.rank;
}
MANYLOCK_PLANT(ranks_by_the_last_only, lock_ordering,
               "out of order by a try, and the highest rank is lost", "C?AB|BC", "C?AB|BC|A")

// Mistakes of queue, granting and evaluation.
#include "mutant.hpp"

// --- order of the queue --------------------------------------------------------------------------------
MANYLOCK_MUTANT(first_come_first_served, wait_die)
template <>
bool manylock::detail::wait_queue<manylock::detail::first_come_first_served_config>::goes_ahead(
    stamp, bool a_upgrades, block const& b) noexcept {
    return a_upgrades && !b.wait_upgrade;
}
MANYLOCK_PLANT(first_come_first_served, wait_die,
               "ww_mutex: wait-die on an unsorted list lets an older one wait behind a younger",
               "AB|BA|AB", "AB|BC|CA", "ABC|BCA|CAB|CBA", "A/AB|BA|B")

MANYLOCK_MUTANT(youngest_first, wound_wait)
template <>
bool manylock::detail::wait_queue<manylock::detail::youngest_first_config>::goes_ahead(
    stamp a, bool a_upgrades, block const& b) noexcept {
    if (a_upgrades != b.wait_upgrade) return a_upgrades;
    return b.current_stamp().older_than(a);
}
MANYLOCK_PLANT(youngest_first, wound_wait, "ages compared the wrong way round (signed difference)",
               "AB|BA|AB", "AB|BA|A|B", "ABC|BCA|CAB|CBA")

// --- word --------------------------------------------------------------------------------------------
MANYLOCK_MUTANT(forgets_the_waiters_bit, wound_wait)
template <>
void manylock::detail::wait_queue<manylock::detail::forgets_the_waiters_bit_config>::unlatch(
    lock_type& lock, lock_word w) noexcept {
    lock.word_.store(w.without_waiters().bits, platform::release);
}
MANYLOCK_PLANT(forgets_the_waiters_bit, wound_wait,
               "waiters flag cleared with a non-empty list: release finds nobody to wake", "A|A")

MANYLOCK_MUTANT(readers_bar_nobody, wound_wait)
template <>
bool manylock::detail::holders<manylock::detail::readers_bar_nobody_config>::are_in_the_way(
    lock_word w, block const&, mode, bool, bool) noexcept {
    return w.is_exclusive();
}
MANYLOCK_PLANT(readers_bar_nobody, wound_wait, "a writer joins readers", "a|A")

MANYLOCK_MUTANT(waits_for_its_own_hold, cycle_detection)
template <>
bool manylock::detail::holders<manylock::detail::waits_for_its_own_hold_config>::are_in_the_way(
    lock_word w, block const&, mode wanted, bool, bool) noexcept {
    if (w.is_exclusive()) return true;
    return wanted == mode::exclusive && w.counted_readers() > 0;
}
MANYLOCK_PLANT(waits_for_its_own_hold, cycle_detection,
               "six lock: own extra reads must be subtracted before an upgrade", "aA")

MANYLOCK_MUTANT(upgrades_beside_a_single_reader, wound_wait)
template <>
bool manylock::detail::holders<manylock::detail::upgrades_beside_a_single_reader_config>::
    are_in_the_way(lock_word w, block const& me, mode wanted, bool upgrade, bool) noexcept {
    if (w.is_exclusive()) return true;
    if (wanted == mode::shared) return false;
    if (w.single_readers() != 0 && !upgrade) return true;
    auto const* const reader = w.first_reader<hold_type>();
    return reader != nullptr && (reader->holder != &me || reader->next != nullptr);
}
MANYLOCK_PLANT(upgrades_beside_a_single_reader, wound_wait,
               "an upgrade looks for its own hold among the readers, and not at those without one",
               "=a|aA")

// --- granting ----------------------------------------------------------------------------------------
MANYLOCK_MUTANT(hands_nothing_on, no_wait)
template <>
void manylock::detail::giving_back<manylock::detail::hands_nothing_on_config>::serve(
    lock_type& lock, lock_word w) noexcept {
    queue::unlatch(lock, w);
}
MANYLOCK_PLANT(hands_nothing_on, no_wait, "a release that wakes nobody", "A|A")

MANYLOCK_MUTANT(grants_out_of_turn, cycle_detection)
template <>
manylock::detail::lock_word
manylock::detail::wait_queue<manylock::detail::grants_out_of_turn_config>::grant(
    lock_type& lock, lock_word w, leavers& granted) noexcept {
    for (auto* b = first(lock); b != nullptr;) {
        auto* const following = next(*b);
        if (!is_held_up(w, *b, mode_of(*b))) {
            w = admit(lock, w, *b);
            granted.add(*b);
        }
        b = following;
    }
    return w;
}
MANYLOCK_PLANT(grants_out_of_turn, cycle_detection,
               "a waiter is passed without its knowledge: an edge that nobody walks over",
               "aB|A|Ba", "aC|CB|aB|A", "aB|BA|Ba|a", "aC|Ca|A|aB|B")

MANYLOCK_MUTANT(barges_past_the_queue, wound_wait)
template <>
bool manylock::detail::conflicts<
    manylock::detail::barges_past_the_queue_config>::waiters_are_in_the_way(lock_type const&,
                                                                            block const&, mode,
                                                                            bool) noexcept {
    return false;
}
MANYLOCK_PLANT(barges_past_the_queue, wound_wait,
               "stealing by a new arrival: it owns a lock that an older waiter needs", "a|BA|aB|B")

// --- leaving a lock free -------------------------------------------------------------------------------
MANYLOCK_MUTANT(passes_everybody, wound_wait)
template <>
bool manylock::detail::wait_queue<manylock::detail::passes_everybody_config>::is_closed(
    lock_type const&) noexcept {
    return false;
}
MANYLOCK_PLANT(passes_everybody, wound_wait,
               "a free lock is left to a younger one although an older that holds something waits",
               "AB|BA|AB", "BA|A|AB", "BA|A/A|A/A", "ABC|BCA|CAB", "aB|BA|bA|AB")

MANYLOCK_MUTANT(opens_long_queues, wound_wait)
template <>
bool manylock::detail::wait_queue<manylock::detail::opens_long_queues_config>::is_closed(
    lock_type const& lock) noexcept {
    int looks = 0;
    for (auto const* b = first(lock); b != nullptr; b = next(*b)) {
        if (++looks > 4) return false;
        if (!may_be_passed(*b)) return true;
    }
    return false;
}
MANYLOCK_PLANT(opens_long_queues, wound_wait,
               "a queue too long to look through counts as open: the elder at its end is passed",
               "BA/BA/BA|A/A/A|A/A/A|A/A/A|A/A/A|A/A/A|A/A/A")

MANYLOCK_MUTANT(serves_the_one_that_was_awake, no_wait)
template <>
manylock::detail::lock_word
manylock::detail::wait_queue<manylock::detail::serves_the_one_that_was_awake_config>::admit(
    lock_type& lock, lock_word w, block& b) noexcept {
    dequeue(lock, b);
    return holders<detail::serves_the_one_that_was_awake_config>::add(w, b, mode_of(b), nullptr,
                                                                      b.wait_hold);
}
MANYLOCK_PLANT(serves_the_one_that_was_awake, no_wait,
               "a reader that was told is served by another, and those behind it are not told",
               "A|a|a|a|A")

MANYLOCK_MUTANT(stays_awake, no_wait)
template <>
bool manylock::detail::waiting<manylock::detail::stays_awake_config>::takes_open_lock(
    block& me, request_type const& r) noexcept {
    auto w = queue::latch(r.lock);
    if (!me.queued()) {
        queue::unlatch(r.lock, w);
        return false;
    }
    if (!w.is_free()) {
        giving::serve(r.lock, w);
        return false;
    }
    w = queue::admit(r.lock, w, me);
    giving::serve(r.lock, w);
    return true;
}
MANYLOCK_PLANT(
    stays_awake, no_wait,
    "a waiter that found the lock taken sleeps again, and the next release takes it for awake",
    "A|A|A", "A/A|A")

MANYLOCK_MUTANT(leaves_as_if_awake, no_wait)
template <>
manylock::acquire_result
manylock::detail::waiting<manylock::detail::leaves_as_if_awake_config>::leave(
    shared_state&, block& me, request_type const& r, acquire_result result) noexcept {
    auto const w = queue::latch(r.lock);
    if (me.queued()) {
        queue::dequeue(r.lock, me);
        giving::serve(r.lock, w);
        return result;
    }
    queue::unlatch(r.lock, w);
    return status::granted;
}
MANYLOCK_PLANT(leaves_as_if_awake, no_wait,
               "the waiter that was told gives up, and those behind it are not told", "A|~A|A")

// --- distributed readers -------------------------------------------------------------------------------
namespace mutants {
struct looks_through_no_list : policies::no_wait {};
struct counts_and_says_nothing : policies::wound_wait {};
}  // namespace mutants
namespace manylock::detail {
using looks_through_no_list_config =
    config<mutants::looks_through_no_list, explore::distributed, simulate::simulated>;
using counts_and_says_nothing_config =
    config<mutants::counts_and_says_nothing, explore::distributed, simulate::simulated>;
}  // namespace manylock::detail
template <>
manylock::detail::lock_word
manylock::detail::holders<manylock::detail::looks_through_no_list_config>::count_distributed(
    shared_state&, lock_type&, lock_word w) noexcept {
    return w.not_distributed();
}
template <>
bool manylock::detail::hold<manylock::detail::counts_and_says_nothing_config>::count_distributed(
    lock_type const* lock) noexcept {
    return read() == distributed_hold_of(lock);
}
namespace mutants {
static planted<looks_through_no_list, policies::no_wait, simulated, explore::distributed> const
    plant_blind_to_lists{"looks_through_no_list",
                         "distributed readers: a writer comes in beside them",
                         {"ab|AB", "aB|A|Ba"}};
static planted<counts_and_says_nothing, policies::wound_wait, simulated, explore::distributed> const
    plant_silent_count{
        "counts_and_says_nothing",
        "distributed readers: counted, and gives back what the lock does not know of",
        {"a|A", "ab|AB", "aB|A|Ba"}};
}  // namespace mutants

// --- asking again when holders or queue grow -------------------------------------------------------------
MANYLOCK_MUTANT(asks_nobody_again, wait_die)
template <>
void manylock::detail::conflicts<manylock::detail::asks_nobody_again_config>::ask_again(
    block*, block&, mode, pokes&) noexcept {}
MANYLOCK_PLANT(asks_nobody_again, wait_die,
               "ww_mutex: tests on arrival only, not when an older waiter comes in the way",
               "AB|BA|AB", "aB|bA|AB", "aC|CB|aB|A", "ABC|BCA|CAB|CBA", "abC|bcA|caB", "aB|A|Ba")

MANYLOCK_MUTANT(never_dies_in_the_queue, wait_die)
template <>
bool manylock::detail::waiting<manylock::detail::never_dies_in_the_queue_config>::dies_in_queue(
    block&, request_type const&) noexcept {
    return false;
}
MANYLOCK_PLANT(
    never_dies_in_the_queue, wait_die,
    "ww_mutex: wait-die tests on arrival only, a waiter passed by an older one sleeps on",
    "AB|BA|AB", "aB|bA|AB", "aC|CB|aB|A", "ABC|BCA|CAB|CBA", "abC|bcA|caB", "aB|A|Ba")

MANYLOCK_MUTANT(wounds_one_reader_only, wound_wait)
template <>
template <class F>
void manylock::detail::holders<manylock::detail::wounds_one_reader_only_config>::for_each_known(
    lock_word w, F f) noexcept {
    if (w.is_exclusive()) {
        f(*w.exclusive_holder<block>());
    } else if (auto* const e = w.first_reader<hold_type>()) {
        f(*e->holder);
    }
}
MANYLOCK_PLANT(wounds_one_reader_only, wound_wait,
               "shared mode: an older writer must wound every younger reader", "aB|aC|BCA",
               "aB|aB|BA")

MANYLOCK_MUTANT(wounds_for_itself_only, wound_wait)
template <>
bool manylock::detail::conflicts<manylock::detail::wounds_for_itself_only_config>::must_die(
    request_type const& r, lock_word w, block& me, pokes& wounded) noexcept {
    bool const upgrade = r.is_upgrade();
    auto const holder_mode = w.is_exclusive() ? mode::exclusive : mode::shared;
    for_each_ahead(r.lock, me, upgrade, [&](block& ahead) {
        if (!compatible(queue::mode_of(ahead), r.wanted)) (void)decide(me, ahead, r, wounded);
        return true;
    });
    if (!compatible(holder_mode, r.wanted)) {
        holding::for_each_known(w, [&](block& holder) {
            if (&holder != &me) (void)decide(me, holder, r, wounded);
        });
    }
    return false;
}
MANYLOCK_PLANT(wounds_for_itself_only, wound_wait,
               "decision 3: who queues behind a waiter that holds nothing must wound in its place",
               "A-AB|ACb|Cb/bC")

MANYLOCK_MUTANT(wounds_without_waking, wound_wait)
template <>
void manylock::detail::conflicts<manylock::detail::wounds_without_waking_config>::wound(
    block& by, block& other, pokes&) noexcept {
    other.wounded_attempt.store(other.attempt.load(platform::relaxed), platform::release);
    by.count.add(counter::wounds);
}
MANYLOCK_PLANT(wounds_without_waking, wound_wait,
               "ww_mutex: flag set, owner asleep on another lock", "AB|BA", "AB|BC|CA")

MANYLOCK_MUTANT(draws_its_stamp_twice, wound_wait)
template <>
manylock::stamp
manylock::detail::conflicts<manylock::detail::draws_its_stamp_twice_config>::ensure_stamp(
    shared_state& shared, block& b) noexcept {
    if (auto const s = b.current_stamp(); s.drawn()) return s;
    auto const drawn = shared.last_stamp.fetch_add(1, platform::relaxed) + 1;
    b.age.store(drawn, platform::release);
    return {drawn};
}
MANYLOCK_PLANT(
    draws_its_stamp_twice, wound_wait,
    "lazy stamps: two draw for one holder, and the later store makes it younger than it was",
    "B|AB|BA")

MANYLOCK_MUTANT(passes_whoever_holds, cycle_detection)
template <>
bool manylock::detail::wait_queue<manylock::detail::passes_whoever_holds_config>::let_pass(
    lock_type& lock, block& b, std::uint64_t wait_number) noexcept {
    auto w = latch(lock);
    if (b.wait.load(platform::relaxed) != wait_number) {
        unlatch(lock, w);
        return false;
    }
    w = admit(lock, w, b);
    unlatch(lock, w);
    b.park.deliver(signal::granted);
    return true;
}
MANYLOCK_PLANT(passes_whoever_holds, cycle_detection,
               "overtaking the queue must not overtake the holders", "aB|A|Ba", "aC|CB|aB|A",
               "AB|BA|Ba|aB", "AB|A|BA", "aB|BA|Ba|a", "AB|BA|A|B")

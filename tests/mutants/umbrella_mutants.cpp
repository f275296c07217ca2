// Mistakes of the umbrella.
#include "mutant.hpp"

MANYLOCK_MUTANT(bars_readers_for_ever, umbrella)
template <>
void manylock::marked_lock<manylock::detail::bars_readers_for_ever_config>::cancel_mark() noexcept {
}
MANYLOCK_PLANT(bars_readers_for_ever, umbrella, "an aborted writer leaves its block bit", "=a|?A",
               "=a|~A", "=a|=a|?A")

MANYLOCK_MUTANT(leaves_without_a_word, umbrella)
template <>
bool manylock::marked_lock<manylock::detail::leaves_without_a_word_config>::leave() noexcept {
    word_.fetch_sub(1, platform::acq_rel);
    return false;
}
MANYLOCK_PLANT(leaves_without_a_word, umbrella,
               "the last reader must wake the writer that excludes it", "=a|A")

MANYLOCK_MUTANT(marks_over_readers, umbrella)
template <>
bool manylock::marked_lock<manylock::detail::marks_over_readers_config>::begin_mark() noexcept {
    word_.fetch_or(draining, platform::acq_rel);
    return true;
}
MANYLOCK_PLANT(marks_over_readers, umbrella, "a mark must wait for the readers inside", "=a|A")

MANYLOCK_MUTANT(bars_nobody, umbrella)
template <>
bool manylock::marked_lock<manylock::detail::bars_nobody_config>::begin_mark() noexcept {
    return (word_.load(platform::acquire) & reader_mask) == 0;
}
MANYLOCK_PLANT(bars_nobody, umbrella, "readers must be kept out while old ones drain", "=a|A",
               "=a|=a|A")

MANYLOCK_MUTANT(enters_marked_objects, umbrella)
template <>
template <class Sequence>
auto manylock::marked_lock<manylock::detail::enters_marked_objects_config>::try_enter(
    Sequence) noexcept -> entered {
    auto w = word_.load(platform::acquire);
    for (;;) {
        if ((w & detached_bit) != 0) return entered::stale;
        if ((w & draining) != 0) return entered::marked;
        if (word_.compare_exchange_weak(w, w + 1, platform::acquire, platform::acquire)) {
            return entered::yes;
        }
    }
}
MANYLOCK_PLANT(enters_marked_objects, umbrella, "the sequence check is omitted", "=a|A")

MANYLOCK_MUTANT(compares_with_an_old_number, umbrella)
template <>
template <class Sequence>
auto manylock::marked_lock<manylock::detail::compares_with_an_old_number_config>::try_enter(
    Sequence current) noexcept -> entered {
    auto const number = current();
    auto w = word_.load(platform::acquire);
    for (;;) {
        if ((w & detached_bit) != 0) return entered::stale;
        if ((w & draining) != 0 || sequence_of(w) == number) return entered::marked;
        if (word_.compare_exchange_weak(w, w + 1, platform::acquire, platform::acquire)) {
            return entered::yes;
        }
    }
}
MANYLOCK_PLANT(
    compares_with_an_old_number, umbrella,
    "the domain's number is read before the object's: a mark of the next holder is missed",
    "=a|B/A", "=a|A/A")

MANYLOCK_MUTANT(unmarks_nothing, umbrella)
template <>
void manylock::detail::umbrella_protocol<manylock::detail::unmarks_nothing_config>::drop_umbrella(
    core& domain, block& me) noexcept {
    me.under_umbrella = false;
    domain.marks_under.clear();
    if (!domain.umbrella.try_release_exclusive(me)) {
        giving::release(domain.umbrella, mode::exclusive, nullptr);
    }
}
MANYLOCK_PLANT(unmarks_nothing, umbrella, "no bump at the end: what was marked stays marked",
               "=a|A", "A/=a", "A|=a/=a")

MANYLOCK_MUTANT(bumps_after_the_release, umbrella)
template <>
void manylock::detail::umbrella_protocol<
    manylock::detail::bumps_after_the_release_config>::drop_umbrella(core& domain,
                                                                     block& me) noexcept {
    me.under_umbrella = false;
    domain.marks_under.clear();
    if (!domain.umbrella.try_release_exclusive(me)) {
        giving::release(domain.umbrella, mode::exclusive, nullptr);
    }
    domain.sequence.store(domain.sequence.load(platform::relaxed) + 1, platform::release);
}
MANYLOCK_PLANT(bumps_after_the_release, umbrella,
               "the next holder marks under the old number, which the late bump unmarks", "A|A|=a",
               "A|B/A|=a")

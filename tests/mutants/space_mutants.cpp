// Mistakes of the address space: which VMAs and which parts of gaps an operation locks, and what it believes without
// a lock. Scripts: tests/explore/space_script.hpp.
#include "mutant.hpp"

#include <explore/space_actors.hpp>

namespace mutants {

template <class Policy>
simulate::exploration explore_space(char const* text, simulate::search const& s) {
    auto const what = explore::space_script::parse(text);
    return simulate::explore([&] { return std::make_unique<explore::space_actors<Policy>>(what); },
                             s);
}

template <class Mutant, class Original>
struct planted_in_space {
    planted_in_space(char const* name, char const* origin, std::vector<char const*> scripts) {
        all().push_back(
            {name, origin, std::move(scripts), &explore_space<Mutant>, &explore_space<Original>});
    }
};

}  // namespace mutants

#define MANYLOCK_SPACE_MUTANT(name, base)                        \
    namespace mutants {                                          \
    struct name : manylock::policies::base {};                   \
    }                                                            \
    namespace manylock::address_space {                          \
    using name##_space = explore::explored_space<mutants::name>; \
    using name##_update = update<name##_space>;                  \
    }
#define MANYLOCK_PLANT_IN_SPACE(name, base, origin, ...)                        \
    namespace mutants {                                                         \
    static planted_in_space<name, manylock::policies::base> const plant_##name{ \
        #name, origin, {__VA_ARGS__}};                                          \
    }

// --- what is locked

/// add_held, with a lock given back where `unlocked` says so; and remove, which needs none then.
#define MANYLOCK_LEAVES_UNLOCKED(name, unlocked)                                              \
    template <>                                                                               \
    void manylock::address_space::name##_update::add_held(held h) {                           \
        auto const after =                                                                    \
            std::upper_bound(w_.held_.begin(), w_.held_.end(), h,                             \
                             [](held const& a, held const& b) { return a.start < b.start; }); \
        w_.held_.insert(after, h);                                                            \
        if (unlocked) txn_.release(h.where->lock);                                            \
    }                                                                                         \
    template <>                                                                               \
    void manylock::address_space::name##_update::remove(region_type& r) {                     \
        w_.removed_.push_back(&r);                                                            \
        if (txn_.holds(r.lock, mode::exclusive)) txn_.detach(r.lock);                         \
    }

MANYLOCK_SPACE_MUTANT(locks_no_target, wound_wait)
MANYLOCK_LEAVES_UNLOCKED(locks_no_target, !h.claim && h.start < op_.start + op_.length &&
                                              h.where->past() > op_.start)
MANYLOCK_PLANT_IN_SPACE(locks_no_target, wound_wait,
                        "a VMA that the operation changes is not locked", "wwww....: u0-4 | f1",
                        "wwww....: u0-2 | p1-3r")

MANYLOCK_SPACE_MUTANT(locks_no_left_neighbour, wound_wait)
MANYLOCK_LEAVES_UNLOCKED(locks_no_left_neighbour, !h.claim && h.where->past() <= op_.start)
MANYLOCK_PLANT_IN_SPACE(locks_no_left_neighbour, wound_wait,
                        "the VMA below, with which it may become one, is not locked",
                        "ww......: m2-4w | u0-2", "ww..ww..: m2-4w | p0-2r")

MANYLOCK_SPACE_MUTANT(locks_no_right_neighbour, wound_wait)
MANYLOCK_LEAVES_UNLOCKED(locks_no_right_neighbour, !h.claim && h.start >= op_.start + op_.length)
MANYLOCK_PLANT_IN_SPACE(locks_no_right_neighbour, wound_wait,
                        "the VMA above, with which it may become one, is not locked",
                        "..ww....: m0-2w | u2-4", "..ww....: m0-2w | p2-4r")

MANYLOCK_SPACE_MUTANT(locks_no_gap, wound_wait)
template <>
bool manylock::address_space::locks_no_gap_update::find_fills() {
    return false;
}
MANYLOCK_PLANT_IN_SPACE(locks_no_gap, wound_wait, "what is mapped into a gap is not claimed first",
                        "........: m2-5w | m3-6r")

MANYLOCK_SPACE_MUTANT(marks_no_vma, umbrella)
template <>
bool manylock::address_space::marks_no_vma_update::mark_changes() {
    return true;
}
template <>
void manylock::address_space::marks_no_vma_update::remove(region_type& r) {
    w_.removed_.push_back(&r);
}
MANYLOCK_PLANT_IN_SPACE(marks_no_vma, umbrella,
                        "a VMA is changed under the umbrella and not marked (vma_start_write)",
                        "wwww....: u0-4 | f1", "wwww....: u0-2 | f1")

// --- what is believed without a lock

MANYLOCK_SPACE_MUTANT(ranks_where_it_was, lock_ordering)
template <>
bool manylock::address_space::ranks_where_it_was_update::hold(region_type& r,
                                                              read_section& section) {
    address const rank = r.first();
    w_.last_asked_ = &r;
    w_.last_rank_ = rank;
    make_room(1);
    if (!txn_.acquire_found(r.lock, writes_ ? mode::exclusive : mode::shared, section, rank))
        return false;
    add_held({&r, r.first(), false, false});
    return true;
}
MANYLOCK_PLANT_IN_SPACE(ranks_where_it_was, lock_ordering,
                        "a VMA has moved while its lock was waited for, and keeps its old rank",
                        "R..W..a.: m2-7n m2-6r | m1-2r M2r | u2-6 m4-8r")

MANYLOCK_SPACE_MUTANT(commits_past_foreign_vmas, cycle_detection)
template <>
bool manylock::address_space::commits_past_foreign_vmas_update::still_true() const {
    return true;
}
MANYLOCK_PLANT_IN_SPACE(commits_past_foreign_vmas, cycle_detection,
                        "what was free when it was looked at may be mapped at the commit",
                        "........: u0-8 | m2-4w", "........: m2-4w | m4-6w",
                        "ww......: d0-4 | m2-4w", "ww..ww..: p0-2r | m2-4r")

MANYLOCK_SPACE_MUTANT(commits_with_old_flags, cycle_detection)
template <>
bool manylock::address_space::commits_with_old_flags_update::still_true() const {
    bool ours = true;
    for (interval const& known : w_.plan_.covered()) {
        map_.each(known.start, [&](region_type const& r) {
            bool const inside = r.first() < known.end;
            if (inside && r.claim_number() == 0 && !is_held(&r)) ours = false;
            return inside && ours;
        });
    }
    return ours;
}
MANYLOCK_PLANT_IN_SPACE(commits_with_old_flags, cycle_detection,
                        "mlockall(MCL_FUTURE) comes between the plan and the commit",
                        "........: L | m2-4w")

MANYLOCK_SPACE_MUTANT(faults_where_it_was, no_wait)
template <>
template <class Work>
auto manylock::address_space::faults_where_it_was_space::fault_in(worker& me, region_type& r,
                                                                  operation const& op,
                                                                  std::int64_t& result, Work& work)
    -> fault_step {
    touch const what = classify_fault(r.area, op.start, op.flags);
    if (what == touch::done) work();
    domain_.leave_read(r.lock);
    if (what == touch::needs_anon) return fault_step::needs_update;
    ++me.faults.success;
    result = what == touch::done ? 0 : -abi::eacces;
    return fault_step::done;
}
MANYLOCK_PLANT_IN_SPACE(faults_where_it_was, no_wait,
                        "a fault does not look again whether the VMA it has locked has its page",
                        "wwww....: f1 | u0-2", "wwww....: f1 | u1-3")

MANYLOCK_SPACE_MUTANT(believes_in_a_gap, no_wait)
template <>
auto manylock::address_space::believes_in_a_gap_space::fault_on_gap(worker&, operation const&,
                                                                    std::int64_t& result)
    -> fault_step {
    result = -abi::efault;
    return fault_step::done;
}
MANYLOCK_PLANT_IN_SPACE(believes_in_a_gap, no_wait,
                        "a lookup without a lock that finds nothing is taken for an answer",
                        "wwrrww..: p2-4w | f4", "wwrrww..: p2-4w | f2", "wwww....: p1-3r | f2")

// --- claims

MANYLOCK_SPACE_MUTANT(awaits_no_claim_below, wound_wait)
template <>
auto manylock::address_space::awaits_no_claim_below_update::touching_below(region_type const&) const
    -> region_type* {
    return nullptr;
}
MANYLOCK_PLANT_IN_SPACE(awaits_no_claim_below, wound_wait,
                        "the work is done before the claim below has become a VMA, and once more",
                        "=........: m2-4w | m4-6w")

MANYLOCK_SPACE_MUTANT(awaits_no_claim_above, wound_wait)
template <>
auto manylock::address_space::awaits_no_claim_above_update::touching_above(region_type const&) const
    -> region_type* {
    return nullptr;
}
MANYLOCK_PLANT_IN_SPACE(awaits_no_claim_above, wound_wait,
                        "the work is done before the claim above has become a VMA, and once more",
                        "=........: m2-4w | m4-6w")

MANYLOCK_SPACE_MUTANT(keeps_no_claims, wound_wait)
template <>
void manylock::address_space::keeps_no_claims_update::give_claims_up() {
    withdraw_all_claims();
}
MANYLOCK_PLANT_IN_SPACE(
    keeps_no_claims, wound_wait,
    "who waits for the claim of an owner that restarts is told that it has gone",
    "=..W..: M2r | m3-4n")

MANYLOCK_SPACE_MUTANT(forgets_the_claim_it_got, wait_die)
template <>
void manylock::address_space::forgets_the_claim_it_got_update::settle_rejoined() {}
MANYLOCK_PLANT_IN_SPACE(forgets_the_claim_it_got, wait_die,
                        "the claim that a restart ended with is nobody's",
                        "..W...: M1w u3-6 | m3-5n u2-4 | M3w M1w")

MANYLOCK_SPACE_MUTANT(sees_no_hole_in_its_claims, wound_wait)
template <>
void manylock::address_space::sees_no_hole_in_its_claims_update::withdraw_all_claims() {}
MANYLOCK_PLANT_IN_SPACE(sees_no_hole_in_its_claims, wound_wait,
                        "ENOMEM for want of a hole, which a claim of ours fills",
                        "........: M3w u0-8 | M3w | M3w")

MANYLOCK_SPACE_MUTANT(asks_no_claimant_for_room, wound_wait)
template <>
auto manylock::address_space::asks_no_claimant_for_room_update::foreign_claim_in(interval) const
    -> region_type* {
    return nullptr;
}
MANYLOCK_PLANT_IN_SPACE(asks_no_claimant_for_room, wound_wait,
                        "ENOMEM for want of a hole, where a claim fills one that is given up later",
                        "........: M3w u0-8 | M3w | M3w", "...: m0-2w | M2w | m1-3r",
                        "..aaaa..: M3w | m0-2r")

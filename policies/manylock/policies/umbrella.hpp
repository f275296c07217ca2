// Umbrella: Linux's mmap_lock with per-VMA locks. A transaction takes the domain's one umbrella
// exclusively at its first lock of any mode; an exclusive request then only marks the object with the
// umbrella's sequence number and waits for that object's single readers to leave. One bump of the
// sequence at the end unmarks everything, on every exit, whatever their number.
//
// Guarantees  U1 at most one transaction of the domain runs at a time: no deadlock, no restart, and the
//                first waiter is passed at most options::pass_limit times, so nobody starves.
//             U2 bulk release in O(1); no list of held locks exists.
//             U3 a single-object read of an object that is not marked never touches the umbrella; of a
//                marked one it falls back: it takes the umbrella (shared) and is counted.
// Costs       transactions on disjoint objects exclude each other. 8 bytes per object.
// Source      Linux per-VMA locks (mm/mmap_lock.c), Documentation/mm/process_addrs.rst.
#pragma once

#include <manylock/policy.hpp>

namespace manylock::policies {

struct umbrella {
    static constexpr char const* name = "umbrella";
    static constexpr policy_needs needs{.umbrella = true};
    static constexpr policy_promises promises{
        .never_restarts = true, .eldest_never_restarts = true, .in_order_never_restarts = true};
    static constexpr restart_reason reason = restart_reason::conflict;  // never issued

    static constexpr decision on_conflict(conflict const&) noexcept { return decision::wait; }
};

static_assert(conflict_policy<umbrella>);

}  // namespace manylock::policies

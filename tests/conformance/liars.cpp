// Only the promises: what a liar does beside them is not of interest.
#include "liars.hpp"

#include "promises.hpp"

namespace {

template <class... P>
bool only_promises() {
    (conformance::promises(conformance::cases<P>{"promises"}), ...);
    return true;
}

[[maybe_unused]] bool const entered =
    only_promises<liars::no_wait_spares_eldest, liars::no_wait_in_order, liars::wait_die_reversed,
                  liars::wait_die_only_cycles, liars::wound_wait_only_cycles,
                  liars::wound_wait_in_order, liars::lock_ordering_bounded,
                  liars::lock_ordering_never_restarts, liars::detection_of_closers,
                  liars::first_only, liars::always_wait>();

}  // namespace

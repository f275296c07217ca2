// What the fault tests are made of, beside the conformance kit's actors.
#pragma once

#include <cstdint>
#include <tuple>

#include <allocation.hpp>
#include <conformance/support.hpp>
#include <manylock/graph/cycle_detection_bgl.hpp>
#include <manylock/policies.hpp>

#define MANYLOCK_REGISTER_POLICY(policy) TYPE_TO_STRING(manylock::policies::policy);
#include <manylock/graph/registry.hpp>
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY

#define EVERY_POLICY                                                                            \
    manylock::policies::umbrella, manylock::policies::wound_wait, manylock::policies::wait_die, \
        manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl,           \
        manylock::policies::lock_ordering, manylock::policies::no_wait
/// Those whose objects are locked one by one.
#define EVERY_OBJECT_POLICY                                                           \
    manylock::policies::wound_wait, manylock::policies::wait_die,                     \
        manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl, \
        manylock::policies::lock_ordering, manylock::policies::no_wait
/// Those that promise that the eldest never restarts.
#define EVERY_FAIR_POLICY                                         \
    manylock::policies::wound_wait, manylock::policies::wait_die, \
        manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl

namespace fault {

using namespace conformance;

#define MANYLOCK_REGISTER_POLICY(policy) +1
static_assert(std::tuple_size_v<std::tuple<EVERY_POLICY>> == 0
#include <manylock/graph/registry.hpp>
#include <manylock/policies/registry.hpp>
              ,
              "a policy is registered and is not in EVERY_POLICY");
#undef MANYLOCK_REGISTER_POLICY

/// Calls f.template operator()<Policy>() for every policy: for cases that add up over all of them.
template <class F>
void for_every_policy(F f) {
    auto const each = [&]<class... P>(std::tuple<P...>*) { (f.template operator()<P>(), ...); };
    each(static_cast<std::tuple<EVERY_POLICY>*>(nullptr));
}

/// True if nobody holds or waits for any of `locks`, nor the umbrella.
template <class Domain, class Locks>
[[nodiscard]] bool all_free(Domain& domain, Locks const& locks) {
    for (auto const& lock : locks) {
        if (lock.busy()) return false;
    }
    return !domain.core().umbrella.busy();
}

/// True if a transaction can take all of `locks` at once, without a restart and without waiting.
template <class Domain, class Locks>
[[nodiscard]] bool usable(Domain& domain, Locks& locks) {
    auto txn = domain.begin();
    for (auto& lock : locks) {
        if (txn.try_acquire(lock) != status::granted) return false;
    }
    txn.commit();
    return all_free(domain, locks);
}

/// Counts the points that a scenario passes, and throws at one of them.
class tripwire {
public:
    struct tripped {};

    /// The n-th point from now on throws; 0: none.
    void arm(std::uint64_t n) noexcept { passed_ = 0, at_ = n; }
    void point() {
        if (++passed_ == at_) throw tripped{};
    }
    [[nodiscard]] std::uint64_t passed() const noexcept { return passed_; }

private:
    std::uint64_t passed_ = 0;
    std::uint64_t at_ = 0;
};

}  // namespace fault

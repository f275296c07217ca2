// What the fault tests are made of, beside the contract suite's actors and lists of policies.
#pragma once

#include "allocation.hpp"
#include "contract/support.hpp"

#include <cstdint>
#include <tuple>

namespace fault {

using namespace contract;

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

// A stranger's policy through the kit, which is taken from the checkout.
#include <conformance.hpp>

namespace stranger {

struct impatient {
    static constexpr char const* name = "impatient";
    static constexpr manylock::policy_needs needs{};
    static constexpr manylock::policy_promises promises{};
    static constexpr manylock::restart_reason reason = manylock::restart_reason::conflict;
    static constexpr manylock::decision on_conflict(manylock::conflict const&) noexcept {
        return manylock::decision::die;
    }
};

}  // namespace stranger

MANYLOCK_CONFORMS(stranger::impatient)

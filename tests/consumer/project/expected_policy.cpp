// Compiles only when -DMANYLOCK_POLICY reached manylock::default_policy.
#include <manylock/policies.hpp>
#include <type_traits>

static_assert(std::is_same_v<manylock::default_policy, manylock::policies::EXPECTED_POLICY>);

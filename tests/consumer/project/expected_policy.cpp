// Compiles only when -DMANYLOCK_POLICY reached manylock::default_policy; or, for one that is registered only, when
// <manylock/policies.hpp> has it.
#include <manylock/policies.hpp>
#include <type_traits>

using expected = manylock::policies::EXPECTED_POLICY;
#ifdef REGISTERED_ONLY
static_assert(!std::is_same_v<manylock::default_policy, expected> &&
              manylock::conflict_policy<expected>);
#else
static_assert(std::is_same_v<manylock::default_policy, expected>);
#endif

// Every policy of the registry through the adversarial suite.
#include "adversarial.hpp"

#include <manylock/graph/cycle_detection_bgl.hpp>
#include <manylock/policies.hpp>

#define MANYLOCK_REGISTER_POLICY(policy) MANYLOCK_EXPLORES(manylock::policies::policy)
#include <manylock/policies/registry.hpp>
#include <manylock/graph/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY

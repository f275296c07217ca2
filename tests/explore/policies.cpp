// Every policy of the registry through the adversarial suite.
#include "suite.hpp"

#include <manylock/graph/cycle_detection_bgl.hpp>
#include <manylock/policies.hpp>

#define MANYLOCK_REGISTER_POLICY(policy) TYPE_TO_STRING(manylock::policies::policy);
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
TYPE_TO_STRING(manylock::policies::cycle_detection_bgl);

#define MANYLOCK_REGISTER_POLICY(policy) MANYLOCK_EXPLORES(manylock::policies::policy);
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
MANYLOCK_EXPLORES(manylock::policies::cycle_detection_bgl);

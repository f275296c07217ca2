#include "contestants.hpp"
#include "ours.hpp"

#include <manylock/policies.hpp>

namespace manylock::bench {

void add_policies(std::vector<contestant>& all) {
#define MANYLOCK_REGISTER_POLICY(name) \
    all.push_back(enter<ours<policies::name>>(#name, kind::policy, true));
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
    all.push_back(
        enter<ours<policies::lock_ordering, true>>("lock_ordering_set", kind::policy, true));
}

}  // namespace manylock::bench

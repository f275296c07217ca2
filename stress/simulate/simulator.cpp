#include "simulator.hpp"

#include <manylock/platform/sanitizers.hpp>
#include <vector>

namespace manylock::simulate {

#ifdef MANYLOCK_TSAN
policy_simulator const* find_simulator(std::string_view) {
    return nullptr;
}
#else
// Each is defined in the translation unit that the build generates from policy_simulator.cpp.in.
#define MANYLOCK_REGISTER_POLICY(name) policy_simulator const& simulator_##name();
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY

std::vector<policy_simulator const*> limited_simulators();

policy_simulator const* find_simulator(std::string_view name) {
    for (auto const* one : limited_simulators()) {
        if (one->name() == name) return one;
    }
#define MANYLOCK_REGISTER_POLICY(name) &simulator_##name(),
    for (auto const* one : {
#include <manylock/policies/registry.hpp>
         }) {
        if (one->name() == name) return one;
    }
#undef MANYLOCK_REGISTER_POLICY
    return nullptr;
}
#endif

}  // namespace manylock::simulate

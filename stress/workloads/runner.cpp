#include "runner.hpp"

#include "policy_runner.hpp"

#include <manylock/graph/cycle_detection_bgl.hpp>
#include <stdexcept>

namespace manylock::stress {

// Each is defined in the translation unit that the build generates from policy_runner.cpp.in.
#define MANYLOCK_REGISTER_POLICY(name) policy_runner const& runner_##name();
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY

std::vector<policy_runner const*> const& policy_runners() {
#define MANYLOCK_REGISTER_POLICY(name) &runner_##name(),
    static std::vector<policy_runner const*> const runners{
#include <manylock/policies/registry.hpp>
    };
#undef MANYLOCK_REGISTER_POLICY
    return runners;
}

std::vector<policy_runner const*> const& twin_runners() {
#define MANYLOCK_REGISTER_POLICY(name) &name,
    static runner_of<policies::cycle_detection_bgl> const cycle_detection_bgl;
    static std::vector<policy_runner const*> const runners{
#include <manylock/graph/registry.hpp>
    };
#undef MANYLOCK_REGISTER_POLICY
    return runners;
}

std::vector<policy_runner const*> every_runner() {
    auto all = policy_runners();
    auto const add = [&](auto const& more) { all.insert(all.end(), more.begin(), more.end()); };
    add(twin_runners());
    add(limited_runners());
    return all;
}

policy_runner const& find_runner(std::string_view name) {
    for (auto const* runner : every_runner()) {
        if (runner->name() == name) return *runner;
    }
    throw std::logic_error("no policy of the name " + std::string(name));
}

}  // namespace manylock::stress

// Mutants: the engine with one mistake put back in, each as a configuration of its own. A mistake is an
// explicit specialisation of one member function for that configuration (or a policy, or a platform, that
// makes it), so the engine's sources know nothing of mutants and no other program can reach one.
//
// A mutant names where the mistake comes from and the scripts (tests/explore/script.hpp) that must expose
// it. The same scripts must find nothing in the engine as it is.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <explore/actors.hpp>
#include <manylock/policies.hpp>
#include <simulate/explore.hpp>

namespace mutants {

using namespace manylock;
using simulate::simulated;

struct mutant {
    std::string name;
    std::string origin;
    std::vector<char const*> scripts;
    std::function<simulate::exploration(char const* script, simulate::search const&)> explore;
    std::function<simulate::exploration(char const* script, simulate::search const&)>
        explore_original;
};

[[nodiscard]] std::vector<mutant>& all();

template <class Policy, class Platform, options Options = explore::no_spinning>
simulate::exploration explore_with(char const* text, simulate::search const& s) {
    auto const what = explore::script::parse(text);
    return simulate::explore(
        [&] { return std::make_unique<explore::actors<Policy, Platform, Options>>(what); }, s);
}

/// One at namespace scope adds a mutant to all().
template <class Mutant, class Original, class Platform = simulated,
          options Options = explore::no_spinning>
struct planted {
    planted(char const* name, char const* origin, std::vector<char const*> scripts) {
        all().push_back({name, origin, std::move(scripts), &explore_with<Mutant, Platform, Options>,
                         &explore_with<Original, simulated, Options>});
    }
};

}  // namespace mutants

/// The configuration of mutant `name`, whose members are specialised in namespace manylock::detail.
#define MANYLOCK_MUTANT_CONFIG(name) \
    config<mutants::name, explore::no_spinning, manylock::simulate::simulated>
/// Declares mutant `name` of policy `base`. Its mistake must be specialised before it is planted.
#define MANYLOCK_MUTANT(name, base)                     \
    namespace mutants {                                 \
    struct name : manylock::policies::base {};          \
    }                                                   \
    namespace manylock::detail {                        \
    using name##_config = MANYLOCK_MUTANT_CONFIG(name); \
    }
#define MANYLOCK_PLANT(name, base, origin, ...)                        \
    namespace mutants {                                                \
    static planted<name, manylock::policies::base> const plant_##name{ \
        #name, origin, {__VA_ARGS__}};                                 \
    }

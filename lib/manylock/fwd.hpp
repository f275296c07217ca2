// Names for headers that only mention domains: declares what domain.hpp defines, and takes next to nothing to compile.
#pragma once

#include <manylock/options.hpp>
#include <manylock/policy.hpp>

namespace manylock {

namespace platform {
struct native;
}

template <conflict_policy Policy, options Options = options{}, class Platform = platform::native>
class domain;
template <class Config>
class basic_transaction;

}  // namespace manylock

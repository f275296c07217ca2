// How a thread touches a variable that others may touch.
#pragma once

#include <cstdint>

namespace manylock::simulate {

enum class access : std::uint8_t { load, store, update };

}  // namespace manylock::simulate

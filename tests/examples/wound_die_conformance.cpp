#include "wound_die.hpp"

#include <conformance.hpp>

MANYLOCK_CONFORMS(manylock::policies::wound_die)

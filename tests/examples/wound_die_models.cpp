#include "wound_die.hpp"

#include <models.hpp>

MANYLOCK_MODELS(manylock::policies::wound_die)

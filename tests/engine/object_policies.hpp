// For TEST_CASE_TEMPLATE: the policies whose objects are locked, not marked.
#pragma once

#include <manylock/policies.hpp>

#define OBJECT_POLICIES                                                         \
    manylock::policies::wound_wait, manylock::policies::wait_die,               \
        manylock::policies::cycle_detection, manylock::policies::lock_ordering, \
        manylock::policies::no_wait

// The model checker's part of the conformance kit. In one .cpp of a policy's author, a program of its own
// (manylock_model_test in conformance/kit.cmake):
//
//     #include <my/policy.hpp>
//     #include <models.hpp>
//     MANYLOCK_MODELS(my::policy)
#pragma once

#include <doctest/doctest.h>

#include "shapes.hpp"

/// Every shape of conflict that fits the policy, under weak memory. At namespace scope.
#define MANYLOCK_MODELS(...)                                                       \
    TEST_CASE("schedules under the model checker") {                               \
        std::vector<manylock::model::description> all;                             \
        manylock::model::add_shapes<__VA_ARGS__>(all);                             \
        manylock::model::explore_all(all, std::getenv("MANYLOCK_MODEL_SCENARIO")); \
    }

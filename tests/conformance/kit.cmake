# The policy conformance kit for a CMake project, in this tree or outside. Needs doctest, and the targets
# manylock and manylock_policies or, of an installed copy, manylock::manylock.
#
#     find_package(manylock REQUIRED)        # or add_subdirectory(manylock)
#     enable_testing()
#     include(manylock/tests/conformance/kit.cmake)
#     manylock_conformance_test(my_policy SOURCES my_policy_conformance.cpp)
#
# docs/policies/writing-one.md shows the source file. The adversarial suite needs Boost.Context too; where that
# is missing, and under ThreadSanitizer, which sees nothing in fibers of one thread, it is left out.
include_guard(GLOBAL)
find_package(doctest REQUIRED)
find_package(Threads REQUIRED)
include(doctest)

add_library(manylock_conformance STATIC "${CMAKE_CURRENT_LIST_DIR}/support.cpp")
if(TARGET manylock_test_main)
    target_link_libraries(manylock_conformance PUBLIC manylock_test_main)
else()
    target_sources(manylock_conformance PRIVATE "${CMAKE_CURRENT_LIST_DIR}/../main.cpp")
    # A third of the time to compile; only what a debugger shows at a failed assertion is less.
    target_compile_definitions(manylock_conformance PUBLIC DOCTEST_CONFIG_SUPER_FAST_ASSERTS)
endif()
target_link_libraries(manylock_conformance PUBLIC manylock::manylock doctest::doctest)
if(TARGET manylock_warnings)
    target_link_libraries(manylock_conformance PRIVATE manylock_warnings)
endif()
target_include_directories(manylock_conformance PUBLIC "${CMAKE_CURRENT_LIST_DIR}")

find_package(Boost QUIET COMPONENTS context)
if(TARGET Boost::context AND NOT MANYLOCK_SANITIZE MATCHES "thread")
    set(simulate "${CMAKE_CURRENT_LIST_DIR}/../../stress/simulate")
    set(explore "${CMAKE_CURRENT_LIST_DIR}/../explore")
    add_library(manylock_explore STATIC
        "${explore}/exploring.cpp"
        "${explore}/onlooker.cpp"
        "${explore}/script.cpp"
        "${simulate}/explore.cpp"
        "${simulate}/fiber.cpp"
        "${simulate}/schedule.cpp"
        "${simulate}/world.cpp"
    )
    target_link_libraries(manylock_explore PUBLIC manylock_conformance Boost::context)
    if(TARGET manylock_warnings)
        target_link_libraries(manylock_explore PRIVATE manylock_warnings)
    endif()
    target_include_directories(manylock_explore PUBLIC
        "${explore}" "${CMAKE_CURRENT_LIST_DIR}/.." "${CMAKE_CURRENT_LIST_DIR}/../../stress")
    target_compile_options(manylock_explore PRIVATE -O2)  # it computes much, in every build
else()
    message(STATUS "manylock: the conformance kit leaves the adversarial suite out")
endif()

# The engine under a model checker (Relacy, headers only). It does not link the library's targets: the
# conformance kit's main counts allocations, and Relacy brings an operator new of its own; and checks of
# misuse stay off whatever the build says. Not in sanitizer builds: Relacy switches stacks behind their back.
find_path(RELACY_INCLUDE_DIR relacy/relacy.hpp)
if(RELACY_INCLUDE_DIR AND NOT MANYLOCK_SANITIZE)
    set(model "${CMAKE_CURRENT_LIST_DIR}/../model")
    add_library(manylock_model STATIC
        "${CMAKE_CURRENT_LIST_DIR}/../main.cpp"
        "${model}/model.cpp"
        "${model}/running.cpp"
    )
    target_link_libraries(manylock_model PUBLIC doctest::doctest Threads::Threads)
    target_compile_features(manylock_model PUBLIC cxx_std_20)
    target_compile_definitions(manylock_model PUBLIC DOCTEST_CONFIG_SUPER_FAST_ASSERTS)
    target_include_directories(manylock_model PUBLIC "${model}"
        "${CMAKE_CURRENT_LIST_DIR}/../../lib" "${CMAKE_CURRENT_LIST_DIR}/../../policies")
    target_include_directories(manylock_model SYSTEM PRIVATE "${RELACY_INCLUDE_DIR}")
    if(TARGET manylock_warnings)
        target_link_libraries(manylock_model PRIVATE manylock_warnings)
    endif()
    # The engine takes less time to run there than to optimise further; the checker itself does not.
    target_compile_options(manylock_model PUBLIC -O1 -g0)
    set_source_files_properties("${model}/model.cpp" PROPERTIES COMPILE_OPTIONS -O2)
else()
    message(STATUS "manylock: the conformance kit leaves the model checker out")
endif()

# manylock_model_test(NAME SOURCES file...): an executable model-NAME of one MANYLOCK_MODELS line; nothing where
# the model checker is left out.
function(manylock_model_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
    if(NOT TARGET manylock_model)
        return()
    endif()
    add_executable(model-${name} ${arg_SOURCES})
    target_link_libraries(model-${name} PRIVATE manylock_model)
    add_test(NAME model/${name} COMMAND model-${name})
    set_tests_properties(model/${name} PROPERTIES
        TIMEOUT 300 LABELS model FAIL_REGULAR_EXPRESSION "test cases: +0 [|]")
endfunction()

# manylock_conformance_test(NAME [CONTRACT_ONLY] SOURCES file... [LINK target...]): an executable conformance-NAME of
# MANYLOCK_CONFORMS lines whose cases become ctest tests conformance/NAME/case. Where MANYLOCK_SANITIZE is
# set, which makes each start of a program dear, all of them are the one test conformance/NAME.
# CONTRACT_ONLY: without the adversarial suite.
function(manylock_conformance_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "CONTRACT_ONLY" "" "SOURCES;LINK")
    add_executable(conformance-${name} ${arg_SOURCES})
    target_link_libraries(conformance-${name} PRIVATE manylock_conformance ${arg_LINK})
    if(TARGET manylock_explore AND NOT arg_CONTRACT_ONLY)
        target_link_libraries(conformance-${name} PRIVATE manylock_explore)
        target_compile_definitions(conformance-${name} PRIVATE MANYLOCK_EXPLORE=1)
    endif()
    if(MANYLOCK_SANITIZE)
        add_test(NAME conformance/${name} COMMAND conformance-${name} --duration=true)
        # No case at all is doctest's success.
        set_tests_properties(conformance/${name} PROPERTIES
            TIMEOUT 600 LABELS conformance FAIL_REGULAR_EXPRESSION "test cases: +0 [|]")
    else()
        doctest_discover_tests(conformance-${name}
            TEST_PREFIX conformance/${name}/
            PROPERTIES
                TIMEOUT 120
                FAIL_REGULAR_EXPRESSION "test cases: +0 [|]"
                LABELS conformance
        )
    endif()
endfunction()

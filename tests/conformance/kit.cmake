# The policy conformance kit for a CMake project, in this tree or outside. Needs doctest, and the targets
# manylock and manylock_policies or, of an installed copy, manylock::manylock.
#
#     find_package(manylock REQUIRED)        # or add_subdirectory(manylock)
#     enable_testing()
#     include(manylock/tests/conformance/kit.cmake)
#     manylock_conformance_test(my_policy SOURCES my_policy_conformance.cpp)
#
# docs/policies/writing-one.md shows the source file.
include_guard(GLOBAL)
find_package(doctest REQUIRED)
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

# manylock_conformance_test(NAME SOURCES file... [LINK target...]): an executable conformance-NAME of
# MANYLOCK_CONFORMS lines whose cases become ctest tests conformance/NAME/case. Where MANYLOCK_SANITIZE is
# set, which makes each start of a program dear, all of them are the one test conformance/NAME.
function(manylock_conformance_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
    add_executable(conformance-${name} ${arg_SOURCES})
    target_link_libraries(conformance-${name} PRIVATE manylock_conformance ${arg_LINK})
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

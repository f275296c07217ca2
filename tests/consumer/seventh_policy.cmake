# Shows that a new policy is one header plus one line: adds the one of docs/policies/writing-one.md to
# a copy of the library, makes it the default policy, and uses the installed result. The tests of the copy
# have the policy in the conformance kit too.
# Called with SOURCE (the checkout), WORK (a folder to fill), GENERATOR and COMPILER.
function(run)
    execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(COPY "${SOURCE}/CMakeLists.txt" "${SOURCE}/lib" "${SOURCE}/policies" "${SOURCE}/tests"
    DESTINATION "${WORK}/source")
file(COPY "${SOURCE}/stress/simulate" "${SOURCE}/stress/random.hpp" DESTINATION "${WORK}/source/stress")
set(policies "${WORK}/source/policies/manylock/policies")
file(COPY "${SOURCE}/tests/examples/wound_die.hpp" DESTINATION "${policies}")
file(APPEND "${policies}/registry.hpp" "MANYLOCK_REGISTER_POLICY(wound_die)\n")

set(common -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}" -DMANYLOCK_POLICY=wound_die)
run("${CMAKE_COMMAND}" -S "${WORK}/source" -B "${WORK}/build" ${common}
    -DMANYLOCK_BUILD_TESTS=OFF -DMANYLOCK_BUILD_STRESS=OFF)
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${CMAKE_COMMAND}" -S "${WORK}/source" -B "${WORK}/tested" ${common}
    -DMANYLOCK_BUILD_TESTS=ON -DMANYLOCK_BUILD_STRESS=OFF)
if(NOT EXISTS "${WORK}/tested/tests/conformance/wound_die.cpp")
    message(FATAL_ERROR "the registered policy wound_die has no conformance test")
endif()
run("${CMAKE_COMMAND}" --install "${WORK}/build" --prefix "${WORK}/prefix")
run("${CMAKE_COMMAND}" -S "${SOURCE}/tests/consumer/project" -B "${WORK}/consumer" ${common}
    -DUSE=policies "-DREADME=${SOURCE}/README.md" "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
run("${CMAKE_COMMAND}" --build "${WORK}/consumer")
run("${WORK}/consumer/consumer")
# <manylock/policies.hpp> has it where it is not the default, too.
run("${CMAKE_COMMAND}" -S "${SOURCE}/tests/consumer/project" -B "${WORK}/registered" ${common}
    -DMANYLOCK_POLICY=no_wait -DREGISTERED=wound_die
    -DUSE=policies "-DREADME=${SOURCE}/README.md" "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
run("${CMAKE_COMMAND}" --build "${WORK}/registered")

# Shows that a new policy is one header plus one line: adds a copy of no_wait under another name to a
# copy of the library, makes it the default policy, and uses the installed result.
# Called with SOURCE (the checkout), WORK (a folder to fill), GENERATOR and COMPILER.
function(run)
    execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(COPY "${SOURCE}/CMakeLists.txt" "${SOURCE}/lib" "${SOURCE}/policies"
    DESTINATION "${WORK}/source")
set(policies "${WORK}/source/policies/manylock/policies")
file(READ "${policies}/no_wait.hpp" header)
string(REPLACE no_wait seventh header "${header}")
file(WRITE "${policies}/seventh.hpp" "${header}")
file(APPEND "${policies}/registry.hpp" "MANYLOCK_REGISTER_POLICY(seventh)\n")

set(common -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}" -DMANYLOCK_POLICY=seventh)
run("${CMAKE_COMMAND}" -S "${WORK}/source" -B "${WORK}/build" ${common}
    -DMANYLOCK_BUILD_TESTS=OFF -DMANYLOCK_BUILD_STRESS=OFF)
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${CMAKE_COMMAND}" --install "${WORK}/build" --prefix "${WORK}/prefix")
run("${CMAKE_COMMAND}" -S "${SOURCE}/tests/consumer/project" -B "${WORK}/consumer" ${common}
    -DUSE=policies "-DREADME=${SOURCE}/README.md" "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
run("${CMAKE_COMMAND}" --build "${WORK}/consumer")
run("${WORK}/consumer/consumer")

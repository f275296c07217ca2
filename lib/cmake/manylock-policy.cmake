# The one place where CMake learns which policies exist: the lines MANYLOCK_REGISTER_POLICY(name) of
# registry.hpp. Used by the build and, installed, by find_package(manylock).

# Sets `result` to the registered policies' names, in the order of registration.
function(manylock_known_policies registry result)
    file(STRINGS "${registry}" lines REGEX "^[ \t]*MANYLOCK_REGISTER_POLICY\\([ \t]*[a-z0-9_]+[ \t]*\\)")
    set(names "")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^[^(]*\\([ \t]*([a-z0-9_]+).*$" "\\1" name "${line}")
        list(APPEND names "${name}")
    endforeach()
    if(NOT names)
        message(FATAL_ERROR "${registry} registers no policy: it needs at least one line "
            "MANYLOCK_REGISTER_POLICY(name).")
    endif()
    set(${result} "${names}" PARENT_SCOPE)
endfunction()

# Stops with the known names when `policy` is not one of them.
function(manylock_require_known_policy policy known)
    if(NOT policy IN_LIST known)
        list(JOIN known ", " names)
        message(FATAL_ERROR "MANYLOCK_POLICY=${policy} is not a policy; known are: ${names}.")
    endif()
endfunction()

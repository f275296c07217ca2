# Userspace RCU ships pkg-config files only, and a user of the address space should not need
# pkg-config. Defines liburcu::memb, the flavour that readers pay least for.
find_path(liburcu_INCLUDE_DIR NAMES urcu/urcu-memb.h)
find_library(liburcu_memb_LIBRARY NAMES urcu-memb)
find_library(liburcu_common_LIBRARY NAMES urcu-common)
mark_as_advanced(liburcu_INCLUDE_DIR liburcu_memb_LIBRARY liburcu_common_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(liburcu
    REQUIRED_VARS liburcu_memb_LIBRARY liburcu_common_LIBRARY liburcu_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "Debian has it as liburcu-dev."
)

if(liburcu_FOUND AND NOT TARGET liburcu::memb)
    add_library(liburcu::memb INTERFACE IMPORTED)
    target_include_directories(liburcu::memb INTERFACE "${liburcu_INCLUDE_DIR}")
    target_link_libraries(liburcu::memb INTERFACE
        "${liburcu_memb_LIBRARY}" "${liburcu_common_LIBRARY}")
endif()

# Userspace RCU ships pkg-config files only, and a user of the address space should not need
# pkg-config. Defines liburcu::bp, the flavour whose threads need no registration.
find_path(liburcu_INCLUDE_DIR NAMES urcu/urcu-bp.h)
find_library(liburcu_bp_LIBRARY NAMES urcu-bp)
find_library(liburcu_common_LIBRARY NAMES urcu-common)
mark_as_advanced(liburcu_INCLUDE_DIR liburcu_bp_LIBRARY liburcu_common_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(liburcu
    REQUIRED_VARS liburcu_bp_LIBRARY liburcu_common_LIBRARY liburcu_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "Debian has it as liburcu-dev."
)

if(liburcu_FOUND AND NOT TARGET liburcu::bp)
    add_library(liburcu::bp INTERFACE IMPORTED)
    target_include_directories(liburcu::bp INTERFACE "${liburcu_INCLUDE_DIR}")
    target_link_libraries(liburcu::bp INTERFACE
        "${liburcu_bp_LIBRARY}" "${liburcu_common_LIBRARY}")
endif()

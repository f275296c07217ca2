# manylock_find_export_option(RESULT): the linker's option by which a program makes what exists once in a process known
# to shared objects that it opens later; empty where the linker has none. Link the program with -rdynamic then.
include_guard(GLOBAL)
include(CheckLinkerFlag)
function(manylock_find_export_option result)
    set(option "LINKER:--export-dynamic-symbol=*8manylock12process_wide*")
    check_linker_flag(CXX "${option}" MANYLOCK_LINKER_EXPORTS_SYMBOLS)
    if(NOT MANYLOCK_LINKER_EXPORTS_SYMBOLS)
        set(option "")
    endif()
    set(${result} "${option}" PARENT_SCOPE)
endfunction()

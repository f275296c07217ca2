# Compiles SOURCE with COMPILER and FLAGS (a list). With SENTENCE it has to fail, and the first error has to say that
# sentence; without it has to compile.
set(ENV{LC_ALL} C)
execute_process(COMMAND "${COMPILER}" ${FLAGS} -fsyntax-only "${SOURCE}"
    RESULT_VARIABLE code ERROR_VARIABLE said OUTPUT_QUIET)
if(NOT SENTENCE)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "does not compile:\n${said}")
    endif()
    return()
endif()
if(code EQUAL 0)
    message(FATAL_ERROR "compiles, and should be refused with: ${SENTENCE}")
endif()
string(REGEX MATCH "error: [^\n]*" first "${said}")
string(FIND "${first}" "${SENTENCE}" at)
if(at EQUAL -1)
    message(FATAL_ERROR "the first error is\n${first}\nand should say: ${SENTENCE}")
endif()

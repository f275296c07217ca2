# Sourced by tests/run and tests/soak.

# soak_run FOLDER SECONDS [OPTION...]: the soak with the stress program that was built in FOLDER. Sanitizers
# end it at their first finding.
soak_run() {
    local folder=$1 seconds=$2 status
    shift 2
    TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1" \
        UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1" \
        ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1" \
        "$folder/stress/manylock-stress" run --forever --seconds "$seconds" \
        --recording stress/replay/recorded/sqlite3 "$@"
    status=$?
    ((status == 0)) || echo "soak: exit status $status of $folder/stress/manylock-stress" >&2
    return $status
}

// manylock-stress: compares policies of deadlock avoidance. Exit status: 0 fine, 1 a check failed,
// 2 bad usage or bad input (one sentence on stderr, nothing written), 130 interrupted.
#include "commands.hpp"
#include "input_error.hpp"
#include "interrupt.hpp"
#include "log.hpp"
#include "options.hpp"
#include "provenance.hpp"

#include <cstdio>
#include <exception>
#include <new>

namespace {

int say(char const* sentence, int status) {
    std::fprintf(stderr, "manylock-stress: %s\n", sentence);
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace manylock::stress;
    try {
        auto const chosen = parse_options(argc, argv, policies_of_this_program(), usable_cores());
        if (!chosen) return 0;
        log_session const log(chosen->log_level);
        install_interrupt_handler();
        return carry_out(*chosen, {argv, argv + argc});
    } catch (interrupted const& error) {
        return say(error.what(), 130);
    } catch (input_error const& error) {
        return say(error.what(), 2);
    } catch (std::bad_alloc const&) {
        return say("out of memory; ask for fewer locks or threads", 2);
    } catch (std::exception const& error) {
        return say(error.what(), 3);
    }
}

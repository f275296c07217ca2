// manylock-stress: compares policies of deadlock avoidance. Exit status: 0 fine, 1 a check failed,
// 2 bad usage or bad input, or output that cannot be written (one sentence on stderr, nothing written), 3 anything else,
// 130 interrupted: by SIGINT, SIGTERM or SIGHUP.
#include "commands.hpp"
#include "input_error.hpp"
#include "interrupt.hpp"
#include "log.hpp"
#include "options.hpp"
#include "provenance.hpp"

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>

namespace {

/// Whatever the user gave us is shown on one line, and not at full length.
int say(std::string sentence, int status) {
    constexpr std::size_t most = 600;
    if (sentence.size() > most) {
        sentence =
            sentence.substr(0, most / 2) + " ... " + sentence.substr(sentence.size() - most / 2);
    }
    for (auto& c : sentence) {
        if (std::iscntrl(static_cast<unsigned char>(c)) != 0) c = '?';
    }
    std::fprintf(stderr, "manylock-stress: %s\n", sentence.c_str());
    return status;
}

/// What was printed may still be on its way.
int end(int status) {
    std::cout.flush();
    if (std::cout.good() && std::fflush(stdout) == 0) return status;
    return say(std::string{"standard output cannot be written: "} + std::strerror(errno) +
                   "; see to room there, or write elsewhere",
               2);
}

}  // namespace

int main(int argc, char** argv) {
    using namespace manylock::stress;
    try {
        install_interrupt_handler();
        auto const chosen = parse_options(argc, argv, policies_of_this_program(), usable_cores());
        if (!chosen) return end(0);
        log_session const log(chosen->log_level);
        return end(carry_out(*chosen, {argv, argv + argc}));
    } catch (interrupted const& error) {
        return say(error.what(), 130);
    } catch (input_error const& error) {
        return say(error.what(), 2);
    } catch (std::filesystem::filesystem_error const& error) {
        return say(error.path1().string() + ": " + error.code().message() +
                       "; give a path that can be used",
                   2);
    } catch (std::bad_alloc const&) {
        return say("out of memory; ask for fewer locks or threads", 2);
    } catch (std::exception const& error) {
        return say(error.what(), 3);
    }
}

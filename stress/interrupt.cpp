#include "interrupt.hpp"

#include "input_error.hpp"

#include <csignal>

namespace manylock::stress {

std::atomic<bool> interrupt_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may store nothing else");

namespace {
void on_signal(int) noexcept {
    // relaxed: a flag that guards no data
    interrupt_requested.store(true, std::memory_order_relaxed);
}
}  // namespace

void install_interrupt_handler() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    // RESETHAND: should a run hang, the second Ctrl-C ends it
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    struct sigaction hangup {};
    if (::sigaction(SIGHUP, nullptr, &hangup) == 0 &&
        hangup.sa_handler != SIG_IGN) {  // as nohup leaves it
        ::sigaction(SIGHUP, &action, nullptr);
    }
    // A file that may grow no more is an error of the write: said, and cleaned up after.
    ::signal(SIGXFSZ, SIG_IGN);
}

void throw_if_interrupted() {
    // relaxed: as in the handler
    if (interrupt_requested.load(std::memory_order_relaxed)) throw interrupted();
}

}  // namespace manylock::stress

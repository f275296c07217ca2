// SIGINT and SIGTERM ask for the end of a run; a second one ends the process at once.
#pragma once

#include <atomic>

namespace manylock::stress {

/// Set by the handler, polled by the measured threads between transactions.
extern std::atomic<bool> interrupt_requested;

void install_interrupt_handler();
/// Throws `interrupted` if a signal has come.
void throw_if_interrupted();

}  // namespace manylock::stress

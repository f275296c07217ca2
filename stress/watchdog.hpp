// Looks now and then whether the workers on the board (workloads/watched.hpp) get on. When none of them
// has ended a transaction for a while, it describes what it sees: each worker, and the wait-for graph of
// each domain, readable and as DOT.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

namespace manylock::stress {

struct stuck_report {
    std::string text;  ///< workers, waiters with what they hold and want
    std::string dot;   ///< the graphs; empty where they could not be had
};

class watchdog {
public:
    using duration = std::chrono::steady_clock::duration;

    /// `on_stuck` is called once, on the watchdog's thread, after no worker has got on for `patience`.
    /// A graph that is not there after `graph_patience` (somebody holds a latch for ever) is done without;
    /// then the thread that waits for it is left behind.
    watchdog(duration patience, std::function<void(stuck_report const&)> on_stuck,
             duration graph_patience = std::chrono::seconds(5));

private:
    void watch(std::stop_token const& stop) const;

    duration patience_;
    duration graph_patience_;
    std::function<void(stuck_report const&)> on_stuck_;
    std::jthread thread_;
};

/// Writes the report to stderr, and to stuck.txt and stuck.dot in `directory` unless it is empty; ends the
/// program with exit status 1. For on_stuck.
[[noreturn]] void end_stuck(stuck_report const& report, std::string const& directory);

}  // namespace manylock::stress

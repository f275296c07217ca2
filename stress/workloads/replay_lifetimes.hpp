// When each recorded thread begins and ends in a replay with one thread per recorded thread. A thread
// is started by its creator, between those of the creator's items that lie before and after the
// recorded creation, and lives until its last item, or until it has started its last child. It is
// started only when every thread has ended that had ended by then in the recording, so that never
// more threads live at once than did there.
//
// Nobody waits for ever: let i be the unfinished item with the smallest number. What it waits for
// (order, checkpoints) has smaller numbers and is done. A thread begins, in numbers, no later than
// its own first item and those of its descendants, whatever the clocks said; so the creators of i's
// thread have no item before i to do first, and what they wait for before they start it ended before
// i.
#pragma once

#include "../replay/trace.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace manylock::stress {

struct thread_life {
    struct child {
        std::uint32_t position;  ///< started when so many of the creator's items are done
        std::uint32_t thread;
    };
    std::vector<std::uint32_t> items;  ///< ascending
    std::vector<child> children;       ///< by position
    std::uint32_t starts_after =
        0;                   ///< begins once the first so many threads, by `rank`, have ended
    std::uint32_t rank = 0;  ///< in the order of the recorded ends
};

struct lifetimes {
    std::vector<thread_life> threads;  ///< as in the recording
    /// The first thread, and those whose creator is unknown: they begin at the start. A thread with
    /// neither items nor children that have any is never started.
    std::vector<std::uint32_t> roots;
    std::size_t started = 0;   ///< threads that are started at all
    std::size_t live_max = 0;  ///< most that live at the same time
};

lifetimes lifetimes_of(replay::recorded_program const& program);

}  // namespace manylock::stress

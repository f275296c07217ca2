// The minor knobs of a domain.
#pragma once

#include <cstdint>

namespace manylock {

/// Knobs of a domain. A misspelt one does not compile: domain<P, options{.spin_limit = 0}>.
struct options {
    /// Pauses that a waiter spends looking before it yields; 0 goes straight to yielding.
    unsigned spin_limit = 16;
    /// Yields after the spin, before the waiter parks.
    unsigned yield_limit = 64;
    /// Times that the first waiter, told that the lock is free, may find it taken by a newcomer; after that the lock is
    /// handed to it. 0: locks are always handed on (decision 23).
    std::uint16_t pass_limit = 8;
    /// Restarts of one transaction after which it waits for its turn: of those who have had so many, one runs
    /// at a time. 0: from the first on. Only under policies that do not promise that the eldest never restarts
    /// (decision 19).
    unsigned turn_after = 64;
    /// Every transaction's held locks are readable by a wait-for snapshot, under any policy. Costs what
    /// cycle_detection's held-lock list costs. Without it a snapshot shows the locks that are waited for.
    bool publish_holds = false;
    /// For locks that are mostly read: a transaction that shares one marks its own held-lock list only, so readers of one
    /// lock share no written cache line; and under wound_wait and wait_die it takes no latch. Whoever wants the lock
    /// exclusively after that looks through the lists of all transactions of the domain, and counts who reads. 0 bytes a
    /// lock; the held-lock list becomes readable, as by publish_holds. Nothing under umbrella (decision 24).
    bool distributed_readers = false;
    /// Calls the domain's event sink at contended grants, restarts and commits (event.hpp).
    bool events = false;
};

}  // namespace manylock

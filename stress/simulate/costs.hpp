// What things take on the virtual machine. Each constant has a unit, a source, and a key for --cost; which of
// them `manylock-stress calibrate` can measure is said too.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace manylock::simulate {

/// Nanoseconds, but for the last. The defaults are those of a server of one to four sockets at about 3 GHz.
struct costs {
    // --- the memory of one core and of others ------------------------------------------------------
    std::uint64_t hit = 1;                ///< load or store of a line that the core has
    std::uint64_t atomic_hit = 6;         ///< read-modify-write of a line that the core has alone
    std::uint64_t transfer = 45;          ///< a line from another core of the same socket
    std::uint64_t transfer_remote = 130;  ///< a line from another socket
    std::uint64_t memory = 80;            ///< a line that no core has
    std::uint64_t fence = 8;              ///< full fence
    std::uint64_t instructions = 1;  ///< what is computed between two operations on shared memory
    // --- waiting -----------------------------------------------------------------------------------
    std::uint64_t pause = 20;
    std::uint64_t clock = 20;             ///< reading the clock
    std::uint64_t yield = 160;            ///< the call, nobody else being there to run
    std::uint64_t context_switch = 1500;  ///< from one thread to another on one core
    std::uint64_t sleep = 700;            ///< the call by which a thread goes to sleep
    std::uint64_t wake = 900;             ///< the call that wakes another
    std::uint64_t wake_latency = 4000;  ///< from that call to the woken thread's first instruction
    std::uint64_t time_slice = 3'000'000;  ///< that a thread may keep a core others wait for
    // --- the stress program's own work -------------------------------------------------------------
    std::uint64_t transaction = 20;  ///< begin, commit and bookkeeping of one transaction
    std::uint64_t request = 10;      ///< drawing one lock of a transaction
    std::uint64_t operation = 300;   ///< what an operation on an address space computes
    // --- shape -------------------------------------------------------------------------------------
    std::uint64_t sockets = 1;

    friend bool operator==(costs const&, costs const&) = default;
};

struct cost_key {
    std::string_view name;
    std::uint64_t costs::*member;
    std::string_view source;  ///< of the default
    bool measurable;          ///< by `calibrate`
};

inline constexpr std::array<cost_key, 18> cost_keys{{
    {"hit", &costs::hit, "4 to 5 cycles of an L1 cache at 3 to 4 GHz", true},
    {"atomic_hit", &costs::atomic_hit, "about 20 cycles of a locked instruction", true},
    {"transfer", &costs::transfer, "usual between cores that share a last-level cache: 30 to 60 ns",
     true},
    {"transfer_remote", &costs::transfer_remote, "usual between sockets: 100 to 150 ns", false},
    {"memory", &costs::memory, "usual latency of DDR4: 70 to 100 ns", true},
    {"fence", &costs::fence, "about 30 cycles", true},
    {"instructions", &costs::instructions, "3 to 4 instructions at one a cycle", false},
    {"pause", &costs::pause, "40 to 140 cycles by processor", true},
    {"clock", &costs::clock, "clock_gettime through the vDSO", true},
    {"yield", &costs::yield, "sched_yield", true},
    {"context_switch", &costs::context_switch, "usual for threads of one process: 1 to 2 us", true},
    {"sleep", &costs::sleep, "futex wait, without the switch", true},
    {"wake", &costs::wake, "futex wake of one sleeper", true},
    {"wake_latency", &costs::wake_latency, "an idle core, not in deep sleep: 2 to 10 us", true},
    {"time_slice", &costs::time_slice, "Linux 6.6 and later: base slice of 3 ms", false},
    {"transaction", &costs::transaction, "an empty transaction of this program", true},
    {"request", &costs::request, "a uniform draw of this program", true},
    {"operation", &costs::operation, "mprotect on the model of an address space, alone", true},
}};

/// What `manylock-stress` takes for --cost: `key=value`, where the key is one of `cost_keys` or `sockets`. Throws
/// input_error that names what would be right.
void set_cost(costs& target, std::string_view assignment);

/// The defaults, with what `file` says instead: a line for each key=value; # begins a comment. Throws input_error
/// that names file and line. This is what `calibrate --out` writes.
[[nodiscard]] costs read_costs(std::filesystem::path const& file);

}  // namespace manylock::simulate

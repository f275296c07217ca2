// The workloads and presets by name, with their defaults. Knows nothing of policies or the engine:
// a workload is data here, and workloads/lock_run.hpp carries it out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::stress {

/// Which locks a transaction picks.
enum class choice : std::uint8_t {
    uniform,   ///< all alike
    zipf,      ///< lock i with weight 1 / (i+1)^zipf
    hotspot,   ///< one hot lock at `hot_position` of the transaction, the others all alike
    hot_set,   ///< `hot_percent` of the picks among the first `hot_locks`
    ring,      ///< philosophers: neighbours, from the thread's own seat on
    own,       ///< the thread's own: nobody else takes them
    vma_mix,   ///< no locks of its own: operations on one address space
    giant_vma  ///< the same: faults in one VMA while its end is protected
};

[[nodiscard]] constexpr bool on_address_space(choice picks) noexcept {
    return picks == choice::vma_mix || picks == choice::giant_vma;
}

/// In which order it takes them.
enum class order : std::uint8_t {
    random,     ///< as picked
    ascending,  ///< by number
    fixed,      ///< one random order per thread, kept for the whole run
    reorder     ///< as fixed, but the contending lock of a restart moves to the front for good
};

/// A machine to simulate, and how many threads run on it.
struct machine_shape {
    std::uint64_t cores = 1;
    std::uint64_t threads = 1;

    friend bool operator==(machine_shape const&, machine_shape const&) = default;
};

struct workload {
    std::string name;
    choice picks = choice::uniform;
    order sequence = order::random;
    std::vector<std::uint64_t> threads{1, 2, 4};
    std::uint64_t locks = 1024;
    std::uint64_t locks_per_transaction = 4;
    double read_percent = 0;
    double zipf = 0;
    double hot_position = 0.5;   ///< 0 = first lock of the transaction, 1 = last
    bool hot_exclusive = false;  ///< the hot lock is always taken in exclusive mode
    std::uint64_t hot_locks = 1;
    double hot_percent = 0;
    std::uint64_t hold_ns = 0;       ///< busy work after each acquisition
    bool hold_yields = false;        ///< where threads outnumber cores the hold yields its core
    std::uint64_t all_held_ns = 0;   ///< sleep while all locks are held
    bool transfers = false;          ///< the locks guard balances that are moved about
    bool mixed_with_single = false;  ///< each third thread takes one lock, each third reorders
    std::vector<machine_shape> shapes{};  ///< of a full preset: what a simulation runs through
};

struct named_line {
    std::string_view name;
    std::string_view description;
};

/// A published workload, or a set of them that belong together.
struct preset {
    std::string_view name;
    std::string_view description;
    std::vector<workload> workloads;
    double seconds = 1;
    std::optional<std::uint64_t> commits;  ///< in all, instead of seconds
    std::uint64_t rounds = 3;
    std::string scaled;  ///< how it differs from what was published; empty: not at all
};

std::vector<named_line> const& workload_names();
/// The workload with its defaults; nullopt for an unknown name.
std::optional<workload> find_workload(std::string_view name);

/// Scaled to be run here, on `cores` cores.
std::vector<preset> presets(std::uint64_t cores);
std::optional<preset> find_preset(std::string_view name, std::uint64_t cores);

/// The same presets at their published size, for the simulator: whatever cores and memory that
/// takes. Every workload has its `shapes`, every preset its `commits`.
std::vector<preset> const& full_presets();
std::optional<preset> find_full_preset(std::string_view name);

std::vector<std::string_view> const& order_names();
std::optional<order> find_order(std::string_view name);

}  // namespace manylock::stress

// The command line of manylock-stress. Every option is checked here; whatever is wrong comes out as
// one input_error, and what parse_options() returns can be run.
#pragma once

#include "simulate/costs.hpp"
#include "workloads/catalogue.hpp"
#include "workloads/replay_work.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace manylock::stress {

struct list_options {
    bool json = false;
};

struct run_options {
    std::vector<workload> workloads;
    std::vector<std::string> policies;
    double seconds = 1;
    std::optional<std::uint64_t> commits;  ///< in all; then `seconds` does not count
    std::uint64_t rounds = 3;
    std::uint64_t seed = 0;
    bool check = false;
    std::filesystem::path out;
    std::string preset;                 ///< empty: none
    std::string scaled;                 ///< what the preset changes against what was published
    std::uint64_t sample_restarts = 0;  ///< look at one restart in so many; 0: at none
    double watchdog = 0;  ///< seconds without a transaction after which the run is stuck; 0: never
};

/// run --forever: checks with everything changing from round to round.
struct soak_options {
    std::vector<std::string> workloads;  ///< to draw from, as are the next three
    std::vector<std::string> policies;
    std::vector<std::uint64_t> threads;
    std::vector<std::filesystem::path> recordings;
    std::optional<double> seconds;  ///< in all; neither this nor the next: until interrupted
    std::optional<std::uint64_t> rounds;
    std::uint64_t seed = 0;
    double watchdog = 10;
    std::string out;  ///< where the watchdog leaves its files; empty: on stderr only
};

/// 0 stands for `traced`: one thread per recorded thread.
inline constexpr std::uint64_t traced_threads = 0;

struct replay_options {
    std::filesystem::path recording;
    std::vector<std::string> policies;
    std::vector<std::uint64_t> threads;  ///< from 2: so many users
    std::uint64_t repeat = 1;
    std::uint64_t seed = 0;
    bool check = false;
    bool skip_unknown = false;
    std::filesystem::path out;
    bool disjoint = false;  ///< users in regions of their own
    work_choice work;
};

/// simulate: as run or replay, on virtual machines.
struct simulate_options {
    std::vector<workload> workloads;       ///< each with its shapes; empty: a replay
    std::optional<replay_options> replay;  ///< `threads` as there, or own_threads
    std::vector<std::uint64_t> cores;      ///< of a replay
    std::vector<std::string> policies;
    std::uint64_t commits = 100'000;  ///< in all
    std::uint64_t rounds = 1;
    std::uint64_t seed = 0;
    bool check = false;
    std::filesystem::path out;
    std::string preset;
    std::string scaled;
    simulate::costs cost;
    std::uint64_t jobs = 1;  ///< rows simulated side by side
};

/// As many users as the machine has cores.
inline constexpr std::uint64_t own_threads = ~std::uint64_t{0};

struct report_options {
    std::filesystem::path results;
    std::optional<std::filesystem::path> against;
};

struct suite_options {
    std::vector<std::string> policies;
    std::vector<std::filesystem::path> recordings;
    double seconds = 0.3;
    std::uint64_t rounds = 3;
    std::uint64_t seed = 0;
    std::filesystem::path out;
};

struct calibrate_options {
    double seconds = 5;
    std::filesystem::path out;  ///< empty: none
};

using command = std::variant<list_options, run_options, soak_options, replay_options,
                             simulate_options, report_options, suite_options, calibrate_options>;

struct options {
    command what;
    std::string log_level = "warning";
};

/// The policies of this program: those that `all` stands for, and those to be asked for by name.
struct known_policies {
    std::vector<std::string> all;
    std::vector<std::string> more;
    std::vector<std::string> plain_locks_only;  ///< of `more`
};

/// nullopt when --help was asked for and has been printed. Throws input_error.
std::optional<options> parse_options(int argc, char const* const* argv, known_policies const& known,
                                     std::uint64_t cores);

}  // namespace manylock::stress

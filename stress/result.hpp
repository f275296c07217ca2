// One row of results.csv: one policy, one configuration, one round. The columns and their order are
// a contract with whoever reads the files; new ones go at the end. A field that does not apply is
// empty, which is not the same as 0.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace manylock::stress {

using count = std::optional<std::uint64_t>;
using real = std::optional<double>;

struct result_row {
    std::string policy;
    std::string workload;
    std::string platform;
    count threads;
    count cores;
    count locks;
    count locks_per_transaction;
    real read_percent;
    real zipf;
    count hold_ns;
    count seed;
    count round;
    real seconds;
    count commits;
    real commits_per_second;
    count restarts;
    real restarts_per_commit;
    count restarts_wounded;
    count restarts_died;
    count restarts_deadlock;
    count restarts_out_of_order;
    count restarts_conflict;
    count restarts_injected;
    count restarts_stale;
    count restarts_cycle;       ///< of the restarts: waiting would have closed a cycle
    count restarts_precaution;  ///< of the restarts: waiting would not have
    count restarts_max_of_one_transaction;
    count fallbacks;
    count latency_ns_p50;
    count latency_ns_p99;
    count latency_ns_p999;
    count latency_ns_max;
    count wait_ns;
    count detector_walks;
    count detector_edges;
    count held_list_bytes_max;
    count lock_bytes;
    std::string check;    ///< "ok", "failed" or empty
    std::string hold;     ///< "yields" if the hold offered its core to others, else empty
    std::string regions;  ///< of a replay by several users: "shared" or "disjoint"
    std::string work;     ///< of a replay: "none", "traced", or nanoseconds per page
    count fault_success;  ///< page faults done under one VMA's read lock
    count fault_abort;    ///< could not lock the VMA, or found it moved or gone
    count fault_retry;    ///< needed a transaction
    count fault_miss;     ///< the VMA was detached in between
    count fault_ns_p50;   ///< latency of page faults alone
    count fault_ns_p99;
    count fault_ns_max;
    count order_edges;          ///< of a replay by recorded threads: waits between them
    count parallel_width;       ///< and the most items that could run at once
    count wasted_ns;            ///< of attempts that restarted: from their begin to the restart
    count wasted_locks;         ///< and the locks they held then
    count cycles_formed;        ///< simulated: times that a wait closed one or more cycles
    std::string cycle_lengths;  ///< simulated: restarts for a cycle by its length, "2:17 3:4"
    count sockets;              ///< of a simulated machine
    std::string sampled;        ///< "1/N": the tags of restarts are estimates, from so many of them
    real victims_per_cycle;     ///< simulated: restarts for a cycle by cycles that formed

    friend bool operator==(result_row const&, result_row const&) = default;
};

using field = std::variant<std::string result_row::*, count result_row::*, real result_row::*>;

struct column {
    std::string_view name;
    field member;
};

/// The contract, in order.
inline constexpr std::array<column, 57> columns{{
    {"policy", &result_row::policy},
    {"workload", &result_row::workload},
    {"platform", &result_row::platform},
    {"threads", &result_row::threads},
    {"cores", &result_row::cores},
    {"locks", &result_row::locks},
    {"locks_per_transaction", &result_row::locks_per_transaction},
    {"read_percent", &result_row::read_percent},
    {"zipf", &result_row::zipf},
    {"hold_ns", &result_row::hold_ns},
    {"seed", &result_row::seed},
    {"round", &result_row::round},
    {"seconds", &result_row::seconds},
    {"commits", &result_row::commits},
    {"commits_per_second", &result_row::commits_per_second},
    {"restarts", &result_row::restarts},
    {"restarts_per_commit", &result_row::restarts_per_commit},
    {"restarts_wounded", &result_row::restarts_wounded},
    {"restarts_died", &result_row::restarts_died},
    {"restarts_deadlock", &result_row::restarts_deadlock},
    {"restarts_out_of_order", &result_row::restarts_out_of_order},
    {"restarts_conflict", &result_row::restarts_conflict},
    {"restarts_injected", &result_row::restarts_injected},
    {"restarts_stale", &result_row::restarts_stale},
    {"restarts_cycle", &result_row::restarts_cycle},
    {"restarts_precaution", &result_row::restarts_precaution},
    {"restarts_max_of_one_transaction", &result_row::restarts_max_of_one_transaction},
    {"fallbacks", &result_row::fallbacks},
    {"latency_ns_p50", &result_row::latency_ns_p50},
    {"latency_ns_p99", &result_row::latency_ns_p99},
    {"latency_ns_p999", &result_row::latency_ns_p999},
    {"latency_ns_max", &result_row::latency_ns_max},
    {"wait_ns", &result_row::wait_ns},
    {"detector_walks", &result_row::detector_walks},
    {"detector_edges", &result_row::detector_edges},
    {"held_list_bytes_max", &result_row::held_list_bytes_max},
    {"lock_bytes", &result_row::lock_bytes},
    {"check", &result_row::check},
    {"hold", &result_row::hold},
    {"regions", &result_row::regions},
    {"work", &result_row::work},
    {"fault_success", &result_row::fault_success},
    {"fault_abort", &result_row::fault_abort},
    {"fault_retry", &result_row::fault_retry},
    {"fault_miss", &result_row::fault_miss},
    {"fault_ns_p50", &result_row::fault_ns_p50},
    {"fault_ns_p99", &result_row::fault_ns_p99},
    {"fault_ns_max", &result_row::fault_ns_max},
    {"order_edges", &result_row::order_edges},
    {"parallel_width", &result_row::parallel_width},
    {"wasted_ns", &result_row::wasted_ns},
    {"wasted_locks", &result_row::wasted_locks},
    {"cycles_formed", &result_row::cycles_formed},
    {"cycle_lengths", &result_row::cycle_lengths},
    {"sockets", &result_row::sockets},
    {"sampled", &result_row::sampled},
    {"victims_per_cycle", &result_row::victims_per_cycle},
}};

/// A file written before the later columns existed ends with these; it is read all the same.
inline constexpr std::size_t oldest_columns = 39;

/// A reason a restart can have, as one column.
struct restart_reason_column {
    std::string_view name;
    count result_row::*member;
};

/// They partition `restarts`: where any is given, they add up to it.
inline constexpr std::array<restart_reason_column, 7> restart_reason_columns{{
    {"wounded", &result_row::restarts_wounded},
    {"died", &result_row::restarts_died},
    {"deadlock", &result_row::restarts_deadlock},
    {"out_of_order", &result_row::restarts_out_of_order},
    {"conflict", &result_row::restarts_conflict},
    {"injected", &result_row::restarts_injected},
    {"stale", &result_row::restarts_stale},
}};

/// The field as it stands in the CSV; doubles in the shortest form that reads back equal.
std::string field_text(result_row const& row, column const& c);

std::string csv_text(std::vector<result_row> const& rows);
nlohmann::ordered_json json_rows(std::vector<result_row> const& rows);

/// Strict: throws input_error with file, line, column and reason at the first thing that is not as
/// csv_text() would have written it (columns after the known ones are passed over), and on no rows.
std::vector<result_row> parse_csv(std::string_view text, std::filesystem::path const& file);

/// Reads DIR/results.csv.
std::vector<result_row> read_results(std::filesystem::path const& directory);

}  // namespace manylock::stress

// Rows into what a graph or table shows: rounds of one policy under one configuration become a cell
// of medians, configurations that differ in one number alone become a panel: in the threads, or, of
// simulated machines, in the cores.
#pragma once

#include "../result.hpp"
#include "../statistics.hpp"
#include "published.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace manylock::stress {

struct cell {
    std::string policy;
    std::uint64_t at = 0;          ///< on the panel's axis
    std::vector<result_row> rows;  ///< the rounds

    /// Median over the rounds; nullopt where the field does not apply.
    [[nodiscard]] std::optional<summary> of(count result_row::*member) const;
    [[nodiscard]] std::optional<summary> of(real result_row::*member) const;
    /// The same, each round divided by its commits.
    [[nodiscard]] std::optional<summary> per_commit(count result_row::*member) const;
};

/// What a panel's cells differ in.
enum class panel_axis : std::uint8_t { threads, cores };

/// "threads" or "cores".
[[nodiscard]] std::string_view axis_name(panel_axis axis) noexcept;

struct panel {
    std::string workload;
    std::string slug;         ///< for file names; unique among the panels
    std::string description;  ///< "16 locks, 4 per transaction, ..."
    bool checked = false;     ///< made of --check rows, because there are no others
    bool simulated = false;   ///< of a simulated machine; never has measured rows beside them
    panel_axis axis = panel_axis::threads;
    std::vector<std::string> policies;       ///< in the order of the file
    std::vector<std::uint64_t> points;       ///< of the axis, ascending
    std::vector<cell> cells;                 ///< by point, then by policy
    std::vector<published_point> published;  ///< what others published for this configuration

    [[nodiscard]] cell const* find(std::string const& policy, std::uint64_t at) const;
    /// Throughput in percent of the umbrella's at the same point.
    [[nodiscard]] std::optional<double> relative_to_umbrella(cell const& of) const;
    /// "1 thread", "1024 cores"; empty for none.
    [[nodiscard]] std::string largest() const;
};

/// Rows of --check runs count only where a configuration has no others.
std::vector<panel> make_panels(std::vector<result_row> const& rows);

/// "ok 12, failed 0" per policy for one workload, over all rows that were checked.
struct check_count {
    std::uint64_t ok = 0;
    std::uint64_t failed = 0;
};
check_count count_checks(std::vector<result_row> const& rows, std::string const& policy,
                         std::string const& workload);

/// A table for people; the first row is the heading.
using text_table = std::vector<std::vector<std::string>>;

/// Restarts by reason, throughput and latency of one panel, a row per point and policy.
text_table panel_table(panel const& of);
/// The same for a terminal: the reasons share a column, and the latency is cut short.
text_table narrow_table(panel const& of);

/// Published values of the panel beside its own, a row per published point; empty if there is none.
/// Throughput also relative to the smallest point of its own series, since it is of other machines.
text_table published_table(panel const& of);

/// Columns aligned, as Markdown.
std::string markdown(text_table const& table);

/// 3 significant digits, thousands as k, M, G.
std::string short_number(double value);
/// Nanoseconds with the fitting unit.
std::string short_duration(double ns);

}  // namespace manylock::stress

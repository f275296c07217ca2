#include "aggregate.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

namespace manylock::stress {
namespace {

template <class Member>
std::optional<summary> summarise_rows(std::vector<result_row> const& rows, Member value) {
    std::vector<double> values;
    for (auto const& row : rows) {
        if (auto const v = value(row)) values.push_back(static_cast<double>(*v));
    }
    if (values.empty()) return std::nullopt;
    return summarise(std::move(values));
}

std::string plain(double value) {
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.3g", value);
    return buffer.data();
}

/// What tells one panel from another: everything that was configured, but the threads and cores.
std::string panel_key(result_row const& row) {
    // Files from before the column have no word for no work.
    std::string key = row.workload + '|' + row.platform + '|' + row.regions + '|' +
                      (row.work == "none" ? "" : row.work);
    for (auto const member :
         {&result_row::locks, &result_row::locks_per_transaction, &result_row::hold_ns}) {
        key += '|' + (row.*member ? std::to_string(*(row.*member)) : "");
    }
    for (auto const member : {&result_row::read_percent, &result_row::zipf}) {
        key += '|' + (row.*member ? plain(*(row.*member)) : "");
    }
    return key;
}

bool is_simulated(result_row const& row) {
    return row.platform == "simulated";
}

/// Simulated machines of one workload form one panel if only their cores differ, whether each core has
/// its thread or all have the same threads; else a panel for each number of cores.
struct machine_range {
    bool thread_per_core = true;
    bool same_threads = true;
    std::uint64_t threads = 0;
    std::set<std::uint64_t> cores;

    void add(result_row const& row) {
        auto const n = row.threads.value_or(0);
        if (cores.empty()) threads = n;
        thread_per_core = thread_per_core && row.threads == row.cores;
        same_threads = same_threads && n == threads;
        cores.insert(row.cores.value_or(0));
    }
    [[nodiscard]] panel_axis axis() const {
        return thread_per_core || (same_threads && cores.size() > 1) ? panel_axis::cores
                                                                     : panel_axis::threads;
    }
};

std::string describe_machine(result_row const& row, machine_range const* simulated) {
    if (simulated != nullptr && simulated->axis() == panel_axis::cores) {
        return simulated->thread_per_core ? "a thread per core"
                                          : std::to_string(row.threads.value_or(0)) + " threads";
    }
    return row.cores ? std::to_string(*row.cores) + " cores" : std::string();
}

std::string describe(result_row const& row, machine_range const* simulated) {
    std::vector<std::string> parts;
    if (row.locks) parts.push_back(std::to_string(*row.locks) + " locks");
    if (row.locks_per_transaction) {
        parts.push_back(std::to_string(*row.locks_per_transaction) + " per transaction");
    }
    if (row.read_percent) {
        parts.push_back(*row.read_percent > 0
                            ? plain(*row.read_percent) + " % of the requests shared"
                            : "all exclusive");
    }
    if (row.zipf) parts.push_back("zipf " + plain(*row.zipf));
    if (row.hold_ns && *row.hold_ns > 0) {
        parts.push_back(short_duration(static_cast<double>(*row.hold_ns)) + " hold");
    }
    if (!row.regions.empty()) parts.push_back("users in " + row.regions + " regions");
    if (row.work == "traced") {
        parts.push_back("work as recorded");
    } else if (!row.work.empty() && row.work != "none") {
        parts.push_back(row.work + " ns of work per page");
    }
    if (auto machine = describe_machine(row, simulated); !machine.empty())
        parts.push_back(std::move(machine));
    parts.push_back(row.platform);
    std::string text;
    for (auto const& part : parts) text += (text.empty() ? "" : ", ") + part;
    return text;
}

std::string slug_of(std::string const& name) {
    std::string slug;
    for (char const c : name) {
        slug += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    }
    return slug;
}

std::string text_or_dash(std::optional<summary> const& value) {
    return value ? short_number(value->median) : "-";
}

std::string ratio_or_dash(std::optional<summary> const& value, std::optional<summary> const& base) {
    if (!value || !base || base->median <= 0) return "-";
    return short_number(value->median / base->median);
}

std::string duration_or_dash(std::optional<summary> const& value) {
    return value ? short_duration(value->median) : "-";
}

void add_row(panel& to, result_row const& row) {
    auto const at = (to.axis == panel_axis::cores ? row.cores : row.threads).value_or(0);
    for (auto& c : to.cells) {
        if (c.policy == row.policy && c.at == at) {
            c.rows.push_back(row);
            return;
        }
    }
    to.cells.push_back({row.policy, at, {row}});
    if (std::find(to.policies.begin(), to.policies.end(), row.policy) == to.policies.end()) {
        to.policies.push_back(row.policy);
    }
    if (std::find(to.points.begin(), to.points.end(), at) == to.points.end()) {
        to.points.push_back(at);
    }
}

/// Value of a published metric in a cell of ours.
std::optional<summary> metric_of(cell const& c, std::string const& metric) {
    for (auto const& column : columns) {
        if (column.name != metric) continue;
        if (auto const* const member = std::get_if<real result_row::*>(&column.member))
            return c.of(*member);
    }
    return std::nullopt;
}

}  // namespace

std::optional<summary> cell::of(count result_row::*member) const {
    return summarise_rows(rows, [&](result_row const& row) { return row.*member; });
}

std::optional<summary> cell::of(real result_row::*member) const {
    return summarise_rows(rows, [&](result_row const& row) { return row.*member; });
}

std::optional<summary> cell::per_commit(count result_row::*member) const {
    return summarise_rows(rows, [&](result_row const& row) -> real {
        if (!(row.*member) || row.commits.value_or(0) == 0) return std::nullopt;
        return static_cast<double>(*(row.*member)) / static_cast<double>(*row.commits);
    });
}

std::string_view axis_name(panel_axis axis) noexcept {
    return axis == panel_axis::cores ? "cores" : "threads";
}

std::string panel::largest() const {
    if (points.empty() || points.back() == 0) return {};
    auto unit = std::string(axis_name(axis));
    if (points.back() == 1) unit.pop_back();
    return std::to_string(points.back()) + ' ' + unit;
}

cell const* panel::find(std::string const& policy, std::uint64_t at) const {
    for (auto const& c : cells) {
        if (c.policy == policy && c.at == at) return &c;
    }
    return nullptr;
}

std::optional<double> panel::relative_to_umbrella(cell const& of) const {
    auto const* const base = find("umbrella", of.at);
    if (base == nullptr) return std::nullopt;
    auto const mine = of.of(&result_row::commits_per_second);
    auto const theirs = base->of(&result_row::commits_per_second);
    if (!mine || !theirs || theirs->median <= 0) return std::nullopt;
    return mine->median / theirs->median * 100;
}

std::vector<panel> make_panels(std::vector<result_row> const& rows) {
    std::set<std::string> measured;
    std::map<std::string, machine_range> machines;
    for (auto const& row : rows) {
        if (row.check.empty()) measured.insert(panel_key(row));
    }
    auto const passed_over = [&](result_row const& row) {
        return !row.check.empty() && measured.contains(panel_key(row));
    };
    for (auto const& row : rows) {
        if (is_simulated(row) && !passed_over(row)) machines[panel_key(row)].add(row);
    }
    std::vector<panel> panels;
    std::map<std::string, std::size_t> place;
    std::map<std::string, unsigned> slugs;
    for (auto const& row : rows) {
        if (passed_over(row)) continue;
        auto key = panel_key(row);
        auto const* const machine = is_simulated(row) ? &machines.at(key) : nullptr;
        auto const axis = machine == nullptr ? panel_axis::threads : machine->axis();
        if (machine != nullptr && axis == panel_axis::threads)
            key += '|' + std::to_string(row.cores.value_or(0));
        auto const [at, fresh] = place.try_emplace(key, panels.size());
        if (fresh) {
            panel p;
            p.workload = row.workload;
            p.slug = slug_of(row.workload);
            if (auto const n = ++slugs[p.slug]; n > 1) p.slug += '_' + std::to_string(n);
            p.description = describe(row, machine);
            p.checked = !row.check.empty();
            p.simulated = machine != nullptr;
            p.axis = axis;
            if (machine != nullptr) p.published = published_for(row, machine->thread_per_core);
            panels.push_back(std::move(p));
        }
        add_row(panels[at->second], row);
        auto& description = panels[at->second].description;
        if (row.hold == "yields" && description.find("yields") == std::string::npos) {
            description +=
                "; the hold yields where threads outnumber cores, so there throughput "
                "and latency are not to be quoted";
        }
    }
    for (auto& p : panels) {
        std::sort(p.points.begin(), p.points.end());
        auto const rank = [&](cell const& c) {
            return std::find(p.policies.begin(), p.policies.end(), c.policy) - p.policies.begin();
        };
        std::sort(p.cells.begin(), p.cells.end(), [&](cell const& a, cell const& b) {
            return a.at != b.at ? a.at < b.at : rank(a) < rank(b);
        });
    }
    return panels;
}

check_count count_checks(std::vector<result_row> const& rows, std::string const& policy,
                         std::string const& workload) {
    check_count counts;
    for (auto const& row : rows) {
        if (row.policy != policy || row.workload != workload) continue;
        if (row.check == "ok") ++counts.ok;
        if (row.check == "failed") ++counts.failed;
    }
    return counts;
}

text_table panel_table(panel const& of) {
    // Only the reasons that any row of this panel can have.
    std::vector<restart_reason_column> reasons;
    for (auto const& reason : restart_reason_columns) {
        if (std::any_of(of.cells.begin(), of.cells.end(),
                        [&](cell const& c) { return c.of(reason.member).has_value(); })) {
            reasons.push_back(reason);
        }
    }
    text_table table;
    auto& heading = table.emplace_back();
    heading = {"policy",         std::string(axis_name(of.axis)), "commits/s", "+-%", "vs umbrella",
               "restarts/commit"};
    for (auto const& reason : reasons) heading.emplace_back(reason.name);
    for (auto const* name : {"max of one", "fallbacks", "p50", "p99", "p99.9", "max"})
        heading.emplace_back(name);

    for (auto const& c : of.cells) {
        auto const rate = c.of(&result_row::commits_per_second);
        auto const relative = of.relative_to_umbrella(c);
        auto& row = table.emplace_back();
        row = {c.policy,
               std::to_string(c.at),
               text_or_dash(rate),
               rate && rate->rounds > 1 ? short_number(rate->spread_percent()) : "-",
               relative ? short_number(*relative) + " %" : "-",
               text_or_dash(c.of(&result_row::restarts_per_commit))};
        for (auto const& reason : reasons) row.push_back(text_or_dash(c.per_commit(reason.member)));
        row.push_back(text_or_dash(c.of(&result_row::restarts_max_of_one_transaction)));
        row.push_back(text_or_dash(c.of(&result_row::fallbacks)));
        for (auto const member : {&result_row::latency_ns_p50, &result_row::latency_ns_p99,
                                  &result_row::latency_ns_p999, &result_row::latency_ns_max}) {
            row.push_back(duration_or_dash(c.of(member)));
        }
    }
    return table;
}

text_table narrow_table(panel const& of) {
    text_table table;
    table.push_back({"policy", std::string(axis_name(of.axis)), "commits/s", "+-%", "vs umbrella",
                     "restarts/commit", "by reason", "max of one", "p50", "p99", "max"});
    for (auto const& c : of.cells) {
        auto const rate = c.of(&result_row::commits_per_second);
        auto const relative = of.relative_to_umbrella(c);
        std::string reasons;
        for (auto const& reason : restart_reason_columns) {
            auto const value = c.per_commit(reason.member);
            if (!value || value->median <= 0) continue;
            reasons += (reasons.empty() ? "" : ", ") + std::string(reason.name) + ' ' +
                       short_number(value->median);
        }
        table.push_back({c.policy, std::to_string(c.at), text_or_dash(rate),
                         rate && rate->rounds > 1 ? short_number(rate->spread_percent()) : "-",
                         relative ? short_number(*relative) + " %" : "-",
                         text_or_dash(c.of(&result_row::restarts_per_commit)),
                         reasons.empty() ? "-" : reasons,
                         text_or_dash(c.of(&result_row::restarts_max_of_one_transaction)),
                         duration_or_dash(c.of(&result_row::latency_ns_p50)),
                         duration_or_dash(c.of(&result_row::latency_ns_p99)),
                         duration_or_dash(c.of(&result_row::latency_ns_max))});
    }
    return table;
}

text_table published_table(panel const& of) {
    text_table table;
    if (of.published.empty()) return table;
    table.push_back({"published", "of ours", std::string(axis_name(of.axis)), "metric", "value",
                     "relative to its smallest", "ours", "ours relative", "source"});
    auto const same_series = [](published_point const& a, published_point const& b) {
        return a.name == b.name && a.metric == b.metric;
    };
    for (auto const& p : of.published) {
        auto const* base = &p;
        for (auto const& other : of.published) {
            if (same_series(p, other) && other.threads < base->threads) base = &other;
        }
        auto const ours = [&](std::uint64_t at) -> std::optional<summary> {
            auto const* const c = p.policy.empty() ? nullptr : of.find(p.policy, at);
            return c == nullptr ? std::nullopt : metric_of(*c, p.metric);
        };
        // Seconds grow with the commits asked for; restarts per commit need no base.
        bool const comparable = p.metric != "seconds";
        bool const scales = p.metric == "commits_per_second" && base->value > 0;
        auto const here = comparable ? ours(p.threads) : std::nullopt;
        auto const there = scales ? ours(base->threads) : std::nullopt;
        table.push_back({p.name, p.policy.empty() ? "-" : p.policy, std::to_string(p.threads),
                         p.metric, short_number(p.value),
                         scales ? short_number(p.value / base->value) : "-", text_or_dash(here),
                         ratio_or_dash(here, there), p.source});
    }
    return table;
}

std::string markdown(text_table const& table) {
    std::vector<std::size_t> width;
    for (auto const& row : table) {
        width.resize(std::max(width.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
    }
    std::string text;
    for (std::size_t r = 0; r < table.size(); ++r) {
        text += '|';
        for (std::size_t i = 0; i < table[r].size(); ++i) {
            auto const padding = std::string(width[i] - table[r][i].size(), ' ');
            text +=
                i == 0 ? ' ' + table[r][i] + padding + " |" : ' ' + padding + table[r][i] + " |";
        }
        text += '\n';
        if (r != 0) continue;
        text += '|';
        for (std::size_t i = 0; i < width.size(); ++i) {
            text += i == 0 ? std::string(width[i] + 2, '-') + '|'
                           : std::string(width[i] + 1, '-') + ":|";
        }
        text += '\n';
    }
    return text;
}

std::string short_number(double value) {
    constexpr std::array<char const*, 4> units{"", "k", "M", "G"};
    std::size_t unit = 0;
    while (std::fabs(value) >= 9999.5 && unit + 1 < units.size()) {
        value /= 1000;
        ++unit;
    }
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), std::fabs(value) >= 99.95 ? "%.0f%s" : "%.3g%s",
                  value, units[unit]);
    return buffer.data();
}

std::string short_duration(double ns) {
    constexpr std::array<char const*, 4> units{"ns", "us", "ms", "s"};
    std::size_t unit = 0;
    while (ns >= 999.5 && unit + 1 < units.size()) {
        ns /= 1000;
        ++unit;
    }
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), ns >= 99.95 ? "%.0f %s" : "%.3g %s", ns,
                  units[unit]);
    return buffer.data();
}

}  // namespace manylock::stress

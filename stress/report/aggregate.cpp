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

/// What tells one panel from another: everything that was configured, but the threads.
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

std::string describe(result_row const& row) {
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
    if (row.cores) parts.push_back(std::to_string(*row.cores) + " cores");
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

std::string duration_or_dash(std::optional<summary> const& value) {
    return value ? short_duration(value->median) : "-";
}

void add_row(panel& to, result_row const& row) {
    auto const threads = row.threads.value_or(0);
    for (auto& c : to.cells) {
        if (c.policy == row.policy && c.threads == threads) {
            c.rows.push_back(row);
            return;
        }
    }
    to.cells.push_back({row.policy, threads, {row}});
    if (std::find(to.policies.begin(), to.policies.end(), row.policy) == to.policies.end()) {
        to.policies.push_back(row.policy);
    }
    if (std::find(to.threads.begin(), to.threads.end(), threads) == to.threads.end()) {
        to.threads.push_back(threads);
    }
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

cell const* panel::find(std::string const& policy, std::uint64_t of_threads) const {
    for (auto const& c : cells) {
        if (c.policy == policy && c.threads == of_threads) return &c;
    }
    return nullptr;
}

std::optional<double> panel::relative_to_umbrella(cell const& of) const {
    auto const* const base = find("umbrella", of.threads);
    if (base == nullptr) return std::nullopt;
    auto const mine = of.of(&result_row::commits_per_second);
    auto const theirs = base->of(&result_row::commits_per_second);
    if (!mine || !theirs || theirs->median <= 0) return std::nullopt;
    return mine->median / theirs->median * 100;
}

std::vector<panel> make_panels(std::vector<result_row> const& rows) {
    std::set<std::string> measured;
    for (auto const& row : rows) {
        if (row.check.empty()) measured.insert(panel_key(row));
    }
    std::vector<panel> panels;
    std::map<std::string, std::size_t> place;
    std::map<std::string, unsigned> slugs;
    for (auto const& row : rows) {
        auto const key = panel_key(row);
        bool const checked = !row.check.empty();
        if (checked && measured.contains(key)) continue;
        auto const [at, fresh] = place.try_emplace(key, panels.size());
        if (fresh) {
            panel p;
            p.workload = row.workload;
            p.slug = slug_of(row.workload);
            if (auto const n = ++slugs[p.slug]; n > 1) p.slug += '_' + std::to_string(n);
            p.description = describe(row);
            p.checked = checked;
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
        std::sort(p.threads.begin(), p.threads.end());
        auto const rank = [&](cell const& c) {
            return std::find(p.policies.begin(), p.policies.end(), c.policy) - p.policies.begin();
        };
        std::sort(p.cells.begin(), p.cells.end(), [&](cell const& a, cell const& b) {
            return a.threads != b.threads ? a.threads < b.threads : rank(a) < rank(b);
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
    heading = {"policy", "threads", "commits/s", "+-%", "vs umbrella", "restarts/commit"};
    for (auto const& reason : reasons) heading.emplace_back(reason.name);
    for (auto const* name : {"max of one", "fallbacks", "p50", "p99", "p99.9", "max"})
        heading.emplace_back(name);

    for (auto const& c : of.cells) {
        auto const rate = c.of(&result_row::commits_per_second);
        auto const relative = of.relative_to_umbrella(c);
        auto& row = table.emplace_back();
        row = {c.policy,
               std::to_string(c.threads),
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
    table.push_back({"policy", "threads", "commits/s", "+-%", "vs umbrella", "restarts/commit",
                     "by reason", "max of one", "p50", "p99", "max"});
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
        table.push_back({c.policy, std::to_string(c.threads), text_or_dash(rate),
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

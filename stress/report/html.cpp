#include "html.hpp"

#include <algorithm>

namespace manylock::stress {
namespace {

std::string escaped(std::string_view text) {
    std::string result;
    for (char const c : text) {
        switch (c) {
            case '&': result += "&amp;"; break;
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '"': result += "&quot;"; break;
            default: result += c;
        }
    }
    return result;
}

std::string base64(std::string_view bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve(bytes.size() * 4 / 3 + 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = (group << 8U) |
                    (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            text += i + k <= bytes.size()
                        ? digits[(group >> (18U - 6U * static_cast<unsigned>(k))) & 63U]
                        : '=';
        }
    }
    return text;
}

std::string policy_cell(std::string_view policy) {
    return "<th scope=\"row\"><span class=\"dot\" style=\"background:" +
           std::string(policy_colour(policy)) + "\"></span>" + escaped(policy) + "</th>";
}

/// `rule_at` starts a new group of rows wherever that column changes. `dots`: the first column names
/// policies, and shows their colours.
std::string html_table(text_table const& table, std::size_t rule_at, bool dots = true) {
    std::string html = "<div class=\"scroll\"><table><thead><tr>";
    for (auto const& name : table.front()) html += "<th>" + escaped(name) + "</th>";
    html += "</tr></thead><tbody>\n";
    for (std::size_t r = 1; r < table.size(); ++r) {
        bool const rule =
            r > 1 && rule_at < table[r].size() && table[r][rule_at] != table[r - 1][rule_at];
        html += rule ? "<tr class=\"rule\">" : "<tr>";
        for (std::size_t i = 0; i < table[r].size(); ++i) {
            html +=
                i == 0 && dots ? policy_cell(table[r][i]) : "<td>" + escaped(table[r][i]) + "</td>";
        }
        html += "</tr>\n";
    }
    return html + "</tbody></table></div>\n";
}

/// A row per policy, a column per workload, at each workload's largest point.
template <class Value>
std::string overview(std::vector<page_section> const& sections, Value value) {
    std::vector<std::string> policies;
    text_table table;
    auto& heading = table.emplace_back(1, "policy");
    for (auto const& s : sections) {
        heading.push_back(s.shown.workload + (s.shown.simulated ? ", simulated (" : " (") +
                          std::to_string(s.shown.points.back()) +
                          (s.shown.axis == panel_axis::cores ? " cores)" : ")"));
        for (auto const& p : s.shown.policies) {
            if (std::find(policies.begin(), policies.end(), p) == policies.end())
                policies.push_back(p);
        }
    }
    for (auto const& policy : policies) {
        auto& row = table.emplace_back(1, policy);
        for (auto const& s : sections) {
            auto const* const c = s.shown.find(policy, s.shown.points.back());
            row.push_back(c == nullptr ? "-" : value(s.shown, *c));
        }
    }
    return html_table(table, table.front().size());
}

std::string check_overview(std::vector<result_row> const& rows) {
    std::vector<std::string> policies;
    std::vector<std::string> workloads;
    for (auto const& row : rows) {
        if (row.check.empty()) continue;
        if (std::find(policies.begin(), policies.end(), row.policy) == policies.end())
            policies.push_back(row.policy);
        if (std::find(workloads.begin(), workloads.end(), row.workload) == workloads.end()) {
            workloads.push_back(row.workload);
        }
    }
    if (policies.empty()) return {};
    text_table table;
    auto& heading = table.emplace_back(1, "policy");
    heading.insert(heading.end(), workloads.begin(), workloads.end());
    for (auto const& policy : policies) {
        auto& row = table.emplace_back(1, policy);
        for (auto const& workload : workloads) {
            auto const counts = count_checks(rows, policy, workload);
            row.push_back(counts.failed > 0 ? std::to_string(counts.failed) + " FAILED"
                          : counts.ok > 0   ? std::to_string(counts.ok) + " ok"
                                            : "-");
        }
    }
    return "<h2>Checks</h2><p>Runs whose history was verified; their times are not shown.</p>" +
           html_table(table, table.front().size());
}

constexpr std::string_view style = R"(<style>
:root{color-scheme:light}
body{font:15px/1.5 system-ui,Helvetica,Arial,sans-serif;color:#222;background:#fff;
max-width:1280px;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.7rem;margin-bottom:.2rem}h2{margin-top:2.4rem;border-bottom:1px solid #ddd;
padding-bottom:.2rem}
p.note{color:#666;margin:.2rem 0 1rem}
.graphs{display:grid;grid-template-columns:repeat(auto-fit,minmax(520px,1fr));gap:14px}
.graphs img{width:100%;height:auto;border:1px solid #e3e3e3;border-radius:6px}
.scroll{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:3px 10px;text-align:right;white-space:nowrap}th:first-child{text-align:left;
font-weight:600}
thead th{border-bottom:2px solid #888}tbody tr:nth-child(even){background:#f7f7f7}
tr.rule td,tr.rule th{border-top:1px solid #aaa}
.dot{display:inline-block;width:10px;height:10px;border-radius:5px;margin-right:7px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;font-size:13px}dt{color:#666}
dd{margin:0;overflow-wrap:anywhere}
code{font-size:12.5px}
</style>
)";

std::string provenance_list(provenance const& origin) {
    auto const line = [](std::string_view name, std::string const& value) {
        return "<dt>" + std::string(name) + "</dt><dd>" + escaped(value) + "</dd>\n";
    };
    return "<dl>" + line("command", origin.command) + line("seed", std::to_string(origin.seed)) +
           line("commit", origin.commit) + line("compiler", origin.compiler + " " + origin.flags) +
           line("machine", origin.cpu + ", " + std::to_string(origin.cores) + " cores, Linux " +
                               origin.kernel) +
           "</dl>\n";
}

std::string section_html(page_section const& section,
                         std::map<std::string, std::string> const& images) {
    auto const& p = section.shown;
    std::string html =
        "<h2 id=\"" + escaped(p.slug) + "\">" + escaped(p.workload) +
        (p.simulated ? ", simulated" : "") + "</h2>\n<p class=\"note\">" + escaped(p.description) +
        (p.checked ? ". These rows verified their history; do not publish their times." : "") +
        "</p>\n<div class=\"graphs\">\n";
    for (auto const& g : section.graphs) {
        html += "<img alt=\"" + escaped(g.title) + "\" src=\"data:image/svg+xml;base64," +
                base64(images.at(g.name)) + "\">\n";
    }
    html += "</div>\n" + html_table(panel_table(p), 1);
    if (auto const table = published_table(p); !table.empty()) {
        html +=
            "<p class=\"note\">Published for this experiment, on other machines: compare shapes, "
            "not "
            "heights.</p>\n" +
            html_table(table, 0, false);
    }
    return html;
}

}  // namespace

std::string html_page(provenance const& origin, std::vector<result_row> const& rows,
                      std::vector<page_section> const& sections,
                      std::map<std::string, std::string> const& images) {
    std::string html =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
        "<title>Manylock: policies compared</title>\n" +
        std::string(style) +
        "</head><body>\n<h1>Manylock: policies compared</h1>\n"
        "<p class=\"note\">Medians over the rounds; error bars and +-% show how far the rounds lie "
        "apart. Latency runs from a transaction's first attempt to its commit.</p>\n" +
        provenance_list(origin) +
        "<h2>Restarts per commit</h2><p class=\"note\">In brackets: threads.</p>\n" +
        overview(sections,
                 [](panel const&, cell const& c) -> std::string {
                     auto const value = c.of(&result_row::restarts_per_commit);
                     return value ? short_number(value->median) : "-";
                 }) +
        "<h2>Throughput, umbrella = 100 %</h2>\n" +
        overview(sections,
                 [](panel const& p, cell const& c) -> std::string {
                     auto const value = p.relative_to_umbrella(c);
                     return value ? short_number(*value) + " %" : "-";
                 }) +
        check_overview(rows);
    for (auto const& section : sections) html += section_html(section, images);
    return html + "</body></html>\n";
}

}  // namespace manylock::stress

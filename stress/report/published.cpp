#include "published.hpp"

#include "../workloads/catalogue.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

namespace manylock::stress {
namespace {

constexpr std::string_view heading = "preset,workload,name,policy,threads,metric,value,source";
constexpr std::size_t field_count = 8;
constexpr std::array<std::string_view, 3> metrics{"commits_per_second", "restarts_per_commit",
                                                  "seconds"};

[[noreturn]] void refuse(std::size_t line, std::string const& reason) {
    throw std::invalid_argument("published.csv:" + std::to_string(line) + ": " + reason);
}

std::vector<std::string> fields_of(std::string_view line) {
    std::vector<std::string> fields;
    for (;;) {
        auto const comma = line.find(',');
        fields.emplace_back(line.substr(0, comma));
        if (comma == std::string_view::npos) return fields;
        line.remove_prefix(comma + 1);
    }
}

template <class Number>
Number number_of(std::string const& text, std::size_t line) {
    Number value{};
    auto const end = text.data() + text.size();
    auto const result = std::from_chars(text.data(), end, value);
    if (result.ec != std::errc{} || result.ptr != end)
        refuse(line, "'" + text + "' is not a number");
    return value;
}

bool names(std::string_view pattern, std::string_view workload) {
    if (!pattern.ends_with('*')) return pattern == workload;
    return workload.starts_with(pattern.substr(0, pattern.size() - 1));
}

/// True if the row ran what a preset has under that name at its full size, on machines of its kind.
bool same_configuration(result_row const& row, workload const& w, bool thread_per_core) {
    bool const own_cores =
        std::all_of(w.shapes.begin(), w.shapes.end(),
                    [](machine_shape const& shape) { return shape.cores == shape.threads; });
    if (own_cores ? !thread_per_core : row.cores != w.shapes.front().cores) return false;
    auto const fits = [](auto const& field, auto expected) { return !field || *field == expected; };
    return row.workload == w.name && fits(row.locks, w.locks) &&
           fits(row.locks_per_transaction, w.locks_per_transaction) &&
           fits(row.read_percent, w.read_percent) && fits(row.zipf, w.zipf) &&
           fits(row.hold_ns, w.hold_ns);
}

}  // namespace

std::vector<published_point> parse_published(std::string_view text) {
    std::vector<published_point> points;
    std::size_t line_number = 0;
    while (!text.empty()) {
        ++line_number;
        auto const end = text.find('\n');
        if (end == std::string_view::npos) refuse(line_number, "no newline ends the line");
        auto const line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (line_number == 1) {
            if (line != heading) refuse(1, "the heading is not " + std::string(heading));
            continue;
        }
        auto fields = fields_of(line);
        if (fields.size() != field_count) {
            refuse(line_number, std::to_string(fields.size()) + " fields instead of " +
                                    std::to_string(field_count));
        }
        published_point p{fields[0],
                          fields[1],
                          fields[2],
                          fields[3],
                          number_of<std::uint64_t>(fields[4], line_number),
                          fields[5],
                          number_of<double>(fields[6], line_number),
                          fields[7]};
        if (std::find(metrics.begin(), metrics.end(), p.metric) == metrics.end())
            refuse(line_number, "'" + p.metric + "' is not a metric");
        for (auto const* needed : {&p.preset, &p.workload, &p.name, &p.source}) {
            if (needed->empty()) refuse(line_number, "only the policy may be empty");
        }
        points.push_back(std::move(p));
    }
    return points;
}

std::vector<published_point> const& published_points() {
    static std::vector<published_point> const points = parse_published(published_csv());
    return points;
}

std::vector<published_point> published_for(result_row const& row, bool thread_per_core) {
    std::vector<published_point> found;
    if (row.platform != "simulated") return found;
    for (auto const& p : full_presets()) {
        bool const ran = std::any_of(
            p.workloads.begin(), p.workloads.end(),
            [&](workload const& w) { return same_configuration(row, w, thread_per_core); });
        if (!ran) continue;
        for (auto const& point : published_points()) {
            if (point.preset == p.name && names(point.workload, row.workload))
                found.push_back(point);
        }
    }
    return found;
}

}  // namespace manylock::stress

#include "result.hpp"

#include "atomic_file.hpp"
#include "input_error.hpp"

#include <cstring>
#include <cctype>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace manylock::stress {
namespace {

template <class... F>
struct overloaded : F... {
    using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;  // clang 14 does not deduce aggregates by itself

template <class Number>
std::string number_text(Number value) {
    std::array<char, 64> buffer{};
    auto const end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    return {buffer.data(), end};
}

std::string header_text() {
    std::string text;
    for (auto const& c : columns) {
        if (!text.empty()) text += ',';
        text += c.name;
    }
    return text;
}

/// Where in the input a complaint belongs.
struct position {
    std::filesystem::path const& file;
    std::size_t line;

    [[noreturn]] void refuse(std::string const& reason) const {
        throw input_error(file.string() + ":" + std::to_string(line) + ": " + reason);
    }
};

template <class Number>
Number parse_number(std::string_view text, std::string_view name, position const& at) {
    Number value{};
    auto const result = std::from_chars(text.data(), text.data() + text.size(), value);
    bool good = result.ec == std::errc{} && result.ptr == text.data() + text.size();
    if constexpr (std::is_floating_point_v<Number>)
        good = good && std::isfinite(value) && value >= 0;
    if (!good) {
        at.refuse("column " + std::string(name) + " holds '" + std::string(text.substr(0, 40)) +
                  "', where " +
                  (std::is_floating_point_v<Number> ? "a number of at least 0" : "a whole number") +
                  " or nothing belongs");
    }
    return value;
}

void set_field(result_row& row, column const& c, std::string_view text, position const& at) {
    std::visit(overloaded{[&](std::string result_row::*member) {
                              bool const printable = std::all_of(
                                  text.begin(), text.end(),
                                  [](char letter) { return letter >= ' ' && letter <= '~'; });
                              if (!printable)
                                  at.refuse("column " + std::string(c.name) +
                                            " holds what is no text; printable ASCII makes one");
                              row.*member = text;
                          },
                          [&](count result_row::*member) {
                              if (text.empty()) return;
                              row.*member = parse_number<std::uint64_t>(text, c.name, at);
                          },
                          [&](real result_row::*member) {
                              if (text.empty()) return;
                              row.*member = parse_number<double>(text, c.name, at);
                          }},
               c.member);
}

std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> parts;
    for (;;) {
        auto const comma = line.find(',');
        parts.push_back(line.substr(0, comma));
        if (comma == std::string_view::npos) return parts;
        line.remove_prefix(comma + 1);
    }
}

/// What the program writes: graphs and pages need no quoting for it.
bool is_plain(std::string_view name) {
    return name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) {
               auto const u = static_cast<unsigned char>(c);
               return (u < 0x80 && std::isalnum(u) != 0) ||
                      (c != '\0' && std::strchr("_-+.:=/()[] ", c) != nullptr);
           });
}

void check_row(result_row const& row, position const& at) {
    for (auto const* const name : {&row.policy, &row.workload, &row.platform}) {
        if (!is_plain(*name)) {
            at.refuse(
                "a policy, workload or platform has a name that is none; at most 255 letters, "
                "digits, "
                "blanks and _-+.:=/()[] make one");
        }
    }
    if (row.policy.empty()) at.refuse("column policy is empty; every row names its policy");
    if (row.workload.empty()) at.refuse("column workload is empty; every row names its workload");
    if (!row.commits) at.refuse("column commits is empty; every row counts its commits");
    if (!row.check.empty() && row.check != "ok" && row.check != "failed") {
        at.refuse("column check holds '" + row.check.substr(0, 40) +
                  "', where ok, failed or nothing belongs");
    }
    std::uint64_t sum = 0;
    bool any = false;
    for (auto const& reason : restart_reason_columns) {
        if (!(row.*reason.member)) continue;
        any = true;
        sum += *(row.*reason.member);
    }
    if (any && row.restarts && sum != *row.restarts) {
        at.refuse("the restarts by reason add up to " + std::to_string(sum) +
                  ", but column restarts holds " + std::to_string(*row.restarts));
    }
}

void check_header(std::vector<std::string_view> const& names, position const& at) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (i >= names.size() && i >= oldest_columns) return;
        if (i >= names.size()) {
            at.refuse("the heading ends before column " + std::string(columns[i].name));
        }
        if (names[i] != columns[i].name) {
            at.refuse("column " + std::to_string(i + 1) + " of the heading is '" +
                      std::string(names[i].substr(0, 40)) + "', where " +
                      std::string(columns[i].name) + " belongs");
        }
    }
}

}  // namespace

std::string field_text(result_row const& row, column const& c) {
    return std::visit(
        overloaded{[&](std::string result_row::*member) {
                       auto const& text = row.*member;
                       if (text.find_first_of(",\"\n\r") != std::string::npos) {
                           throw std::logic_error("a name in a result holds '" + text + "'");
                       }
                       return text;
                   },
                   [&](auto member) {
                       auto const& value = row.*member;
                       return value ? number_text(*value) : std::string();
                   }},
        c.member);
}

std::string csv_text(std::vector<result_row> const& rows) {
    auto text = header_text() + '\n';
    for (auto const& row : rows) {
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (i != 0) text += ',';
            text += field_text(row, columns[i]);
        }
        text += '\n';
    }
    return text;
}

nlohmann::ordered_json json_rows(std::vector<result_row> const& rows) {
    auto array = nlohmann::ordered_json::array();
    for (auto const& row : rows) {
        nlohmann::ordered_json object;
        for (auto const& c : columns) {
            auto& slot = object[std::string(c.name)];
            std::visit(overloaded{[&](std::string result_row::*member) {
                                      if (!(row.*member).empty()) slot = row.*member;
                                  },
                                  [&](auto member) {
                                      if (row.*member) slot = *(row.*member);
                                  }},
                       c.member);
        }
        array.push_back(std::move(object));
    }
    return array;
}

std::vector<result_row> parse_csv(std::string_view text, std::filesystem::path const& file) {
    if (text.empty()) {
        throw input_error(file.string() +
                          " is empty; a measuring command writes a heading and one "
                          "row per policy, configuration and round");
    }
    std::vector<result_row> rows;
    std::size_t line_number = 0;
    std::size_t heading_fields = 0;
    while (!text.empty()) {
        position const at{file, ++line_number};
        auto const end = text.find('\n');
        if (end == std::string_view::npos)
            at.refuse("the last line is cut off: no newline ends it");
        auto const line = text.substr(0, end);
        text.remove_prefix(end + 1);
        auto const fields = split(line);
        if (line_number == 1) {
            check_header(fields, at);
            heading_fields = fields.size();
            continue;
        }
        if (fields.size() != heading_fields) {
            at.refuse("the row has " + std::to_string(fields.size()) +
                      " fields, where the heading has " + std::to_string(heading_fields));
        }
        result_row row;
        for (std::size_t i = 0; i < std::min(columns.size(), fields.size()); ++i)
            set_field(row, columns[i], fields[i], at);
        check_row(row, at);
        rows.push_back(std::move(row));
    }
    if (rows.empty()) {
        throw input_error(file.string() +
                          " holds a heading but no rows; run a measuring command again");
    }
    return rows;
}

std::vector<result_row> read_results(std::filesystem::path const& directory) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(directory, ignored)) {
        throw input_error(directory.string() +
                          " is not a directory; give one that a measuring "
                          "command wrote with --out");
    }
    auto const file = directory / "results.csv";
    return parse_csv(read_whole_file(file, "the result file", std::uintmax_t{256} << 20), file);
}

}  // namespace manylock::stress

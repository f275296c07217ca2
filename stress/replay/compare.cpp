#include "compare.hpp"

#include "reading.hpp"
#include "text.hpp"
#include "trace.hpp"

#include <algorithm>
#include <cstdio>
#include <ostream>
#include <utility>

namespace manylock::replay {
namespace {

using address_space::page_size;

constexpr std::uint64_t maps_bytes_max = std::uint64_t{256} << 20;

[[noreturn]] void fail_row(line_reader const& reader, std::string_view field,
                           std::string_view text) {
    reader.fail(std::string{field} + " " + quoted(text) +
                " is not of a maps row 'start-end perms offset major:minor inode path'");
}

void set_time(snapshot_header& header, std::string_view value, bool real_clock,
              line_reader const& reader) {
    std::size_t const span = value.find("..");
    std::string_view const begin = value.substr(0, span);
    std::string_view const end = span == std::string_view::npos ? begin : value.substr(span + 2);
    int const power = real_clock ? 9 : 0;
    auto const begin_ns = parse_decimal(begin, power);
    auto const end_ns = parse_decimal(end, power);
    if (!begin_ns || !end_ns || *end_ns < *begin_ns || *begin_ns < 0) {
        reader.fail("the snapshot time " + quoted(value) + " is not a time or a span of two");
    }
    header.begin_ns = *begin_ns;
    header.end_ns = *end_ns;
    header.has_time = true;
    header.real_clock = real_clock;
}

std::uint32_t header_number(std::string_view value, line_reader const& reader) {
    auto const number = parse_integer<std::uint32_t>(value);
    if (!number) {
        reader.fail("the id " + quoted(value) + " in the snapshot's header is not a number");
    }
    return *number;
}

void read_header(snapshot_header& header, std::string_view line, line_reader const& reader) {
    line.remove_prefix(1);
    for (std::string_view const word : split(line, " ")) {
        std::size_t const equals = word.find('=');
        std::string_view const key = word.substr(0, equals);
        if (equals == std::string_view::npos) {
            continue;
        }
        std::string_view const value = word.substr(equals + 1);
        if (key == "t_real" || key == "t_mono_ns") {
            set_time(header, value, key == "t_real", reader);
        } else if (key == "tgid") {
            header.tgid = header_number(value, reader);
        } else if (key == "tid") {
            header.tid = header_number(value, reader);
        } else if (key == "kind") {
            header.kind = value;
        } else if (key == "comm") {
            break;  // the last field; a thread may give itself any name, spaces included
        }
    }
}

void read_range(maps_row& row, std::string_view text, line_reader const& reader) {
    std::size_t const dash = text.find('-');
    auto const start = parse_integer<std::uint64_t>(text.substr(0, dash), 16);
    auto const end = dash == std::string_view::npos
                         ? std::nullopt
                         : parse_integer<std::uint64_t>(text.substr(dash + 1), 16);
    if (!start || !end || *start >= *end || *start % page_size != 0 || *end % page_size != 0) {
        fail_row(reader, "the range", text);
    }
    row.start = *start;
    row.end = *end;
}

void read_perms(maps_row& row, std::string_view text, line_reader const& reader) {
    constexpr std::array<std::string_view, 4> allowed{"r-", "w-", "x-", "ps"};
    if (text.size() != allowed.size()) {
        fail_row(reader, "the permissions", text);
    }
    for (std::size_t at = 0; at < allowed.size(); ++at) {
        if (allowed[at].find(text[at]) == std::string_view::npos) {
            fail_row(reader, "the permissions", text);
        }
        row.perms[at] = text[at];
    }
}

void read_device(maps_row& row, std::string_view text, line_reader const& reader) {
    std::size_t const colon = text.find(':');
    auto const major = parse_integer<std::uint32_t>(text.substr(0, colon), 16);
    auto const minor = colon == std::string_view::npos
                           ? std::nullopt
                           : parse_integer<std::uint32_t>(text.substr(colon + 1), 16);
    if (!major || !minor) {
        fail_row(reader, "the device", text);
    }
    row.device_major = *major;
    row.device_minor = *minor;
}

void append_field(std::string& list, std::string_view name, bool differs) {
    if (differs) {
        list += list.empty() ? "" : ", ";
        list += name;
    }
}

// A file that is unlinked while mapped is printed with this suffix from then on. No call on the
// address space says so, so a replay cannot know.
bool same_path(std::string_view expected, std::string_view actual) {
    constexpr std::string_view unlinked = " (deleted)";
    return expected == actual || (expected.ends_with(unlinked) &&
                                  expected.substr(0, expected.size() - unlinked.size()) == actual);
}

std::string differing_fields(maps_row const& expected, maps_row const& actual) {
    std::string fields;
    append_field(fields, "end", expected.end != actual.end);
    append_field(fields, "perms", expected.perms != actual.perms);
    append_field(fields, "offset", expected.offset != actual.offset);
    append_field(fields, "dev",
                 expected.device_major != actual.device_major ||
                     expected.device_minor != actual.device_minor);
    append_field(fields, "inode", expected.inode != actual.inode);
    append_field(fields, "path", !same_path(expected.path, actual.path));
    return fields;
}

}  // namespace

maps_row parse_maps_row(std::string_view line, line_reader const& reader) {
    maps_row row;
    std::string_view rest = line;
    read_range(row, cut(rest, ' '), reader);
    read_perms(row, cut(rest, ' '), reader);
    std::string_view const offset = cut(rest, ' ');
    auto const offset_value = parse_integer<std::uint64_t>(offset, 16);
    if (!offset_value) {
        fail_row(reader, "the offset", offset);
    }
    row.offset = *offset_value;
    read_device(row, cut(rest, ' '), reader);
    std::string_view const inode = cut(rest, ' ');
    auto const inode_value = parse_integer<std::uint64_t>(inode);
    if (!inode_value) {
        fail_row(reader, "the inode", inode);
    }
    row.inode = *inode_value;
    // A path may itself begin or end with a space, but only the padding in front can be told apart.
    std::size_t const path = rest.find_first_not_of(' ');
    row.path = path == std::string_view::npos ? std::string_view{} : rest.substr(path);
    return row;
}

maps_file read_maps(std::filesystem::path const& file) {
    maps_file result;
    line_reader reader{file, maps_bytes_max};
    std::string_view line;
    while (reader.next(line)) {
        if (line.starts_with('#')) {
            read_header(result.header, line, reader);
            continue;
        }
        maps_row row = parse_maps_row(line, reader);
        if (!result.rows.empty() && result.rows.back().end > row.start) {
            reader.fail("the row overlaps the one before it or is out of order");
        }
        result.rows.push_back(std::move(row));
    }
    if (result.rows.empty()) {
        throw trace_error{file, 0, "holds no maps row"};
    }
    return result;
}

std::string format_row(maps_row const& row) {
    constexpr std::size_t path_column = 73;
    std::array<char, 160> text{};
    int const written = std::snprintf(
        text.data(), text.size(), "%08llx-%08llx %.4s %08llx %02x:%02x %llu ",
        static_cast<unsigned long long>(row.start), static_cast<unsigned long long>(row.end),
        row.perms.data(), static_cast<unsigned long long>(row.offset), row.device_major,
        row.device_minor, static_cast<unsigned long long>(row.inode));
    std::string line{text.data(), static_cast<std::size_t>(written)};
    if (!row.path.empty()) {
        line.resize(std::max(line.size(), path_column), ' ');
        line += row.path;
    }
    return line;
}

std::vector<row_difference> compare_rows(std::vector<maps_row> const& expected,
                                         std::vector<maps_row> const& actual) {
    std::vector<row_difference> differences;
    auto left = expected.begin();
    auto right = actual.begin();
    while (left != expected.end() || right != actual.end()) {
        if (right == actual.end() || (left != expected.end() && left->start < right->start)) {
            differences.push_back({row_difference::kind::missing, *left++, {}, {}});
        } else if (left == expected.end() || right->start < left->start) {
            differences.push_back({row_difference::kind::extra, {}, *right++, {}});
        } else {
            std::string fields = differing_fields(*left, *right);
            if (!fields.empty()) {
                differences.push_back(
                    {row_difference::kind::changed, *left, *right, std::move(fields)});
            }
            ++left;
            ++right;
        }
    }
    return differences;
}

void print_differences(std::ostream& out, std::vector<row_difference> const& differences) {
    for (row_difference const& difference : differences) {
        switch (difference.what) {
            case row_difference::kind::missing:
                out << "missing   " << format_row(difference.expected) << '\n';
                break;
            case row_difference::kind::extra:
                out << "extra     " << format_row(difference.actual) << '\n';
                break;
            case row_difference::kind::changed:
                out << "expected  " << format_row(difference.expected) << "\n     got  "
                    << format_row(difference.actual) << "   (" << difference.fields << ")\n";
                break;
        }
    }
}

}  // namespace manylock::replay

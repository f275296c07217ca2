#include "simulate/costs.hpp"

#include "atomic_file.hpp"
#include "input_error.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <vector>

namespace manylock::simulate {
namespace {

using stress::input_error;

constexpr std::uint64_t cost_max = 1'000'000'000;
constexpr std::uint64_t sockets_max = 64;
constexpr std::uint64_t time_slice_min = 1'000;
constexpr std::uintmax_t file_max = 1U << 20U;

struct target {
    std::uint64_t costs::*member;
    std::uint64_t low;
    std::uint64_t high;
};

/// What a waiting thread does over and over must take time, or time would stand still.
constexpr std::uint64_t lowest(std::string_view key) noexcept {
    if (key == "time_slice") return time_slice_min;
    for (auto const* repeated : {"hit", "atomic_hit", "pause", "clock", "yield"}) {
        if (key == repeated) return 1;
    }
    return 0;
}

target const* find_target(std::string_view key) {
    static auto const targets = [] {
        std::vector<std::pair<std::string_view, target>> all;
        for (auto const& k : cost_keys)
            all.push_back({k.name, {k.member, lowest(k.name), cost_max}});
        all.push_back({"sockets", {&costs::sockets, 1, sockets_max}});
        return all;
    }();
    for (auto const& [name, found] : targets) {
        if (name == key) return &found;
    }
    return nullptr;
}

std::string known_keys() {
    std::string text;
    for (auto const& k : cost_keys) text += std::string(k.name) + ", ";
    return text + "sockets";
}

std::string_view trimmed(std::string_view text) {
    constexpr auto blanks = " \t\r";
    auto const first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view key_of(std::string_view assignment) {
    return trimmed(assignment.substr(0, assignment.find('=')));
}

}  // namespace

void set_cost(costs& to, std::string_view assignment) {
    constexpr std::size_t shown = 60;
    auto const quoted = "'" + std::string(assignment.substr(0, shown)) + "'";
    auto const equals = assignment.find('=');
    if (equals == std::string_view::npos)
        throw input_error(quoted + " is not key=value, as in transfer=45");
    auto const* const found = find_target(key_of(assignment));
    if (found == nullptr)
        throw input_error(quoted + " names no cost; the costs are " + known_keys());
    auto const text = trimmed(assignment.substr(equals + 1));
    std::uint64_t value = 0;
    auto const result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || result.ec != std::errc{} || result.ptr != text.data() + text.size() ||
        value < found->low || value > found->high) {
        throw input_error(quoted + ": the value is not a whole number from " +
                          std::to_string(found->low) + " to " + std::to_string(found->high));
    }
    to.*(found->member) = value;
}

costs read_costs(std::filesystem::path const& file) {
    if (!std::filesystem::exists(file)) {
        throw input_error("the file of costs " + file.string() +
                          " does not exist; `manylock-stress calibrate --out FILE` writes one");
    }
    auto const text = stress::read_whole_file(file, "the file of costs", file_max);
    costs read;
    std::set<std::string_view> given;
    std::size_t number = 0;
    for (std::string_view rest = text; !rest.empty();) {
        ++number;
        auto const end = std::min(rest.find('\n'), rest.size());
        auto line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        line = trimmed(line.substr(0, line.find('#')));
        if (line.empty()) continue;
        auto const where = file.string() + ":" + std::to_string(number) + ": ";
        try {
            set_cost(read, line);
        } catch (input_error const& error) {
            throw input_error(where + error.what());
        }
        if (!given.insert(key_of(line)).second) {
            throw input_error(where + std::string(key_of(line)) +
                              " is given twice; give each cost once");
        }
    }
    return read;
}

}  // namespace manylock::simulate

#include "option_texts.hpp"

#include "input_error.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

namespace manylock::stress {
namespace {

std::vector<std::string_view> list_items(std::string const& option, std::string_view text) {
    std::vector<std::string_view> items;
    for (std::string_view rest = text;;) {
        auto const comma = rest.find(',');
        items.push_back(rest.substr(0, comma));
        if (items.back().empty()) {
            refuse(option, text, "has an empty item; separate the items with single commas");
        }
        if (comma == std::string_view::npos) return items;
        rest.remove_prefix(comma + 1);
    }
}

template <class T>
void refuse_repeats(std::string const& option, std::string_view text,
                    std::vector<T> const& values) {
    if (std::set<T>(values.begin(), values.end()).size() != values.size()) {
        refuse(option, text, "names one item twice; name each once");
    }
}

}  // namespace

void refuse(std::string const& option, std::string_view value, std::string const& right) {
    throw input_error(option + ": '" + std::string(value.substr(0, 60)) + "' " + right);
}

std::uint64_t whole_number(std::string const& option, std::string_view text, std::uint64_t low,
                           std::uint64_t high) {
    std::uint64_t value = 0;
    auto const hexadecimal = text.starts_with("0x");
    auto const digits = hexadecimal ? text.substr(2) : text;
    auto const end = digits.data() + digits.size();
    auto const result = std::from_chars(digits.data(), end, value, hexadecimal ? 16 : 10);
    if (digits.empty() || result.ec != std::errc{} || result.ptr != end || value < low ||
        value > high) {
        refuse(option, text,
               "is not a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    }
    return value;
}

double real_number(std::string const& option, std::string_view text, double low, double high,
                   std::string const& range) {
    double value = 0;
    auto const end = text.data() + text.size();
    auto const result = std::from_chars(text.data(), end, value);
    if (text.empty() || result.ec != std::errc{} || result.ptr != end || !(value >= low) ||
        !(value <= high)) {
        refuse(option, text, "is not a number " + range);
    }
    return value;
}

std::vector<std::uint64_t> thread_list(std::string const& option, std::string_view text,
                                       bool traced) {
    std::vector<std::uint64_t> values;
    for (auto const item : list_items(option, text)) {
        if (traced && item == "traced") {
            values.push_back(traced_threads);
            continue;
        }
        try {
            values.push_back(whole_number(option, item, 1, threads_max));
        } catch (input_error const& error) {
            throw input_error(error.what() + std::string(traced ? " and not the word traced" : ""));
        }
    }
    refuse_repeats(option, text, values);
    return values;
}

std::vector<std::string> policy_list(std::string const& option, std::string_view text,
                                     known_policies const& known) {
    std::vector<std::string> values;
    for (auto const item : list_items(option, text)) {
        if (item == "all") {
            values.insert(values.end(), known.all.begin(), known.all.end());
            continue;
        }
        auto const knows = [&](auto const& names) {
            return std::find(names.begin(), names.end(), item) != names.end();
        };
        if (!knows(known.all) && !knows(known.more)) {
            auto names = known.all;
            names.insert(names.end(), known.more.begin(), known.more.end());
            refuse(option, item,
                   "is not a policy; the policies are " + joined(names) +
                       ", and all for the first " + std::to_string(known.all.size()));
        }
        values.emplace_back(item);
    }
    refuse_repeats(option, text, values);
    return values;
}

void read_common(texts const& given, std::filesystem::path& out, std::uint64_t& seed) {
    seed = default_seed;
    given.number("--seed", seed, 0, std::numeric_limits<std::uint64_t>::max());
    out = given.find("--out").value_or("results");
    if (out.empty())
        throw input_error(
            "--out: the name of the directory is empty; give one, as in --out results");
}

std::vector<std::string> read_policies(texts const& given, known_policies const& known) {
    return policy_list("--policy", given.find("--policy").value_or("all"), known);
}

void refuse_plain_locks_only(std::vector<std::string> const& chosen, known_policies const& known,
                             std::string const& what) {
    for (auto const& name : chosen) {
        auto const& limited = known.plain_locks_only;
        if (std::find(limited.begin(), limited.end(), name) == limited.end()) continue;
        refuse("--policy", name, "is for the workloads on plain locks, and " + what + " is none");
    }
}

void add_common(texts& given) {
    given.add("--policy", "P,..", "policies to compare; all = every one of the design's six [all]");
    given.add("--seed", "X", "seed of everything random [0x5eed]");
    given.add("--out", "DIR", "directory of results.csv and results.json [results]");
}

workload read_workload(std::string_view name) {
    auto found = find_workload(name);
    if (found) return std::move(*found);
    std::vector<std::string_view> names;
    for (auto const& line : workload_names()) names.push_back(line.name);
    refuse("--workload", name, "is not a workload; the workloads are " + joined(names));
}

}  // namespace manylock::stress

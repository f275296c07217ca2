// What the readers of the command line's options share: values as texts, and how each kind is read and
// refused. For options*.cpp only.
#pragma once

#include "options.hpp"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::stress {

inline constexpr std::uint64_t default_seed = 0x5eed;
inline constexpr std::uint64_t threads_max = 1024;
inline constexpr std::uint64_t locks_max = std::uint64_t{1} << 24U;
inline constexpr std::uint64_t count_max = 1'000'000'000'000;
inline constexpr std::uint64_t hold_ns_max = 1'000'000'000;
inline constexpr double seconds_low = 0.001;
inline constexpr double seconds_high = 3600;
inline constexpr char const* seconds_range = "from 0.001 to 3600";

template <class Names>
std::string joined(Names const& names, std::string_view separator = ", ") {
    std::string text;
    for (auto const& name : names) {
        if (!text.empty()) text += separator;
        text += name;
    }
    return text;
}

/// Throws input_error: what was given for `option`, and what would be right.
[[noreturn]] void refuse(std::string const& option, std::string_view value,
                         std::string const& right);
std::uint64_t whole_number(std::string const& option, std::string_view text, std::uint64_t low,
                           std::uint64_t high);
double real_number(std::string const& option, std::string_view text, double low, double high,
                   std::string const& range);
std::vector<std::uint64_t> thread_list(std::string const& option, std::string_view text,
                                       bool traced);

/// A value as the command line has it. CLI11 only tells options from values; what a value means is
/// decided here, so that every complaint is one sentence of the same form.
class texts {
public:
    explicit texts(CLI::App& app) : app_(&app) {}

    void add(std::string const& name, std::string const& kind, std::string const& help) {
        app_->add_option(name, values_[name], help)->type_name(kind);
    }
    [[nodiscard]] std::optional<std::string_view> find(std::string const& name) const {
        auto const at = values_.find(name);
        if (at == values_.end() || app_->count(name) == 0) return std::nullopt;
        return at->second;
    }
    void number(std::string const& name, std::uint64_t& target, std::uint64_t low,
                std::uint64_t high) const {
        if (auto const text = find(name)) target = whole_number(name, *text, low, high);
    }
    void real(std::string const& name, double& target, double low, double high,
              std::string const& range) const {
        if (auto const text = find(name)) target = real_number(name, *text, low, high, range);
    }

private:
    CLI::App* app_;
    std::map<std::string, std::string>
        values_;  // a map, because CLI11 keeps addresses of the values
};

void add_common(texts& given);
void read_common(texts const& given, std::filesystem::path& out, std::uint64_t& seed);
std::vector<std::string> read_policies(texts const& given, known_policies const& known);
/// The options that describe a workload on plain locks.
void add_workload(texts& given);
/// Of a preset that holds both orders of acquisition, keeps the one asked for.
void pick_order(texts const& given, std::string const& preset, std::vector<workload>& workloads);
/// Refuses options that the workload has no use for: a silently ignored option is a wrong result.
void refuse_useless(texts const& given, workload const& w);
void adjust_workload(texts const& given, workload& w, bool preset);
/// Of a workload whose threads have locks of their own; call it when threads and machines are known.
void refuse_too_few_of_its_own(workload const& w);
/// Where users of a replay are: true, if in regions of their own.
bool read_regions(texts const& given, std::vector<std::uint64_t> const& threads);
work_choice read_work(texts const& given);
/// Throws input_error if one of `chosen` cannot do `what`, which is done on an address space.
void refuse_plain_locks_only(std::vector<std::string> const& chosen, known_policies const& known,
                             std::string const& what);
/// The workload of that name.
workload read_workload(std::string_view name);

}  // namespace manylock::stress

#include "calibrate.hpp"

#include "atomic_file.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace manylock::stress {
namespace {

constexpr std::size_t rounds_min = 3;

std::string fixed(double value) {
    char text[32];
    std::snprintf(text, sizeof text, value < 100 ? "%.1f" : "%.0f", value);
    return text;
}

std::uint64_t default_of(std::string_view key) {
    for (auto const& k : simulate::cost_keys) {
        if (k.name == key) return simulate::costs{}.*(k.member);
    }
    return 0;
}

/// In the order of simulate::cost_keys, which is that of the documentation.
void sort_as_documented(std::vector<calibrated>& all) {
    auto const place = [](calibrated const& c) {
        return std::find_if(simulate::cost_keys.begin(), simulate::cost_keys.end(),
                            [&](simulate::cost_key const& k) { return k.name == c.key; });
    };
    std::stable_sort(all.begin(), all.end(),
                     [&](calibrated const& a, calibrated const& b) { return place(a) < place(b); });
}

double seconds_since(platform::native::time_point start) {
    using platform::native;
    return static_cast<double>(native::ns_between(start, native::now())) * 1e-9;
}

probes all_probes() {
    auto const on = usable_processors();
    probes all;
    add_memory_probes(all, on);
    add_waiting_probes(all, on);
    add_work_probes(all);
    return all;
}

}  // namespace

double calibrated::median() const {
    return summarise(rounds).median;
}

double calibrated::spread_percent() const {
    if (rounds.empty() || median() <= 0) return 0;
    auto sorted = rounds;
    std::sort(sorted.begin(), sorted.end());
    auto const low = sorted[sorted.size() / 4];
    auto const high = sorted[sorted.size() - 1 - sorted.size() / 4];
    return (high - low) / 2 / median() * 100;
}

std::uint64_t calibrated::cost() const {
    return static_cast<std::uint64_t>(std::max(1.0, std::round(median())));
}

std::vector<calibrated> measure_costs(probes const& what, platform::native::time_point begun,
                                      double seconds) {
    std::vector<calibrated> all;
    for (auto const& p : what.all) all.push_back({p.key, p.source, {}});
    constexpr std::size_t steps = 100;
    progress bar(steps);
    std::size_t shown = 0;
    for (std::size_t round = 0; round < rounds_min || seconds_since(begun) < seconds; ++round) {
        bar.show("round " + std::to_string(round + 1));
        round_values values;
        for (std::size_t i = 0; i < what.all.size(); ++i) {
            throw_if_interrupted();
            auto const ns = what.all[i].round(values);
            values[what.all[i].key] = ns;
            // The first round meets cold caches and sleepy processors.
            if (round > 0) all[i].rounds.push_back(ns);
        }
        auto const due = std::min(1.0, seconds_since(begun) / seconds) * steps;
        for (; shown < static_cast<std::size_t>(due); ++shown) bar.advance();
    }
    sort_as_documented(all);
    return all;
}

void print_costs(std::vector<calibrated> const& all, std::ostream& out) {
    auto const row = [&](std::string_view key, std::string const& value, std::string_view unit,
                         std::string const& spread, std::string const& usual,
                         std::string_view source) {
        out << std::left << std::setw(16) << key << std::right << std::setw(9) << value << "  "
            << std::left << std::setw(5) << unit << std::right << std::setw(7) << spread
            << std::setw(9) << usual << "  " << source << '\n';
    };
    row("key", "value", "unit", "spread", "default", "measured as");
    for (auto const& c : all) {
        row(c.key, fixed(c.median()), "ns", fixed(c.spread_percent()) + "%",
            std::to_string(default_of(c.key)), c.source);
    }
}

std::string cost_options(std::vector<calibrated> const& all) {
    std::string text;
    for (auto const& c : all) {
        if (!text.empty()) text += ' ';
        text += "--cost " + std::string(c.key) + "=" + std::to_string(c.cost());
    }
    return text;
}

std::string costs_text(std::vector<calibrated> const& all, provenance const& origin) {
    std::ostringstream out;
    out << "# Costs of the timing simulator, in nanoseconds, as measured by manylock-stress "
           "calibrate.\n"
        << "# commit=" << origin.commit << " | " << origin.compiler << ' ' << origin.flags << '\n'
        << "# " << origin.cpu << ", " << origin.cores << " cores | Linux " << origin.kernel << '\n'
        << "# " << origin.command << '\n'
        << "# The median of " << (all.empty() ? 0 : all.front().rounds.size())
        << " rounds; spread: half the distance between the quartiles.\n";
    for (auto const& c : all) {
        out << c.key << '=' << c.cost() << "  # " << fixed(c.median()) << ", spread "
            << fixed(c.spread_percent()) << " %: " << c.source << '\n';
    }
    return out.str();
}

int calibrate(calibrate_options const& chosen, std::vector<std::string> const& arguments) {
    std::optional<atomic_files> files;
    if (!chosen.out.empty()) {
        auto const parent = chosen.out.parent_path();
        files.emplace(parent.empty() ? "." : parent,
                      std::vector<std::string>{chosen.out.filename().string()});
    }
    auto origin = current_provenance(arguments, 0);
    std::cout << "commit=" << origin.commit << " | " << origin.compiler << ' ' << origin.flags
              << " | " << origin.cpu << ", " << origin.cores << " cores | Linux " << origin.kernel
              << std::endl;
#ifndef __OPTIMIZE__
    std::cout << "note: this program was built without optimisation, which is what is measured\n";
#endif
    auto const begun = platform::native::now();
    auto const what = all_probes();
    auto const all = measure_costs(what, begun, chosen.seconds);
    std::cout << '\n';
    print_costs(all, std::cout);
    for (auto const& sentence : what.left_out) std::cout << "not measured: " << sentence << '\n';
    std::cout << "\nthe median of " << all.front().rounds.size()
              << " rounds; spread: half the distance between the quartiles\n\n"
              << cost_options(all) << '\n';
    if (files) {
        files->add(chosen.out.filename().string(), costs_text(all, origin));
        files->commit();
        std::cout << "\ncosts: " << chosen.out.string() << '\n';
    }
    return 0;
}

}  // namespace manylock::stress

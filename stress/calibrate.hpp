// The command `calibrate`: measures the timing simulator's constants on this machine.
#pragma once

#include "calibrate/probe.hpp"
#include "options.hpp"
#include "provenance.hpp"

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::stress {

/// One constant as measured.
struct calibrated {
    std::string_view key;
    std::string source;
    std::vector<double> rounds;  ///< nanoseconds of one, a value for each round

    [[nodiscard]] double median() const;
    /// Half the distance between the quartiles of the rounds, in percent of the median.
    [[nodiscard]] double spread_percent() const;
    /// What the simulator is to be told: whole nanoseconds, 1 at least, since time must pass.
    [[nodiscard]] std::uint64_t cost() const;
};

/// Takes rounds of all probes in turn until `seconds` after `begun`, three at least, so that a slow moment of the machine strikes
/// all of them alike.
std::vector<calibrated> measure_costs(probes const& what, platform::native::time_point begun,
                                      double seconds);

/// Columns of key, value, spread, default and source.
void print_costs(std::vector<calibrated> const& all, std::ostream& out);
/// As options of `simulate`.
std::string cost_options(std::vector<calibrated> const& all);
/// As a file that simulate::read_costs takes.
std::string costs_text(std::vector<calibrated> const& all, provenance const& origin);

/// Returns the exit status. Throws input_error, interrupted.
int calibrate(calibrate_options const& chosen, std::vector<std::string> const& arguments);

}  // namespace manylock::stress

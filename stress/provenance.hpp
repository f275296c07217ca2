// Where a result comes from: enough to judge it, and to make it again.
#pragma once

#include "result.hpp"

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace manylock::stress {

struct provenance {
    std::string commit;
    std::string compiler;
    std::string flags;
    std::string cpu;
    std::uint64_t cores = 0;  ///< processors this process may run on
    std::string kernel;
    std::string command;
    std::uint64_t seed = 0;
    /// Of a simulation: every constant it charged, by key.
    std::map<std::string, std::uint64_t> costs{};

    /// The line that goes first on stdout and under every graph.
    [[nodiscard]] std::string line() const;
};

/// Of this process. `arguments` is the command line.
provenance current_provenance(std::vector<std::string> const& arguments, std::uint64_t seed);

/// The content of results.json: the provenance, then the rows.
std::string json_text(provenance const& origin, std::vector<result_row> const& rows);

/// Takes the provenance out of results.json; throws input_error naming `file` when it is no JSON
/// object or a field has the wrong type. A missing field stays "unknown".
provenance parse_provenance(std::string_view json, std::filesystem::path const& file);

std::uint64_t usable_cores();

}  // namespace manylock::stress

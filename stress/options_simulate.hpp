// The options of simulate. For options.cpp only.
#pragma once

#include "option_texts.hpp"

namespace manylock::stress {

struct simulate_form {
    texts given;
    std::string recording;
    std::vector<std::string> costs;
    bool check = false;

    explicit simulate_form(CLI::App& app);
};

/// `cores`: of this machine, for as many rows side by side.
simulate_options read_simulate(simulate_form const& form, known_policies const& known,
                               std::uint64_t cores);

/// "1,2,4,...,64" goes on as its first items do: doubling, or in steps of the same size.
std::vector<std::uint64_t> core_list(std::string const& option, std::string_view text);

}  // namespace manylock::stress

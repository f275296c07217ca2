// The options of run --forever, and the watchdog's. For options.cpp only.
#pragma once

#include "option_texts.hpp"

namespace manylock::stress {

struct soak_form {
    bool forever = false;
    std::vector<std::string> recordings;

    void add(CLI::App& app, texts& given);
    /// Without --forever.
    void refuse_alone() const;
};

soak_options read_soak(texts const& given, soak_form const& form, known_policies const& known);
/// Seconds; `usual` where none are given.
double read_watchdog(texts const& given, double usual);

}  // namespace manylock::stress

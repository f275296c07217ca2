// The options of calibrate. For options.cpp only.
#pragma once

#include "option_texts.hpp"

namespace manylock::stress {

struct calibrate_form {
    texts given;

    explicit calibrate_form(CLI::App& app);
};

calibrate_options read_calibrate(calibrate_form const& form);

}  // namespace manylock::stress

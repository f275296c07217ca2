#include "options_calibrate.hpp"

#include "input_error.hpp"

namespace manylock::stress {

calibrate_form::calibrate_form(CLI::App& app) : given(app) {
    given.add("--seconds", "S", "time for all of it [5]");
    given.add("--out", "FILE", "file for the costs, which simulate reads with --costs FILE");
}

calibrate_options read_calibrate(calibrate_form const& form) {
    calibrate_options calibrate;
    form.given.real("--seconds", calibrate.seconds, seconds_low, seconds_high, seconds_range);
    if (auto const out = form.given.find("--out")) {
        calibrate.out = *out;
        if (!calibrate.out.has_filename()) {
            refuse("--out", *out, "names no file; give one, as in --out costs.txt");
        }
        if (std::filesystem::is_directory(calibrate.out)) {
            refuse("--out", *out, "is a directory; give a file, as in --out costs.txt");
        }
    }
    return calibrate;
}

}  // namespace manylock::stress

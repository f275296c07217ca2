// The one way this program refuses bad usage and bad input: a sentence that says what is wrong,
// where, and what would be right. main() prints it on stderr and exits with 2.
#pragma once

#include <stdexcept>

namespace manylock::stress {

class input_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Ctrl-C: the run ends, nothing is written, main() exits with 130.
class interrupted : public std::runtime_error {
public:
    interrupted() : std::runtime_error("interrupted; nothing was written") {}
};

}  // namespace manylock::stress

// Bad usage and bad input: exit 2 and one sentence.
#pragma once

#include "program.hpp"

#include <doctest/doctest.h>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace manylock::stress::testing {

inline std::vector<std::string> words(std::string const& line) {
    std::istringstream in(line);
    return {std::istream_iterator<std::string>(in), {}};
}

/// `part` has to be in the sentence.
inline void check_refused(std::vector<std::string> const& arguments, std::string const& part) {
    std::string shown;
    for (auto const& a : arguments) shown += '[' + a + ']';
    CAPTURE(shown);
    auto const result = run_program(arguments);
    CAPTURE(result.err);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK(is_one_sentence(result.err));
    CHECK(result.err.find(part) != std::string::npos);
}

}  // namespace manylock::stress::testing

// Who takes part. The peers of other libraries are there if those were found when the build was configured.
#pragma once

#include "cell.hpp"

namespace manylock::bench {

void add_policies(std::vector<contestant>& all);
void add_standard(std::vector<contestant>& all);
void add_boost(std::vector<contestant>& all);
void add_tbb(std::vector<contestant>& all);
void add_absl(std::vector<contestant>& all);

}  // namespace manylock::bench

#include "at_once.hpp"
#include "contestants.hpp"
#include "ordered.hpp"
#include "trying.hpp"
#include "two_phase_starvation_free.hpp"

#include <shared_mutex>

namespace manylock::bench {

void add_standard(std::vector<contestant>& all) {
    all.push_back(enter<ordered<std::mutex>>("std_mutex", kind::blocking, false));
    all.push_back(enter<ordered<std::shared_mutex>>("std_shared_mutex", kind::blocking, true));
    all.push_back(enter<at_once<by_std_lock>>("std_lock", kind::blocking, false));
    all.push_back(enter<one_for_all>("one_mutex", kind::global, false));
    all.push_back(enter<try_all<by_yield>>("try_all_yield", kind::spinning, false));
    all.push_back(enter<try_all<by_pause>>("try_all_pause", kind::spinning, false));
    all.push_back(enter<two_phase_starvation_free>("2plsf_rule", kind::spinning, true));
}

}  // namespace manylock::bench

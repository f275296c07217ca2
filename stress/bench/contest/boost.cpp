#include "at_once.hpp"
#include "contestants.hpp"

#include <boost/iterator/indirect_iterator.hpp>
#include <boost/thread/lock_algorithms.hpp>
#include <boost/thread/mutex.hpp>

namespace manylock::bench {

namespace {
struct by_boost_lock {
    using lock_type = boost::mutex;
    static void lock(std::span<boost::mutex*> all) {
        boost::lock(boost::make_indirect_iterator(all.data()),
                    boost::make_indirect_iterator(all.data() + all.size()));
    }
};
}  // namespace

void add_boost(std::vector<contestant>& all) {
    all.push_back(enter<at_once<by_boost_lock>>("boost_lock", kind::blocking, false));
}

}  // namespace manylock::bench

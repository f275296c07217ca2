#include "contestants.hpp"
#include "ordered.hpp"

#include <absl/synchronization/mutex.h>

namespace manylock::bench {

namespace {

struct absl_mutex {
    absl::Mutex mutex;
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Lock(); }
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Unlock(); }
    void lock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.ReaderLock(); }
    void unlock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.ReaderUnlock(); }
};

/// Deadlock detection is a setting of the whole program.
contestant with(absl::OnDeadlockCycle detection, std::string name) {
    auto one = enter<ordered<absl_mutex>>(std::move(name), kind::blocking, true);
    one.run = [run = std::move(one.run), detection](cell const& c, std::chrono::nanoseconds slice,
                                                    std::uint64_t seed) {
        absl::SetMutexDeadlockDetectionMode(detection);
        return run(c, slice, seed);
    };
    return one;
}

}  // namespace

void add_absl(std::vector<contestant>& all) {
    all.push_back(with(absl::OnDeadlockCycle::kIgnore, "absl_mutex"));
    all.push_back(with(absl::OnDeadlockCycle::kReport, "absl_mutex_detecting"));
}

}  // namespace manylock::bench

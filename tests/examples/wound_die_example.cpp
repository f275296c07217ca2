// Goal:   the policy of docs/policies/writing-one.md compiles, never deadlocks and loses no update.
// Method: threads close cycles of every length on a few locks, upgrade shared holds, and read single
//         objects; a deadlock hangs, which the test's time limit turns into a failure.
#include "wound_die.hpp"

#include <manylock/domain.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

using table = manylock::domain<manylock::policies::wound_die>;
struct row {
    table::lock_type lock;
    long value = 0;
};

constexpr std::size_t row_count = 5;
constexpr std::size_t thread_count = 4;
constexpr std::size_t rounds = 2'000;

class program {
public:
    /// Moves one unit around the ring, from a starting point of the thread's own.
    void run(std::size_t thread) {
        for (std::size_t i = 0; i < rounds; ++i) {
            auto& from = rows_[(thread + i) % row_count];
            auto& to = rows_[(thread + i * (1 + thread)) % row_count];
            domain_.run([&](table::transaction& txn) {
                txn.lock_shared(from.lock);  // upgraded below: readers that upgrade form a cycle
                txn.lock(to.lock);
                txn.lock(from.lock);
                --from.value;
                ++to.value;
            });
            domain_.read(to.lock, [&] { last_seen_[thread] = to.value; });
        }
    }
    [[nodiscard]] long sum() const {
        long total = 0;
        for (auto const& r : rows_) total += r.value;
        return total;
    }
    [[nodiscard]] manylock::statistics stats() const { return domain_.stats(); }

private:
    table domain_;
    std::array<row, row_count> rows_;
    std::array<long, thread_count> last_seen_{};
};

}  // namespace

int main() {
    program p;
    {
        std::vector<std::jthread> threads;
        for (std::size_t t = 0; t < thread_count; ++t) threads.emplace_back([&p, t] { p.run(t); });
    }
    auto const stats = p.stats();
    auto const commits = stats[manylock::counter::commits];
    std::printf("%llu commits, %llu restarts\n", static_cast<unsigned long long>(commits),
                static_cast<unsigned long long>(stats.restarts()));
    return commits == thread_count * rounds && p.sum() == 0 ? 0 : 1;
}

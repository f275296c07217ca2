// The measured threads: they start on a barrier, warm up, are measured, and finish the transaction
// they are in. What a thread counts, it counts on its own cache lines; nothing is added up before
// all have ended. Knows nothing of locks or policies.
#pragma once

#include "../histogram.hpp"
#include "../interrupt.hpp"
#include "watched.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <manylock/restart.hpp>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace manylock::stress {

using measuring_clock = std::chrono::steady_clock;

inline std::uint64_t nanoseconds_since(measuring_clock::time_point start) noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(measuring_clock::now() - start)
            .count());
}

/// Busy work of that length. `yields`: offers the processor to others meanwhile, so that more
/// threads than cores hold their locks at the same time, as they would on cores of their own.
inline void work_for(std::uint64_t ns, bool yields) noexcept {
    if (ns == 0) return;
    auto const start = measuring_clock::now();
    do {
        if (yields) std::this_thread::yield();
    } while (nanoseconds_since(start) < ns);
}

/// How long a row runs: for a time, or for a number of commits in all.
struct extent {
    double seconds = 1;
    std::optional<std::uint64_t> commits;
};

/// What one thread, or all of them, did while measured.
struct measurement {
    histogram latency;  ///< ns from a transaction's first attempt to its commit
    std::uint64_t commits = 0;
    std::array<std::uint64_t, restart_reason_count> restarts{};
    std::uint64_t restarts_max_of_one_transaction = 0;

    void add(measurement const& other) noexcept {
        latency.add(other.latency);
        commits += other.commits;
        for (std::size_t i = 0; i < restarts.size(); ++i) restarts[i] += other.restarts[i];
        restarts_max_of_one_transaction =
            std::max(restarts_max_of_one_transaction, other.restarts_max_of_one_transaction);
    }
};

class crew {
public:
    /// One thread's view of the run; on cache lines of its own.
    class alignas(64) member {
    public:
        [[nodiscard]] std::uint64_t index() const noexcept { return index_; }
        /// The transaction that next() has let begin counts.
        [[nodiscard]] bool measuring() const noexcept { return measuring_; }

        /// Call before each transaction; false ends the thread's work.
        bool next() {
            entry_->step();
            // relaxed: flags that guard no data
            if (interrupt_requested.load(std::memory_order_relaxed)) return false;
            if (crew_->phase_.load(std::memory_order_relaxed) == phase_stop) return false;
            return crew_->of_.commits ? next_of_number() : next_of_time();
        }
        /// Call when a transaction committed that began at `start`, after these restarts by reason.
        void committed(measuring_clock::time_point start,
                       std::array<std::uint32_t, restart_reason_count> const& restarts) noexcept {
            if (!measuring_) return;
            mine_.latency.record(nanoseconds_since(start));
            ++mine_.commits;
            std::uint64_t sum = 0;
            for (std::size_t i = 0; i < restarts.size(); ++i) {
                mine_.restarts[i] += restarts[i];
                sum += restarts[i];
            }
            mine_.restarts_max_of_one_transaction =
                std::max(mine_.restarts_max_of_one_transaction, sum);
        }

    private:
        friend class crew;

        bool next_of_time() noexcept {
            // relaxed: a late look only moves one transaction
            measuring_ = crew_->phase_.load(std::memory_order_relaxed) == phase_measure;
            return true;
        }
        bool next_of_number() {
            if (warm_up_left_ > 0) {
                --warm_up_left_;
                return true;
            }
            if (!measuring_) {
                warm_.wait_once();
                measuring_ = true;
            }
            return commits_left_-- > 0;
        }

        /// Arrives at the crew's second barrier once, come what may.
        class arrival {
        public:
            void wait_once() {
                if (barrier_ == nullptr) return;
                std::exchange(barrier_, nullptr)->arrive_and_wait();
            }
            void drop() {
                if (barrier_ != nullptr) std::exchange(barrier_, nullptr)->arrive_and_drop();
            }
            std::barrier<>* barrier_ = nullptr;
        };

        crew* crew_ = nullptr;
        worker_entry* entry_ = nullptr;
        std::uint64_t index_ = 0;
        bool measuring_ = false;
        std::uint64_t warm_up_left_ = 0;
        std::int64_t commits_left_ = 0;
        arrival warm_;
        std::exception_ptr error_;
        measurement mine_;
    };

    crew(std::uint64_t threads, extent const& of);

    /// Runs `work(member&)` on every thread. `measured` is called on this thread when the measuring
    /// begins and once more when all threads have ended. Rethrows the first exception of a thread;
    /// throws `interrupted` after a signal. Returns the seconds measured.
    double run(std::function<void(member&)> const& work,
               std::function<void(bool begins)> const& measured);

    /// The sum of what all threads did; after run().
    [[nodiscard]] measurement total() const;

private:
    static constexpr int phase_warm_up = 0;
    static constexpr int phase_measure = 1;
    static constexpr int phase_stop = 2;

    void prepare(member& m, std::uint64_t index);
    void start(std::vector<std::jthread>& threads, std::function<void(member&)> const& work);
    void measure(std::function<void(bool begins)> const& measured);
    void sleep_until(measuring_clock::time_point end) const;

    extent of_;
    std::uint64_t threads_;
    measuring_clock::time_point begin_;
    std::atomic<int> phase_{phase_warm_up};
    std::barrier<> start_;
    std::barrier<> warm_;
    std::vector<std::unique_ptr<member>> members_;
};

}  // namespace manylock::stress

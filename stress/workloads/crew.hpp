// The measured threads: they start on a barrier, warm up, are measured, and finish the transaction
// they are in. What a thread counts, it counts on its own cache lines; nothing is added up before
// all have ended. Knows nothing of locks or policies.
#pragma once

#include "../interrupt.hpp"
#include "measurement.hpp"
#include "watched.hpp"

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
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

struct row_request;

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
            if (stopping()) return false;
            // relaxed: a flag that guards no data
            if (crew_->phase_.load(std::memory_order_relaxed) == phase_stop) return false;
            return crew_->of_.commits ? next_of_number() : next_of_time();
        }
        /// A transaction under way should not begin another attempt: a signal has come.
        [[nodiscard]] bool stopping() const noexcept {
            return interrupt_requested.load(std::memory_order_relaxed);  // relaxed: a flag
        }
        /// Call when a transaction committed that began at `start`.
        void committed(measuring_clock::time_point start) noexcept {
            if (measuring_) mine_.committed(nanoseconds_since(start));
        }
        /// Call at each restart.
        void restarted(lost_attempt const& one) noexcept {
            if (measuring_) mine_.restarted(one);
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
    explicit crew(row_request const& request);

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

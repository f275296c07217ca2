#include "crew.hpp"

#include "../input_error.hpp"
#include "runner.hpp"

#include <algorithm>
#include <string>
#include <system_error>

namespace manylock::stress {
namespace {

constexpr double warm_up_share = 0.1;
constexpr auto signal_poll = std::chrono::milliseconds(20);

}  // namespace

crew::crew(std::uint64_t threads, extent const& of)
    : of_(of),
      threads_(threads),
      start_(static_cast<std::ptrdiff_t>(threads) + 1),
      warm_(static_cast<std::ptrdiff_t>(threads) + 1) {
    for (std::uint64_t i = 0; i < threads; ++i) {
        members_.push_back(std::make_unique<member>());
        prepare(*members_.back(), i);
    }
}

crew::crew(row_request const& request) : crew(request.threads, request.length) {}

void crew::prepare(member& m, std::uint64_t index) {
    m.crew_ = this;
    m.index_ = index;
    if (!of_.commits) return;
    auto const share = *of_.commits / threads_ + (index < *of_.commits % threads_ ? 1 : 0);
    m.commits_left_ = static_cast<std::int64_t>(share);
    m.warm_up_left_ = static_cast<std::uint64_t>(static_cast<double>(share) * warm_up_share);
    m.warm_.barrier_ = &warm_;
}

void crew::sleep_until(measuring_clock::time_point end) const {
    for (;;) {
        auto const now = measuring_clock::now();
        // relaxed: flags
        if (now >= end || interrupt_requested.load(std::memory_order_relaxed) ||
            phase_.load(std::memory_order_relaxed) == phase_stop)
            return;
        std::this_thread::sleep_for(std::min<measuring_clock::duration>(signal_poll, end - now));
    }
}

void crew::start(std::vector<std::jthread>& threads, std::function<void(member&)> const& work) {
    threads.reserve(members_.size());
    try {
        for (auto& m : members_) {
            threads.emplace_back([this, &work, &me = *m] {
                start_.arrive_and_wait();
                worker_entry entry("worker", me.index_);
                me.entry_ = &entry;
                try {
                    work(me);
                } catch (...) {
                    me.error_ = std::current_exception();
                    // relaxed: a flag; the others need not work on for nothing
                    phase_.store(phase_stop, std::memory_order_relaxed);
                }
                me.warm_.drop();
            });
        }
    } catch (std::system_error const& error) {
        // Those that did start wait at the barrier for those that did not.
        phase_.store(phase_stop, std::memory_order_relaxed);  // relaxed: the barrier orders it
        auto const missing = static_cast<std::ptrdiff_t>(members_.size() - threads.size()) + 1;
        static_cast<void>(start_.arrive(missing));
        throw input_error("--threads: the system refused to start " +
                          std::to_string(members_.size()) + " threads (" + error.what() +
                          "); ask for fewer");
    }
}

void crew::measure(std::function<void(bool begins)> const& measured) {
    start_.arrive_and_wait();
    if (of_.commits) {
        warm_.arrive_and_wait();
        measured(true);
        begin_ = measuring_clock::now();
        return;
    }
    auto const length = [](double seconds) {
        return std::chrono::duration_cast<measuring_clock::duration>(
            std::chrono::duration<double>(seconds));
    };
    sleep_until(measuring_clock::now() + length(of_.seconds * warm_up_share));
    measured(true);
    begin_ = measuring_clock::now();
    auto warm = phase_warm_up;
    // relaxed: as in next_of_time; an exchange, so that the stop after an error is not undone
    phase_.compare_exchange_strong(warm, phase_measure, std::memory_order_relaxed);
    sleep_until(begin_ + length(of_.seconds));
    phase_.store(phase_stop, std::memory_order_relaxed);  // relaxed: as above
}

double crew::run(std::function<void(member&)> const& work,
                 std::function<void(bool begins)> const& measured) {
    {
        std::vector<std::jthread> threads;
        start(threads, work);
        measure(measured);
    }
    auto const seconds = static_cast<double>(nanoseconds_since(begin_)) * 1e-9;
    measured(false);
    for (auto const& m : members_) {
        if (m->error_) std::rethrow_exception(m->error_);
    }
    throw_if_interrupted();
    return seconds;
}

measurement crew::total() const {
    measurement sum;
    for (auto const& m : members_) sum.add(m->mine_);
    return sum;
}

}  // namespace manylock::stress

// What one walk of a detector costs, by the number of live transactions, the locks that each holds, and the shape of the
// wait-for graph (detector/crowd.hpp): the hand-written walk of cycle_detection and its Boost twin, each through the
// engine's own view of a live domain, on native atomics. The transactions are real and hold their locks; that they wait is
// queued by the engine's wait_queue::enqueue, without ten thousand threads to sleep in it.
// No graph here has a cycle, so a walk visits all that can be reached.
//
//   walk/POLICY/SHAPE/TRANSACTIONS/LOCKS        one walk after another: the caches keep what they can
//   walk_cold/POLICY/SHAPE/TRANSACTIONS/LOCKS   before each walk another core writes to blocks, holds and locks, as other threads do
//                                               when they acquire and queue; left out where there is no second processor
//   transfer                                    one cache line from that core and back, halved: what cold is here, and now
//
// Columns: edges (by the domain's statistics) and locks looked at, a walk. stress/bench/detector-page makes the page of all this.
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <benchmark/benchmark.h>

#include <manylock/graph/cycle_detection_bgl.hpp>
#include <manylock/policies/cycle_detection.hpp>

#include "detector/crowd.hpp"

namespace {

using namespace manylock::bench;
using manylock::counter;

/// Processors that this process may run on, each once.
std::vector<int> usable_processors() {
    cpu_set_t set;
    std::vector<int> all;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return all;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) all.push_back(cpu);
    }
    return all;
}
void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/// Runs one piece of work at a time on another processor.
template <class Work>
class elsewhere {
public:
    elsewhere(int cpu, Work work)
        : work_{std::move(work)}, thread_{[this, cpu](std::stop_token const& stop) {
              pin_to(cpu);
              for (asked_.acquire(); !stop.stop_requested(); asked_.acquire()) {
                  work_();
                  done_.release();
              }
          }} {}
    ~elsewhere() {
        thread_.request_stop();
        asked_.release();
    }
    elsewhere(elsewhere const&) = delete;
    elsewhere& operator=(elsewhere const&) = delete;
    void begin() { asked_.release(); }
    void end() { done_.acquire(); }

private:
    Work work_;
    std::binary_semaphore asked_{0};
    std::binary_semaphore done_{0};
    std::jthread thread_;  // last: it uses the rest
};

/// Google Benchmark calls a function again and again until it has run long enough: the last crowd is kept for that.
template <class Policy>
crowd<Policy>& crowd_for(benchmark::State const& state, shape s) {
    using key = std::tuple<shape, std::int64_t, std::int64_t>;
    static key kept_for;
    static std::unique_ptr<crowd<Policy>> kept;
    key const wanted{s, state.range(0), state.range(1)};
    if (!kept || kept_for != wanted) {
        kept.reset();
        kept = std::make_unique<crowd<Policy>>(s, static_cast<std::size_t>(state.range(0)),
                                               static_cast<std::size_t>(state.range(1)));
        kept_for = wanted;
    }
    return *kept;
}

/// Sets the columns, and fails if a walk was anything else than one full search.
template <class Policy>
void report(benchmark::State& state, crowd<Policy> const& walked,
            manylock::statistics const& before, bool restarted) {
    auto const after = walked.stats();
    auto const rounds = static_cast<std::uint64_t>(state.iterations());
    auto const edges = after[counter::detector_edges] - before[counter::detector_edges];
    if (restarted || after[counter::detector_walks] - before[counter::detector_walks] != rounds ||
        edges % rounds != 0) {
        return state.SkipWithError("a walk found a cycle where there is none, or two walks differ");
    }
    state.counters["edges"] = static_cast<double>(edges / rounds);
    state.counters["locks"] = static_cast<double>(walked.locks_looked_at());
}

template <class Policy>
void walk(benchmark::State& state, shape s) {
    auto& walked = crowd_for<Policy>(state, s);
    auto const before = walked.stats();
    bool restarted = false;
    for (auto _ : state) restarted |= walked.walk();
    report(state, walked, before, restarted);
}

template <class Policy>
void walk_cold(benchmark::State& state, shape s, int walker, int others) {
    using clock = std::chrono::steady_clock;
    pin_to(walker);
    auto& walked = crowd_for<Policy>(state, s);
    elsewhere touch{others, [&] { walked.touch(); }};
    auto const before = walked.stats();
    bool restarted = false;
    for (auto _ : state) {
        touch.begin();
        touch.end();
        auto const begin = clock::now();
        restarted |= walked.walk();
        state.SetIterationTime(std::chrono::duration<double>{clock::now() - begin}.count());
    }
    report(state, walked, before, restarted);
}

/// Calls f(shape, name of the benchmark after its kind) for each shape.
template <class Policy, class F>
void for_each_shape(F f) {
    for (auto const s : {shape::nobody, shape::chain, shape::star, shape::queue, shape::dag}) {
        f(s, std::string{Policy::name} + "/" + shape_names[static_cast<std::size_t>(s)]);
    }
}
/// Where virtual processors are, and so what a line costs, may change from minute to minute.
void transfer(benchmark::State& state, int here, int there) {
    constexpr std::uint64_t trips = 1'000;
    pin_to(here);
    alignas(64) std::atomic<std::uint64_t> line{0};
    std::uint64_t sent = 0;
    elsewhere answers{there, [&] {
                          for (std::uint64_t i = 0; i <= trips; ++i) {
                              // acquire and release: nothing but the line itself is meant to travel
                              while ((line.load(std::memory_order_acquire) & 1U) == 0) {
                              }
                              line.fetch_add(1, std::memory_order_release);
                          }
                      }};
    auto const there_and_back = [&] {
        line.store(++sent, std::memory_order_release);  // as above
        ++sent;
        while (line.load(std::memory_order_acquire) != sent) {  // as above
        }
    };
    for (auto _ : state) {
        answers.begin();
        there_and_back();  // the other thread is awake now
        auto const begin = std::chrono::steady_clock::now();
        for (std::uint64_t i = 0; i < trips; ++i) there_and_back();
        std::chrono::duration<double> const all = std::chrono::steady_clock::now() - begin;
        answers.end();
        state.SetIterationTime(all.count() / static_cast<double>(2 * trips));
    }
}
template <class Policy>
void add() {
    for_each_shape<Policy>([](shape s, std::string const& name) {
        benchmark::RegisterBenchmark(("walk/" + name).c_str(), [s](benchmark::State& state) {
            walk<Policy>(state, s);
        })->ArgsProduct({{10, 100, 1'000, 10'000}, {1, 10, 100}});
    });
}
/// Not of ten thousand transactions, which no cache of one core holds anyhow.
template <class Policy>
void add_cold(int walker, int others) {
    for_each_shape<Policy>([=](shape s, std::string const& name) {
        auto const run = [=](benchmark::State& state) {
            walk_cold<Policy>(state, s, walker, others);
        };
        benchmark::RegisterBenchmark(("walk_cold/" + name).c_str(), run)
            ->ArgsProduct({{10, 100, 1'000}, {1, 10, 100}})
            ->UseManualTime();
    });
}

}  // namespace

int main(int argc, char** argv) {
    using manylock::policies::cycle_detection;
    add<cycle_detection>();
    add<manylock::policies::cycle_detection_bgl>();
    if (auto const cpus = usable_processors(); cpus.size() > 1) {
        add_cold<cycle_detection>(cpus[0], cpus[1]);
        benchmark::RegisterBenchmark("transfer", transfer, cpus[0], cpus[1])->UseManualTime();
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

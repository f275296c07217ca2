// Uncontended transactions of K locks, per policy, beside the same with std::mutex locked in address order (its sort
// included), in shared mode beside std::shared_mutex; transactions that lock nothing; and readers of one hot lock. A second thread is alive all
// the time, since glibc's mutex takes a cheaper path in single-threaded processes.
//
// Locks are drawn at random from a small array, so that the sort has something to do; both sides get the
// same draws. Compare the medians of repetitions:
//   manylock-bench --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

namespace {

constexpr std::size_t cell_count = 64;
constexpr std::size_t draw_count = 1024;

/// Keeps a second thread alive, asleep, until the program ends.
class bystander {
public:
    bystander()
        : thread_{[this](std::stop_token stop) {
              std::unique_lock lock{mutex_};
              wake_.wait(lock, stop, [] { return false; });
          }} {}

private:
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

/// Distinct cell numbers, `k` for each transaction, always the same ones.
std::vector<std::uint32_t> draws(std::size_t k) {
    std::mt19937 random{20240722};
    std::array<std::uint32_t, cell_count> cells{};
    for (std::uint32_t i = 0; i < cell_count; ++i) cells[i] = i;
    std::vector<std::uint32_t> all;
    for (std::size_t t = 0; t < draw_count; ++t) {
        std::shuffle(cells.begin(), cells.end(), random);
        all.insert(all.end(), cells.begin(), cells.begin() + static_cast<std::ptrdiff_t>(k));
    }
    return all;
}

/// How one lock is taken and given back.
struct exclusively {
    template <class Mutex>
    static void lock(Mutex& m) {
        m.lock();
    }
    template <class Mutex>
    static void unlock(Mutex& m) {
        m.unlock();
    }
    static constexpr auto mode = manylock::mode::exclusive;
};
struct sharing {
    template <class Mutex>
    static void lock(Mutex& m) {
        m.lock_shared();
    }
    template <class Mutex>
    static void unlock(Mutex& m) {
        m.unlock_shared();
    }
    static constexpr auto mode = manylock::mode::shared;
};

template <class Mutex, class How>
void in_address_order(benchmark::State& state) {
    struct alignas(64) cell {
        Mutex mutex;
        std::uint64_t value = 0;
    };
    static std::array<cell, cell_count> cells;
    auto const k = static_cast<std::size_t>(state.range(0));
    auto const numbers = draws(k);
    std::array<cell*, 16> wanted{};
    std::size_t t = 0;
    for (auto _ : state) {
        auto const* const drawn = &numbers[(t++ % draw_count) * k];
        for (std::size_t i = 0; i < k; ++i) wanted[i] = &cells[drawn[i]];
        std::sort(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(k));
        for (std::size_t i = 0; i < k; ++i) How::lock(wanted[i]->mutex);
        for (std::size_t i = 0; i < k; ++i) benchmark::DoNotOptimize(++wanted[i]->value);
        for (std::size_t i = k; i-- > 0;) How::unlock(wanted[i]->mutex);
    }
}

template <class Policy, class How>
void transaction(benchmark::State& state) {
    using domain_type = manylock::domain<Policy>;
    struct alignas(64) cell {
        typename domain_type::lock_type lock;
        std::uint64_t value = 0;
    };
    static domain_type domain;
    static std::array<cell, cell_count> cells;
    auto const k = static_cast<std::size_t>(state.range(0));
    auto const numbers = draws(k);
    std::size_t t = 0;
    for (auto _ : state) {
        auto const* const drawn = &numbers[(t++ % draw_count) * k];
        domain.run([&](auto& txn) {
            for (std::size_t i = 0; i < k; ++i) {
                if (!txn.acquire(cells[drawn[i]].lock, How::mode)) return;
            }
            for (std::size_t i = 0; i < k; ++i) benchmark::DoNotOptimize(++cells[drawn[i]].value);
        });
    }
}

/// Begin and end alone.
template <class Policy>
void empty(benchmark::State& state) {
    static manylock::domain<Policy> domain;
    for (auto _ : state) {
        domain.run([](auto& txn) { benchmark::DoNotOptimize(&txn); });
    }
}

/// Reads, and does not write back what it has read.
void look_at(std::uint64_t const& value) {
    auto const seen = value;
    benchmark::DoNotOptimize(seen);
}

/// Threads that all read one object, each in a transaction of its own: what sharing one lock's line costs.
template <class Mutex>
void readers_of_mutex(benchmark::State& state) {
    struct alignas(64) cell {
        Mutex mutex;
        alignas(64) std::uint64_t value = 0;
    };
    static cell hot;
    for (auto _ : state) {
        std::shared_lock const guard{hot.mutex};
        look_at(hot.value);
    }
    state.SetItemsProcessed(state.iterations());
}
template <class Policy, manylock::options Options>
void readers(benchmark::State& state) {
    using domain_type = manylock::domain<Policy, Options>;
    struct alignas(64) cell {
        typename domain_type::lock_type lock;
        alignas(64) std::uint64_t value = 0;
    };
    static domain_type domain;
    static cell hot;
    for (auto _ : state) {
        domain.run([&](auto& txn) {
            if (txn.acquire_shared(hot.lock)) look_at(hot.value);
        });
    }
    state.SetItemsProcessed(state.iterations());
}
constexpr manylock::options distributed{.distributed_readers = true};

void per_reader_count(benchmark::internal::Benchmark* b) {
    b->Threads(1)->Threads(2)->UseRealTime();
}

void per_lock_count(benchmark::internal::Benchmark* b) {
    for (int k : {1, 2, 4, 8, 16}) b->Arg(k);
}

BENCHMARK(in_address_order<std::mutex, exclusively>)
    ->Name("exclusive/std_mutex")
    ->Apply(per_lock_count);
BENCHMARK(in_address_order<std::shared_mutex, sharing>)
    ->Name("shared/std_shared_mutex")
    ->Apply(per_lock_count);
#define MANYLOCK_REGISTER_POLICY(policy)                                  \
    BENCHMARK(transaction<manylock::policies::policy, exclusively>)       \
        ->Name("exclusive/" #policy)                                      \
        ->Apply(per_lock_count);                                          \
    BENCHMARK(transaction<manylock::policies::policy, sharing>)           \
        ->Name("shared/" #policy)                                         \
        ->Apply(per_lock_count);                                          \
    BENCHMARK(empty<manylock::policies::policy>)->Name("empty/" #policy); \
    BENCHMARK(readers<manylock::policies::policy, manylock::options{}>)   \
        ->Name("readers/" #policy)                                        \
        ->Apply(per_reader_count);
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
BENCHMARK(readers_of_mutex<std::shared_mutex>)
    ->Name("readers/std_shared_mutex")
    ->Apply(per_reader_count);
BENCHMARK(readers<manylock::policies::wound_wait, distributed>)
    ->Name("readers/wound_wait_distributed")
    ->Apply(per_reader_count);
BENCHMARK(readers<manylock::policies::cycle_detection, distributed>)
    ->Name("readers/cycle_detection_distributed")
    ->Apply(per_reader_count);
BENCHMARK(readers<manylock::policies::no_wait, distributed>)
    ->Name("readers/no_wait_distributed")
    ->Apply(per_reader_count);

}  // namespace

int main(int argc, char** argv) {
    bystander const second_thread;
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

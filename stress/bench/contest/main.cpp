// Every policy beside what a C++ programmer would use instead, cell by cell of a grid. One benchmark is one time slice of
// one contestant in one cell; contestants take turns within a cell, so that a disturbance of the machine meets all.
// Options of Google Benchmark (--benchmark_out, --benchmark_filter, ...) work as usual.
#include "contestants.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <benchmark/benchmark.h>
#include <cstdio>

namespace manylock::bench {
namespace {

struct grid {
    std::vector<std::uint32_t> locks{16, 64, 1024, 65536};
    std::vector<std::uint32_t> per_transaction{1, 2, 4, 8, 16};
    std::vector<unsigned> threads{1, 2, 4, 8};
    std::vector<unsigned> hold_us{0, 1, 10};
    std::vector<unsigned> read_percent{0, 50, 90, 100};
    unsigned slice_ms = 40;
    unsigned rounds = 3;
    std::uint64_t seed = 1;

    /// A transaction takes its locks once each, so it cannot take more than there are.
    [[nodiscard]] bool empty() const {
        return *std::min_element(per_transaction.begin(), per_transaction.end()) >
               *std::max_element(locks.begin(), locks.end());
    }

    template <class F>
    void for_each(F f) const {
        for (auto const n : locks)
            for (auto const k : per_transaction)
                for (auto const t : threads)
                    for (auto const h : hold_us)
                        for (auto const r : read_percent) {
                            if (k <= n) f(cell{n, k, t, std::chrono::microseconds{h}, r});
                        }
    }
};

std::vector<contestant> contestants() {
    std::vector<contestant> all;
    add_policies(all);
    add_standard(all);
#ifdef MANYLOCK_BENCH_BOOST
    add_boost(all);
#endif
#ifdef MANYLOCK_BENCH_TBB
    add_tbb(all);
#endif
#ifdef MANYLOCK_BENCH_ABSL
    add_absl(all);
#endif
    return all;
}

std::string name_of(cell const& c, contestant const& who, unsigned round) {
    return "N:" + std::to_string(c.locks) + "/K:" + std::to_string(c.per_transaction) +
           "/threads:" + std::to_string(c.threads) +
           "/hold_us:" + std::to_string(c.hold.count() / 1000) +
           "/read:" + std::to_string(c.read_percent) + "/" + who.name +
           "/round:" + std::to_string(round);
}

void play(benchmark::State& state, cell const& c, contestant const& who,
          std::chrono::nanoseconds slice, std::uint64_t seed) {
    for (auto _ : state) {
        auto const result = who.run(c, slice, seed);
        if (!result.intact) return state.SkipWithError("an update was lost");
        state.SetIterationTime(result.seconds);
        auto const commits = static_cast<double>(result.commits);
        state.counters["commits_per_second"] = commits / result.seconds;
        state.counters["restarts_per_commit"] =
            commits > 0 ? static_cast<double>(result.restarts) / commits : 0;
        state.counters["restarts_max"] = static_cast<double>(result.restarts_max);
        state.counters["latency_ns_p999"] = static_cast<double>(result.latency.at(0.999));
    }
}

/// A contestant that knows no shared mode is the same at every read share, and plays where there is none, and as the
/// yardstick where it is the plain mutex or the global one.
bool plays(contestant const& who, cell const& c) {
    return c.read_percent == 0 || who.knows_shared || who.name == "std_mutex" ||
           who.is == kind::global;
}

void enrol(grid const& g, std::vector<contestant> const& all) {
    g.for_each([&](cell const& c) {
        for (unsigned round = 0; round < g.rounds; ++round) {
            for (std::size_t i = 0; i < all.size(); ++i) {
                auto const& who = all[(i + round) % all.size()];
                if (!plays(who, c)) continue;
                auto const seed = stress::derived_seed(g.seed, round);
                benchmark::RegisterBenchmark(name_of(c, who, round).c_str(),
                                             [c, who, g, seed](benchmark::State& state) {
                                                 play(state, c, who,
                                                      std::chrono::milliseconds{g.slice_ms}, seed);
                                             })
                    ->Iterations(1)
                    ->UseManualTime();
            }
        }
    });
}

int refused(char const* why) {
    std::fprintf(stderr, "manylock-contest-bench: %s\n", why);
    return 2;
}

}  // namespace
}  // namespace manylock::bench

int main(int argc, char** argv) {
    namespace bench = manylock::bench;
    benchmark::Initialize(&argc, argv);  // takes its own options away
    bench::grid g;
    CLI::App app{"Policies beside other ways to lock many objects, cell by cell"};
    app.add_option("--locks", g.locks, "locks in all")
        ->delimiter(',')
        ->check(CLI::Range(1U, 1U << 24U));
    app.add_option("--locks-per-transaction", g.per_transaction,
                   "of them, at most 16; std_lock knows 1, 2, 4, 8 and 16")
        ->delimiter(',')
        ->check(CLI::IsMember({1, 2, 4, 8, 16}));
    app.add_option("--threads", g.threads, "threads")->delimiter(',')->check(CLI::Range(1, 56));
    app.add_option("--hold-us", g.hold_us, "microseconds of work after each acquisition")
        ->delimiter(',')
        ->check(CLI::Range(0, 10000));
    app.add_option("--read-percent", g.read_percent, "share of shared requests")
        ->delimiter(',')
        ->check(CLI::Range(0, 100));
    app.add_option("--slice-ms", g.slice_ms, "milliseconds measured at a time")
        ->check(CLI::Range(1, 10000));
    app.add_option("--rounds", g.rounds, "times that every contestant plays a cell")
        ->check(CLI::Range(1, 100));
    app.add_option("--seed", g.seed, "of the requests");
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& e) {
        if (e.get_exit_code() == 0) return app.exit(e);  // --help
        return bench::refused(e.what());
    }
    if (g.empty())
        return bench::refused("no cell: every --locks-per-transaction is above every --locks");
    auto const all = bench::contestants();
    bench::enrol(g, all);
    benchmark::AddCustomContext("seed", std::to_string(g.seed));
    benchmark::AddCustomContext("slice_ms", std::to_string(g.slice_ms));
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

// The published workloads, each in two sizes: as it was published, for the simulator, and scaled to
// what the machine at hand can run.
#include "catalogue.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace manylock::stress {
namespace {

using counts = std::vector<std::uint64_t>;

constexpr std::uint64_t default_commits = 100'000;
constexpr std::uint64_t million = 1'000'000;
/// Of this many rows the locks of a native run fill 64 MiB, a cache line each.
constexpr std::uint64_t native_rows = million;

/// Cores of the machine at hand, or the published size.
class preset_size {
public:
    static preset_size full() { return preset_size(0); }
    static preset_size native(std::uint64_t cores) {
        return preset_size(std::max<std::uint64_t>(cores, 1));
    }
    [[nodiscard]] bool is_full() const noexcept { return cores_ == 0; }
    [[nodiscard]] std::uint64_t cores() const noexcept { return cores_; }
    template <class T>
    [[nodiscard]] T choose(T published, T scaled) const {
        return is_full() ? std::move(published) : std::move(scaled);
    }

private:
    explicit preset_size(std::uint64_t cores) : cores_(cores) {}
    std::uint64_t cores_;
};

workload named(std::string name, choice picks) {
    workload w;
    w.name = std::move(name);
    w.picks = picks;
    return w;
}

/// A core for each thread.
std::vector<machine_shape> own_cores(counts const& threads) {
    std::vector<machine_shape> shapes;
    for (auto const n : threads) shapes.push_back({n, n});
    return shapes;
}

std::vector<machine_shape> on_cores(std::uint64_t cores, counts const& threads) {
    std::vector<machine_shape> shapes;
    for (auto const n : threads) shapes.push_back({cores, n});
    return shapes;
}

/// Of the published thread counts, those that have a core each; at least the two smallest.
counts within(std::uint64_t cores, counts published) {
    std::size_t n = 0;
    while (n < published.size() && (n < 2 || published[n] <= cores)) ++n;
    published.resize(n);
    return published;
}

/// Threads with a core each: all of the published counts, or as many as the machine has cores for.
void set_threads(workload& w, preset_size size, counts const& published) {
    if (size.is_full()) {
        w.threads = published;
        w.shapes = own_cores(published);
    } else {
        w.threads = within(size.cores(), published);
    }
}

std::string listed(counts const& numbers) {
    std::string text;
    for (std::size_t i = 0; i < numbers.size(); ++i)
        text += (i == 0                   ? ""
                 : i + 1 < numbers.size() ? ", "
                                          : " and ") +
                std::to_string(numbers[i]);
    return text;
}

/// What is scaled in most presets: the rows and the threads.
std::string fewer(std::string const& rows, counts const& threads) {
    return (rows.empty()
                ? ""
                : "1,000,000 rows instead of " + rows + ", so that their locks fit into memory; ") +
           listed(threads) + " threads, as there are cores for";
}

preset contended(preset_size size) {
    auto w = named("contended", choice::uniform);
    w.locks = 16;
    w.locks_per_transaction = 4;
    w.hold_ns = 1000;
    w.hold_yields = true;
    w.threads = {4};
    if (size.is_full()) set_threads(w, size, {1, 2, 4, 8, 16, 32, 64});
    return {.name = "contended",
            .description = "16 locks, 4 per transaction, all exclusive, 1 us hold",
            .workloads = {w},
            .commits = {},
            .scaled = {}};
}

preset hellstrom(preset_size size) {
    auto random = named("hellstrom_random", choice::uniform);
    random.locks = 100'000;
    random.locks_per_transaction = 800;
    random.threads = {4};
    bool const few_cores = !size.is_full() && size.cores() < 4;
    // Once after each acquisition, and only where threads must share cores: published rows did not.
    if (few_cores) random.hold_ns = 1;
    random.hold_yields = few_cores;
    if (size.is_full()) {
        random.threads = {4, 16};
        random.shapes = on_cores(4, random.threads);
    }
    auto ascending = random;
    ascending.name = "hellstrom_ascending";
    ascending.sequence = order::ascending;
    std::string scaled =
        "40,000 batches in all instead of 100,000 per thread; the published 16 threads come with "
        "--threads 16";
    if (few_cores) {
        scaled =
            "1,000 batches in all instead of 100,000 per thread, 4 threads that yield after "
            "each acquisition instead of 4 cores; the published 16 threads come with --threads 16";
    }
    if (size.is_full()) scaled = "4,000 batches in all instead of 100,000 per thread";
    return {.name = "hellstrom",
            .description =
                "800 of 100,000 locks per batch, in random and in ascending order "
                "(Linux commit 08295b3b5bee)",
            .workloads = {random, ascending},
            .commits = size.is_full() ? 4000
                       : few_cores    ? 1000
                                      : 40'000,
            .rounds = 1,
            .scaled = std::move(scaled)};
}

preset kselftest(preset_size size) {
    constexpr std::uint64_t simulated_cores = 4;
    auto const cores = size.choose(simulated_cores, size.cores());
    auto inorder = named("kselftest_inorder", choice::uniform);
    inorder.locks = 16;
    inorder.locks_per_transaction = 16;
    inorder.sequence = order::fixed;
    inorder.all_held_ns = 1'500'000;
    inorder.threads = {2 * cores};
    auto reorder = inorder;
    reorder.name = "kselftest_reorder";
    reorder.sequence = order::reorder;
    auto all = inorder;
    all.name = "kselftest_all";
    all.locks = 2046;
    all.locks_per_transaction = 2046;
    all.mixed_with_single = true;
    all.threads = {3 * cores};
    if (size.is_full()) {
        for (auto* w : {&inorder, &reorder, &all}) w->shapes = on_cores(cores, w->threads);
    }
    return {.name = "kselftest",
            .description =
                "the stress part of the kernel's ww_mutex selftest: 16 locks in order and "
                "reordered, 2,046 locks mixed with single ones (test-ww_mutex.c)",
            .workloads = {inorder, reorder, all},
            .seconds = 2,
            // Each holds all locks for 1.5 ms: about what fits into 2 s, and half again.
            .commits = size.is_full() ? std::optional<std::uint64_t>(2000) : std::nullopt,
            .rounds = 1,
            .scaled = "2 threads per core on 16 locks (" + std::to_string(2 * cores) +
                      ") and 3 on 2,046 (" + std::to_string(3 * cores) +
                      ") as published; all locks are held for 1.5 ms, where it draws 1 to 2 ms" +
                      (size.is_full() ? "; 2,000 transactions in all instead of 2 s" : "")};
}

/// YCSB: requests for rows by Zipf's law, a share of them reads.
workload ycsb(std::string name, preset_size size, double theta, double read_percent,
              std::uint64_t requests, counts const& threads) {
    auto w = named(std::move(name), choice::zipf);
    w.locks = size.choose(10 * million, native_rows);
    w.locks_per_transaction = requests;
    w.zipf = theta;
    w.read_percent = read_percent;
    set_threads(w, size, threads);
    return w;
}

preset dbx(preset_size size) {
    counts const threads{1, 4, 16, 64, 256, 1024};
    std::vector<workload> workloads;
    for (auto const& [name, theta] : {std::pair{"dbx_theta0", 0.0},
                                      {"dbx_theta60", 0.6},
                                      {"dbx_theta80", 0.8},
                                      {"dbx_theta90", 0.9}})
        workloads.push_back(ycsb(name, size, theta, 50, 16, threads));
    workloads.push_back(ycsb("dbx_theta60_read90", size, 0.6, 90, 16, threads));
    auto const used = workloads.front().threads;
    return {.name = "dbx",
            .description =
                "YCSB as in DBx1000: 16 of 10 million rows by Zipf's law with theta 0, 0.6, 0.8 "
                "and 0.9, half of them read; and its default of theta 0.6 with 90 % read",
            .workloads = std::move(workloads),
            .commits = {},
            .scaled = size.is_full()
                          ? "a restarted transaction is tried again at once, where DBx1000 "
                            "runs others first and delays it"
                          : fewer("10,000,000", used)};
}

preset two_plsf(preset_size size, std::string_view name, std::string workload_name,
                std::string_view description, double theta, double read_percent,
                std::uint64_t requests) {
    auto w = ycsb(std::move(workload_name), size, theta, read_percent, requests,
                  {1, 2, 4, 8, 16, 32, 48, 64});
    auto const used = w.threads;
    return {.name = name,
            .description = description,
            .workloads = {std::move(w)},
            .commits = {},
            .scaled = size.is_full() ? std::string() : fewer("10,000,000", used)};
}

preset bamboo_hotspot(preset_size size) {
    std::vector<workload> workloads;
    for (auto const percent : {0, 25, 50, 75, 100}) {
        auto w = named("bamboo_hs1_at" + std::to_string(percent), choice::hotspot);
        w.locks = size.choose(100 * million, native_rows);
        w.locks_per_transaction = 16;
        w.hot_position = percent / 100.0;
        w.hot_exclusive = true;
        w.read_percent = 100;
        set_threads(w, size, {1, 2, 4, 8, 16, 32, 64, 120});
        workloads.push_back(std::move(w));
    }
    auto const used = workloads.front().threads;
    return {
        .name = "bamboo-hs1",
        .description =
            "15 reads of 100 million rows and one write of a hot one, at 0, 25, 50, 75 and 100 % "
            "of the transaction (Bamboo)",
        .workloads = std::move(workloads),
        .commits = {},
        .scaled = size.is_full() ? std::string() : fewer("100,000,000", used)};
}

preset folly(preset_size size) {
    std::vector<workload> workloads;
    for (std::uint64_t const mutexes : {2U, 4U, 8U, 16U}) {
        for (bool const sorted : {true, false}) {
            auto w =
                named("folly_m" + std::to_string(mutexes) + (sorted ? "_ordered" : "_unordered"),
                      choice::ring);
            w.locks = mutexes;
            w.locks_per_transaction = 2;
            w.sequence = sorted ? order::ascending : order::random;
            w.hold_ns = 15;
            set_threads(w, size, {2, 4, 8, 16});
            workloads.push_back(std::move(w));
        }
    }
    auto const used = workloads.front().threads;
    std::string scaled =
        "the published spin of 100 rounds with both locks is 15 ns after each of them, which makes "
        "the 30 ns that its uncontended row leaves for it";
    if (!size.is_full()) scaled += "; " + fewer("", used);
    return {.name = "folly",
            .description =
                "2 neighbours of a ring of 2 to 16 mutexes, by 2 to 16 threads, in ascending "
                "order and as they come (folly's SynchronizedBenchmark)",
            .workloads = std::move(workloads),
            .commits = {},
            .scaled = std::move(scaled)};
}

preset oversub(preset_size size) {
    auto w = named("oversub", choice::hot_set);
    w.locks = 10'000;
    w.locks_per_transaction = 4;
    w.hot_locks = 50;
    w.hot_percent = 90;
    w.threads = {1, 2, 4, 8};
    std::string threads = "1 to 8 threads instead of up to twice a server's cores";
    if (size.is_full()) {
        w.threads = {1, 2, 4, 8, 12, 16, 20, 24, 32, 48, 64};
        w.shapes = on_cores(16, w.threads);
        threads = "16 cores";
    }
    return {.name = "oversub",
            .description =
                "10,000 locks, 90 % of the requests on 50 of them: do "
                "restarts jump once threads outnumber cores? (Peloton issue 304)",
            .workloads = {w},
            .seconds = 1,
            .commits = {},
            .scaled = threads + "; 4 locks per transaction, a size the report does not give"};
}

preset ring(preset_size size) {
    std::vector<workload> workloads;
    auto const seats = size.choose(counts{5, 16, 64, 256}, counts{5, 16});
    for (auto const n : seats) {
        auto w = named("ring_" + std::to_string(n), choice::ring);
        w.locks = n;
        w.locks_per_transaction = 2;
        w.hold_ns = 1000;
        w.hold_yields = true;
        w.threads = {n};
        if (size.is_full()) w.shapes = own_cores(w.threads);
        workloads.push_back(std::move(w));
    }
    return {
        .name = "ring",
        .description = "philosophers: a thread for each seat takes both its forks, 1 us after each",
        .workloads = std::move(workloads),
        .commits = {},
        .scaled = size.is_full() ? std::string()
                                 : "5 and 16 seats, whose threads yield after each acquisition "
                                   "where they outnumber the cores"};
}

std::vector<preset> all_presets(preset_size size) {
    return {
        contended(size),
        hellstrom(size),
        kselftest(size),
        dbx(size),
        two_plsf(size, "2plsf-high", "2plsf_high",
                 "16 of 10 million rows, theta 0.9, half of them read (YCSB as in 2PLSF's paper)",
                 0.9, 50, 16),
        two_plsf(size, "2plsf-med", "2plsf_med",
                 "16 of 10 million rows, theta 0.8, 90 % read (YCSB as in 2PLSF's paper)", 0.8, 90,
                 16),
        two_plsf(size, "2plsf-low", "2plsf_low",
                 "2 of 10 million rows, all alike, all read (YCSB as in 2PLSF's paper)", 0, 100, 2),
        bamboo_hotspot(size),
        folly(size),
        oversub(size),
        ring(size)};
}

template <class Presets>
std::optional<preset> found(Presets&& all, std::string_view name) {
    for (auto& p : all) {
        if (p.name == name) return p;
    }
    return std::nullopt;
}

}  // namespace

std::vector<preset> presets(std::uint64_t cores) {
    return all_presets(preset_size::native(cores));
}

std::optional<preset> find_preset(std::string_view name, std::uint64_t cores) {
    return found(presets(cores), name);
}

std::vector<preset> const& full_presets() {
    static std::vector<preset> const full = [] {
        auto all = all_presets(preset_size::full());
        for (auto& p : all) {
            p.rounds = 1;  // the simulator repeats itself
            if (!p.commits) p.commits = default_commits;
        }
        return all;
    }();
    return full;
}

std::optional<preset> find_full_preset(std::string_view name) {
    return found(full_presets(), name);
}

}  // namespace manylock::stress

#include "catalogue.hpp"

#include <algorithm>
#include <array>

namespace manylock::stress {
namespace {

workload named(std::string name, choice picks) {
    workload w;
    w.name = std::move(name);
    w.picks = picks;
    return w;
}

preset contended() {
    auto w = named("contended", choice::uniform);
    w.locks = 16;
    w.locks_per_transaction = 4;
    w.hold_ns = 1000;
    w.hold_yields = true;
    w.threads = {4};
    return {.name = "contended",
            .description = "16 locks, 4 per transaction, all exclusive, 1 us hold, 4 threads",
            .workloads = {w},
            .commits = {},
            .scaled = {}};
}

preset hellstrom(std::uint64_t cores) {
    auto random = named("hellstrom_random", choice::uniform);
    random.locks = 100'000;
    random.locks_per_transaction = 800;
    random.threads = {4};
    bool const few_cores = cores < 4;
    // 1 ns is what it takes to yield once after each acquisition.
    if (few_cores) random.hold_ns = 1;
    random.hold_yields = true;
    auto ascending = random;
    ascending.name = "hellstrom_ascending";
    ascending.sequence = order::ascending;
    return {.name = "hellstrom",
            .description =
                "800 of 100,000 locks per batch, in random and in ascending order "
                "(Linux commit 08295b3b5bee)",
            .workloads = {random, ascending},
            .commits = few_cores ? 1000 : 40'000,
            .rounds = 1,
            .scaled = few_cores
                          ? "1,000 batches in all instead of 100,000 per thread, 4 threads that "
                            "yield after each acquisition instead of 4 cores; the published 16 "
                            "threads come with --threads 16"
                          : "40,000 batches in all instead of 100,000 per thread; the published "
                            "16 threads come with --threads 16"};
}

preset kselftest(std::uint64_t cores) {
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
    return {.name = "kselftest",
            .description =
                "the stress part of the kernel's ww_mutex selftest: 16 locks in order and "
                "reordered, 2,046 locks mixed with single ones (test-ww_mutex.c)",
            .workloads = {inorder, reorder, all},
            .seconds = 2,
            .commits = {},
            .rounds = 1,
            .scaled = "2 threads per core on 16 locks (" + std::to_string(2 * cores) +
                      ") and 3 on 2,046 (" + std::to_string(3 * cores) +
                      ") as published; all locks are held for 1.5 ms, where it draws 1 to 2 ms"};
}

preset oversub() {
    auto w = named("oversub", choice::hot_set);
    w.locks = 10'000;
    w.locks_per_transaction = 4;
    w.hot_locks = 50;
    w.hot_percent = 90;
    w.threads = {1, 2, 4, 8};
    return {.name = "oversub",
            .description =
                "10,000 locks, 90 % of the requests on 50 of them, 1 to 8 threads: do "
                "restarts jump once threads outnumber cores? (Peloton issue 304)",
            .workloads = {w},
            .seconds = 1,
            .commits = {},
            .scaled =
                "1 to 8 threads instead of up to twice a server's cores; 4 locks per "
                "transaction, a size the report does not give"};
}

constexpr std::array<std::string_view, 4> order_list{"random", "ascending", "fixed", "reorder"};

}  // namespace

std::vector<named_line> const& workload_names() {
    static std::vector<named_line> const names{
        {"uniform", "every lock equally likely"},
        {"zipf", "lock i with weight 1/(i+1)^T, --zipf T"},
        {"hotspot", "one lock that all transactions take, at --hot-position of each"},
        {"ring",
         "philosophers: each thread takes K neighbours of N in a ring, from its own seat on"},
        {"bank", "transfers between random accounts; the sum of all balances stays the same"},
        {"vma_mix", "page faults against map, unmap, protect and remap on one address space"},
        {"giant_vma", "page faults all over one VMA while one thread protects a page at its end"}};
    return names;
}

std::optional<workload> find_workload(std::string_view name) {
    if (name == "uniform") return named("uniform", choice::uniform);
    if (name == "zipf") {
        auto w = named("zipf", choice::zipf);
        w.zipf = 0.9;
        return w;
    }
    if (name == "hotspot") {
        auto w = named("hotspot", choice::hotspot);
        w.locks_per_transaction = 8;
        return w;
    }
    if (name == "ring") {
        auto w = named("ring", choice::ring);
        w.locks = 5;
        return w;
    }
    if (name == "bank") {
        auto w = named("bank", choice::uniform);
        w.locks = 64;
        w.locks_per_transaction = 2;
        w.transfers = true;
        return w;
    }
    if (name == "vma_mix") return named("vma_mix", choice::vma_mix);
    if (name == "giant_vma") {
        auto w = named("giant_vma", choice::giant_vma);
        w.hold_ns = 500;  // about what zeroing a page takes
        return w;
    }
    return std::nullopt;
}

std::vector<preset> presets(std::uint64_t cores) {
    return {contended(), hellstrom(cores), kselftest(cores), oversub()};
}

std::optional<preset> find_preset(std::string_view name, std::uint64_t cores) {
    for (auto& p : presets(cores)) {
        if (p.name == name) return p;
    }
    return std::nullopt;
}

std::vector<std::string_view> const& order_names() {
    static std::vector<std::string_view> const names(order_list.begin(), order_list.end());
    return names;
}

std::optional<order> find_order(std::string_view name) {
    auto const at = std::find(order_list.begin(), order_list.end(), name);
    if (at == order_list.end()) return std::nullopt;
    return static_cast<order>(at - order_list.begin());
}

}  // namespace manylock::stress

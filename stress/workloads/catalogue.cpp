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

constexpr std::array<std::string_view, 4> order_list{"random", "ascending", "fixed", "reorder"};

}  // namespace

std::vector<named_line> const& workload_names() {
    static std::vector<named_line> const names{
        {"uniform", "every lock equally likely"},
        {"zipf", "lock i with weight 1/(i+1)^T, --zipf T"},
        {"hotspot", "one lock that all transactions take, at --hot-position of each"},
        {"ring",
         "philosophers: each thread takes K neighbours of N in a ring, from its own seat on"},
        {"disjoint",
         "each thread takes K locks of its own: what is left is what threads share without need"},
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
    if (name == "disjoint") {
        auto w = named("disjoint", choice::own);
        w.locks = std::uint64_t{1} << 16U;
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

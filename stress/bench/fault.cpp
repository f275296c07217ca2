// What a page fault that needs no transaction costs (lookup, read lock, check, unlock) beside the bare
// lookup in the same map, per policy, uncontended. Compare medians of interleaved repetitions:
//   manylock-fault-bench --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <manylock/address_space/space.hpp>
#include <manylock/policies.hpp>

namespace {

using namespace manylock::address_space;

constexpr address base = 0x10'0000'0000;
constexpr std::uint64_t stride = 3 * page_size;

template <class Policy>
using space_type = basic_address_space<Policy>;

template <class Policy>
void fill(space_type<Policy>& space, std::uint64_t vmas) {
    for (std::uint64_t i = 0; i < vmas; ++i) {
        vma area;
        area.start = base + i * stride;
        area.end = area.start + 2 * page_size;
        area.flags = vm_read | vm_write | vm_may_access;
        area.page_offset = area.start / page_size;
        area.anon.id = space.fresh_id();
        space.place(area);
    }
}

std::vector<address> draws(std::uint64_t vmas) {
    std::mt19937_64 random{20221006};
    std::vector<address> all(std::size_t{1} << 14U);
    for (auto& a : all) a = base + random() % vmas * stride + random() % 2 * page_size;
    return all;
}

template <class Policy>
void lookup(benchmark::State& state) {
    space_type<Policy> space;
    auto const vmas = static_cast<std::uint64_t>(state.range(0));
    fill<Policy>(space, vmas);
    auto const at = draws(vmas);
    std::size_t i = 0;
    for (auto _ : state)
        if (!space.seems_mapped(at[i++ % at.size()])) return state.SkipWithError("not found");
}

template <class Policy>
void fault(benchmark::State& state) {
    space_type<Policy> space;
    typename space_type<Policy>::worker me;
    auto const vmas = static_cast<std::uint64_t>(state.range(0));
    fill<Policy>(space, vmas);
    auto const at = draws(vmas);
    operation op;
    op.what = call::fault;
    op.flags = fault_write;
    std::size_t i = 0;
    for (auto _ : state) {
        op.start = at[i++ % at.size()];
        if (space.apply(me, op) != 0) return state.SkipWithError("the fault failed");
    }
    if (me.faults.success != static_cast<std::uint64_t>(state.iterations()))
        state.SkipWithError("a fault took another path than the read lock");
}

template <class Policy>
void register_both(std::string const& policy) {
    for (int const vmas : {100, 10'000}) {
        benchmark::RegisterBenchmark(("lookup/" + policy).c_str(), lookup<Policy>)->Arg(vmas);
        benchmark::RegisterBenchmark(("fault/" + policy).c_str(), fault<Policy>)->Arg(vmas);
    }
}

}  // namespace

int main(int argc, char** argv) {
#define MANYLOCK_REGISTER_POLICY(policy) register_both<manylock::policies::policy>(#policy);
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

// What a transaction that meets nobody costs in instructions, per policy. Run by stress/bench/instructions below
// callgrind, which counts between the marks set here: one dump a case, named after it.
#include <array>
#include <cstddef>
#include <cstdio>
#include <span>

#include <valgrind/callgrind.h>

#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

namespace {

constexpr int transactions = 1'000;  // the script divides by it

/// K locks of one mode, on lines of their own; none of them for K = 0.
template <class Policy, std::size_t K, manylock::mode Mode>
void count(char const* name) {
    using domain_type = manylock::domain<Policy>;
    struct alignas(64) cell {
        typename domain_type::lock_type lock;
    };
    static domain_type domain;
    static std::array<cell, K + 1> cells;
    auto const all = [](int n) {
        for (int t = 0; t < n; ++t) {
            domain.run([](auto& txn) {
                for (auto& c : std::span{cells}.template first<K>()) {
                    if (!txn.acquire(c.lock, Mode)) return;
                }
            });
        }
    };
    all(10);  // the first ones take a control block from the pool
    CALLGRIND_ZERO_STATS;
    all(transactions);
    CALLGRIND_DUMP_STATS_AT(name);
}

}  // namespace

int main() {
    using enum manylock::mode;
    std::printf("compiler: %s %s, %s\n",
#ifdef __clang__
                "clang++",
#else
                "g++",
#endif
                __VERSION__, MANYLOCK_BUILD_FLAGS);
#define MANYLOCK_REGISTER_POLICY(name)                                   \
    count<manylock::policies::name, 0, exclusive>(#name "/empty");       \
    count<manylock::policies::name, 1, exclusive>(#name "/1 exclusive"); \
    count<manylock::policies::name, 4, exclusive>(#name "/4 exclusive"); \
    count<manylock::policies::name, 8, exclusive>(#name "/8 exclusive"); \
    count<manylock::policies::name, 4, shared>(#name "/4 shared");
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
    return 0;
}

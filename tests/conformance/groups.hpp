// Closed groups of transactions: as many as there are begin together, and the next group begins when all have
// committed. Who restarted, and how often for how many elders, can be counted there without a race.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <random>
#include <utility>
#include <vector>

#include "support.hpp"

namespace conformance {

/// What one member of a closed group went through; `age` and `done` are for the others to read.
struct member {
    std::atomic<std::uint64_t> age{0};  ///< 0: not drawn or not told yet
    std::atomic<bool> done{false};
    std::uint64_t restarts = 0;
};

/// True if nobody can be older than `me`: everybody else has committed, or told a later age.
inline bool surely_eldest(std::vector<member> const& group, std::size_t me, std::uint64_t age) {
    if (age == 0) return false;
    for (std::size_t i = 0; i < group.size(); ++i) {
        // acquire; pairs with the stores of closed_group: a commit seen is over
        auto const other = group[i].age.load(std::memory_order_acquire);
        if (i != me && !group[i].done.load(std::memory_order_acquire) && other <= age) return false;
    }
    return true;
}

/// How often a member of the group restarted more than `restart_bound` permits. Without ages, in the order
/// that is kindest to the policy.
inline std::size_t beyond_bound(std::vector<member> const& group, std::uint64_t requests,
                                bool has_ages) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> by_age;
    for (auto const& m : group) {
        // relaxed: all have ended
        auto const age = m.age.load(std::memory_order_relaxed);
        by_age.emplace_back(has_ages ? age : m.restarts, m.restarts);
    }
    std::sort(by_age.begin(), by_age.end());
    std::size_t beyond = 0;
    std::uint64_t elders = 0;
    for (auto const& [age, restarts] : by_age) {
        beyond += restarts > manylock::restart_bound(elders, requests) ? 1 : 0;
        if (age != 0 || !has_ages) ++elders;  // without an age it has met nobody
    }
    return beyond;
}

struct request {
    std::size_t lock;
    mode how;
};

enum class script { anything, in_order, in_order_exclusive };

/// `n` requests for `locks` locks.
inline std::vector<request> random_script(std::mt19937_64& random, std::size_t n, std::size_t locks,
                                          script kind) {
    std::vector<request> requests(n);
    for (auto& r : requests) {
        r.lock = random() % locks;
        r.how = kind != script::in_order_exclusive && random() % 3 == 0 ? mode::shared
                                                                        : mode::exclusive;
    }
    if (kind != script::anything) {  // strictly: twice the same one would be an upgrade
        std::sort(requests.begin(), requests.end(),
                  [](auto const& x, auto const& y) { return x.lock < y.lock; });
        auto const same = [](auto const& x, auto const& y) { return x.lock == y.lock; };
        requests.erase(std::unique(requests.begin(), requests.end(), same), requests.end());
    }
    return requests;
}

struct group_result {
    std::size_t eldest_restarts = 0;
    std::size_t beyond_bound = 0;
    std::uint64_t restarts = 0;
    std::uint64_t commits = 0;
};

/// `rounds` groups of `n` transactions that begin together; the next group begins when all have committed.
template <class P>
group_result closed_groups(std::size_t n, std::size_t rounds, std::size_t requests, script kind) {
    constexpr std::size_t lock_count = 3;
    domain_of<P> domain;
    std::array<lock_of<P>, lock_count> locks;
    std::vector<member> group(n);
    group_result result;
    std::atomic<std::size_t> eldest_restarts{0};
    std::barrier all{static_cast<std::ptrdiff_t>(n)};
    auto const first = seed();
    together(n, [&](std::size_t me) {
        std::mt19937_64 random{first + me};
        auto& mine = group[me];
        for (std::size_t round = 0; round < rounds; ++round) {
            auto const wanted = random_script(random, requests, lock_count, kind);
            mine.restarts = 0;
            mine.age.store(0, std::memory_order_relaxed);  // relaxed: the barrier orders it
            mine.done.store(false, std::memory_order_relaxed);
            all.arrive_and_wait();
            domain.run([&](auto& txn) {
                bool const eldest = surely_eldest(group, me, txn.age().value);
                for (auto const& r : wanted) {
                    auto const answer = txn.acquire(locks[r.lock], r.how);
                    mine.age.store(txn.age().value, std::memory_order_release);
                    if (!answer.is_restart()) continue;
                    ++mine.restarts;
                    if (eldest) eldest_restarts.fetch_add(1, std::memory_order_relaxed);
                    return;
                }
                if constexpr (locks_objects<P>) {
                    // Until it holds nothing, others may still give it its age.
                    for (auto const& r : wanted) {
                        if (txn.holds(locks[r.lock], mode::shared)) txn.release(locks[r.lock]);
                    }
                    mine.age.store(txn.age().value, std::memory_order_release);
                }
            });
            mine.done.store(true, std::memory_order_release);
            all.arrive_and_wait();
            if (me == 0) result.beyond_bound += beyond_bound(group, requests, P::needs.stamps);
            all.arrive_and_wait();
        }
    });
    result.eldest_restarts = eldest_restarts.load(std::memory_order_relaxed);
    result.restarts = domain.stats().restarts();
    result.commits = domain.stats()[manylock::counter::commits];
    return result;
}

}  // namespace conformance

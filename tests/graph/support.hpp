// Helpers of the wait-for graph's tests: transactions that wait on threads of their own, policies
// that break nothing, and graphs as text that can be compared.
#pragma once

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <manylock/domain.hpp>
#include <manylock/graph/wait_for_graph.hpp>

namespace manylock::test {

/// Waits always, so that a deadlock stands until somebody is cancelled. First come, first served.
struct only_waits {
    static constexpr char const* name = "only_waits";
    static constexpr policy_needs needs{};
    static constexpr policy_promises promises{};
    static constexpr restart_reason reason = restart_reason::conflict;
    static constexpr decision on_conflict(conflict const&) noexcept { return decision::wait; }
};
/// The same with stamps: oldest first.
struct only_waits_by_age : only_waits {
    static constexpr char const* name = "only_waits_by_age";
    static constexpr policy_needs needs{.stamps = true};
    static constexpr policy_promises promises{};
};

/// A transaction on its own thread: acquires some locks, then on go() waits for one more. The
/// destructor cancels that wait.
template <class Domain>
class sleeper {
public:
    using lock_type = typename Domain::lock_type;
    using wish = std::pair<lock_type*, mode>;

    sleeper(Domain& d, std::vector<wish> first, wish last)
        : last_{last}, thread_{[this, &d, first](std::stop_token const& stop) {
              auto txn = d.begin();
              for (auto const& [lock, m] : first) (void)txn.acquire(*lock, m);
              number_ = txn.number();
              reach(phase::ready);
              phase_.wait(phase::ready);
              answer_ = txn.acquire(*last_.first, last_.second, stop).what();
              txn.abandon();
              reach(phase::done);
          }} {
        phase_.wait(phase::acquiring);
    }
    ~sleeper() {
        thread_.request_stop();
        go_now();  // one that was never told to go sees the stop at once
    }
    sleeper(sleeper const&) = delete;
    sleeper& operator=(sleeper const&) = delete;

    /// Returns when it waits: when `waiters` requests are queued, its own as the last.
    template <class Lock>
    void go(Lock& queued_on, std::size_t waiters) {
        go_now();
        while (queued_on.waiter_count() != waiters) std::this_thread::yield();
    }
    void go(std::size_t waiters) { go(*last_.first, waiters); }
    void cancel() { thread_.request_stop(); }
    /// Waits for the end of the transaction.
    [[nodiscard]] status answer() {
        for (auto p = phase_.load(); p != phase::done; p = phase_.load()) phase_.wait(p);
        return answer_;
    }
    [[nodiscard]] std::uint32_t number() const { return number_; }

private:
    enum class phase { acquiring, ready, waiting, done };
    void reach(phase p) {
        phase_ = p;
        phase_.notify_all();
    }
    void go_now() {
        auto expected = phase::ready;
        if (phase_.compare_exchange_strong(expected, phase::waiting)) phase_.notify_all();
    }
    wish last_;
    std::uint32_t number_ = 0;
    status answer_ = status::busy;
    std::atomic<phase> phase_{phase::acquiring};
    std::jthread thread_;  // last: it uses the rest
};

/// What numbers the test's actors have.
using roles = std::map<std::uint32_t, std::string>;

inline std::string role_of(graph::transaction_vertex const& t, roles const& who) {
    if (t.kind == graph::vertex_kind::readers) return std::to_string(t.readers) + " readers";
    auto const found = who.find(t.number);
    return found != who.end() ? found->second : "stranger";
}

/// Each edge as "A -> B holder of row: exclusive behind shared".
inline std::multiset<std::string> edges_of(graph::wait_for_graph const& g, roles const& who) {
    std::multiset<std::string> all;
    for (auto const e : boost::make_iterator_range(edges(g))) {
        auto const& x = g[e];
        all.insert(role_of(g[source(e, g)], who) + " -> " + role_of(g[target(e, g)], who) +
                   (x.kind == graph::edge_kind::holder ? " holder of " : " ahead for ") +
                   x.lock.name + ": " + name(x.wanted) + " behind " + name(x.other));
    }
    return all;
}

inline graph::transaction_vertex const* vertex_of(graph::wait_for_graph const& g,
                                                  std::uint32_t number) {
    for (auto const v : boost::make_iterator_range(vertices(g))) {
        if (g[v].number == number) return &g[v];
    }
    return nullptr;
}

}  // namespace manylock::test

// What is running at present, as a watchdog sees it: who works, how far each has come, and the wait-for
// graphs of the domains in use. Workers and domains enter themselves for as long as they live. A worker's
// step is one relaxed store on a line of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <manylock/graph/snapshot.hpp>
#include <string>
#include <vector>

namespace manylock::stress {

/// One thread's place on the board.
class alignas(64) worker_entry {
public:
    worker_entry(std::string name, std::uint64_t number);
    ~worker_entry();
    worker_entry(worker_entry const&) = delete;
    worker_entry& operator=(worker_entry const&) = delete;

    /// Call before each transaction or operation: the one before has ended.
    void step() noexcept {
        // relaxed: a count that guards no data; its one writer
        steps_.store(steps_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }

private:
    friend struct worker_state;
    friend std::vector<struct worker_state> workers_now();
    std::atomic<std::uint64_t> steps_{0};
    std::uint64_t id_;  ///< never used again
    std::string name_;
    std::uint64_t number_;
};

struct worker_state {
    std::uint64_t id = 0;
    std::string name;  ///< "worker 3"
    std::uint64_t steps = 0;
};

/// One domain's place on the board.
class domain_entry {
public:
    template <class Domain>
    explicit domain_entry(Domain& domain)
        : domain_entry(std::function<graph::wait_for_graph()>(
              [&domain] { return graph::snapshot(domain); })) {}
    ~domain_entry();
    domain_entry(domain_entry const&) = delete;
    domain_entry& operator=(domain_entry const&) = delete;

private:
    explicit domain_entry(std::function<graph::wait_for_graph()> snapshot);
    friend std::vector<graph::wait_for_graph> graphs_now();
    std::function<graph::wait_for_graph()> snapshot_;
};

[[nodiscard]] std::vector<worker_state> workers_now();
/// No domain can leave the board meanwhile. Blocks as graph::snapshot does.
[[nodiscard]] std::vector<graph::wait_for_graph> graphs_now();

}  // namespace manylock::stress

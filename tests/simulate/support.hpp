// Programs for the virtual machine, and when things happened on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <simulate/timed.hpp>

namespace manylock::simulate::testing {

using ns = std::uint64_t;

/// A variable on a cache line of its own.
struct alignas(64) variable {
    timed::atomic<std::uint64_t> value{0};

    std::uint64_t load() const { return value.load(timed::relaxed); }
    void store(std::uint64_t v) { value.store(v, timed::relaxed); }
    void update() { value.fetch_add(1, timed::relaxed); }
};

/// Costs that can be told apart in a sum.
inline costs plain_costs() {
    costs c;
    c.hit = 1;
    c.atomic_hit = 6;
    c.transfer = 45;
    c.transfer_remote = 130;
    c.memory = 80;
    c.fence = 8;
    c.instructions = 2;
    c.yield = 160;
    c.context_switch = 1500;
    c.sleep = 700;
    c.wake = 900;
    c.wake_latency = 4000;
    c.time_slice = 3'000'000;
    return c;
}
/// What is computed takes time, and nothing else.
inline costs free_of_charge() {
    costs c;
    for (auto const& key : cost_keys) c.*(key.member) = 0;
    c.time_slice = 1'000'000'000'000'000;
    return c;
}

/// Threads that write down when they got where.
class program {
public:
    explicit program(unsigned cores, costs const& cost = plain_costs()) : machine_(cores, cost) {
        timed::begin_run();
    }
    /// The next thread, on the next core. Its work may call mark().
    program& thread(std::function<void()> work) {
        machine_.spawn(std::move(work));
        return *this;
    }
    void run() { machine_.run(); }
    /// Now is noted, as the next of the running thread's marks.
    void mark() {
        auto const t = machine_.running();
        if (marks_.size() <= t) marks_.resize(t + 1);
        marks_[t].push_back(machine_.now());
    }
    [[nodiscard]] std::vector<ns> marks(std::size_t thread) const {
        return thread < marks_.size() ? marks_[thread] : std::vector<ns>{};
    }
    [[nodiscard]] machine& on() noexcept { return machine_; }
    void until(ns when) {
        machine_.compute_until(when);
        machine_.in_order();
    }

private:
    machine machine_;
    std::vector<std::vector<ns>> marks_;
};

}  // namespace manylock::simulate::testing

/// What a failed check shows.
template <>
struct doctest::StringMaker<std::vector<std::uint64_t>> {
    static String convert(std::vector<std::uint64_t> const& values) {
        std::string text;
        for (auto const v : values) text += std::to_string(v) + ' ';
        return text.c_str();
    }
};

// A probe measures one constant of the timing simulator, by the native means that the simulator stands for.
#pragma once

#include "../simulate/costs.hpp"
#include "machine.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <manylock/platform/native.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::stress {

/// What has been measured in this round so far, in nanoseconds.
using round_values = std::map<std::string_view, double>;

struct probe {
    std::string_view key;                              ///< one of simulate::cost_keys
    std::string source;                                ///< what was done, and where
    std::function<double(round_values const&)> round;  ///< nanoseconds of one
};

struct probes {
    std::vector<probe> all;
    std::vector<std::string> left_out;  ///< a sentence each
};

/// Memory: hit, atomic_hit, fence, memory, and between cores transfer and transfer_remote.
void add_memory_probes(probes& to, std::vector<processor> const& on);
/// Waiting: pause, clock, yield, sleep, wake, wake_latency, context_switch, in an order such that each finds
/// in round_values what it has to take off.
void add_waiting_probes(probes& to, std::vector<processor> const& on);
/// The stress program's own work: transaction, request, operation.
void add_work_probes(probes& to);

/// The compiler must assume that `value` is used.
template <class T>
void keep(T const& value) noexcept {
    asm volatile("" : : "r,m"(value) : "memory");
}

/// The lower quartile: what disturbs a measurement only lengthens it.
inline double undisturbed(std::vector<double> values) {
    if (values.empty()) return 0;
    auto const place = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 4);
    std::nth_element(values.begin(), place, values.end());
    return *place;
}

/// Nanoseconds of one of the `calls` calls that `f(calls)` makes, from several batches.
template <class F>
double per_call(std::size_t batches, std::size_t calls, F f) {
    using platform::native;
    std::vector<double> each;
    each.reserve(batches);
    for (std::size_t b = 0; b < batches; ++b) {
        auto const start = native::now();
        f(calls);
        each.push_back(static_cast<double>(native::ns_between(start, native::now())) /
                       static_cast<double>(calls));
    }
    return undisturbed(std::move(each));
}

}  // namespace manylock::stress

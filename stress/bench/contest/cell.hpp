// One cell of the grid on which lock users compete: how many locks, how many of them a transaction takes, by how many
// threads, for how long; and what a contestant made of it.
#pragma once

#include "../../histogram.hpp"
#include "../../random.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace manylock::bench {

struct cell {
    std::uint32_t locks = 0;
    std::uint32_t per_transaction = 0;  ///< at most `locks`
    unsigned threads = 0;
    std::chrono::nanoseconds hold{};  ///< busy work after each acquisition
    unsigned read_percent = 0;        ///< share of requests in shared mode
};

struct request {
    std::uint32_t index = 0;
    bool shared = false;
};
inline constexpr std::size_t requests_max = 16;  ///< of one transaction

struct outcome {
    std::uint64_t commits = 0;
    std::uint64_t restarts = 0;
    std::uint64_t restarts_max = 0;  ///< of one transaction
    double seconds = 0;
    stress::histogram latency;  ///< ns from first attempt to commit, of one transaction in eight
    bool intact = false;        ///< no update was lost
};

enum class kind : std::uint8_t {
    policy,    ///< one of ours
    blocking,  ///< waits for one object at a time, and sleeps
    spinning,  ///< waits for one object at a time, and never sleeps
    global     ///< one lock for all
};

/// Whoever takes part. `run` plays one cell for a time slice.
struct contestant {
    std::string name;
    kind is = kind::blocking;
    bool knows_shared = false;  ///< else every request is exclusive
    std::function<outcome(cell const&, std::chrono::nanoseconds slice, std::uint64_t seed)> run;
};

/// The requests of one thread's transactions, drawn before the clock runs: all of a transaction's locks are different,
/// uniform, in random order.
class draws {
public:
    draws(cell const& c, std::uint64_t seed) : length_{c.per_transaction} {
        stress::generator random{seed};
        all_.reserve(count * length_);
        for (std::size_t t = 0; t < count; ++t) {
            auto const begin = static_cast<std::ptrdiff_t>(all_.size());
            while (all_.size() < (t + 1) * length_) {
                auto const index = static_cast<std::uint32_t>(random.below(c.locks));
                auto const same = [&](request const& r) { return r.index == index; };
                if (std::none_of(all_.begin() + begin, all_.end(), same)) {
                    all_.push_back({index, random.percent(c.read_percent)});
                }
            }
            updates_.push_back(static_cast<std::uint64_t>(std::count_if(
                all_.begin() + begin, all_.end(), [](request const& r) { return !r.shared; })));
        }
    }
    [[nodiscard]] std::span<request const> operator[](std::uint64_t transaction) const noexcept {
        return {&all_[transaction % count * length_], length_};
    }
    /// Requests of that transaction that are not shared.
    [[nodiscard]] std::uint64_t updates(std::uint64_t transaction) const noexcept {
        return updates_[transaction % count];
    }

private:
    static constexpr std::size_t count = 1024;
    std::size_t length_;
    std::vector<request> all_;
    std::vector<std::uint64_t> updates_;
};

/// Busy for the time that the cell asks for.
class work {
public:
    explicit work(cell const& c) noexcept : length_{c.hold} {}
    void operator()() const noexcept {
        if (length_.count() == 0) return;
        auto const end = std::chrono::steady_clock::now() + length_;
        while (std::chrono::steady_clock::now() < end) {
        }
    }

private:
    std::chrono::nanoseconds length_;
};

}  // namespace manylock::bench

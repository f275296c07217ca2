// Plays one cell with one contestant: threads start together, warm up, and count what they commit until the slice is over.
//
// A contestant is a class with
//   explicit Contestant(cell const&)              all objects, each a lock and a value on a cache line of its own
//   class session { session(Contestant&, unsigned thread);
//       template <class Work> std::uint64_t transact(std::span<request const>, Work) }
//                                                 locks all (Work after each), adds 1 to each value whose request is not
//                                                 shared, reads the others, gives all back; returns the restarts
//   std::uint64_t sum() const                     of all values; nobody is at work
#pragma once

#include "cell.hpp"

#include <atomic>
#include <barrier>
#include <thread>

namespace manylock::bench {

template <class Contestant>
class contest {
public:
    contest(cell const& c, std::uint64_t seed) : cell_{c}, seed_{seed}, all_{c} {}

    outcome run(std::chrono::nanoseconds slice) {
        std::vector<member> members(cell_.threads);
        std::barrier start{static_cast<std::ptrdiff_t>(cell_.threads) + 1};
        outcome result;
        {
            std::vector<std::jthread> threads;
            for (unsigned i = 0; i < cell_.threads; ++i) {
                threads.emplace_back([&, i] { play(members[i], i, start); });
            }
            start.arrive_and_wait();
            std::this_thread::sleep_for(slice / 8);  // warm-up
            enter(phase::measured);
            auto const begin = std::chrono::steady_clock::now();
            std::this_thread::sleep_for(slice);
            enter(phase::over);
            result.seconds =
                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        }
        std::uint64_t updates = 0;
        for (auto const& m : members) {
            result.commits += m.commits;
            result.restarts += m.restarts;
            result.restarts_max = std::max(result.restarts_max, m.restarts_max);
            result.latency.add(m.latency);
            updates += m.updates;
        }
        result.intact = updates == all_.sum();
        return result;
    }

private:
    enum class phase : std::uint8_t { warm_up, measured, over };
    static constexpr std::uint64_t sampled = 8;

    struct alignas(64) member {
        std::uint64_t commits = 0;
        std::uint64_t restarts = 0;
        std::uint64_t restarts_max = 0;
        std::uint64_t updates = 0;
        stress::histogram latency;
    };

    // relaxed: a flag that guards no data; a late look moves one transaction
    void enter(phase p) noexcept { phase_.store(p, std::memory_order_relaxed); }
    [[nodiscard]] phase now() const noexcept { return phase_.load(std::memory_order_relaxed); }

    void play(member& mine, unsigned index, std::barrier<>& start) {
        draws const wanted{cell_, stress::derived_seed(seed_, index)};
        typename Contestant::session me{all_, index};
        work const hold{cell_};
        start.arrive_and_wait();
        std::uint64_t t = 0;
        for (auto p = now(); p != phase::over; p = now(), ++t) {
            auto const timed = t % sampled == 0 && p == phase::measured;
            auto const begin =
                timed ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point{};
            auto const restarts = me.transact(wanted[t], hold);
            mine.updates += wanted.updates(t);
            if (p != phase::measured) continue;
            ++mine.commits;
            mine.restarts += restarts;
            mine.restarts_max = std::max(mine.restarts_max, restarts);
            if (timed) {
                auto const took = std::chrono::steady_clock::now() - begin;
                mine.latency.record(
                    static_cast<std::uint64_t>(std::chrono::nanoseconds{took}.count()));
            }
        }
    }

    cell cell_;
    std::uint64_t seed_;
    Contestant all_;
    std::atomic<phase> phase_{phase::warm_up};
};

template <class Contestant>
contestant enter(std::string name, kind is, bool knows_shared) {
    return {std::move(name), is, knows_shared,
            [](cell const& c, std::chrono::nanoseconds slice, std::uint64_t seed) {
                return contest<Contestant>{c, seed}.run(slice);
            }};
}

}  // namespace manylock::bench

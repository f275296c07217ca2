// Probes of the ways to wait, through the calls that the native platform makes.
#include "calibrate/probe.hpp"

#include <sched.h>
#include <unistd.h>
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

namespace manylock::stress {
namespace {

using platform::native;
using word = native::atomic<std::uint32_t>;

/// Sleeping threads whose waking does not by itself take the processor from the waker.
void become_patient() {
    sched_param const none{};
    ::sched_setscheduler(0, SCHED_BATCH,
                         &none);  // where it is refused, more noise is all that comes of it
}

double pause_round() {
    return per_call(20, 200, [](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) native::pause();
    });
}

double clock_round() {
    return per_call(20, 500, [](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) keep(native::now());
    });
}

double yield_round() {
    return per_call(50, 10, [](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) native::yield();
    });
}

/// The call whose word has changed: into the kernel, a look, and back. What going to sleep takes beyond that is
/// part of context_switch.
double sleep_round() {
    word changed{1};
    return per_call(20, 100, [&](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) native::futex_wait(changed, 0, nullptr);
    });
}

bool asleep(pid_t thread) {
    std::ifstream in("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string text;
    std::getline(in, text);
    auto const after_name = text.rfind(") ");
    return after_name != std::string::npos && text[after_name + 2] == 'S';
}

struct wake_values {
    double call = 0;
    double latency = 0;
};

/// One sleeper at a time: what waking it takes the waker, and when it runs, from the beginning of the call.
wake_values wake_round(unsigned waker_on, unsigned sleeper_on, double clock) {
    constexpr std::uint32_t wakes = 15;
    word bed{0};  // the sleeper's word: number of wakes
    word sleeper_id{0};
    word seen{0};  // wakes that the sleeper has noticed
    native::time_point first_instruction{};
    pinned const here(waker_on);
    std::jthread const sleeper([&] {
        pinned const there(sleeper_on);
        if (waker_on == sleeper_on) become_patient();
        // release; pairs with the waker's acquire
        sleeper_id.store(static_cast<std::uint32_t>(::gettid()), std::memory_order_release);
        for (std::uint32_t i = 0; i < wakes; ++i) {
            do {
                native::futex_wait(bed, i, nullptr);
                first_instruction = native::now();
            } while (bed.load(std::memory_order_acquire) ==
                     i);  // acquire; pairs with the waker's release
            seen.store(i + 1,
                       std::memory_order_release);  // release; pairs with the waker's acquire
        }
    });
    while (sleeper_id.load(std::memory_order_acquire) == 0) native::yield();  // acquire; as above
    auto const id =
        static_cast<pid_t>(sleeper_id.load(std::memory_order_relaxed));  // relaxed: as above
    std::vector<double> calls;
    std::vector<double> latencies;
    for (std::uint32_t i = 0; i < wakes; ++i) {
        while (!asleep(id)) native::yield();
        auto const before = native::now();
        bed.store(i + 1, std::memory_order_release);  // release; pairs with the sleeper's acquire
        native::futex_wake(bed);
        auto const after = native::now();
        while (seen.load(std::memory_order_acquire) != i + 1) native::yield();  // acquire; as above
        calls.push_back(static_cast<double>(native::ns_between(before, after)) - clock);
        latencies.push_back(static_cast<double>(native::ns_between(before, first_instruction)) -
                            clock);
    }
    return {undisturbed(std::move(calls)), undisturbed(std::move(latencies))};
}

/// Two threads of one processor, one of which runs and the other sleeps: nanoseconds from one to the other, less
/// the two calls. The wake is timed here, since it is cheaper where no other processor has to be told.
double switch_round(unsigned on, double clock, double sleep) {
    constexpr std::uint32_t batches = 12;
    constexpr std::uint32_t trips = 30;
    word there{0};
    word back{0};
    auto const await = [](word& w, std::uint32_t n) {
        // acquire; pairs with the other thread's release
        while (w.load(std::memory_order_acquire) != n) native::futex_wait(w, n - 1, nullptr);
    };
    auto const tell = [](word& w, std::uint32_t n) {
        w.store(n, std::memory_order_release);  // release; pairs with await
        native::futex_wake(w);
    };
    double trip_ns = 0;
    std::vector<double> wakes;
    {
        std::jthread const second([&] {
            pinned const here(on);
            become_patient();
            for (std::uint32_t i = 1; i <= (batches + 2) * trips; ++i) {
                await(there, i);
                tell(back, i);
            }
        });
        std::jthread const first([&] {
            pinned const here(on);
            become_patient();
            std::uint32_t i = 0;
            auto const trip = [&](std::size_t n) {
                for (; n > 0; --n) {
                    tell(there, ++i);
                    await(back, i);
                }
            };
            trip(trips);
            trip_ns = per_call(batches, trips, trip);
            for (std::uint32_t n = 0; n < trips; ++n) {
                there.store(++i, std::memory_order_release);  // release; pairs with await
                auto const before = native::now();
                native::futex_wake(there);
                wakes.push_back(static_cast<double>(native::ns_between(before, native::now())));
                await(back, i);
            }
        });
    }
    auto const wake = undisturbed(std::move(wakes)) - clock;
    return std::max(0.0, trip_ns / 2 - wake - sleep);
}

}  // namespace

void add_waiting_probes(probes& to, std::vector<processor> const& on) {
    auto const place = on.empty() ? 0U : on.front().number;
    auto const other = [&]() -> std::optional<processor_pair> {
        if (auto const pair = neighbours(on)) return pair;
        if (on.size() > 1) return processor_pair{on[0].number, on[1].number};
        return std::nullopt;
    }();
    to.all.push_back(
        {"clock", "reading steady_clock", [](round_values const&) { return clock_round(); }});
    to.all.push_back({"pause", "the processor's hint for waiting loops",
                      [](round_values const&) { return pause_round(); }});
    to.all.push_back({"yield", "sched_yield with nobody to yield to", [place](round_values const&) {
                          pinned const here(place);
                          return yield_round();
                      }});
    to.all.push_back({"sleep", "futex wait that finds the word changed",
                      [](round_values const&) { return sleep_round(); }});
    auto const waker = other ? other->first : place;
    auto const sleeper = other ? other->second : place;
    auto const latency = std::make_shared<double>(0);
    to.all.push_back({"wake",
                      other ? "futex wake of one sleeper on another processor"
                            : "futex wake of one sleeper on the same processor",
                      [=](round_values const& known) {
                          auto const both = wake_round(waker, sleeper, known.at("clock"));
                          *latency = both.latency;
                          return both.call;
                      }});
    if (other) {
        to.all.push_back({"wake_latency",
                          "from the beginning of that call to the sleeper's return from its own",
                          [latency](round_values const&) { return *latency; }});
    } else {
        to.left_out.emplace_back(
            "wake_latency: this process has one processor, so nobody wakes while the waker runs");
    }
    to.all.push_back({"context_switch",
                      "from one thread to another of one processor by futex, less the calls",
                      [place](round_values const& known) {
                          return switch_round(place, known.at("clock"), known.at("sleep"));
                      }});
}

}  // namespace manylock::stress

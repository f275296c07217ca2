// The lock word, the wait queue and the parker, under the policies without ages: first come, first served.
#include "world.hpp"

#include <manylock/policies/lock_ordering.hpp>
#include <manylock/policies/no_wait.hpp>

#include "shapes.hpp"

namespace manylock::model {
namespace {

/// A signal alone: data, then the signal; the sleeper must see both, and must not sleep on.
struct parker_alone : scenario {
    platform::parker park;
    plain<std::uint64_t> data{0};
    void thread(unsigned number) override {
        if (number == 0) {
            while ((park.signals() & 2U) == 0) park.wait(nullptr);
            expect(data.load() == 1, "the signal's data");
        } else {
            data.store(1);
            park.deliver(2);
        }
    }
};

/// A mark and a poke: the waiter clears the poke, then looks for the mark. Two senders.
struct parker_poked : scenario {
    platform::parker park;
    atomic<std::uint32_t> mark{0};
    void thread(unsigned number) override {
        if (number == 0) {
            std::uint32_t seen = 0;
            park.reset();
            while ((seen = mark.load(order::relaxed)) < 2) {
                if ((park.signals() & 4U) != 0) {
                    park.clear(4);
                    continue;
                }
                park.wait(nullptr);
            }
        } else {
            mark.fetch_add(1, order::relaxed);
            park.deliver(4);
        }
    }
};

}  // namespace

std::vector<description> lock_scenarios() {
    using policies::lock_ordering;
    using policies::no_wait;
    return {
        {.name = "parker alone",
         .make = made<parker_alone>,
         .how = search::bounded,
         .schedules = 100'000,
         .bound = 100},
        {.name = "parker alone, waking early",
         .make = made<parker_alone>,
         .schedules = 2000,
         .wakes_spuriously = true},
        {.name = "parker poked", .threads = 3, .make = made<parker_poked>, .schedules = 3000},
        {.name = "two writers", .make = made<two_writers<no_wait>>, .schedules = 3000},
        {.name = "two writers, bounded",
         .make = made<two_writers<no_wait>>,
         .how = search::bounded,
         .schedules = 200'000,
         .bound = 2},
        {.name = "writer and readers",
         .threads = 3,
         .make = made<writer_and_readers<no_wait>>,
         .schedules = 2000},
        {.name = "abba no_wait", .make = made<abba<no_wait>>, .schedules = 2000},
        {.name = "abba lock_ordering", .make = made<abba<lock_ordering>>, .schedules = 2000},
        {.name = "upgrades no_wait", .make = made<upgrades<no_wait>>, .schedules = 2000},
        {.name = "detach no_wait",
         .threads = 3,
         .make = made<detached<no_wait>>,
         .schedules = 2000},
        {.name = "deadline no_wait",
         .threads = 3,
         .make = made<deadline<no_wait>>,
         .schedules = 2000,
         .clock_moves = true},
        {.name = "single reads no_wait",
         .threads = 3,
         .make = made<single_reads<no_wait>>,
         .schedules = 2000},
    };
}

}  // namespace manylock::model

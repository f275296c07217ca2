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

constexpr options with_distributed_readers{
    .spin_limit = 0, .yield_limit = 0, .distributed_readers = true};

/// One writer, and readers that only their own lists know of until it comes. `Already`: they are so from the beginning.
template <class Policy, bool Already>
struct distributed_readers : world<Policy, platform, with_distributed_readers> {
    using base = world<Policy, platform, with_distributed_readers>;
    distributed_readers() {
        if (!Already) return;
        (void)this->transactions[2]->acquire_shared(
            this->a.lock);  // from now on its readers are distributed
        this->transactions[2]->release(this->a.lock);
    }
    void thread(unsigned number) override {
        if (number == 0) return this->run(0, [&](auto& t) { (void)base::write(t, this->a); });
        this->run(number, [&](auto& t) { (void)base::read(t, this->a); });
        auto t = this->family.begin();
        (void)base::read(t, this->a);
        t.commit();
    }
    void at_end() override { expect(this->a.read() == 1, "one write"); }
};

/// A reader whose control block has just been made.
struct unknown_reader : world<policies::no_wait, platform, with_distributed_readers> {
    unknown_reader() {
        (void)transactions[2]->acquire_shared(a.lock);
        transactions[2]->release(a.lock);
    }
    void thread(unsigned number) override {
        if (number == 0) {
            wait_until([this] { return reached.load(order::relaxed) != 0; });
            run(0, [this](auto& t) { (void)write(t, a); });
        } else {
            auto t = family.begin();
            reached.store(1, order::relaxed);
            (void)read(t, a);
            t.commit();
        }
    }
    void at_end() override { expect(a.read() == 1, "one write"); }
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
        {.name = "distributed readers",
         .make = made<distributed_readers<no_wait, true>>,
         .schedules = 3000},
        {.name = "distributed readers, three",
         .threads = 3,
         .make = made<distributed_readers<no_wait, true>>,
         .schedules = 2000},
        {.name = "unknown reader", .make = made<unknown_reader>, .schedules = 2000},
        {.name = "new distributed readers",
         .make = made<distributed_readers<lock_ordering, false>>,
         .schedules = 2000},
        {.name = "new distributed readers, three",
         .threads = 3,
         .make = made<distributed_readers<lock_ordering, false>>,
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

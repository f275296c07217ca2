// Marks of an umbrella against single-object readers, and the grace period that locks are freed by.
#include <manylock/guards.hpp>
#include <manylock/policies/umbrella.hpp>

#include "world.hpp"

namespace manylock::model {
namespace {

using policies::umbrella;

/// A transaction marks and writes, readers enter, fall back, or are waited for.
struct marker_and_readers : world<umbrella> {
    void thread(unsigned number) override {
        if (number == 0) {
            run(number, [this](auto& t) { write(t, a); });
        } else {
            auto const guard = family.read_lock(a.lock);
            (void)a.read();
        }
    }
    void at_end() override { expect(a.read() == 1, "one write"); }
};

/// Two transactions after each other: what the first wrote reaches a reader of either mark.
struct markers_and_reader : world<umbrella> {
    void thread(unsigned number) override {
        if (number < 2) {
            run(number, [this](auto& t) {
                write(t, a);
                write(t, b);
            });
        } else {
            {
                auto const guard = family.read_lock(b.lock);
                (void)b.read();
            }
            auto const guard = family.try_read_lock(a.lock);
            if (guard) (void)a.read();
        }
    }
    void at_end() override { expect(a.read() == 2 && b.read() == 2, "two writes each"); }
};

/// Two lockables share an umbrella (the model has one context for all threads), a transaction comes before or after
/// them: its shared acquisition marks nothing, so that the umbrella alone orders what it reads.
struct lockables_and_transaction : world<umbrella> {
    void thread(unsigned number) override {
        if (number == 2) {
            run(number, [this](auto& t) { write(t, b); });
            transactions[number].emplace(family.core());
            run(number, [this](auto& t) {
                read(t, a);
                read(t, b);
            });
            return;
        }
        auto& mine = number == 0 ? a : b;
        manylock::lockable<domain_type> one{family, mine.lock};
        if (number == 0) {
            one.lock();
            reached.store(1, order::relaxed);
        } else {
            wait_until([&] { return reached.load(order::relaxed) == 1; });
            if (!one.try_lock()) return;
            joined = true;
        }
        mine.write();
        delay(3);
        one.unlock();
    }
    void at_end() override {
        expect(a.read() == 1, "one write");
        expect(b.read() == (joined ? 2U : 1U), "one write, and that of whoever joined");
        expect(!family.core().umbrella.busy(), "the last has given the umbrella back");
    }
    bool joined = false;
};

/// A mark taken off before the end, and one put on again.
struct unmarked : world<umbrella> {
    void thread(unsigned number) override {
        if (number == 0) {
            run(number, [this](auto& t) {
                write(t, a);
                t.release(a.lock);
                write(t, a);
            });
        } else {
            auto const guard = family.try_read_lock(a.lock);
            if (guard) (void)a.read();
        }
    }
};

/// An object leaves its container under the umbrella.
struct marked_and_detached : world<umbrella> {
    void thread(unsigned number) override {
        if (number == 0) {
            run(number, [this](auto& t) {
                if (!write(t, a)) return;
                t.detach(a.lock);
            });
        } else if (number == 1) {
            if (a.lock.detached()) expect(a.read() == 1, "who sees it gone sees why");
            auto const guard = family.read_lock(a.lock);
            expect(guard ? a.read() == 0 : a.read() == 1, "read before it left, or stale after");
        } else {
            auto& t = *transactions[2];
            auto const answer = t.acquire(a.lock);
            expect(a.read() == (answer ? 0U : 1U), "granted before it left, or stale after");
            if (answer) return t.commit();
            t.rollback();
            t.commit();
        }
    }
};

/// The umbrella's number has just been counted up when it is read from a mark: the domain's is not older.
struct new_number : world<umbrella> {
    new_number() { expect(family.enter_read(a.lock) == read_status::fast, "free"); }
    void thread(unsigned number) override {
        if (number == 0) {
            run(number, [this](auto& t) { write(t, b); });
            auto t = family.begin();
            write(t, a);
            t.commit();
        } else {
            if (number == 2) family.leave_read(a.lock);
            for (auto n = any_below(20); n > 0; --n) platform::yield();
            auto const guard = family.try_read_lock(a.lock);
            if (guard) (void)a.read();
        }
    }
};

/// The number has come round: an object marked with it 2^32 umbrellas ago, whose reader just leaves.
struct number_again : world<umbrella> {
    number_again() {
        run(2, [this](auto& t) { write(t, a); });
        family.core().sequence.store(0, order::relaxed);  // relaxed: before the threads are
        expect(family.enter_read(a.lock) == read_status::fast, "not marked under that number");
    }
    void thread(unsigned number) override {
        if (number == 0) {
            run(number, [this](auto& t) { write(t, b); });
            auto t = family.begin();
            write(t, a);
            t.commit();
        } else {
            (void)a.read();
            family.leave_read(a.lock);
        }
    }
};

/// The last reader is late to wake the marker: the umbrella has gone to another, in a new block, by then.
struct woken_late : world<umbrella> {
    woken_late() { expect(family.enter_read(a.lock) == read_status::fast, "free"); }
    void thread(unsigned number) override {
        if (number == 0) {
            run(number, [this](auto& t) { write(t, a); });
        } else if (number == 1) {
            wait_until([this] { return a.lock.has_waiters(); });
            family.leave_read(a.lock);
        } else {
            wait_until([this] { return !a.lock.has_waiters(); });
            auto t = family.begin();
            write(t, b);
            t.commit();
        }
    }
};

/// A marker that gives up waiting for readers lets them in again.
struct marker_with_deadline : world<umbrella> {
    void thread(unsigned number) override {
        if (number == 0) {
            run(number, [this](auto& t) {
                if (t.acquire_until(a.lock, mode::exclusive, 500)) a.write();
            });
        } else {
            for (int i = 0; i < 2; ++i) {
                auto const guard = family.read_lock(a.lock);
                (void)a.read();
            }
        }
    }
};

/// Nothing but the grace period: what a section may still read is not taken away under it.
template <unsigned Sections>
struct grace_alone : scenario {
    manylock::platform::grace_period<platform> grace;
    plain<std::uint64_t> data{0};
    atomic<std::uint32_t> gone{0};
    void thread(unsigned number) override {
        if (number == 0) {
            gone.store(1, order::relaxed);  // relaxed: the grace period is to order it
            grace.synchronize();
            data.store(1);
        } else {
            for (unsigned i = 0; i < Sections; ++i) {
                auto const side = grace.enter();
                if (gone.load(order::relaxed) == 0) (void)data.load();
                grace.leave(side);
            }
        }
    }
};

/// Two objects are taken away, one after the other, by two threads.
struct grace_twice : scenario {
    manylock::platform::grace_period<platform> grace;
    std::array<plain<std::uint64_t>, 2> data;
    std::array<atomic<std::uint32_t>, 2> gone;
    void thread(unsigned number) override {
        if (number < 2) {
            gone[number].store(1, order::relaxed);  // relaxed: the grace period is to order it
            grace.synchronize();
            data[number].store(1);
        } else {
            for (std::size_t i : {0U, 1U, 0U}) {
                auto const side = grace.enter();
                if (gone[i].load(order::relaxed) == 0) (void)data[i].load();
                grace.leave(side);
            }
        }
    }
};

}  // namespace

std::vector<description> umbrella_scenarios() {
    return {
        {.name = "marker and reader, bounded",
         .make = made<marker_and_readers>,
         .how = search::bounded,
         .schedules = 200'000,
         .bound = 3},
        {.name = "marker and readers",
         .threads = 3,
         .make = made<marker_and_readers>,
         .schedules = 3000},
        {.name = "markers and reader",
         .threads = 3,
         .make = made<markers_and_reader>,
         .schedules = 3000},
        {.name = "lockables and transaction",
         .threads = 3,
         .make = made<lockables_and_transaction>,
         .schedules = 3000},
        {.name = "unmarked", .make = made<unmarked>, .schedules = 2000},
        {.name = "marked and detached",
         .threads = 3,
         .make = made<marked_and_detached>,
         .schedules = 2000},
        {.name = "new number", .threads = 3, .make = made<new_number>, .schedules = 3000},
        {.name = "woken late", .threads = 3, .make = made<woken_late>, .schedules = 3000},
        {.name = "number again", .make = made<number_again>, .schedules = 2000},
        {.name = "marker with deadline",
         .make = made<marker_with_deadline>,
         .schedules = 2000,
         .clock_moves = true},
        {.name = "grace period",
         .make = made<grace_alone<1>>,
         .how = search::bounded,
         .schedules = 200'000,
         .bound = 100},
        {.name = "grace period, several sections",
         .threads = 3,
         .make = made<grace_alone<2>>,
         .schedules = 3000},
        {.name = "grace period, two destructors",
         .threads = 3,
         .make = made<grace_twice>,
         .schedules = 3000},
    };
}

}  // namespace manylock::model

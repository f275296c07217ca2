// Wounds and deaths: who was told to restart, and who was told that he holds the lock, must agree.
#include <manylock/policies/wait_die.hpp>
#include <manylock/policies/wound_wait.hpp>

#include "shapes.hpp"

namespace manylock::model {
namespace {

/// An older transaction meets the holder of b, who got it on the fast path in a block and an attempt that
/// are new: the wound must be for that attempt.
struct new_holder : world<policies::wound_wait> {
    new_holder() {
        (void)transactions[2]->acquire(d);
        (void)transactions[0]->try_acquire(d);  // draws its stamp
    }
    void thread(unsigned number) override {
        if (number == 0) {
            wait_until([this] { return reached.load(order::relaxed) != 0; });
            run(number, [this](auto& t) { (void)(write(t, a) && write(t, b)); });
        } else {
            auto t = family.begin();
            reached.store(1, order::relaxed);
            while (!(write(t, b) && write(t, a))) t.rollback();
            t.commit();
        }
    }
};

/// The same, but the new holder takes its lock past one who waits for it and holds nothing.
struct passing_holder : new_holder {
    passing_holder() { (void)transactions[1]->acquire(b.lock); }
    void thread(unsigned number) override {
        if (number == 2) {
            auto t = family.begin();
            (void)write(t, b);
        } else {
            if (number == 1) {
                wait_until([this] { return b.lock.has_waiters(); });
                transactions[1]->commit();
            }
            new_holder::thread(number);
        }
    }
};

/// Whoever sees an age sees when it was drawn, as reports do.
struct age_and_time : world<policies::wound_wait> {
    age_and_time() { (void)transactions[2]->acquire(a.lock); }
    void thread(unsigned number) override {
        if (number == 0) {
            (void)transactions[0]->try_acquire(a.lock);
        } else {
            family.core().shared.pool.for_each([](auto const& each) {
                // relaxed: ordered by the stamp
                expect(!each.current_stamp().drawn() || each.stamped_ns.load(order::relaxed) != 0,
                       "an age and its time");
            });
        }
    }
};

}  // namespace

std::vector<description> age_scenarios() {
    std::vector<description> all{
        {.name = "new holder", .make = made<new_holder>, .schedules = 2000},
        {.name = "passing holder", .threads = 3, .make = made<passing_holder>, .schedules = 2000},
        {.name = "age and time", .make = made<age_and_time>, .schedules = 1000},
    };
    add_shapes<policies::wound_wait>(all);
    add_shapes<policies::wait_die>(all);
    return all;
}

}  // namespace manylock::model

// The detector: every cycle is found by whoever closes it, however late the others' requests are seen.
#include <manylock/graph/collector.hpp>
#include <manylock/policies/cycle_detection.hpp>

#include "shapes.hpp"

namespace manylock::model {
namespace {

using policies::cycle_detection;

/// A cycle that runs through a queue: T1 queues for a behind T2, which holds nothing, and T2 waits for T0.
/// T1 is let past T2, without a victim.
struct queue_cycle : world<cycle_detection, platform_rcu> {
    queue_cycle() {
        (void)transactions[0]->acquire_shared(a.lock);
        (void)transactions[1]->acquire(b.lock);
    }
    void thread(unsigned number) override {
        run(number, [&](auto& t) {
            switch (number) {
                case 0: (void)(read(t, a) && write(t, b)); break;
                case 1: (void)(write(t, b) && read(t, a)); break;
                default: (void)write(t, a);
            }
        });
    }
};

/// A cycle that closes over the ninth lock of one transaction, in the second chunk of its list.
struct long_list : world<cycle_detection, platform_rcu> {
    std::array<lock_type, 8> others;
    long_list() {
        for (auto& o : others) (void)transactions[0]->acquire(o);
    }
    void thread(unsigned number) override {
        run(number, [&](auto& t) {
            if (number == 0) {
                (void)(write(t, a) && write(t, b));
            } else {
                (void)(write(t, b) && write(t, a));
            }
        });
    }
};

/// A walk meets a lock whose holder gives up its wait, releases and destroys it.
struct walked_and_destroyed : world<cycle_detection> {
    std::optional<object> x{std::in_place};
    walked_and_destroyed() {
        (void)transactions[0]->acquire(x->lock);
        (void)transactions[0]->acquire(a.lock);
        (void)transactions[1]->acquire(b.lock);
    }
    void thread(unsigned number) override {
        auto& t = *transactions[number];
        if (number == 0) {
            (void)t.acquire_until(b.lock, mode::exclusive, 500);
            t.abandon();
            x.reset();
        } else {
            (void)t.acquire_until(a.lock, mode::exclusive, 500);
            t.abandon();
        }
    }
};

/// T1 waits ahead of T2 for a, gives up and waits elsewhere, while T0 walks over the queue of a to find
/// the cycle with T2 behind it.
struct moved_on : world<cycle_detection, platform_rcu> {
    block const& first = block_of(1);
    block const& second = block_of(2);
    moved_on() {
        (void)transactions[0]->acquire(a.lock);
        (void)transactions[0]->acquire(c.lock);
        (void)transactions[1]->try_acquire(a.lock);  // draws its stamp
        (void)transactions[2]->acquire(b.lock);
    }
    void thread(unsigned number) override {
        auto& t = *transactions[number];
        switch (number) {
            case 0:
                wait_until([this] { return waits(second); });
                (void)t.acquire(b.lock);
                break;
            case 1:
                if (!t.acquire_until(a.lock, mode::exclusive, 500)) (void)t.acquire(c.lock);
                break;
            default:
                wait_until([this] { return waits(first) || first.wait.load(order::relaxed) > 1; });
                (void)t.acquire(a.lock);
        }
        t.abandon();
    }
    [[nodiscard]] bool time_may_pass() override { return (second.wait.latest() & 1U) != 0; }
};

/// All acquire in order, so nobody may restart, however much T1 has moved on from its wait for a when
/// it is seen to hold c.
struct no_cycle : world<cycle_detection, platform_rcu> {
    bool const releases = any_below(2) == 0;
    no_cycle() {
        (void)transactions[0]->acquire(a.lock);
        (void)transactions[2]->acquire(b.lock);
        (void)transactions[1]->acquire(d);
    }
    void thread(unsigned number) override {
        auto& t = *transactions[number];
        if (number == 1) {
            expect(!t.acquire_until(a.lock, mode::exclusive, 500).is_restart(), "waits for a");
            if (releases) t.release(d);
        }
        if (number != 1) wait_until([this] { return reached.load(order::relaxed) != 0; });
        auto const answer = t.acquire(number == 0 ? b.lock : c.lock);
        if (number == 1) reached.store(1, order::relaxed);
        expect(!answer.is_restart(), "a restart without a cycle");
        t.commit();
    }
};

/// One step of a walk, from a transaction to those that wait for it, while queue and holds change under
/// it. What is put into queues beforehand is put there by the engine's own mechanism, without threads.
struct one_step : world<cycle_detection, platform_rcu> {
    using config = domain_type::config;
    using queue = detail::wait_queue<config>;
    lock_type e;
    block& mover = block_of(0);
    block& holder = block_of(1);
    block& standing = block_of(2);

    static void put(block& who, lock_type& lock, mode m) {
        auto const w = queue::latch(lock);
        who.wait_mode.store(m, order::release);
        who.wait_hold = &who.holds.reserve();
        who.wait_restartable = true;
        queue::enqueue(lock, who);
        queue::unlatch(lock, w);
    }
    static void take(block& who, lock_type& lock) {
        auto const w = queue::latch(lock);
        queue::dequeue(lock, who);
        queue::unlatch(lock, w);
    }
    /// Whether `standing` is reported to wait for `from` in its first wait, and that wait seems to last.
    [[nodiscard]] bool reported(block& from) {
        detail::wait_graph_view<config> view{family.core().shared, holder};
        bool found = false;
        delay(20);
        view.for_each_blocked_by({&from, 1}, [&](auto waiter, bool) {
            found = found ||
                    (waiter.who == &standing && view.still_in({&from, 1}) && view.still_in(waiter));
            return true;
        });
        return found;
    }
    /// The mover leaves a and holds d, for which `standing` waits, instead of b.
    void hold_another(bool all_at_once) {
        take(mover, a.lock);
        auto& holds = mover.holds;
        if (all_at_once) {
            holds.drain([](auto&) {});
        } else {
            holds.remove(*holds.find(&b.lock));
        }
        holds.push(holds.reserve(), &d, mode::exclusive);
    }
    void wait_again(mode m) {
        take(mover, a.lock);
        put(mover, e, m);
    }
    void at_end() override {
        for (auto* const who : {&mover, &holder, &standing}) who->holds.drain([](auto&) {});
    }
};

/// The list grows into new memory while it is copied.
struct copy_of_new_chunk : one_step {
    std::array<lock_type, 8> many;
    copy_of_new_chunk() {
        for (auto& lock : many) mover.holds.push(mover.holds.reserve(), &lock, mode::exclusive);
    }
    void thread(unsigned number) override {
        if (number == 0) return mover.holds.push(mover.holds.reserve(), &d, mode::exclusive);
        delay(20);
        graph::detail::collector<config> const copy{family.core()};
        for (auto const& list : copy.lists()) expect(list.entries.size() >= 8, "eight were held");
    }
};

/// A lock is made and waited for while the locks that are waited for are copied.
struct copy_of_new_lock : one_step {
    std::optional<lock_type> made_now;
    copy_of_new_lock() { put(mover, a.lock, mode::exclusive); }
    void thread(unsigned number) override {
        if (number == 0) {
            take(mover, a.lock);
            made_now.emplace();
            return put(mover, *made_now, mode::exclusive);
        }
        delay(20);
        graph::detail::collector<config> const copy{family.core()};
    }
};

/// `standing` comes from its first wait, elsewhere, to the lock that the walk looks at: alone, or behind the
/// mover, which then leaves; or behind another who leaves, behind the mover.
struct step_to_one_who_came : one_step {
    step_to_one_who_came() {
        (void)transactions[1]->acquire(a.lock);
        put(holder, b.lock, mode::exclusive);
        put(standing, d, mode::exclusive);
    }
    void come() {
        take(standing, d);
        put(standing, a.lock, mode::exclusive);
    }
    void look(block& from) {
        detail::wait_graph_view<config> view{family.core().shared, mover};
        delay(20);
        view.for_each_blocked_by({&from, 1}, [&](auto waiter, bool) {
            expect(waiter.who != &standing || waiter.wait != 1,
                   "its first wait was for another lock");
            return true;
        });
    }
    void thread(unsigned number) override { number == 0 ? come() : look(holder); }
};
template <bool FromBehindTheMover>
struct step_to_one_who_moved_up : step_to_one_who_came {
    step_to_one_who_moved_up() {
        if (FromBehindTheMover) take(holder, b.lock);
        put(mover, a.lock, mode::exclusive);
        if (FromBehindTheMover) put(holder, a.lock, mode::exclusive);
    }
    void thread(unsigned number) override {
        if (number == 0) {
            come();
        } else if (number == 1) {
            look(FromBehindTheMover ? mover : holder);
        } else {
            // relaxed: orders nothing
            wait_until([this] { return standing.wait.load(order::relaxed) > 1; });
            take(FromBehindTheMover ? holder : mover, a.lock);
        }
    }
};

/// A copy of the graph is taken meanwhile: what it says of a wait that stands is true of that wait.
template <bool AllAtOnce, bool WaitsBefore>
struct step_over_copy : one_step {
    using collector = graph::detail::collector<config>;
    step_over_copy() {
        mover.holds.push(mover.holds.reserve(), &b.lock, mode::exclusive);
        if (WaitsBefore) put(mover, a.lock, mode::exclusive);
    }
    void thread(unsigned number) override {
        if (number == 0) {
            if (WaitsBefore) {
                hold_another(AllAtOnce);
            } else {
                mover.holds.remove(*mover.holds.find(&b.lock));
                mover.holds.push(mover.holds.reserve(), &d, mode::exclusive);
                put(mover, a.lock, mode::exclusive);
            }
            return;
        }
        delay(20);
        collector const copy{family.core()};
        for (auto const& list : copy.lists()) {
            if (WaitsBefore || list.by.who != &mover || list.by.wait != 1 || !copy.stands(list.by))
                continue;
            expect(list.entries.size() == 1 && list.entries[0].lock == &d,
                   "what it holds in a wait that stands");
        }
        for (auto const& lock : copy.locks()) {
            for (auto const& request : lock.queue) {
                if (request.by.who != &mover || !copy.stands(request.by)) continue;
                bool right = false;
                for (auto const& list : copy.lists()) {
                    right = right || (list.by.who == &mover && list.entries.size() == 1 &&
                                      list.entries[0].lock == (WaitsBefore ? &b.lock : &d));
                }
                expect(right, "what it holds in a wait that stands");
            }
        }
    }
};

template <bool AllAtOnce>
struct step_over_holds : one_step {
    step_over_holds() {
        mover.holds.push(mover.holds.reserve(), &b.lock, mode::exclusive);
        put(mover, a.lock, mode::exclusive);
        put(standing, d, mode::exclusive);
    }
    void thread(unsigned number) override {
        if (number == 0) return hold_another(AllAtOnce);
        expect(!reported(mover), "an edge that never was: d was not held in that wait");
    }
};
/// The mover queues ahead of `standing`, on another lock than the one of its first wait.
struct step_over_queue : one_step {
    step_over_queue() {
        (void)family.core().shared.last_stamp.fetch_add(1, order::relaxed);
        mover.age.store(1, order::relaxed);
        put(mover, a.lock, mode::exclusive);
        put(standing, e, mode::exclusive);
    }
    void thread(unsigned number) override {
        if (number == 0) return wait_again(mode::exclusive);
        expect(!reported(mover), "an edge that never was: it waits behind another wait");
    }
};
/// Both wait in shared mode on a, so neither for the other; then the mover waits elsewhere, exclusively.
struct step_over_mode : one_step {
    step_over_mode() {
        (void)transactions[2]->acquire(e);
        put(mover, a.lock, mode::shared);
        put(standing, a.lock, mode::shared);
    }
    void thread(unsigned number) override {
        if (number == 1) {
            return expect(!reported(mover),
                          "an edge that never was: shared requests are compatible");
        }
        take(mover, a.lock);
        (void)transactions[0]->acquire_until(e, mode::exclusive, 500);
    }
};
/// `standing` waits for the holder all the time, behind the mover, which leaves, is granted, or waits anew.
template <bool Granted>
struct step_past : one_step {
    step_past() {
        auto const m = Granted ? mode::shared : mode::exclusive;
        if (Granted) (void)transactions[1]->acquire_shared(a.lock);
        if (!Granted) (void)transactions[1]->acquire(a.lock);
        put(mover, a.lock, m);
        put(standing, a.lock, mode::exclusive);
        put(holder, b.lock, mode::exclusive);
    }
    void thread(unsigned number) override {
        if (number == 1) return expect(reported(holder), "an edge that stands is seen");
        if (!Granted) return wait_again(mode::exclusive);
        auto const w = queue::latch(a.lock);
        queue::leavers granted;
        queue::unlatch(a.lock, queue::grant(a.lock, w, granted));
    }
};

/// A copy of the wait-for graph is taken: a list that stands is what its owner holds in that wait.
struct snapshot : world<cycle_detection, platform_rcu> {
    using collector = graph::detail::collector<domain_type::config>;
    bool const drains = any_below(2) == 0;
    std::uint64_t const from_wait = any_below(4);
    block const& copied = block_of(0);
    snapshot() {
        (void)transactions[2]->acquire(a.lock);
        (void)transactions[0]->acquire(b.lock);
    }
    void thread(unsigned number) override {
        if (number == 0) {
            auto& t = *transactions[0];
            (void)t.acquire_until(a.lock, mode::exclusive, 500);
            if (drains) {
                (void)t.restart_because(restart_reason::injected);
                t.rollback();
            } else {
                t.release(b.lock);
            }
            (void)t.acquire(d);
            (void)t.acquire_until(a.lock, mode::exclusive, 500);
        } else {
            // relaxed: orders nothing
            wait_until([this] { return copied.wait.load(order::relaxed) >= from_wait; });
            collector const copy{family.core()};
            for (auto const& list : copy.lists()) {
                if (list.by.who != &copied || !copy.stands(list.by)) continue;
                if (list.by.wait == 1 || list.by.wait == 3) {
                    expect(list.entries.size() == 1, "one lock is held");
                    expect(list.entries[0].lock == (list.by.wait == 1 ? &b.lock : &d),
                           "the lock that is held");
                }
            }
        }
    }
};

}  // namespace

std::vector<description> detector_scenarios() {
    using P = cycle_detection;
    return {
        {.name = "abba cycle_detection", .make = made<abba<P, platform_rcu>>, .schedules = 3000},
        {.name = "abba cycle_detection, own grace periods",
         .make = made<abba<P>>,
         .schedules = 2000},
        {.name = "ring cycle_detection",
         .threads = 3,
         .make = made<ring<P, platform_rcu>>,
         .schedules = 3000},
        {.name = "any programs cycle_detection",
         .threads = 3,
         .make = made<any_programs<P, platform_rcu>>,
         .schedules = 5000},
        {.name = "queue cycle", .threads = 3, .make = made<queue_cycle>, .schedules = 3000},
        {.name = "long list", .make = made<long_list>, .schedules = 2000},
        {.name = "upgrades cycle_detection", .make = made<upgrades<P>>, .schedules = 2000},
        {.name = "deadline cycle_detection",
         .threads = 3,
         .make = made<deadline<P>>,
         .schedules = 2000,
         .clock_moves = true},
        {.name = "moved on",
         .threads = 3,
         .make = made<moved_on>,
         .schedules = 3000,
         .clock_moves = true},
        {.name = "no cycle",
         .threads = 3,
         .make = made<no_cycle>,
         .schedules = 5000,
         .clock_moves = true},
        {.name = "snapshot", .make = made<snapshot>, .schedules = 2000, .clock_moves = true},
        {.name = "step over holds, one by one",
         .make = made<step_over_holds<false>>,
         .schedules = 3000},
        {.name = "step over holds, all at once",
         .make = made<step_over_holds<true>>,
         .schedules = 3000},
        {.name = "copy of new chunk", .make = made<copy_of_new_chunk>, .schedules = 2000},
        {.name = "copy of new lock", .make = made<copy_of_new_lock>, .schedules = 2000},
        {.name = "step over copy, one by one",
         .make = made<step_over_copy<false, true>>,
         .schedules = 2000},
        {.name = "step over copy, all at once",
         .make = made<step_over_copy<true, true>>,
         .schedules = 2000},
        {.name = "step over copy, of a new wait",
         .make = made<step_over_copy<false, false>>,
         .schedules = 2000},
        {.name = "step over queue", .make = made<step_over_queue>, .schedules = 3000},
        {.name = "step over mode",
         .make = made<step_over_mode>,
         .schedules = 3000,
         .clock_moves = true},
        {.name = "step to one who came", .make = made<step_to_one_who_came>, .schedules = 3000},
        {.name = "step to one who moved up",
         .threads = 3,
         .make = made<step_to_one_who_moved_up<false>>,
         .schedules = 3000},
        {.name = "step to one who moved up, from ahead",
         .threads = 3,
         .make = made<step_to_one_who_moved_up<true>>,
         .schedules = 3000},
        {.name = "step past one who leaves", .make = made<step_past<false>>, .schedules = 3000},
        {.name = "step past one who is granted", .make = made<step_past<true>>, .schedules = 3000},
        {.name = "walked and destroyed",
         .make = made<walked_and_destroyed>,
         .schedules = 3000,
         .clock_moves = true},
        {.name = "destroyed cycle_detection",
         .threads = 3,
         .make = made<destroyed<P>>,
         .schedules = 2000,
         .clock_moves = true},
    };
}

}  // namespace manylock::model

// The shapes of conflict that several policies are run through.
#pragma once

#include "world.hpp"

namespace manylock::model {

/// Two transactions write one object, each twice: the second time it may be handed on or be free.
template <class Policy>
struct two_writers : world<Policy> {
    using base = world<Policy>;
    void thread(unsigned number) override {
        this->run(number, [this](auto& t) { base::write(t, this->a); });
        auto t = this->family.begin();
        while (!base::write(t, this->a)) t.rollback();
        t.commit();
    }
    void at_end() override { expect(this->a.read() == 4, "four writes"); }
};

/// One writer and two readers of one object.
template <class Policy>
struct writer_and_readers : world<Policy> {
    using base = world<Policy>;
    void thread(unsigned number) override {
        this->run(number, [&](auto& t) {
            number == 0 ? (void)base::write(t, this->a) : (void)base::read(t, this->a);
        });
    }
    void at_end() override { expect(this->a.read() == 1, "one write"); }
};

/// Two objects, locked in opposite orders.
template <class Policy, class Platform = platform>
struct abba : world<Policy, Platform> {
    using base = world<Policy, Platform>;
    std::array<std::uint64_t, 2> writes_of_first{};
    void thread(unsigned number) override {
        auto& first = number == 0 ? this->a : this->b;
        auto& second = number == 0 ? this->b : this->a;
        this->run(number, [&](auto& t) {
            if (base::write(t, first)) {
                ++writes_of_first[number];
                (void)base::write(t, second);
            }
        });
    }
    void at_end() override {
        expect(this->a.read() == writes_of_first[0] + 1, "writes of a");
        expect(this->b.read() == writes_of_first[1] + 1, "writes of b");
    }
};

/// Three objects, three transactions, a ring.
template <class Policy, class Platform = platform>
struct ring : world<Policy, Platform> {
    using base = world<Policy, Platform>;
    void thread(unsigned number) override {
        std::array const objects{&this->a, &this->b, &this->c};
        this->run(number, [&](auto& t) {
            if (base::write(t, *objects[number])) (void)base::write(t, *objects[(number + 1) % 3]);
        });
    }
};

/// Two readers of one object that both want to write it.
template <class Policy>
struct upgrades : world<Policy> {
    using base = world<Policy>;
    void thread(unsigned number) override {
        this->run(number, [this](auto& t) {
            if (base::read(t, this->a)) (void)base::write(t, this->a);
        });
    }
    void at_end() override { expect(this->a.read() == 2, "two writes"); }
};

/// An object leaves its container while others want it.
template <class Policy>
struct detached : world<Policy> {
    using base = world<Policy>;
    void thread(unsigned number) override {
        if (number == 0) {
            this->run(number, [this](auto& t) {
                if (!base::write(t, this->a)) return;
                this->a.data.store(100);
                t.detach(this->a.lock);
            });
        } else if (number == 1) {
            auto& t = *this->transactions[1];
            auto const answer = t.acquire(this->a.lock);
            if (answer) {
                expect(this->a.read() == 0, "granted only before it left");
                t.commit();
            } else {
                expect(answer.reason() == restart_reason::stale, "stale is the only restart");
                expect(this->a.lock.detached() && this->a.read() == 100, "stale says why");
                t.rollback();
                t.commit();
            }
        } else {
            auto const guard = this->family.read_lock(this->a.lock);
            if (guard) {
                expect(this->a.read() == 0, "read only before it left");
            } else {
                expect(this->a.read() == 100, "stale shows what was done before");
            }
        }
    }
};

/// A waiter with a deadline, another behind it.
template <class Policy>
struct deadline : world<Policy> {
    using base = world<Policy>;
    void thread(unsigned number) override {
        if (number == 1) {
            this->run(number, [this](auto& t) {
                auto const answer = t.acquire_until(this->a.lock, mode::exclusive, 500);
                expect(answer || answer == status::timed_out, "granted or late");
                if (answer) this->a.write();
            });
        } else {
            this->run(number, [&](auto& t) {
                number == 0 ? (void)base::write(t, this->a) : (void)base::read(t, this->a);
            });
        }
    }
};

/// Single-object reads beside a writer that comes twice.
template <class Policy>
struct single_reads : world<Policy> {
    using base = world<Policy>;
    void thread(unsigned number) override {
        if (number == 0) {
            this->run(number, [this](auto& t) { base::write(t, this->a); });
            auto t = this->family.begin();
            while (!base::write(t, this->a)) t.rollback();
            t.commit();
        } else {
            auto const guard = this->family.read_lock(this->a.lock);
            (void)this->a.read();
        }
    }
};

/// Two steps each on objects and in modes that the schedule chooses.
template <class Policy, class Platform = platform>
struct any_programs : world<Policy, Platform> {
    using base = world<Policy, Platform>;
    struct step {
        unsigned object = any_below(2);
        bool writes = any_below(2) == 0;
    };
    std::array<std::array<step, 2>, 3> steps;
    void thread(unsigned number) override {
        std::array const objects{&this->a, &this->b};
        this->run(number, [&](auto& t) {
            for (auto const& s : steps[number]) {
                auto& o = *objects[s.object];
                if (!(s.writes ? base::write(t, o) : base::read(t, o))) return;
            }
        });
    }
};

/// A lock is destroyed while one that waited for it is on its way out: T1 holds b and waits for x, T2 is
/// older and wants b, T0 detaches x and destroys it.
template <class Policy>
struct destroyed : world<Policy> {
    using base = world<Policy>;
    std::optional<typename base::object> x{std::in_place};
    atomic<std::uint32_t> given_up{0};

    destroyed() {
        auto& t = this->transactions;
        (void)t[0]->acquire(x->lock);
        (void)t[2]->acquire(this->c.lock);
        (void)t[2]->try_acquire(x->lock);  // draws its stamp
        (void)t[1]->acquire(this->b.lock);
    }
    void thread(unsigned number) override {
        auto& t = *this->transactions[number];
        if (number == 0) {
            while (!x->lock.has_waiters() && given_up.load(order::acquire) == 0) platform::yield();
            t.detach(x->lock);
            t.commit();
            x.reset();
        } else if (number == 1) {
            auto const answer = t.acquire_until(x->lock, mode::exclusive, 500);
            expect(!answer, "it is never granted");
            given_up.store(1, order::release);
            t.abandon();
        } else {
            (void)t.acquire(this->b.lock);
            t.abandon();
        }
    }
};

/// All shapes that fit what the policy needs, each under the name `shape POLICY`.
template <class Policy>
void add_shapes(std::vector<description>& all) {
    auto const add = [&all](char const* shape, std::unique_ptr<scenario> (*make)(),
                            unsigned threads, std::uint64_t schedules, bool clock_moves = false) {
        all.push_back({.name = std::string{shape} + ' ' + Policy::name,
                       .threads = threads,
                       .make = make,
                       .schedules = schedules,
                       .clock_moves = clock_moves});
    };
    add("abba", made<abba<Policy>>, 2, 3000);
    add("ring", made<ring<Policy>>, 3, 3000);
    add("any programs", made<any_programs<Policy>>, 3, 5000);
    if constexpr (!Policy::needs
                       .rank) {  // where two that upgrade only try, they may do so for ever
        add("upgrades", made<upgrades<Policy>>, 2, 2000);
    }
    add("writer and readers", made<writer_and_readers<Policy>>, 3, 2000);
    add("deadline", made<deadline<Policy>>, 3, 2000, true);
    add("detach", made<detached<Policy>>, 3, 2000);
    add("single reads", made<single_reads<Policy>>, 3, 2000);
    if constexpr (!Policy::needs.umbrella) {  // under one no two transactions hold something
        add("destroyed", made<destroyed<Policy>>, 3, 3000, true);
    }
}

}  // namespace manylock::model

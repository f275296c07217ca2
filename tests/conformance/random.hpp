// Goal:   no schedule of a random mix of everything breaks mutual exclusion, loses a hold or hangs.
// Method: a few locks, more threads than cores; beside each lock an oracle of who is inside, checked by
//         whoever gets in; sums conserved. MANYLOCK_SEED=N makes the same requests again.
#pragma once

#include <array>
#include <atomic>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <vector>

#include "support.hpp"

namespace conformance {

/// Who is inside a lock, kept by those who are. Not itself synchronised by the lock under test.
class oracle {
public:
    bool enter(mode m) {
        // relaxed: only the values count; a wrong one is a failure whatever the order
        if (m == mode::exclusive) return inside_.fetch_add(writer, std::memory_order_relaxed) == 0;
        return inside_.fetch_add(1, std::memory_order_relaxed) < writer;
    }
    void leave(mode m) {
        // relaxed: as enter
        inside_.fetch_sub(m == mode::exclusive ? writer : 1, std::memory_order_relaxed);
    }
    /// The caller is inside shared and becomes the only one.
    bool upgrade() { return inside_.fetch_add(writer - 1, std::memory_order_relaxed) == 1; }
    [[nodiscard]] int value() const { return inside_.load(std::memory_order_relaxed); }

private:
    static constexpr int writer = 1'000;
    std::atomic<int> inside_{0};
};

template <class Domain>
struct cell {
    typename Domain::lock_type lock;
    oracle inside;
    long value = 0;  // guarded by lock; the sum over all cells is 0 outside transactions
};

constexpr std::size_t cell_count = 6;

template <class Domain>
class worker {
public:
    worker(Domain& domain, std::array<cell<Domain>, cell_count>& cells, std::uint64_t seed)
        : domain_{domain}, cells_{cells}, random_{seed} {}

    void work(int transactions) {
        for (int i = 0; i < transactions; ++i) {
            if (draw(8) == 0) {
                read_one();
                continue;
            }
            auto const script = random_;  // a restarted body does the same again
            try {
                domain_.run([&](auto& txn) {
                    leaving const at_end{held_};
                    random_ = script;
                    body(txn);
                });
            } catch (std::runtime_error const&) {  // the body's own: it is over
            }
        }
    }
    int failures = 0;

private:
    struct hold {
        cell<Domain>* where;
        mode how;
    };
    /// Tells the oracles before the locks are given back, on every way out of the body.
    struct leaving {
        std::vector<hold>& held;
        ~leaving() {
            for (auto const& h : held) h.where->inside.leave(h.how);
            held.clear();
        }
    };
    unsigned draw(unsigned below) { return static_cast<unsigned>(random_() % below); }
    void expect(bool ok) { failures += ok ? 0 : 1; }

    void read_one() {
        auto& c = cells_[draw(cell_count)];
        domain_.read(c.lock, [&] {
            expect(c.inside.enter(mode::shared));
            long const seen = c.value;
            expect(seen == c.value);
            c.inside.leave(mode::shared);
        });
    }
    template <class Txn>
    void body(Txn& txn) {
        auto const steps = 2 + draw(4);
        for (unsigned s = 0; s < steps; ++s) {
            if (!step(txn)) return;
        }
        // Conserve the sum: what one exclusive cell gains another loses.
        cell<Domain>* last = nullptr;
        for (auto const& h : held_) {
            if (h.how != mode::exclusive) continue;
            if (last != nullptr) {
                ++last->value;
                --h.where->value;
            }
            last = h.where;
        }
    }
    template <class Txn>
    bool step(Txn& txn) {
        auto& c = cells_[draw(cell_count)];
        auto const m = draw(3) == 0 ? mode::shared : mode::exclusive;
        switch (draw(12)) {
            case 0: return got(c, m, txn.try_acquire(c.lock, m));
            case 1:
                return got(c, m, txn.acquire_for(c.lock, m, std::chrono::microseconds{draw(200)}));
            case 2: {
                std::stop_source stop;
                if (draw(2) == 0) stop.request_stop();
                auto const answer = draw(2) == 0 ? txn.acquire(c.lock, m, stop.get_token())
                                                 : txn.acquire(c.lock, m);
                return got(c, m, answer);
            }
            case 3: release_one(txn); return true;
            case 4:
                if (draw(8) == 0) throw std::runtime_error{"the body"};
                return true;
            case 5:
                if (txn.attempt() == 1 && draw(6) == 0) {
                    return static_cast<bool>(txn.restart_because(restart_reason::injected));
                }
                return true;
            default: return got(c, m, txn.acquire(c.lock, m));
        }
    }
    /// False: told to restart. Records what is held now.
    bool got(cell<Domain>& c, mode m, manylock::acquire_result answer) {
        if (answer.is_restart()) return false;
        if (!answer) return true;
        for (auto& h : held_) {
            if (h.where != &c) continue;
            if (h.how == mode::shared && m == mode::exclusive) {
                expect(c.inside.upgrade());
                h.how = m;
            }
            return true;
        }
        // A lock we hold without knowing is the contending one of the last attempt: maybe stronger.
        expect(c.inside.enter(m));
        held_.push_back({&c, m});
        return true;
    }
    template <class Txn>
    void release_one(Txn& txn) {
        if (held_.empty() || Domain::policy::needs.umbrella) return;
        auto const i = draw(static_cast<unsigned>(held_.size()));
        auto const h = held_[i];
        if (h.how == mode::exclusive && h.where->value != 0) return;  // it may owe to another
        h.where->inside.leave(h.how);
        txn.release(h.where->lock);
        held_.erase(held_.begin() + i);
    }

    Domain& domain_;
    std::array<cell<Domain>, cell_count>& cells_;
    std::mt19937_64 random_;
    std::vector<hold> held_;
};

template <class Domain>
void everything_at_random(std::size_t threads, int transactions) {
    auto const first = seed() * 1'000;
    Domain domain;
    std::array<cell<Domain>, cell_count> cells;
    std::atomic<int> failures{0};
    together(threads, [&](std::size_t t) {
        worker<Domain> w{domain, cells, first + t};
        w.work(transactions);
        failures.fetch_add(w.failures, std::memory_order_relaxed);  // relaxed: joined afterwards
    });
    CHECK(failures.load(std::memory_order_relaxed) == 0);
    long sum = 0;
    for (auto& c : cells) {
        CHECK_FALSE(c.lock.busy());
        CHECK(c.inside.value() == 0);
        sum += c.value;
    }
    CHECK(sum == 0);
    auto const stats = domain.stats();
    CHECK(stats.restarts() ==
          stats.restarts(Domain::policy::reason) + stats.restarts(restart_reason::injected));
}

template <class P>
void random(cases<P> const& add) {
    using manylock::options;
    add("E1 E3: random: everything at once", [] { everything_at_random<domain_of<P>>(5, 1'500); });

    add("E1 E3: random: everything at once without spinning", [] {
        everything_at_random<manylock::domain<P, options{.spin_limit = 0, .yield_limit = 0}>>(4,
                                                                                              700);
    });

    if constexpr (!P::needs.umbrella) {
        add("E1 E3: random: everything at once with distributed readers", [] {
            everything_at_random<manylock::domain<P, options{.distributed_readers = true}>>(5,
                                                                                            1'000);
        });
    }

    add("E1 E3: random: everything at once with published holds and events", [] {
        everything_at_random<manylock::domain<P, options{.publish_holds = true, .events = true}>>(
            4, 700);
    });
}

}  // namespace conformance

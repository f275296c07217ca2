// Goal:   the virtual machine tells exactly the time that its costs say.
// Method: programs of a few threads whose every instant can be worked out by hand; all numbers are nanoseconds.
//         An access is `instructions`, then perhaps a transfer, then `hit` or `atomic_hit`.
#include "support.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <doctest/doctest.h>
#include <string>
#include <tuple>

namespace manylock::simulate::testing {
namespace {

using marks = std::vector<ns>;
auto const c = plain_costs();
ns const load_hit = c.instructions + c.hit;
ns const update_hit = c.instructions + c.atomic_hit;

}  // namespace

TEST_SUITE("simulate/machine: memory") {
    TEST_CASE("what no core has comes from memory and what the core has is a hit") {
        program p(2);
        std::array<variable, 2> x;
        p.thread([&] {
            p.mark();
            (void)x[0].load();
            p.mark();
            (void)x[0].load();
            p.mark();
            x[0].store(1);
            p.mark();
            x[0].update();
            p.mark();
            x[1].update();
            p.mark();
        });
        p.run();
        ns const t1 = c.instructions + c.memory + c.hit;
        ns const t4 = t1 + 2 * load_hit + update_hit;
        CHECK(p.marks(0) == marks{0, t1, t1 + load_hit, t1 + 2 * load_hit, t4,
                                  t4 + c.instructions + c.memory + c.atomic_hit});
        CHECK(p.on().events() == 5);
    }

    TEST_CASE("a store does not wait for its line but the next read-modify-write or fence does") {
        program p(4);
        std::array<variable, 2> x;
        p.thread([&] {
            x[0].store(1);
            p.mark();
            CHECK(x[0].load() == 1);  // from the store buffer
            p.mark();
            x[0].update();
            p.mark();
            x[1].store(1);
            p.mark();
            p.on().fence();
            p.mark();
            p.on().fence();  // nothing is left to wait for
            p.mark();
        });
        p.run();
        ns const arrived = c.instructions + c.memory;
        ns const updated = arrived + c.atomic_hit;
        CHECK(p.marks(0) == marks{load_hit, 2 * load_hit, updated, updated + load_hit,
                                  updated + c.instructions + c.memory + c.fence,
                                  updated + c.instructions + c.memory + 2 * c.fence});
    }

    TEST_CASE("who wants a line that a store has asked for waits until it has arrived there") {
        program p(2);
        variable x;
        p.thread([&] { x.store(7); });
        p.thread([&] {
            p.until(10);
            CHECK(x.load() == 7);
            p.mark();
        });
        p.run();
        CHECK(p.marks(1) == marks{c.instructions + c.memory + c.transfer + c.hit});
    }

    TEST_CASE("a line comes from another core within and across sockets") {
        auto two_sockets = c;
        two_sockets.sockets = 2;
        program p(4, two_sockets);  // cores 0 and 1; 2 and 3
        std::array<variable, 2> x;
        p.thread([&] {
            x[0].update();
            x[1].update();
        });
        p.thread([&] {
            p.until(1000);
            x[0].update();
            p.mark();
        });
        p.thread([] {});
        p.thread([&] {
            p.until(1000);
            x[1].update();
            p.mark();
            p.until(2000);
            (void)x[0].load();  // core 1 has it
            p.mark();
        });
        p.run();
        CHECK(p.marks(1) == marks{1000 + update_hit + c.transfer});
        CHECK(p.marks(3) ==
              marks{1000 + update_hit + c.transfer_remote, 2000 + load_hit + c.transfer_remote});
    }

    TEST_CASE("readers share a line until somebody writes") {
        program p(3);
        variable x;
        p.thread([&] {
            x.update();
            p.until(2000);
            (void)x.load();  // still has it
            p.mark();
            p.until(4000);
            (void)x.load();  // core 2 has taken it
            p.mark();
        });
        p.thread([&] {
            p.until(1000);
            (void)x.load();
            p.mark();
            p.until(2000);
            (void)x.load();
            p.mark();
        });
        p.thread([&] {
            p.until(1001);
            (void)x.load();
            p.mark();
            p.until(3000);
            x.update();  // having it among others is not enough
            p.mark();
            x.update();
            p.mark();
        });
        p.run();
        CHECK(p.marks(0) == marks{2000 + load_hit, 4000 + load_hit + c.transfer});
        CHECK(p.marks(1) == marks{1000 + load_hit + c.transfer, 2000 + load_hit});
        // The second of two who ask the owner waits for the first.
        CHECK(p.marks(2) == marks{1000 + load_hit + 2 * c.transfer, 3000 + update_hit + c.transfer,
                                  3000 + 2 * update_hit + c.transfer});
    }

    TEST_CASE("reading what others share does not queue") {
        program p(4);
        variable x;
        p.thread([&] { x.update(); });
        p.thread([&] {
            p.until(500);
            (void)x.load();
        });
        for (int reader = 0; reader < 2; ++reader) {
            p.thread([&] {
                p.until(1000);
                (void)x.load();
                p.mark();
            });
        }
        p.run();
        CHECK(p.marks(2) == marks{1000 + load_hit + c.transfer});
        CHECK(p.marks(3) == p.marks(2));
    }

    TEST_CASE("a reader is served by the nearest and a writer waits for the farthest") {
        auto two_sockets = c;
        two_sockets.sockets = 2;
        program p(4, two_sockets);
        variable x;
        p.thread([&] {
            x.update();
            p.until(3000);
            x.update();
            p.mark();
        });
        p.thread([] {});
        p.thread([&] {
            p.until(1000);
            (void)x.load();
            p.mark();
        });
        p.thread([&] {
            p.until(2000);
            (void)x.load();
            p.mark();
        });
        p.run();
        CHECK(p.marks(2) == marks{1000 + load_hit + c.transfer_remote});
        CHECK(p.marks(3) == marks{2000 + load_hit + c.transfer});
        CHECK(p.marks(0) == marks{3000 + update_hit + c.transfer_remote});
    }

    TEST_CASE("transfers of one contended line queue and those of two lines do not") {
        constexpr unsigned n = 9;
        program p(n);
        std::array<variable, 2> x;
        std::vector<std::uint64_t> seen;
        p.thread([&] {
            x[0].update();
            x[1].update();
        });
        for (unsigned i = 1; i < n; ++i) {
            p.thread([&, i] {
                p.until(1000 + i);
                auto& mine = x[i % 2];
                seen.push_back(mine.value.fetch_add(1, timed::relaxed));
                p.mark();
            });
        }
        p.run();
        for (unsigned i = 1; i < n; ++i) {
            ns const first_asks = i % 2 == 1 ? 1001 : 1002;
            CHECK(p.marks(i) == marks{first_asks + update_hit + (i + 1) / 2 * c.transfer});
        }
        CHECK(seen == std::vector<std::uint64_t>{1, 1, 2, 2, 3, 3, 4, 4});
    }

    TEST_CASE("who spins on its own copy sees what another writes once that has taken the line") {
        for (bool const waits : {true, false}) {
            CAPTURE(waits);
            program p(2);
            variable x;
            p.thread([&] {
                x.store(0);
                p.on().compute_until(1000);
                while (x.load() == 0) {
                }
                p.mark();
            });
            p.thread([&] {
                p.on().compute_until(1000);
                if (waits) {
                    x.update();
                } else {
                    x.store(1);
                }
                p.mark();
            });
            p.run();
            // Asked for at 1002, there at 1047. The spinner looks at 1002, 1005, ..., 1047, 1050: a look at the
            // very instant of the transfer comes before it, by the number of the core.
            ns const asked = 1000 + c.instructions;
            CHECK(p.marks(1) == marks{waits ? asked + c.transfer + c.atomic_hit : asked + c.hit});
            CHECK(p.marks(0) == marks{1050 + c.transfer + c.hit});
        }
    }

    TEST_CASE("who has a line keeps it while it is asked for and not a moment longer") {
        program p(2);
        variable x;
        p.thread([&] {
            x.store(0);
            p.until(1010);  // by then the other has asked
            while (x.load() == 0) {
            }
            p.mark();
        });
        p.thread([&] {
            p.until(1000);
            x.update();
        });
        p.run();
        // Gone at 1047; looks at 1012, 1015, ..., 1048.
        CHECK(p.marks(0) == marks{1048 + c.transfer + c.hit});
    }

    TEST_CASE("a line that somebody is coming for survives the end of what lay in it") {
        program p(2);
        auto x = std::make_unique<variable>();
        p.thread([&] {
            (void)x->load();
            p.mark();
        });
        p.thread([&] {
            p.until(40);
            p.on().forget(x.get());
        });
        p.run();
        CHECK(p.marks(0) == marks{load_hit + c.memory});
    }
}

TEST_SUITE("simulate/machine: threads") {
    TEST_CASE("threads share a core by time slices in turn") {
        program p(1);
        std::array<ns, 3> ended{};
        for (auto& e : ended) {
            p.thread([&] {
                p.on().compute(2 * c.time_slice + c.time_slice / 3);
                e = p.on().now();
            });
        }
        p.run();
        // Two rounds of three slices, then a third of a slice each; a switch before each but the first.
        ns const rounds = 6 * (c.time_slice + c.context_switch);
        for (ns i = 0; i < 3; ++i) {
            CHECK(ended[i] == rounds + (i + 1) * (c.time_slice / 3) + i * c.context_switch);
        }
    }

    TEST_CASE("a thread alone on its core is not interrupted and a hit ends no slice early") {
        program p(2);
        variable x;
        p.thread([&] {
            p.on().compute(10 * c.time_slice);
            (void)x.load();
            p.mark();
        });
        p.run();
        CHECK(p.marks(0) == marks{10 * c.time_slice + load_hit + c.memory});
    }

    TEST_CASE("the slice ends for those who only touch memory") {
        program p(1);
        variable x;
        ns other_began = 0;
        p.thread([&] {
            x.update();
            while (p.on().now() < 2 * c.time_slice) x.update();
        });
        p.thread([&] { other_began = p.on().now(); });
        p.run();
        CHECK(other_began >= c.time_slice + c.context_switch);
        CHECK(other_began < c.time_slice + c.context_switch + 2 * update_hit);
    }

    TEST_CASE("a core that becomes idle takes a thread from the one that has most") {
        program p(2);
        auto const compute = [&](ns work) {
            return [&p, work] {
                p.mark();
                p.on().compute(work);
            };
        };
        p.thread(compute(2'000'000));  // core 0: 0, 2 and 4
        p.thread(compute(1'000));      // core 1: 1
        p.thread(compute(1'000));
        p.thread(compute(1'000));  // core 1
        p.thread(compute(1'000));
        p.run();
        CHECK(p.marks(0) == marks{0});
        CHECK(p.marks(1) == marks{0});
        ns const step = 1'000 + c.context_switch;
        CHECK(p.marks(3) == marks{step});
        CHECK(p.marks(2) == marks{2 * step});
        CHECK(p.marks(4) == marks{3 * step});
    }

    TEST_CASE("yield is a call and gives the core to who waits for it") {
        program p(1);
        p.thread([&] {
            p.on().compute(100);
            p.on().yield();
            p.mark();
            p.on().yield();  // the other has ended
            p.mark();
        });
        p.thread([&] {
            p.mark();
            p.on().yield();
            p.mark();
        });
        p.run();
        ns const second = 100 + c.yield + c.context_switch;
        ns const first = second + c.yield + c.context_switch;
        // The first's second yield finds the second thread still there.
        ns const second_again = first + c.yield + c.context_switch;
        CHECK(p.marks(1) == marks{second, second_again});
        CHECK(p.marks(0) == marks{first, second_again + c.context_switch});

        program alone(1);
        alone.thread([&] {
            alone.on().yield();
            alone.mark();
        });
        alone.run();
        CHECK(alone.marks(0) == marks{c.yield});
    }

    TEST_CASE("who sleeps is woken first come first served after the latency") {
        program p(3);
        int place = 0;
        for (ns const when : {20U, 10U}) {
            p.thread([&, when] {
                p.until(when);
                p.on().block(&place, nullptr);
                p.mark();
            });
        }
        p.thread([&] {
            p.until(1000);
            CHECK(p.on().wake_one(&place));
            p.until(1500);
            CHECK(p.on().wake_one(&place));
            CHECK_FALSE(p.on().wake_one(&place));
            p.mark();
        });
        p.run();
        CHECK(p.marks(1) == marks{1000 + c.wake_latency});
        CHECK(p.marks(0) == marks{1500 + c.wake_latency});
        CHECK(p.marks(2) == marks{1500});
    }

    TEST_CASE("a sleeper leaves its core to others and takes an idle one when it wakes") {
        program p(2);
        int place = 0;
        p.thread([&] {
            p.on().block(&place, nullptr);
            p.mark();
        });
        p.thread([&] {
            p.until(100);
            p.on().wake_one(&place);
        });
        p.thread([&] {  // on core 0 from the first's sleep on
            p.mark();
            p.on().compute(1'000'000);
            p.mark();
        });
        p.run();
        CHECK(p.marks(2) == marks{c.context_switch, c.context_switch + 1'000'000});
        // On core 1, which whoever woke it has just left.
        CHECK(p.marks(0) == marks{100 + c.wake_latency + c.context_switch});
    }

    TEST_CASE("a deadline ends a sleep and has no effect on a later one") {
        program p(2);
        int place = 0;
        p.thread([&] {
            ns const soon = 5'000;
            p.on().block(nullptr, &soon);
            p.mark();
            ns const deadline = 30'000;
            p.on().block(&place, &deadline);
            p.mark();
            p.on().block(&place, nullptr);
            p.mark();
            p.on().block(&place, &deadline);  // which has passed: returns at once
            p.mark();
            ns const later = 60'000;
            p.on().block(&place, &later);
            p.mark();
        });
        p.thread([&] {
            p.until(12'000);
            p.on().wake_one(&place);
            p.until(40'000);
            p.on().wake_one(&place);
            p.until(70'000);
            CHECK_FALSE(p.on().wake_one(&place));  // no longer there
        });
        p.run();
        CHECK(p.marks(0) == marks{5'000 + c.wake_latency, 12'000 + c.wake_latency,
                                  40'000 + c.wake_latency, 40'000 + c.wake_latency,
                                  60'000 + c.wake_latency});
    }

    TEST_CASE("a futex is slept on only while its word has the expected value") {
        struct alignas(64) {
            timed::atomic<std::uint32_t> word{0};
        } futex;
        program p(3);
        p.thread([&] {
            timed::futex_wait(futex.word, 1, nullptr);
            p.mark();
            p.until(10'000);
            timed::futex_wait(futex.word, 0, nullptr);
            p.mark();
        });
        p.thread([&] {
            p.until(20'000);
            timed::futex_wake(futex.word);
            p.mark();
        });
        p.run();
        CHECK(p.marks(0) == marks{c.sleep + load_hit + c.memory, 20'000 + c.wake_latency});
        CHECK(p.marks(1) == marks{20'000 + c.wake});
    }

    TEST_CASE("no wake-up is lost between looking and sleeping") {
        // Whenever the word changes and is woken: before the look it is seen, after it there is a sleeper.
        for (ns when = 900; when < 2000; when += 7) {
            CAPTURE(when);
            struct alignas(64) {
                timed::atomic<std::uint32_t> word{0};
            } futex;
            program p(2);
            p.thread([&] {
                p.until(1000);
                while (futex.word.load(timed::relaxed) == 0) {
                    timed::futex_wait(futex.word, 0, nullptr);
                }
                p.mark();
            });
            p.thread([&] {
                p.until(when);
                futex.word.store(1, timed::relaxed);
                timed::futex_wake(futex.word);
            });
            CHECK_NOTHROW(p.run());
            CHECK(p.marks(0).size() == 1);
        }
    }

    TEST_CASE("a thread is started from a thread and joined when it has ended") {
        program p(2);
        p.thread([&] {
            p.until(50);
            auto const other = p.on().spawn([&] {
                p.mark();
                p.on().compute(100);
            });
            p.on().join(other);
            p.mark();
            p.on().join(other);  // has ended long ago
            p.mark();
        });
        p.run();
        CHECK(p.marks(1) == marks{50});
        CHECK(p.marks(0) == marks{150 + c.wake_latency, 150 + c.wake_latency});
    }

    TEST_CASE("every thread has slots of its own") {
        program p(1);
        std::array<void*, 2> seen{};
        int mine = 0;
        p.thread([&] {
            p.on().slot(3) = &mine;
            p.on().yield();
            seen[0] = p.on().slot(3);
        });
        p.thread([&] { seen[1] = p.on().slot(3); });
        p.run();
        CHECK(seen[0] == &mine);
        CHECK(seen[1] == nullptr);
    }
}

TEST_SUITE("simulate/machine: order") {
    /// Threads that touch, sleep, wake and yield, with more of them than cores. What it leaves behind.
    std::tuple<ns, std::uint64_t, std::uint64_t, std::vector<std::size_t>> busy_program(
        std::size_t garbage) {
        std::vector<std::unique_ptr<char[]>> between;
        std::vector<std::unique_ptr<variable>> shared;
        for (std::size_t i = 0; i < 16; ++i) {
            for (std::size_t g = 0; g < garbage; ++g)
                between.push_back(std::make_unique<char[]>(64 * ((i * 7 + g * 13) % 29)));
            shared.push_back(std::make_unique<variable>());
        }
        if (garbage % 2 == 1) std::reverse(shared.begin(), shared.end());
        program p(4);
        std::vector<std::size_t> order;
        ns last = 0;
        for (std::size_t t = 0; t < 7; ++t) {
            p.thread([&, t] {
                for (std::size_t i = 0; i < 60; ++i) {
                    auto& x = *shared[(t * 5 + i * i) % shared.size()];
                    switch ((t + i) % 5) {
                        case 0: x.update(); break;
                        case 1: x.store(i); break;
                        case 2: p.on().compute(37 * t); break;
                        case 3: p.on().yield(); break;
                        default: (void)x.load(); break;
                    }
                }
                p.on().in_order();
                order.push_back(t);
                last = std::max(last, p.on().now());
            });
        }
        p.run();
        return {last, p.on().events(), p.on().switches(), order};
    }

    TEST_CASE("the same program takes the same time every time and wherever its variables lie") {
        auto const first = busy_program(0);
        CHECK(std::get<0>(first) > 0);
        for (std::size_t const garbage : {0U, 2U, 3U, 8U}) {
            CAPTURE(garbage);
            CHECK(busy_program(garbage) == first);
        }
    }

    TEST_CASE("in order is what all others have done until now") {
        program p(3);
        std::vector<std::pair<ns, std::uint64_t>> log;
        for (std::uint64_t t = 0; t < 3; ++t) {
            p.thread([&, t] {
                for (ns const step : {7U, 30U, 4U, 11U}) {
                    p.on().compute(step + 2 * t);
                    p.on().in_order();
                    log.emplace_back(p.on().now(), t);
                }
            });
        }
        p.run();
        CHECK(log.size() == 12);
        CHECK(std::is_sorted(log.begin(), log.end()));
    }

    TEST_CASE("while somebody looks on nothing costs time") {
        program p(1);
        variable x;
        p.thread([&] {
            {
                machine::quiet const nobody_moves;
                CHECK(machine::current() == nullptr);
                CHECK(machine::active() == &p.on());
                x.update();
            }
            p.mark();
        });
        p.run();
        CHECK(p.marks(0) == marks{0});
        CHECK(x.load() == 1);
    }
}

}  // namespace manylock::simulate::testing

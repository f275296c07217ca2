// Goal:   the concurrent address space does what the plans say, under every policy.
// Method: alone it must agree with the array of pages after every operation; threads in ranges of
//         their own must agree with one array each, since nothing they do concerns the others;
//         threads in one range must leave a map without a broken invariant, every lock free and no
//         claim behind.
#include "allocation.hpp"
#include "naive_comparison.hpp"
#include "naive_model.hpp"
#include "random_operations.hpp"
#include "small_space.hpp"

#include <manylock/address_space/space.hpp>
#include <manylock/policies/cycle_detection.hpp>
#include <manylock/policies/lock_ordering.hpp>
#include <manylock/policies/no_wait.hpp>
#include <manylock/policies/umbrella.hpp>
#include <manylock/policies/wait_die.hpp>
#include <manylock/policies/wound_wait.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <barrier>
#include <latch>
#include <new>
#include <set>
#include <string>
#include <thread>

namespace {

using namespace manylock::address_space;
using namespace manylock::address_space::small;
namespace policies = manylock::policies;

#define ALL_POLICIES                                                                         \
    policies::umbrella, policies::wound_wait, policies::wait_die, policies::cycle_detection, \
        policies::lock_ordering, policies::no_wait

/// The same without growing.
operation add_mapping() {
    operation op = add_stack();
    op.flags &= ~std::uint32_t{abi::map_growsdown};
    return op;
}

std::vector<vma> within(std::vector<vma> const& all, address start, address end) {
    std::vector<vma> some;
    for (vma const& area : all)
        if (area.start >= start && area.end <= end) some.push_back(area);
    return some;
}

/// Runs `body(thread)` on `n` threads that start together.
template <class Body>
void on_threads(std::size_t n, Body body) {
    std::barrier start{static_cast<std::ptrdiff_t>(n)};
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < n; ++t)
        threads.emplace_back([&, t] {
            start.arrive_and_wait();
            body(t);
        });
}

}  // namespace

TYPE_TO_STRING(policies::umbrella);
TYPE_TO_STRING(policies::wound_wait);
TYPE_TO_STRING(policies::wait_die);
TYPE_TO_STRING(policies::cycle_detection);
TYPE_TO_STRING(policies::lock_ordering);
TYPE_TO_STRING(policies::no_wait);

TEST_SUITE("address_space/space") {
    TEST_CASE_TEMPLATE("alone it agrees with an array of pages after every operation", Policy,
                       ALL_POLICIES) {
        for (std::uint64_t seed = 1; seed <= 3; ++seed) {
            basic_address_space<Policy> space{small_globals()};
            typename basic_address_space<Policy>::worker me;
            naive_model model{base, all_pages, small_globals()};
            random_operations operations{seed, base, window_pages};
            REQUIRE(space.apply(me, add_stack()) == model.apply(add_stack(), 0));
            for (std::size_t step = 0; step < 3000; ++step) {
                operation op = operations.next(space.globals());
                if (operations.below(50) == 0) {
                    op = {};
                    op.what = call::fault;
                    op.start = base + (stack_page - 1 - operations.below(220)) * page_size;
                    op.flags = fault_write;
                }
                std::int64_t const got = space.apply(me, op);
                std::int64_t const expected = model.apply(op, got);
                std::vector<vma> const rows = space.vmas();
                std::string const broken = space.broken_invariant(false);
                bool const same = got == expected && broken.empty() &&
                                  canonical(rows) == canonical(model.rows()) &&
                                  space.globals().brk == model.globals().brk;
                if (!same) {
                    INFO("seed ", seed, " step ", step, ": ", describe(op), " gave ", got,
                         ", expected ", expected, "; ", broken, "\nspace:\n", describe(rows),
                         "naive:\n", describe(model.rows()));
                    REQUIRE(same);
                }
            }
            if (Policy::needs.umbrella) CHECK(space.domain().stats().restarts() == 0);
        }
    }

    TEST_CASE_TEMPLATE("threads in ranges of their own do not disturb each other", Policy,
                       ALL_POLICIES) {
        constexpr std::size_t threads = 4;
        constexpr address stride = (window_pages + 1) * page_size;
        basic_address_space<Policy> space{small_globals()};
        std::array<std::size_t, threads> wrong{};
        std::vector<naive_model> models;
        for (std::size_t t = 0; t < threads; ++t)
            models.emplace_back(base + t * stride, window_pages, small_globals());
        on_threads(threads, [&](std::size_t t) {
            typename basic_address_space<Policy>::worker me;
            random_operations operations{
                100 + t, base + t * stride, window_pages, {.globals = false, .holes = false}};
            for (std::size_t step = 0; step < 4000; ++step) {
                operation const op = operations.next({});
                std::int64_t const got = space.apply(me, op);
                if (got != models[t].apply(op, got)) ++wrong[t];
            }
        });
        for (std::size_t t = 0; t < threads; ++t) {
            address const start = base + t * stride;
            CHECK(wrong[t] == 0);
            CHECK(describe(canonical(within(space.vmas(), start, start + stride))) ==
                  describe(canonical(models[t].rows())));
        }
        CHECK(space.broken_invariant(false) == "");
    }

    TEST_CASE_TEMPLATE("M1: threads in one range leave every invariant whole", Policy,
                       ALL_POLICIES) {
        constexpr std::size_t threads = 4;
        basic_address_space<Policy> space{small_globals()};
        {
            typename basic_address_space<Policy>::worker me;
            space.apply(me, add_stack());
        }
        on_threads(threads, [&](std::size_t t) {
            typename basic_address_space<Policy>::worker me;
            random_operations operations{200 + t, base, window_pages, {.keep_source = false}};
            for (std::size_t step = 0; step < 3000; ++step) {
                operation op = operations.next(small_globals());
                if (operations.below(50) == 0) {
                    op = {};
                    op.what = call::fault;
                    op.start = base + (stack_page - 1 - operations.below(120)) * page_size;
                    op.flags = fault_write;
                }
                space.apply(me, op);
            }
        });
        CHECK(space.broken_invariant() == "");
        if (Policy::needs.umbrella) CHECK(space.domain().stats().restarts() == 0);
    }

    TEST_CASE_TEMPLATE("no two maps without an address get the same hole", Policy, ALL_POLICIES) {
        constexpr std::size_t threads = 4;
        constexpr std::size_t rounds = 400;
        mm_globals g;
        g.mmap_base = base + threads * rounds * 2 * page_size;
        g.mmap_floor = base;
        basic_address_space<Policy> space{g};
        std::vector<std::vector<std::int64_t>> got(threads);
        on_threads(threads, [&](std::size_t t) {
            typename basic_address_space<Policy>::worker me;
            operation op;
            op.what = call::map;
            op.length = 2 * page_size;
            op.prot = abi::prot_read | abi::prot_write;
            op.flags = abi::map_private | abi::map_anonymous;
            for (std::size_t i = 0; i < rounds; ++i) got[t].push_back(space.apply(me, op));
        });
        std::vector<std::int64_t> all;
        for (auto const& some : got) all.insert(all.end(), some.begin(), some.end());
        std::sort(all.begin(), all.end());
        for (std::size_t i = 0; i < all.size(); ++i)
            REQUIRE(all[i] == static_cast<std::int64_t>(base + 2 * i * page_size));
        CHECK(space.vma_count() == 1);
        CHECK(space.broken_invariant() == "");
    }

    TEST_CASE_TEMPLATE("updates of disjoint ranges of one gap run at the same time", Policy,
                       ALL_POLICIES) {
        if (Policy::needs.umbrella) return;  // there they exclude each other, by design
        basic_address_space<Policy> space{small_globals()};
        std::barrier inside{2};
        on_threads(2, [&](std::size_t t) {
            typename basic_address_space<Policy>::worker me;
            operation op = add_mapping();
            op.start = base + (10 + 10 * t) * page_size;
            // Passes only if both are inside with everything locked.
            space.apply(me, op, [&] { inside.arrive_and_wait(); });
            op.what = call::protect;
            op.prot = abi::prot_read;
            space.apply(me, op, [&] { inside.arrive_and_wait(); });
        });
        CHECK(space.vma_count() == 2);
        CHECK(space.domain().stats().restarts() == 0);
    }

    TEST_CASE_TEMPLATE(
        "an update that rests inside its transaction keeps no disjoint one from committing", Policy,
        ALL_POLICIES) {
        if (Policy::needs.umbrella) return;  // there it keeps all others out, by design
        basic_address_space<Policy> space{small_globals()};
        constexpr std::uint64_t updates = 500;
        std::latch resting{1};
        std::latch others_done{2};
        on_threads(3, [&](std::size_t t) {
            typename basic_address_space<Policy>::worker me;
            operation op = add_mapping();
            op.start = base + 20 * t * page_size;
            if (t == 0) {
                // Comes back only after the others have committed everything.
                space.apply(me, op, [&] {
                    resting.count_down();
                    others_done.wait();
                });
                return;
            }
            resting.wait();
            for (std::uint64_t i = 0; i < updates; ++i) {
                op.what = i % 2 == 0 ? call::map : call::unmap;
                CHECK(space.apply(me, op) >= 0);
            }
            others_done.count_down();
        });
        CHECK(space.vma_count() == 1);
        CHECK(space.domain().stats()[manylock::counter::commits] == 1 + 2 * updates);
        CHECK(space.broken_invariant() == "");
    }

    TEST_CASE_TEMPLATE("an exception from the work leaves everything as it was", Policy,
                       ALL_POLICIES) {
        basic_address_space<Policy> space{small_globals()};
        typename basic_address_space<Policy>::worker me;
        space.apply(me, add_stack());
        std::vector<vma> const before = space.vmas();
        operation anywhere;
        anywhere.what = call::map;
        anywhere.length = 3 * page_size;
        anywhere.flags = abi::map_private | abi::map_anonymous;
        operation over = add_mapping();  // replaces half of the stack, fills the pages below it
        over.start -= 2 * page_size;
        operation split = add_stack();
        split.what = call::protect;
        split.length = page_size;
        for (operation const& op : {anywhere, over, split}) {
            CHECK_THROWS_AS(space.apply(me, op, [] { throw std::bad_alloc{}; }), std::bad_alloc);
            CHECK(space.vmas() == before);
            CHECK(space.broken_invariant() == "");
        }
        CHECK(space.apply(me, anywhere) > 0);
    }

    TEST_CASE_TEMPLATE("the work of a fault may throw, and must not use the space", Policy,
                       ALL_POLICIES) {
        basic_address_space<Policy> space{small_globals()};
        typename basic_address_space<Policy>::worker me;
        space.apply(me, add_stack());
        operation fault;
        fault.start = base + stack_page * page_size;
        fault.flags = fault_write;
        REQUIRE(space.apply(me, fault) == 0);
        std::uint64_t const reads = me.faults.success;
        CHECK_THROWS_AS(space.apply(me, fault, [] { throw std::bad_alloc{}; }), std::bad_alloc);
        CHECK(space.broken_invariant() == "");
        if (manylock::checks_enabled) {
            struct named {
                std::string sentence;
            };
            auto* const former =
                manylock::set_misuse_handler([](char const* sentence) { throw named{sentence}; });
            auto const sentence_of = [&](operation const& outer, operation const& inner) {
                try {
                    space.apply(me, outer, [&] { space.apply(me, inner); });
                } catch (named const& n) {
                    return n.sentence;
                }
                return std::string{};
            };
            operation const mapping = add_stack();
            CHECK(sentence_of(fault, mapping) ==
                  "transaction begun inside a single-object read of its domain");
            CHECK(sentence_of(fault, fault) ==
                  "single-object read inside a single-object read of its domain: only a try form "
                  "may be");
            CHECK(sentence_of(mapping, mapping) ==
                  "two live transactions of one domain in one context");
            CHECK(sentence_of(mapping, fault) ==
                  "single-object read inside a transaction of its domain");
            manylock::set_misuse_handler(former);
        }
        CHECK(space.broken_invariant() == "");
        CHECK(space.apply(me, fault) == 0);
        CHECK(me.faults.success > reads);
        CHECK(space.apply(me, add_stack()) > 0);
    }

    TEST_CASE("identities are unique in a space whose workers come from another") {
        using space_type = basic_address_space<policies::wound_wait>;
        space_type other{small_globals()};
        space_type space{small_globals()};
        space_type::worker guest;
        space_type::worker native;
        // Every second page, so that nothing merges; each gets its identity with its first write.
        auto const add_written = [](space_type& to, space_type::worker& by, std::uint64_t place) {
            operation op = add_mapping();
            op.start = base + 2 * place * page_size;
            op.length = page_size;
            op.prot = abi::prot_read | abi::prot_write;
            to.apply(by, op);
            operation write;
            write.what = call::fault;
            write.start = op.start;
            write.flags = fault_write;
            to.apply(by, write);
        };
        add_written(other, guest, 0);
        for (std::uint64_t place = 0; place < 4; ++place) {
            add_written(space, place % 2 == 0 ? native : guest, place);
        }
        std::set<std::uint64_t> seen;
        for (vma const& area : space.vmas()) {
            CHECK(area.anon.set());
            seen.insert(area.anon.id);
        }
        CHECK(seen.size() == 4);
    }

    TEST_CASE_TEMPLATE("whoever waits for a claim takes it over when its owner restarts", Policy,
                       ALL_POLICIES) {
        // Threads fill overlapping holes between two VMAs that they also need; owners of claims
        // restart all the time. Nobody may lose a claim, or keep one.
        basic_address_space<Policy> space{small_globals()};
        on_threads(4, [&](std::size_t t) {
            typename basic_address_space<Policy>::worker me;
            random_operations draw{t, base, 12};
            for (std::size_t i = 0; i < 300; ++i) {
                operation op = add_mapping();
                op.start = base + draw.below(8) * page_size;
                if (draw.below(3) == 0) op.what = call::unmap;
                space.apply(me, op, [&] {
                    if (draw.below(4) == 0) std::this_thread::yield();
                });
            }
        });
        CHECK(space.broken_invariant() == "");
    }

    TEST_CASE_TEMPLATE("a hole that somebody claims and gives up is not refused", Policy,
                       ALL_POLICIES) {
        for (int round = 0; round < 20; ++round) {
            basic_address_space<Policy> space{small_globals()};
            std::latch claimed{1};
            on_threads(2, [&](std::size_t t) {
                typename basic_address_space<Policy>::worker me;
                operation all = add_mapping();
                all.start = base;
                all.length = window_pages * page_size;
                if (t == 0) {
                    auto const give_up = [&] {
                        claimed.count_down();
                        for (int i = 0; i < 10; ++i) std::this_thread::yield();
                        throw std::bad_alloc{};
                    };
                    CHECK_THROWS_AS(space.apply(me, all, give_up), std::bad_alloc);
                    return;
                }
                claimed.wait();
                all.start = 0;
                all.flags &= ~std::uint32_t{abi::map_fixed};
                CHECK(space.apply(me, all) == static_cast<std::int64_t>(base));
            });
            CHECK(space.broken_invariant() == "");
        }
    }

    TEST_CASE_TEMPLATE("the first and the last address are addresses too", Policy, ALL_POLICIES) {
        basic_address_space<Policy> space{small_globals()};
        typename basic_address_space<Policy>::worker me;
        operation map = add_mapping();
        for (int i = 0; i < 40; ++i) {
            CHECK(space.apply(me, map) > 0);
            map.start += 20 * page_size;
        }
        operation touch;
        touch.start = ~address{0};
        CHECK(space.apply(me, touch) == -abi::efault);
        CHECK_FALSE(space.seems_mapped(touch.start));
        map.start = 0;
        CHECK(space.apply(me, map) == 0);
        CHECK(space.seems_mapped(0));
        map.start = ~address{0} - 10;  // a hint that nobody can follow
        map.flags &= ~std::uint32_t{abi::map_fixed};
        CHECK(space.apply(me, map) > 0);
        CHECK(space.broken_invariant() == "");
    }

    TEST_CASE_TEMPLATE("without memory an operation fails whole wherever it asked for it", Policy,
                       ALL_POLICIES) {
        if (!manylock::test::counts_allocations) return;
        operation over = add_mapping();  // fills holes on both sides of what is there
        over.start -= 20 * page_size;
        over.length = 60 * page_size;
        operation anywhere = over;
        anywhere.start = 0;
        anywhere.flags &= ~std::uint32_t{abi::map_fixed};
        operation split = add_stack();
        split.what = call::protect;
        split.length = page_size;
        split.prot = abi::prot_read;
        operation unmap = split;
        unmap.what = call::unmap;
        operation touch;
        touch.start = split.start;
        touch.flags = fault_write;
        for (operation const& op : {over, anywhere, split, unmap, touch}) {
            std::uint64_t failed = 0;
            for (bool done = false; !done; failed += done ? 0U : 1U) {
                basic_address_space<Policy> space{small_globals()};
                typename basic_address_space<Policy>::worker setup;
                operation piece = add_mapping();
                for (int i = 0; i < 5; ++i) {
                    CHECK(space.apply(setup, piece) > 0);
                    piece.start += 20 * page_size;
                }
                auto const before = space.vmas();
                typename basic_address_space<Policy>::worker me;
                manylock::test::fail_allocation(failed + 1);
                try {
                    CHECK(space.apply(me, op) >= 0);
                    done = true;
                } catch (std::bad_alloc const&) {
                    manylock::test::fail_allocation(0);
                    REQUIRE(space.vmas() == before);
                }
                manylock::test::fail_allocation(0);
                REQUIRE(space.broken_invariant() == "");
            }
            CHECK(failed > 3);
        }
    }

    TEST_CASE_TEMPLATE("faults ask for no memory and updates soon for none", Policy, ALL_POLICIES) {
        if (!manylock::test::counts_allocations) return;
        basic_address_space<Policy> space{small_globals()};
        typename basic_address_space<Policy>::worker me;
        operation map = add_mapping();
        operation protect = map;
        protect.what = call::protect;
        protect.length = page_size;
        protect.prot = abi::prot_read;
        operation unmap = map;
        unmap.what = call::unmap;
        operation touch;
        touch.start = map.start;
        auto const round = [&] {
            for (operation const& op : {map, protect, touch, unmap})
                CHECK(space.apply(me, op) >= 0);
        };
        // What is retired comes back a grace period later: enough rounds that some has.
        for (int i = 0; i < 2'000; ++i) round();
        space.apply(me, map);
        auto const before_faults = manylock::test::allocations();
        for (int i = 0; i < 100; ++i) CHECK(space.apply(me, touch) == 0);
        CHECK(manylock::test::allocations() == before_faults);
        auto const before = manylock::test::allocations();
        for (int i = 0; i < 2'000; ++i) round();
        // A region and a batch at a time, where the grace periods fall behind.
        CHECK(manylock::test::allocations() - before < 2'000);
    }

    TEST_CASE_TEMPLATE("a fault on settled memory takes one read lock and no transaction", Policy,
                       ALL_POLICIES) {
        basic_address_space<Policy> space{small_globals()};
        typename basic_address_space<Policy>::worker me;
        space.apply(me, add_stack());
        operation op;
        op.start = base + stack_page * page_size;
        op.flags = fault_write;
        CHECK(space.apply(me, op) == 0);
        CHECK(me.faults.retry == 1);
        auto const before = space.domain().stats()[manylock::counter::commits];
        for (int i = 0; i < 10; ++i) CHECK(space.apply(me, op) == 0);
        CHECK(me.faults.success == 10);
        CHECK(space.domain().stats()[manylock::counter::commits] == before);
    }
}

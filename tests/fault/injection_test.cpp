// Goal:   a restart at any acquire site leaves the right result, the same stamp, and nothing locked in between.
// Method: a site is the k-th acquire of a body under a policy. Each body runs once without injection, which counts its sites, and
//         then once for each site with a restart there. Bodies are the forms of acquire on plain locks, and every operation of the
//         address space, alone and against another that waits; of the latter's acquire calls each line of the source must have
//         been restarted. At random, with decay, threads do it all at once.
#include "injection.hpp"
#include "support.hpp"

#include "naive_comparison.hpp"
#include "small_space.hpp"

#include <manylock/address_space/space.hpp>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>
#include <stop_token>
#include <vector>

namespace {

using namespace fault;
using manylock::counter;

/// Sites of all bodies under all policies.
struct coverage {
    std::uint64_t exist = 0;
    std::uint64_t restarted = 0;
    std::set<std::string> lines;

    void add(injector const& from, bool ok) {
        if (ok) restarted += from.fired();
        lines.insert(from.sites().begin(), from.sites().end());
    }
};

// --- plain locks --------------------------------------------------------------------------------

constexpr std::size_t lock_count = 30;
using numbers = std::vector<std::size_t>;

/// Bodies return the locks that they hold exclusively at their end, or nothing where they restart.
template <class P>
struct plain {
    using domain_type = injected_domain<manylock::domain<P>>;
    using transaction = typename domain_type::transaction;
    using array = std::array<typename domain_type::lock_type, lock_count>;
    using body = numbers (*)(transaction&, array&);

    static numbers descending(transaction& txn, array& locks) {
        for (std::size_t i = 4; i-- > 0;) {
            if (!txn.acquire(locks[i])) return {};
        }
        return {0, 1, 2, 3};
    }
    static numbers upgrade(transaction& txn, array& locks) {
        if (!txn.acquire_shared(locks[2]) || !txn.acquire(locks[1]) || !txn.acquire(locks[2])) {
            return {};
        }
        return {1, 2};
    }
    static numbers limited(transaction& txn, array& locks) {
        std::stop_source stop;
        auto const never = transaction::time_point::max();
        if (!txn.try_acquire(locks[0]) || !txn.acquire_until(locks[1], mode::exclusive, never) ||
            !txn.acquire(locks[2], mode::exclusive, stop.get_token())) {
            return {};
        }
        return {0, 1, 2};
    }
    static numbers ranked(transaction& txn, array& locks) {
        for (std::size_t i = 0; i < 4; ++i) {
            if (!txn.acquire_ranked(locks[i], mode::exclusive, 10 - i)) return {};
        }
        return {0, 1, 2, 3};
    }
    static numbers range(transaction& txn, array& locks) {
        if (!txn.acquire_all(std::span{locks}.first(6))) return {};
        return {0, 1, 2, 3, 4, 5};
    }
    static numbers thrown(transaction& txn, array& locks) {
        txn.lock(locks[7]);
        txn.lock(locks[3], mode::shared);
        txn.lock(locks[5]);
        return {5, 7};
    }
    static numbers found(transaction& txn, array& locks) {
        typename domain_type::read_section section;
        if (!txn.acquire_found(locks[4], mode::exclusive, section, 5)) return {};
        section.enter();
        if (!txn.acquire_found(locks[2], mode::exclusive, section, 3)) return {};
        return {2, 4};
    }
    /// So many that the list of holds grows and has holes.
    static numbers many(transaction& txn, array& locks) {
        numbers all(lock_count);
        std::iota(all.begin(), all.end(), std::size_t{0});
        for (std::size_t i = 0; i < 24; ++i) {
            if (!txn.acquire(locks[i])) return {};
        }
        for (std::size_t i = 9; i < 21; i += 3) txn.release(locks[i]);
        for (std::size_t i = 24; i < lock_count; ++i) {
            if (!txn.acquire(locks[i])) return {};
        }
        for (std::size_t i = 9; i < 21; i += 3) {
            if (!txn.acquire(locks[i])) return {};
        }
        return all;
    }
    static constexpr std::array<body, 8> bodies{&descending, &upgrade, &limited, &ranked,
                                                &range,      &thrown,  &found,   &many};

    /// Runs `b`, restarted at call `k` (0: nowhere). False if anything is wrong.
    static bool run(body b, std::uint64_t k, coverage& sites) {
        domain_type domain;
        array locks;
        std::array<int, lock_count> values{};
        typename domain_type::lock_type contested;
        auto elder = static_cast<manylock::domain<P>&>(domain).begin();
        if constexpr (P::needs.stamps) REQUIRE(elder.acquire(contested));

        if (k != 0) domain.inject.at({k});
        bool free_between = true;
        manylock::stamp first{};
        manylock::stamp last{};
        numbers expected;
        manylock::retry_options const retry{.max_attempts = 3, .on_restart = [&](auto, auto) {
                                                free_between =
                                                    free_between && all_free(domain, locks);
                                            }};
        domain.run(retry, [&](transaction& txn) {
            // The stamp is drawn before the first site, so that there is one to keep.
            if constexpr (P::needs.stamps) {
                (void)txn.without_injection().try_acquire(contested);
            }
            if (txn.attempt() == 1) first = txn.age();
            last = txn.age();
            expected = b(txn, locks);
            for (auto const i : expected)
                values[i] += txn.holds(locks[i], mode::exclusive) ? 1 : 100;
            return 0;
        });
        elder.abandon();

        auto const stats = domain.stats();
        bool ok = free_between && first == last && (!P::needs.stamps || first.drawn());
        ok = ok && stats[counter::commits] == 1 && !expected.empty();
        ok = ok && stats.restarts(restart_reason::injected) == (k != 0 ? 1U : 0U);
        ok = ok && stats.restarts() == stats.restarts(restart_reason::injected);
        for (std::size_t i = 0; i < lock_count; ++i) {
            bool const named = std::find(expected.begin(), expected.end(), i) != expected.end();
            ok = ok && values[i] == (named ? 1 : 0);
        }
        ok = ok && usable(static_cast<manylock::domain<P>&>(domain), locks);
        if (k == 0) {
            sites.exist += domain.inject.calls();
        } else {
            sites.add(domain.inject, ok);
        }
        return ok;
    }
    static void run_all(coverage& sites) {
        for (auto const b : bodies) {
            auto const before = sites.exist;
            CHECK(run(b, 0, sites));
            auto const n = sites.exist - before;
            CHECK(n >= 2);
            for (std::uint64_t k = 1; k <= n; ++k) {
                CAPTURE(k);
                CHECK(run(b, k, sites));
            }
        }
    }
};

// --- the address space --------------------------------------------------------------------------

using namespace manylock::address_space;
using namespace manylock::address_space::small;

constexpr address pages(std::uint64_t n) {
    return n * page_size;
}

operation on(call what, std::uint64_t first, std::uint64_t count) {
    operation op;
    op.what = what;
    op.start = base + pages(first);
    op.length = pages(count);
    return op;
}
operation map(std::uint64_t first, std::uint64_t count, std::uint32_t more = 0) {
    auto op = on(call::map, first, count);
    op.prot = abi::prot_read | abi::prot_write;
    op.flags = abi::map_private | abi::map_anonymous | abi::map_fixed | more;
    return op;
}
operation anywhere(std::uint64_t count) {
    auto op = map(0, count);
    op.start = 0;
    op.flags &= ~std::uint32_t{abi::map_fixed};
    return op;
}

/// Every kind of operation, each so that it has VMAs to lock: some with gaps to fill between them.
std::vector<operation> operations() {
    auto protect = on(call::protect, 11, 12);
    protect.length = pages(2);
    protect.prot = abi::prot_read;
    auto move = on(call::remap, 10, 4);
    move.new_length = pages(8);
    move.new_start = base + pages(36);
    move.flags = abi::mremap_maymove | abi::mremap_fixed;
    auto grow = on(call::remap, 10, 4);
    grow.new_length = pages(7);
    grow.flags = abi::mremap_maymove;
    auto set_break = on(call::set_break, 0, 0);
    set_break.start = small_globals(200, 600).brk + pages(3);
    auto advise = on(call::advise, 21, 2);
    advise.advice = abi::madv_dontfork;
    auto lock_all = operation{};
    lock_all.what = call::lock_all;
    lock_all.flags = 3;
    auto unlock_all = operation{};
    unlock_all.what = call::unlock_all;
    auto name = on(call::set_name, 20, 3);
    name.file.path = 2;
    auto policy = on(call::set_policy, 21, 1);
    policy.flags = 1;
    auto remap_file = on(call::remap_file, 50, 1);
    remap_file.offset = 3;
    auto first_write = on(call::fault, 20, 0);
    first_write.flags = fault_write;
    auto below_stack = on(call::fault, 599, 0);
    below_stack.flags = fault_write;
    return {map(8, 20),
            map(12, 8),
            anywhere(3),
            on(call::unmap, 11, 11),
            protect,
            move,
            grow,
            set_break,
            advise,
            on(call::lock_range, 20, 2),
            on(call::unlock_range, 20, 2),
            lock_all,
            unlock_all,
            on(call::seal, 20, 2),
            name,
            policy,
            remap_file,
            first_write,
            below_stack,
            on(call::grow_stack, 598, 0)};
}

template <class P>
class space_sites {
    using real_domain = manylock::domain<P, manylock::options{}, manylock::platform::native_rcu>;
    using domain_type = injected_domain<real_domain>;
    using space_type = space_on<domain_type>;
    using worker_type = typename space_type::worker;

    static void furnish(space_type& space) {
        worker_type me;
        auto file = map(50, 4);
        file.flags = abi::map_shared | abi::map_fixed;
        file.file.open_file = 1;
        file.file.inode = 7;
        for (auto const& op :
             {map(10, 4), map(20, 4), map(30, 4), file, map(600, 4, abi::map_growsdown)}) {
            REQUIRE(space.apply(me, op) > 0);
        }
    }
    /// A furnished space. One that can be cleared is used again: each end of a space waits for RCU.
    space_type& fresh() {
        if (space_) {
            space_->domain().inject.off();
            worker_type me;
            operation unlock{};
            unlock.what = call::unlock_all;
            auto back = on(call::set_break, 0, 0);
            back.start = small_globals(200, 600).brk;
            for (auto const& op : {unlock, back, on(call::unmap, 0, 700)}) space_->apply(me, op);
            if (!space_->vmas().empty()) space_.reset();  // something was sealed
        }
        if (!space_) space_ = std::make_unique<space_type>(small_globals(200, 600));
        furnish(*space_);
        REQUIRE(space_->broken_invariant().empty());
        return *space_;
    }

    /// What `op` does alone, restarted at call `k`, against what it does without.
    struct outcome_of {
        std::int64_t result = 0;
        std::vector<vma> map;
        friend bool operator==(outcome_of const&, outcome_of const&) = default;
    };
    outcome_of alone(operation const& op, std::uint64_t k, coverage& sites,
                     outcome_of const* expected) {
        space_type& space = fresh();
        auto const before = space.domain().stats();
        worker_type me;
        auto& inject = space.domain().inject;
        if (k != 0) {
            inject.at({k});
        } else {
            inject.off();
        }
        outcome_of now;
        now.result = space.apply(me, op);
        now.map = canonical(space.vmas());
        bool ok = space.broken_invariant(false).empty();
        auto const restarts = space.domain().stats().restarts() - before.restarts();
        ok = ok && restarts == (k != 0 ? 1U : 0U);
        if (expected != nullptr) ok = ok && now == *expected;
        CHECK(ok);
        if (k == 0) {
            sites.exist += inject.calls();
        } else {
            sites.add(inject, ok);
        }
        return now;
    }

    /// While `first` is carried out (everything it needs is locked) another thread begins `second`, which
    /// must wait for it; the restart hits `second`. Returns its calls.
    std::uint64_t behind(operation const& first, operation const& second, std::uint64_t k,
                         coverage& sites) {
        space_type& space = fresh();
        auto const before = space.domain().stats();
        worker_type mine;
        worker_type others;
        actor other;
        answer<std::int64_t> done;
        auto& inject = space.domain().inject;
        auto const waits = [&] { return space.domain().stats()[counter::waits]; };
        auto const waited = waits();
        bool started = false;
        space.apply(mine, first, [&] {
            if (std::exchange(started, true)) return;
            k != 0 ? inject.at({k}) : inject.off();
            done = other.does([&] { return space.apply(others, second); });
            until([&] { return waits() > waited || is_ready(done); });
        });
        REQUIRE(started);
        auto const result = done.get();
        // A hole that the other got is gone.
        bool const none = second.start == 0 && result == -abi::enomem;
        bool ok = (result > 0 || none) && space.broken_invariant().empty();
        auto const injected = space.domain().stats().restarts(restart_reason::injected) -
                              before.restarts(restart_reason::injected);
        ok = ok && injected == (k != 0 ? 1U : 0U);
        CAPTURE(describe(second));
        CAPTURE(result);
        CAPTURE(space.broken_invariant());
        CHECK(ok);
        if (k == 0) {
            sites.exist += inject.calls();
        } else {
            sites.add(inject, ok);
        }
        return inject.calls();
    }

public:
    void run_all(coverage& sites) {
        for (auto const& op : operations()) {
            CAPTURE(describe(op));
            auto const before = sites.exist;
            auto const expected = alone(op, 0, sites, nullptr);
            auto const n = sites.exist - before;
            CHECK(expected.result >= 0);
            CHECK(n > 0);
            for (std::uint64_t k = 1; k <= n; ++k) {
                CAPTURE(k);
                alone(op, k, sites, &expected);
            }
        }
        // The same place; side by side; the only hole.
        for (auto const& [first, second] :
             {std::pair{map(14, 6), map(16, 2)}, std::pair{map(40, 3), map(43, 3)},
              std::pair{map(0, 64), anywhere(64 - 10)}}) {
            auto const n = behind(first, second, 0, sites);
            for (std::uint64_t k = 1; k <= n; ++k) {
                CAPTURE(k);
                behind(first, second, k, sites);
            }
        }
    }

private:
    std::unique_ptr<space_type> space_;
};

/// Dear to compile under a sanitizer, and the policies differ little in what memory they touch: two are enough
/// there.
template <class P>
constexpr bool space_too = !manylock::test::sanitized || P::needs.umbrella ||
                           std::is_same_v<P, manylock::policies::wound_wait>;

/// Lines of the address space's sources that acquire a lock, as injection names them.
std::set<std::string> acquiring_lines() {
    std::set<std::string> lines;
    auto const folder = std::filesystem::path{MANYLOCK_SOURCE_DIR} / "lib/manylock/address_space";
    for (auto const& entry : std::filesystem::directory_iterator{folder}) {
        std::ifstream in{entry.path()};
        std::string text;
        for (int number = 1; std::getline(in, text); ++number) {
            if (text.find("txn_.acquire") == std::string::npos) continue;
            lines.insert(entry.path().filename().string() + ':' + std::to_string(number));
        }
    }
    return lines;
}

}  // namespace

TEST_SUITE_BEGIN("injection");

TEST_CASE("restart sites: every acquire of every body and operation is restarted once") {
    coverage sites;
    for_every_policy([&]<class P>() {
        CAPTURE(std::string{P::name});
        plain<P>::run_all(sites);
        if constexpr (space_too<P>) space_sites<P>{}.run_all(sites);
    });
    std::set<std::string> restarted;
    for (auto const& line : sites.lines) {
        restarted.insert(std::filesystem::path{line}.filename().string());
    }
    auto const lines = acquiring_lines();
    CHECK(lines.size() >= 7);
    for (auto const& line : lines) {
        CAPTURE(line);
        ++sites.exist;
        CHECK(restarted.contains(line));
        if (restarted.contains(line)) ++sites.restarted;
    }
    CHECK(sites.restarted == sites.exist);
    std::printf("restart sites: %llu/%llu\n", static_cast<unsigned long long>(sites.restarted),
                static_cast<unsigned long long>(sites.exist));
}

TEST_CASE_TEMPLATE("decay: threads that are restarted at random all commit", P, EVERY_POLICY) {
    manylock::domain<P> domain;
    std::array<typename manylock::domain<P>::lock_type, 5> locks;
    std::array<int, 5> values{};
    constexpr std::uint64_t threads = 3;
    constexpr int rounds = 60;
    std::array<injector, threads> injectors;
    {
        std::vector<std::jthread> running;
        for (std::uint64_t t = 0; t < threads; ++t) {
            running.emplace_back([&, t] {
                auto& mine = injectors[t];
                mine.decay(t);
                std::mt19937_64 random{t};
                for (int i = 0; i < rounds; ++i) {
                    auto const first = random() % locks.size();
                    mine.transaction_begins();
                    domain.run([&](auto& real) {
                        injected_transaction txn{real, mine};
                        for (std::size_t k = 0; k < 3; ++k) {
                            if (!txn.acquire(locks[(first + 2 * k) % locks.size()])) return;
                        }
                        for (std::size_t k = 0; k < 3; ++k) ++values[(first + 2 * k) % 5];
                    });
                }
            });
        }
    }
    std::uint64_t fired = 0;
    for (auto const& i : injectors) fired += i.fired();
    CHECK(fired > 0);
    CHECK(domain.stats().restarts(restart_reason::injected) == fired);
    CHECK(std::accumulate(values.begin(), values.end(), 0) == 3 * rounds * int{threads});
    CHECK(all_free(domain, locks));
}

TEST_SUITE_END();

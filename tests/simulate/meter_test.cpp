// Goal:   the precaution meter tags each restart as the definition says (docs/glossary.md: cycle, precaution):
//         would waiting instead have closed a cycle at the instant of the decision?
// Method: few transactions in positions worked out by hand, under each policy that restarts; 0 is the eldest. A
//         transaction that is told to restart gives up, so that the others can end.
#include "support.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

namespace manylock::simulate::testing {
namespace {

constexpr std::size_t lock_count = 4;
enum lock_name : std::size_t { a, b, c, d };

struct step {
    ns when;
    lock_name lock;
    mode m = mode::exclusive;
};
using script = std::vector<std::vector<step>>;
constexpr auto shared = mode::shared;

struct outcome {
    std::string tags;  ///< a letter for each transaction: c cycle, p precaution, - did not restart
    std::uint64_t formed = 0;
    std::map<unsigned, std::uint64_t> lengths;
    std::vector<ns> restarted;  ///< when; 0: did not
    std::size_t reads = 0;

    friend bool operator==(outcome const& x, outcome const& y) {
        return x.tags == y.tags && x.formed == y.formed && x.lengths == y.lengths;
    }
    friend std::ostream& operator<<(std::ostream& out, outcome const& o) {
        out << o.tags << ", " << o.formed << " formed";
        for (auto const& [length, n] : o.lengths) out << ", " << n << " of length " << length;
        return out;
    }
};
/// What is expected: cycles of one length.
outcome expect(std::string tags, std::uint64_t formed = 0, unsigned length = 2) {
    outcome o;
    auto const cycles = std::count(tags.begin(), tags.end(), 'c');
    if (cycles > 0) o.lengths[length] = static_cast<std::uint64_t>(cycles);
    o.tags = std::move(tags);
    o.formed = formed;
    return o;
}

/// Each transaction holds what it has got until `end`. `readers`: single-object reads, one each.
template <class Policy>
outcome play(script const& all, std::vector<step> const& readers = {}) {
    constexpr ns end = 1'000'000;
    using domain_type = domain<Policy, options{}, timed>;
    using lock_type = typename domain_type::lock_type;
    using transaction = typename domain_type::transaction;
    auto const size = all.size();
    program p(static_cast<unsigned>(size + readers.size()));
    domain_type d;
    lock_type ages;
    std::array<lock_type, lock_count> locks;
    std::vector<std::unique_ptr<transaction>> txns;
    outcome o;
    o.tags.assign(size, '-');
    o.restarted.assign(size, 0);
    // Before time begins: ages are drawn at a conflict.
    for (std::size_t i = 0; i < size; ++i) {
        txns.push_back(std::make_unique<transaction>(d.begin()));
        auto const s = txns.back()->try_acquire(ages);
        REQUIRE(s == (i == 0 ? status::granted : status::busy));
    }
    txns[0]->release(ages);
    for (std::size_t i = 0; i < size; ++i) {
        p.thread([&, i] {
            auto& txn = *txns[i];
            for (auto const& s : all[i]) {
                p.until(s.when);
                auto const answer = [&] {
                    if constexpr (Policy::needs.rank) {
                        return txn.acquire_ranked(locks[s.lock], s.m, s.lock + 1);
                    } else {
                        return txn.acquire(locks[s.lock], s.m);
                    }
                }();
                if (!answer.is_restart()) continue;
                CHECK(answer.reason() == Policy::reason);
                auto const verdict = p.on().meter().last(txn.number());
                o.tags[i] = verdict == precaution_meter::verdict::cycle ? 'c' : 'p';
                CHECK(verdict != precaution_meter::verdict::none);
                o.restarted[i] = p.on().now();
                return txn.abandon();
            }
            p.until(end);
            txn.commit();
        });
    }
    for (auto const& r : readers) {
        p.thread([&, r] {
            p.until(r.when);
            CHECK(d.read(locks[r.lock], [&] { ++o.reads; }));
        });
    }
    p.run();
    auto const& counts = p.on().meter().so_far();
    o.formed = counts.formed;
    o.lengths = counts.lengths;
    CHECK(counts.cycle ==
          static_cast<std::uint64_t>(std::count(o.tags.begin(), o.tags.end(), 'c')));
    CHECK(counts.precaution ==
          static_cast<std::uint64_t>(std::count(o.tags.begin(), o.tags.end(), 'p')));
    CHECK(o.reads == readers.size());
    return o;
}

using policies::cycle_detection;
using policies::lock_ordering;
using policies::no_wait;
using policies::wait_die;
using policies::wound_wait;

}  // namespace

TEST_SUITE("simulate/meter") {
    TEST_CASE("two transactions that want each other's lock and the elder asks first") {
        script const s{{{0, a}, {10'000, b}}, {{0, b}, {20'000, a}}};
        CHECK(play<cycle_detection>(s) == expect("-c", 1));
        CHECK(play<wait_die>(s) == expect("-c"));
        CHECK(play<wound_wait>(s) ==
              expect("-c"));  // wounded while it ran, refused at its own request
        CHECK(play<lock_ordering>(s) == expect("-c"));
        CHECK(play<no_wait>(s) == expect("p-"));
    }

    TEST_CASE("two transactions that want each other's lock and the younger asks first") {
        script const s{{{0, a}, {20'000, b}}, {{0, b}, {10'000, a}}};
        CHECK(play<cycle_detection>(s) == expect("-c", 1));
        CHECK(play<wait_die>(s) == expect("-p"));       // the elder did not wait yet
        CHECK(play<wound_wait>(s) == expect("-c", 1));  // wounded while it waited
        CHECK(play<lock_ordering>(s) == expect("-p"));
        CHECK(play<no_wait>(s) == expect("-p"));
    }

    TEST_CASE("three in a ring and each asks for the next one's lock") {
        script const s{{{0, a}, {10'000, b}}, {{0, b}, {20'000, c}}, {{0, c}, {30'000, a}}};
        CHECK(play<cycle_detection>(s) == expect("--c", 1, 3));
        CHECK(play<wait_die>(s) == expect("--c", 0, 3));
        // 1, wounded by 0, would have waited for 2, which ran.
        CHECK(play<wound_wait>(s) == expect("-p-"));
        CHECK(play<lock_ordering>(s) == expect("--c", 0, 3));
        CHECK(play<no_wait>(s) == expect("pp-"));
    }

    TEST_CASE("three in a ring and each asks for an elder's lock until the eldest closes it") {
        script const s{{{0, a}, {30'000, c}}, {{0, b}, {20'000, a}}, {{0, c}, {10'000, b}}};
        CHECK(play<cycle_detection>(s) == expect("--c", 1, 3));
        CHECK(play<wait_die>(s) == expect("-pp"));
        CHECK(play<wound_wait>(s) == expect("--c", 1, 3));
        CHECK(play<lock_ordering>(s) == expect("-pp"));
        CHECK(play<no_wait>(s) == expect("-pp"));
    }

    TEST_CASE("wounded while it waits for somebody who runs is a precaution") {
        script const s{{{0, a}, {30'000, b}}, {{0, b}, {20'000, c}}, {{0, c}, {10'000, a}}};
        // 2 waits for 0; 1 wounds it. 0 wounds 1, which needs nothing more.
        CHECK(play<wound_wait>(s) == expect("--p"));
        CHECK(play<cycle_detection>(s) == expect("--c", 1, 3));
    }

    TEST_CASE("a chain is no cycle") {
        script const s{{{0, c}, {20'000, b}}, {{0, b}, {10'000, a}}, {{0, a}}};
        CHECK(play<cycle_detection>(s) == expect("---"));
        CHECK(play<wait_die>(s) == expect("---"));
        CHECK(play<wound_wait>(s) == expect("-p-"));  // wounded by 0 while it waited for 2
        CHECK(play<no_wait>(s) == expect("-p-"));
        CHECK(play<lock_ordering>(s) == expect("-p-"));
    }

    TEST_CASE("one of several readers closes the cycle") {
        script const s{{{0, a, shared}, {10'000, b}}, {{0, b}, {20'000, a}}, {{0, a, shared}}};
        CHECK(play<cycle_detection>(s) == expect("-c-", 1));
        CHECK(play<wait_die>(s) == expect("-c-"));
        CHECK(play<wound_wait>(s) == expect("-c-"));
        CHECK(play<lock_ordering>(s) == expect("-c-"));
        CHECK(play<no_wait>(s) == expect("pp-"));
    }

    TEST_CASE("who reads as well is not waited for") {
        script const s{{{0, a, shared}, {10'000, b}}, {{0, b}, {20'000, a, shared}}};
        for (auto const& o : {play<cycle_detection>(s), play<wait_die>(s), play<wound_wait>(s),
                              play<lock_ordering>(s)}) {
            CHECK(o == expect("--"));
        }
    }

    TEST_CASE("two readers that want to write are a cycle if the first may wait") {
        script const s{{{0, a, shared}, {10'000, a}}, {{0, a, shared}, {20'000, a}}};
        CHECK(play<cycle_detection>(s) == expect("-c", 1));
        CHECK(play<wait_die>(s) == expect("-c"));
        CHECK(play<wound_wait>(s) == expect("-c"));
        CHECK(play<lock_ordering>(s) == expect("p-"));
        CHECK(play<no_wait>(s) == expect("p-"));
    }

    TEST_CASE("the cycle runs through the order of a queue") {
        // 1 wants to write what 0 reads; 2 may not read past it; 0 wants what 2 holds.
        script const s{{{0, a, shared}, {10'000, b}}, {{5'000, a}}, {{0, b}, {20'000, a, shared}}};
        CHECK(play<cycle_detection>(s) == expect("---", 1));  // it lets 2 pass
        CHECK(play<wait_die>(s) == expect("--c", 0, 3));
        CHECK(play<wound_wait>(s) == expect("--c", 0, 3));
        CHECK(play<lock_ordering>(s) == expect("--c", 0, 3));
        CHECK(play<no_wait>(s) == expect("p-p"));
        // The same without 0's second request.
        script const chain{{{0, a, shared}}, {{5'000, a}}, {{0, b}, {20'000, a, shared}}};
        CHECK(play<cycle_detection>(chain) == expect("---"));
        CHECK(play<wait_die>(chain) == expect("--p"));
        CHECK(play<wound_wait>(chain) == expect("---"));
        CHECK(play<lock_ordering>(chain) == expect("--p"));
    }

    TEST_CASE("the order of a queue counts between others than the one that restarts") {
        // 2 may not read past 1, which wants to write what 0 reads; then 0 wants what 2 holds.
        script const s{{{0, b, shared}, {20'000, a}}, {{5'000, b}}, {{0, a}, {10'000, b, shared}}};
        CHECK(play<cycle_detection>(s) == expect("---", 1));
        CHECK(play<wound_wait>(s) == expect("--c", 1, 3));
        CHECK(play<lock_ordering>(s) == expect("c--", 0, 3));
        CHECK(play<wait_die>(s) == expect("--p"));
    }

    TEST_CASE("one wait that closes two cycles forms one cycle and costs two restarts") {
        script const s{
            {{0, b}, {30'000, a}}, {{0, a, shared}, {10'000, b}}, {{0, a, shared}, {20'000, b}}};
        CHECK(play<cycle_detection>(s) == expect("-cc", 1));
        CHECK(play<wound_wait>(s) == expect("-cc", 1));
        CHECK(play<wait_die>(s) == expect("-pp"));
    }

    TEST_CASE("who was chosen as a victim waits no longer") {
        // 0 and 1 read what 2 waits for. 0 asks for b and chooses 2, which takes a while to wake up; meanwhile 1
        // asks for c, which 2 holds as well.
        constexpr ns asks = 105'000;
        script const s{{{0, a, shared}, {100'000, b}},
                       {{0, a, shared}, {asks, c}},
                       {{0, b}, {0, c}, {10'000, a}}};
        auto const o = play<cycle_detection>(s);
        CHECK(o == expect("--c", 1));
        CHECK(o.restarted[2] > asks + 1'000);  // or this test would show nothing
    }

    TEST_CASE("a single-object reader in the queue neither hides a cycle nor makes one") {
        std::vector<step> const readers{{5'000, a}, {6'000, b}};
        script const cycle{{{0, a}, {10'000, b}}, {{0, b}, {20'000, a}}};
        CHECK(play<cycle_detection>(cycle, readers) == expect("-c", 1));
        CHECK(play<wait_die>(cycle, readers) == expect("-c"));
        CHECK(play<wound_wait>(cycle, readers) == expect("-c"));
        CHECK(play<lock_ordering>(cycle, readers) == expect("-c"));
        CHECK(play<no_wait>(cycle, readers) == expect("p-"));
        script const chain{{{0, a}}, {{0, b}, {20'000, a}}};
        CHECK(play<cycle_detection>(chain, readers) == expect("--"));
        CHECK(play<wait_die>(chain, readers) == expect("-p"));
    }

    TEST_CASE("restarts that were asked for carry no tag") {
        program p(1);
        domain<no_wait, options{}, timed> d;
        p.thread([&] {
            auto txn = d.begin();
            CHECK(txn.restart_because(restart_reason::injected).is_restart());
            txn.rollback();
            CHECK(txn.restart_because(restart_reason::stale).is_restart());
            CHECK(p.on().meter().last(txn.number()) == precaution_meter::verdict::none);
        });
        p.run();
        CHECK(p.on().meter().so_far().cycle == 0);
        CHECK(p.on().meter().so_far().precaution == 0);
    }
}

}  // namespace manylock::simulate::testing

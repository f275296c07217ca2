// Goal:   a workload on plain locks tells its stage what it must, and counts what restarts cost.
// Method: one transaction on a stage whose clock moves by script and whose locks another transaction
//         holds at the right moments, so that it restarts three times and every number is known.
//         That a hold yields is seen by counting the calls of sched_yield.
#include "measure.hpp"
#include "provenance.hpp"
#include "workloads/lock_run.hpp"

#include <atomic>
#include <doctest/doctest.h>
#include <functional>
#include <manylock/policies/no_wait.hpp>
#include <map>
#include <optional>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace {
std::atomic<std::uint64_t> yields{0};
}  // namespace

/// Instead of the C library's: what std::this_thread::yield() calls.
extern "C" int sched_yield() noexcept {
    yields.fetch_add(1, std::memory_order_relaxed);  // relaxed: a count
    return static_cast<int>(::syscall(SYS_sched_yield));
}

namespace manylock::stress {
namespace {

/// One row at a time.
struct scripted_stage {
    template <class Policy>
    using domain = manylock::domain<Policy>;
    using domain_type = domain<policies::no_wait>;

    /// Only what was used exists.
    template <class Object>
    class objects {
    public:
        explicit objects(std::uint64_t) {
            lock_at = [this](std::uint64_t i) -> domain_type::lock_type& { return all_[i].lock; };
        }
        Object& operator[](std::size_t index) { return all_[index]; }
        template <class F>
        void for_each(F f) const {
            for (auto const& [index, one] : all_) f(one);
        }

    private:
        std::map<std::size_t, Object> all_;
    };

    template <class Transaction, class Lock>
    static acquire_result acquire(Transaction& txn, Lock& lock, mode m, std::uint64_t) {
        auto const answer = txn.acquire(lock, m);
        if (!answer) clock += 100;
        return answer;
    }

    struct time_point {
        std::uint64_t ns = 0;
    };
    static time_point now() { return {clock}; }
    static std::uint64_t nanoseconds_since(time_point start) { return clock - start.ns; }
    static void work_for(std::uint64_t ns, bool) { clock += ns; }
    static void sleep_for(std::uint64_t ns) { clock += ns; }  // lint: allow(sleep) virtual
    static void begin_thread(row_request const&, std::uint64_t) {}
    static void think(own_work what, std::uint64_t times) { thought[what] += times; }

    /// Runs one transaction of one thread.
    class crew {
    public:
        class member {
        public:
            std::uint64_t index() const { return 0; }
            bool next() { return left_-- > 0; }
            /// Time passes in front of each attempt; the first begins with its transaction.
            bool stopping() const {
                clock += 1000;
                return ends_at_attempt != 0 && ++attempts_ == ends_at_attempt;
            }
            void committed(time_point start) { seen.committed(nanoseconds_since(start)); }
            void restarted(lost_attempt const& one) { seen.restarted(one); }
            measurement seen;

        private:
            int left_ = 1;
            mutable unsigned attempts_ = 0;
        };
        explicit crew(row_request const&) {}
        double run(std::function<void(member&)> const& work,
                   std::function<void(bool)> const& measured) {
            measured(true);
            other.emplace(running->begin());
            static_cast<void>(other->acquire(lock_at(1)));
            work(me_);
            if (other) other->commit();
            other.reset();
            measured(false);
            return 1;
        }
        measurement total() const { return me_.seen; }

    private:
        member me_;
    };

    static constexpr bool tags_restarts = true;
    /// The other transaction moves on to the next lock, or ends.
    static restart_tag restarted(domain_type& where, domain_type::transaction const& txn,
                                 domain_type::lock_type const& lock, mode m) {
        CHECK(&where == running);
        CHECK(&lock == &lock_at(held_by_other));
        CHECK(m == mode::exclusive);
        held_at_restart.push_back(txn.held());
        other->commit();
        other.reset();
        if (++held_by_other <= 3) {
            other.emplace(where.begin());
            static_cast<void>(other->acquire(lock_at(held_by_other)));
        }
        return held_at_restart.size() == 1 ? restart_tag::cycle : restart_tag::precaution;
    }

    struct domain_entry {
        explicit domain_entry(domain_type& d) { running = &d; }
    };

    static void reset() {
        clock = 0;
        thought.clear();
        held_at_restart.clear();
        held_by_other = 1;
        ends_at_attempt = 0;
    }
    static inline std::uint64_t clock;
    static inline std::map<own_work, std::uint64_t> thought;
    static inline std::vector<std::size_t> held_at_restart;
    static inline std::uint64_t held_by_other;
    static inline unsigned ends_at_attempt;
    static inline domain_type* running;
    static inline std::function<domain_type::lock_type&(std::uint64_t)> lock_at;
    static inline std::optional<domain_type::transaction> other;
};

/// Locks 0 to 3 in this order.
row_request four_locks() {
    row_request request;
    request.what = *find_workload("uniform");
    request.what.locks = 4;
    request.what.locks_per_transaction = 4;
    request.what.read_percent = 0;
    request.what.hold_ns = 0;
    request.what.sequence = order::ascending;
    request.check = true;
    return request;
}

}  // namespace

TEST_SUITE("stress/stage") {
    TEST_CASE("a hold of no length that yields yields once for each lock") {
        constexpr std::uint64_t commits = 200;
        constexpr std::uint64_t locks = 4;
        run_options run;
        run.workloads = {*find_workload("disjoint")};  // nobody waits, so nobody else yields
        auto& w = run.workloads.front();
        w.threads = {usable_cores() + 1};
        w.locks = locks * w.threads.front();
        w.locks_per_transaction = locks;
        w.hold_ns = 0;
        run.policies = {"no_wait"};
        run.commits = commits;
        run.rounds = 1;
        progress quiet(1, false);
        for (bool const asked : {false, true}) {
            CAPTURE(asked);
            w.hold_yields = asked;
            yields.store(0, std::memory_order_relaxed);  // relaxed: the workers are yet to start
            auto const rows = measure(run, quiet);
            // relaxed: the workers have been joined
            CHECK((yields.load(std::memory_order_relaxed) >= commits * locks) == asked);
            CHECK(rows.front().hold == (asked ? "yields" : ""));
        }
    }

    TEST_CASE("restarts are tagged and what their attempts had cost is counted") {
        scripted_stage::reset();
        auto const row = lock_run<scripted_stage, policies::no_wait>(four_locks()).run();
        auto const& m = row.measured;
        CHECK(m.commits == 1);
        CHECK(m.restarts[static_cast<std::size_t>(restart_reason::conflict)] == 3);
        // Restarted at lock 1 holding lock 0; then at lock 2 holding 0 and 1; then at lock 3.
        CHECK(scripted_stage::held_at_restart == std::vector<std::size_t>{1, 2, 3});
        CHECK(m.wasted_locks == 6);
        // What passes between attempts is not theirs, but is the transaction's.
        CHECK(m.wasted_ns == (1000 + 100) + 100 + 100);
        CHECK(m.latency.max() == 4 * 1000 + 3 * 100);
        CHECK(m.tagged);
        CHECK(m.tags.cycle == 1);
        CHECK(m.tags.precaution == 2);
        CHECK(row.faults.empty());
        CHECK(scripted_stage::thought[own_work::transaction] == 1);
        CHECK(scripted_stage::thought[own_work::request] == 4);
    }

    TEST_CASE("a transaction whose thread must stop begins no further attempt") {
        scripted_stage::reset();
        scripted_stage::ends_at_attempt = 2;
        auto const row = lock_run<scripted_stage, policies::no_wait>(four_locks()).run();
        CHECK(row.measured.commits == 0);
        // Whoever never commits has restarted all the same.
        CHECK(row.measured.restarts[static_cast<std::size_t>(restart_reason::conflict)] == 1);
        CHECK(row.measured.restarts_max_of_one_transaction == 1);
        CHECK(scripted_stage::held_at_restart.size() == 1);
        CHECK(row.faults.empty());
    }
}

}  // namespace manylock::stress

// Where the workloads run: a stage gives them threads, time, locks and memory, so that one source of each
// workload runs on this machine and on a virtual one. A stage is a type with the members of native_stage,
// all static; a thread of a stage is whatever its crew, or start_thread, runs work on.
//
//   locks      domain<Policy>, address_space<Policy>: what transactions run on
//   memory     objects<Object>: a table by index, of which only what was used need exist; acquire(txn, lock,
//              mode, index): of a lock in such a table, whose rank is its index
//   time       time_point, now(), nanoseconds_since(t), work_for, sleep_for, and think: what the stress
//              program's own work takes. A virtual clock moves only by what it is told
//   the crew   crew(row_request), run(work, measured), total(); member: index, measuring, next, committed,
//              stopping. It decides which transaction is the last
//   threads    run_alone; thread, start_thread, join; atomic<T>, wait_while, wake_all; mutex; counter: of
//              these traced_crew and run_side_by_side are made
//              begin_thread(request, index): one of the crew is about to begin
//   the end    stopping(): a signal asks for the end of all
//   watching   domain_entry, worker_entry: what a watchdog sees
//   restarts   tags_restarts, restarted, restart_tags_of: which restarts a cycle made necessary, for
//              stages that know the wait-for graph
#pragma once

#include "../interrupt.hpp"
#include "crew.hpp"
#include "traced_crew.hpp"
#include "watched.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <manylock/address_space/space.hpp>
#include <manylock/domain.hpp>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace manylock::stress {

/// The stress program's own work, which a virtual clock does not see by itself.
enum class own_work : std::uint8_t {
    transaction,  ///< begin, end and bookkeeping of one transaction
    request,      ///< drawing one lock of a transaction
    operation     ///< what one operation on an address space computes
};

/// The machine that the program runs on. Costs nothing: all of it is inlined.
struct native_stage {
    template <class Policy>
    using domain = manylock::domain<Policy>;
    template <class Policy>
    using address_space = manylock::address_space::basic_address_space<Policy>;

    /// Lock `index` of a table.
    template <class Transaction, class Lock>
    static acquire_result acquire(Transaction& txn, Lock& lock, mode m, std::uint64_t index) {
        (void)index;  // the table is an array: its addresses rank its locks
        return txn.acquire(lock, m);
    }

    /// Objects 0 to n - 1, made by their default constructors.
    template <class Object>
    class objects {
    public:
        explicit objects(std::uint64_t n) : all_(n) {}
        [[nodiscard]] Object& operator[](std::size_t index) noexcept { return all_[index]; }
        /// Of those that exist, in the order of their indices. Requires: nobody is at work.
        template <class F>
        void for_each(F f) const {
            for (auto const& one : all_) f(one);
        }

    private:
        std::vector<Object> all_;
    };

    using time_point = measuring_clock::time_point;
    [[nodiscard]] static time_point now() noexcept { return measuring_clock::now(); }
    [[nodiscard]] static std::uint64_t nanoseconds_since(time_point start) noexcept {
        return stress::nanoseconds_since(start);
    }
    /// Busy work of that length. `yields`: offers the processor to others meanwhile, so that more
    /// threads than cores hold their locks at the same time, as they would on cores of their own.
    static void work_for(std::uint64_t ns, bool yields) noexcept {
        if (ns == 0 && !yields) return;
        auto const start = now();
        do {
            if (yields) std::this_thread::yield();
        } while (nanoseconds_since(start) < ns);
    }
    static void sleep_for(std::uint64_t ns) {
        std::this_thread::sleep_for(std::chrono::nanoseconds(ns));
    }
    /// `times` of that work have been done, or are about to be: here they take the time they take. May be
    /// called where no thread of the stage runs.
    static void think(own_work what, std::uint64_t times) noexcept { (void)what, (void)times; }

    using crew = stress::crew;

    /// Runs `work` on one thread of the stage, nobody else being there. Returns the seconds it took.
    template <class Work>
    static double run_alone(Work&& work) {
        auto const start = now();
        work();
        return static_cast<double>(nanoseconds_since(start)) * 1e-9;
    }

    using thread = std::thread;
    /// Throws std::runtime_error if there can be no more of them.
    [[nodiscard]] static thread start_thread(std::function<void()> body);
    template <class T>
    using atomic = std::atomic<T>;
    /// Returns once `word` is not `value`; acquire. May be called by the thread that started those of the
    /// stage too.
    template <class T>
    static void wait_while(atomic<T> const& word, std::type_identity_t<T> value) noexcept {
        word.wait(value, std::memory_order_acquire);  // acquire; pairs with the caller's stores
    }
    /// To be called after each store that may end somebody's wait.
    template <class T>
    static void wake_all(atomic<T>& word) noexcept {
        word.notify_all();
    }
    using mutex = std::mutex;
    /// Draws 0, 1, 2 and so on, each once.
    class counter {
    public:
        std::uint64_t next() noexcept {
            return value_.fetch_add(1, std::memory_order_relaxed);  // relaxed: only unique
        }

    private:
        std::atomic<std::uint64_t> value_{0};
    };

    [[nodiscard]] static bool stopping() noexcept {
        return interrupt_requested.load(std::memory_order_relaxed);  // relaxed: a flag
    }

    /// A thread of the crew begins its work on a row.
    static void begin_thread(row_request const& request, std::uint64_t index) noexcept {
        (void)request, (void)index;
    }

    /// Whether the two below know anything.
    static constexpr bool tags_restarts = false;
    /// `txn` has just been told to restart instead of getting `lock` in mode `m`; it holds still what it
    /// held.
    template <class Domain, class Transaction, class Lock>
    [[nodiscard]] static restart_tag restarted(Domain& domain, Transaction const& txn,
                                               Lock const& lock, mode m) noexcept {
        (void)domain, (void)txn, (void)lock, (void)m;
        return restart_tag::none;
    }
    /// All restarts of the domain so far: for those whose transactions others retry.
    template <class Domain>
    [[nodiscard]] static restart_tags restart_tags_of(Domain const& domain) noexcept {
        (void)domain;
        return {};
    }

    using domain_entry = stress::domain_entry;
    using worker_entry = stress::worker_entry;
};

// Compiled once, not for each policy.
extern template class traced_crew<native_stage>;
extern template double run_side_by_side<native_stage>(std::uint64_t,
                                                      std::function<void(std::uint64_t)> const&);

}  // namespace manylock::stress

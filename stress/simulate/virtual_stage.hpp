// The virtual machine as a stage of workloads (workloads/stage.hpp): the same workloads, in virtual time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <type_traits>
#include <vector>

#include <manylock/address_space/space.hpp>
#include <manylock/domain.hpp>

#include "../workloads/stage.hpp"
#include "timed.hpp"
#include "virtual_crew.hpp"

namespace manylock::simulate {

/// One row's machine, and what the row is told of it. One at a time on a thread.
class scene {
public:
    scene(stress::machine_shape shape, costs const& cost, std::atomic<std::uint64_t>* commits)
        : machine_(static_cast<unsigned>(shape.cores), cost),
          commits_(commits),
          before_(of_thread_) {
        of_thread_ = this;
        timed::begin_run();
    }
    ~scene() { of_thread_ = before_; }
    scene(scene const&) = delete;
    scene& operator=(scene const&) = delete;

    [[nodiscard]] static scene& of_thread() noexcept { return *of_thread_; }

    /// Runs `body` on the machine's first thread, and all threads that it starts, to their end. What it
    /// returns comes back with what the machine saw while it was measured.
    template <class Body>
    stress::row_outcome play(Body body) {
        stress::row_outcome row;
        machine_.spawn([&] { row = body(); });
        machine_.run();
        stress::simulated_facts facts;
        auto const& all = machine_.meter().so_far();
        auto const& end = end_ ? *end_ : all;
        facts.cycles_formed = end.formed - begin_.formed;
        if (told_of_restarts_) facts.cycle_lengths = lengths_;
        for (auto const& [length, n] : end.lengths) {
            if (told_of_restarts_) break;
            auto const at = begin_.lengths.find(length);
            auto const during = n - (at != begin_.lengths.end() ? at->second : 0);
            if (during > 0) facts.cycle_lengths.emplace(length, during);
        }
        facts.events = machine_.events();
        facts.switches = machine_.switches();
        row.simulated = std::move(facts);
        return row;
    }
    /// The measured part begins, or ends. Neither: all is.
    void mark(bool begins) {
        measuring_ = begins;
        if (begins) {
            begin_ = machine_.meter().so_far();
        } else {
            end_ = machine_.meter().so_far();
        }
    }
    /// A transaction restarts for a cycle of so many; 0: for none. Seen by the driver, where restarts are counted,
    /// so that lengths add up to them.
    void restarted(unsigned length) {
        told_of_restarts_ = true;
        if (length > 0 && measuring_) ++lengths_[length];
    }
    void count_commit() noexcept {
        if (commits_ != nullptr)
            commits_->fetch_add(1, std::memory_order_relaxed);  // relaxed: a progress bar
    }

private:
    machine machine_;
    std::atomic<std::uint64_t>* commits_;
    scene* before_;
    precaution_meter::counts begin_;
    std::optional<precaution_meter::counts> end_;
    bool measuring_ = false;
    bool told_of_restarts_ = false;  ///< an address space restarts its transactions itself, unseen
    std::map<unsigned, std::uint64_t> lengths_;
    inline static thread_local scene* of_thread_ = nullptr;
};

struct virtual_stage {
    template <class Policy>
    using domain = manylock::domain<Policy, options{}, timed>;
    template <class Policy>
    using address_space =
        manylock::address_space::basic_address_space<Policy, options{}, timed_rcu>;

    template <class Config, class Lock>
    static acquire_result acquire(basic_transaction<Config>& txn, Lock& lock, mode m,
                                  std::uint64_t index) {
        // No result may depend on an address, which is the rank of a lock that has no other.
        if constexpr (Config::needs.rank) return txn.acquire_ranked(lock, m, index + 1);
        return txn.acquire(lock, m);
    }

    /// Only those that were used exist: a row of a hundred million locks touches a million.
    template <class Object>
    class objects {
    public:
        explicit objects(std::uint64_t) : slots_(std::size_t{1} << 10U) {}
        [[nodiscard]] Object& operator[](std::size_t index) {
            auto const mask = slots_.size() - 1;
            auto i = spread(index) & mask;
            for (; slots_[i].object != nullptr; i = (i + 1) & mask) {
                if (slots_[i].index == index) return *slots_[i].object;
            }
            slots_[i] = {index, &all_.emplace_back()};
            auto& made = *slots_[i].object;
            if (all_.size() * 2 > slots_.size()) grow();
            return made;
        }
        template <class F>
        void for_each(F f) const {
            for (auto const& one : all_) f(one);
        }

    private:
        struct slot {
            std::size_t index = 0;
            Object* object = nullptr;
        };
        [[nodiscard]] static std::size_t spread(std::size_t index) noexcept {
            return (index * 0x9e3779b97f4a7c15U) >> 20U;  // Fibonacci hashing; any 44 bits will do
        }
        void grow() {
            std::vector<slot> old(slots_.size() * 2);
            old.swap(slots_);
            auto const mask = slots_.size() - 1;
            for (auto const& s : old) {
                if (s.object == nullptr) continue;
                auto i = spread(s.index) & mask;
                while (slots_[i].object != nullptr) i = (i + 1) & mask;
                slots_[i] = s;
            }
        }
        std::vector<slot> slots_;
        std::deque<Object> all_;
    };

    using time_point = timed::time_point;
    [[nodiscard]] static time_point now() noexcept { return timed::now(); }
    [[nodiscard]] static std::uint64_t nanoseconds_since(time_point start) noexcept {
        return timed::ns_between(start, now());
    }
    static void work_for(std::uint64_t ns, bool yields) {
        auto* const m = machine::current();
        if (m == nullptr || (ns == 0 && !yields)) return;
        // As natively: the clock is read until it says that the time has passed.
        m->compute(m->cost().clock);
        auto const start = m->now();
        if (yields) {
            do {
                m->yield();
                m->compute(m->cost().clock);
            } while (m->now() - start < ns);
        } else {
            auto const look = std::max<std::uint64_t>(m->cost().clock, 1);
            m->compute_until(start + (ns + look - 1) / look * look);
        }
    }
    static void sleep_for(std::uint64_t ns) {
        auto* const m = machine::current();
        m->in_order();
        m->sleep_until(m->now() + ns);
    }
    static void think(stress::own_work what, std::uint64_t times) {
        auto* const m = machine::current();
        if (m == nullptr) return;
        auto const& cost = m->cost();
        switch (what) {
            case stress::own_work::transaction: return m->compute(cost.transaction * times);
            case stress::own_work::request: return m->compute(cost.request * times);
            case stress::own_work::operation: return m->compute(cost.operation * times);
        }
    }

    using crew = virtual_crew;

    template <class Work>
    static double run_alone(Work&& work) {
        auto const start = machine::current()->now();
        work();
        return static_cast<double>(machine::current()->now() - start) * 1e-9;
    }

    class thread {
    public:
        thread() = default;
        explicit thread(unsigned number) : number_(number) {}
        void join() { machine::current()->join(number_); }

    private:
        unsigned number_ = 0;
    };
    [[nodiscard]] static thread start_thread(std::function<void()> body) {
        auto& here = *machine::current();
        here.in_order();
        return thread(here.spawn(std::move(body)));
    }
    /// In the order of all things, but it takes no time: what the stress program keeps its threads together by
    /// is not what is measured.
    template <class T>
    class atomic {
    public:
        atomic() = default;
        atomic(T value) : value_(value) {}
        atomic(atomic const&) = delete;
        atomic& operator=(atomic const&) = delete;
        [[nodiscard]] T load(std::memory_order) const {
            wait_for_order();
            return value_;
        }
        void store(T value, std::memory_order) {
            wait_for_order();
            value_ = value;
        }
        T fetch_add(T n, std::memory_order) {
            wait_for_order();
            return std::exchange(value_, static_cast<T>(value_ + n));
        }
        T fetch_sub(T n, std::memory_order) {
            wait_for_order();
            return std::exchange(value_, static_cast<T>(value_ - n));
        }

    private:
        static void wait_for_order() {
            if (auto* const m = machine::current()) m->in_order();
        }
        T value_{};
    };
    template <class T>
    static void wait_while(atomic<T> const& word, std::type_identity_t<T> value) {
        while (word.load(std::memory_order_acquire) == value)
            machine::current()->block(&word, nullptr);
    }
    template <class T>
    static void wake_all(atomic<T>& word) {
        machine::current()->in_order();
        while (machine::current()->wake_one(&word)) {
        }
    }
    using mutex = timed::mutex;
    class counter {
    public:
        std::uint64_t next() noexcept { return value_++; }

    private:
        std::uint64_t value_ = 0;
    };

    [[nodiscard]] static bool stopping() noexcept {
        return stress::interrupt_requested.load(std::memory_order_relaxed);  // relaxed: a flag
    }

    static void begin_thread(stress::row_request const&, std::uint64_t) noexcept {}

    static constexpr bool tags_restarts = true;
    template <class Domain, class Transaction, class Lock>
    [[nodiscard]] static stress::restart_tag restarted(Domain&, Transaction const& txn, Lock const&,
                                                       mode) noexcept {
        auto const& meter = machine::active()->meter();
        scene::of_thread().restarted(meter.last_length(txn.number()));
        switch (meter.last(txn.number())) {
            case precaution_meter::verdict::cycle: return stress::restart_tag::cycle;
            case precaution_meter::verdict::precaution: return stress::restart_tag::precaution;
            case precaution_meter::verdict::none: break;
        }
        return stress::restart_tag::none;
    }
    template <class Domain>
    [[nodiscard]] static stress::restart_tags restart_tags_of(Domain const&) noexcept {
        auto const& all = machine::active()->meter().so_far();
        return {all.cycle, all.precaution};
    }

    /// Nothing watches virtual threads: a machine that stands still says so itself.
    struct domain_entry {
        template <class Domain>
        explicit domain_entry(Domain&) noexcept {}
    };
    struct worker_entry {
        worker_entry(char const*, std::uint64_t) noexcept {}
        void step() noexcept {}
    };
};

}  // namespace manylock::simulate

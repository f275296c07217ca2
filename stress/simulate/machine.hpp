// The virtual machine: cores that run threads on fibers in virtual time, each at its own pace. A thread runs
// ahead of the others until it does something whose place in the order of all things matters: it goes on
// only when no other core is behind that instant. So the outcome is that of one global order, the same in
// every run, while most operations cost no switch.
//
//   An access to a line that the core has takes effect at once, up to `lookahead` ahead of the others: nobody
//   can have taken the line away before, since a transfer takes that long. Any other access asks for the line
//   in order, takes effect when the line has arrived, in order again, and transfers of one line queue. A store
//   does not wait for its line: it takes effect when it is asked for, and the thread pays at its next fence.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <queue>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cache.hpp"
#include "costs.hpp"
#include "fiber.hpp"
#include "meter.hpp"

namespace manylock::simulate {

/// Nobody can go on: a deadlock, or a wake-up that was lost.
class stood_still : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class machine {
public:
    /// cores: 1 to 4,096.
    machine(unsigned cores, costs const& cost);
    ~machine();
    machine(machine const&) = delete;
    machine& operator=(machine const&) = delete;

    /// A thread that begins now, on the core `number % cores`. On a fiber or outside of run(). Returns its
    /// number. An exception that leaves `body` ends run().
    unsigned spawn(std::function<void()> body);
    /// Until all threads have ended. Throws stood_still, or what left a thread's body; then the fibers that
    /// have not ended are left behind.
    void run();

    [[nodiscard]] costs const& cost() const noexcept { return cost_; }
    [[nodiscard]] unsigned core_count() const noexcept {
        return static_cast<unsigned>(cores_.size());
    }
    /// Virtual nanoseconds: of the running thread's core, or when the last event was.
    [[nodiscard]] std::uint64_t now() const noexcept { return current_core().time; }
    /// Number of the running thread.
    [[nodiscard]] unsigned running() const noexcept { return running_; }
    /// Accesses and the like so far, and switches between fibers: what the simulation itself costs.
    [[nodiscard]] std::uint64_t events() const noexcept { return events_; }
    [[nodiscard]] std::uint64_t switches() const noexcept { return switches_; }

    /// The machine that the calling fiber runs on; null outside of all fibers and while one looks on.
    [[nodiscard]] static machine* current() noexcept { return current_; }
    /// The machine whose run is under way on this thread, also for those who look on.
    [[nodiscard]] static machine* active() noexcept { return active_; }
    /// While one exists, nothing costs time and nobody else runs.
    class quiet {
    public:
        quiet() noexcept : machine_{std::exchange(current_, nullptr)} {}
        ~quiet() { current_ = machine_; }
        quiet(quiet const&) = delete;
        quiet& operator=(quiet const&) = delete;

    private:
        machine* machine_;
    };

    // --- called on a fiber --------------------------------------------------------------------------
    void touch(void const* where, access how) {
        ++events_;
        auto& c = current_core();
        c.time += cost_.instructions;
        if (how == access::update) drain_stores();
        auto const& line = cache_.line(where);
        if (c.time <= ahead_ && c.time < c.slice_end && line.under_way == 0 &&
            cache_.has(line, on_core_, how)) [[likely]] {
            c.time += how == access::update ? cost_.atomic_hit : cost_.hit;
            return;
        }
        fetch(where, how);
    }
    void fence() {
        drain_stores();
        compute(cost_.fence);
    }
    void forget(void const* where) noexcept { cache_.forget(where); }
    /// Computes for so long; may lose the core to another thread meanwhile, which then counts as well.
    void compute(std::uint64_t ns);
    /// The same, but until an instant: what others compute on the core meanwhile counts too.
    void compute_until(std::uint64_t when);
    /// Returns when nobody else is behind: what all others did until now has happened.
    void in_order();
    /// The core goes to the next thread that waits for it, if there is one.
    void yield();
    /// Until woken, or until `deadline` (absolute) if there is one. Goes to sleep at this very instant.
    void block(void const* address, std::uint64_t const* deadline);
    /// Wakes the one that has slept longest on `address`; false if nobody does. Costs nothing by itself.
    bool wake_one(void const* address);
    void sleep_until(std::uint64_t when) { block(nullptr, &when); }
    /// Until that thread has ended.
    void join(unsigned thread);

    /// Which restarts were needed, of the one domain that runs on this machine.
    [[nodiscard]] precaution_meter& meter() noexcept { return meter_; }

    /// Kept for a thread by whoever runs on it, by key; null at first.
    [[nodiscard]] void*& slot(std::uint64_t key);

private:
    static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();
    static constexpr unsigned none = ~0U;

    struct thread_state {
        std::unique_ptr<fiber> runs;
        unsigned core = 0;
        bool blocked = false;
        bool ended = false;
        void const* address = nullptr;
        std::uint64_t nap = 0;  ///< counts its blocks: an old timer has no effect
        std::uint64_t ready_at = 0;
        std::vector<std::pair<std::uint64_t, void*>> slots;
    };
    struct core_state {
        std::uint64_t time = 0;
        std::uint64_t slice_end = never;  ///< never, while nobody waits for the core
        std::uint64_t stores_done =
            0;  ///< when the lines have arrived that its stores have asked for
        unsigned runs = none;
        std::deque<unsigned> waiting;
    };
    struct timer {
        std::uint64_t when;
        std::uint64_t number;  ///< in the order in which they were set
        unsigned thread;
        std::uint64_t nap;
        bool operator>(timer const& o) const noexcept {
            return when != o.when ? when > o.when : number > o.number;
        }
    };

    [[nodiscard]] core_state& current_core() noexcept { return cores_[on_core_]; }
    [[nodiscard]] core_state const& current_core() const noexcept { return cores_[on_core_]; }
    [[nodiscard]] bool first() const noexcept { return cores_[on_core_].time <= horizon_; }
    void fetch(void const* where, access how);
    /// A read-modify-write, like a fence, waits for the stores before it.
    void drain_stores() noexcept {
        auto& c = current_core();
        if (c.time < c.stores_done) c.time = c.stores_done;
    }
    void set_horizon(std::uint64_t when) noexcept {
        horizon_ = when;
        ahead_ = when < never - lookahead_ ? when + lookahead_ : never;
    }
    void go_on();
    void set_key(unsigned core, std::uint64_t key) noexcept;
    [[nodiscard]] std::uint64_t others_than(unsigned core) const noexcept;
    void give_up_slice();
    void let_next_run(unsigned core);
    void make_ready(unsigned thread, std::uint64_t at);
    void fire_timers();
    bool pick();
    void leave_to_picked(unsigned me);
    unsigned idle_core(unsigned preferred) const noexcept;
    [[nodiscard]] std::string standstill() const;

    costs cost_;
    std::uint64_t lookahead_;
    cache cache_;
    precaution_meter meter_;
    std::vector<core_state> cores_;
    std::vector<std::unique_ptr<thread_state>> threads_;
    /// A tournament: tree_[1] is the core that is first, tree_[i] the winner below i.
    struct contestant {
        std::uint64_t key = never;  ///< when its thread goes on; never, if it has none
        unsigned core = 0;
    };
    std::vector<contestant> tree_;
    std::size_t leaves_;
    std::vector<std::uint64_t> idle_;  ///< a bit a core
    std::priority_queue<timer, std::vector<timer>, std::greater<>> timers_;
    std::uint64_t timers_set_ = 0;
    std::unordered_map<void const*, std::deque<unsigned>> sleepers_;
    std::size_t queued_ = 0;  ///< ready threads that have no core
    std::size_t alive_ = 0;
    std::uint64_t horizon_ = 0;  ///< nobody else does anything before this
    std::uint64_t ahead_ = 0;    ///< and nobody has taken a line away before this
    std::uint64_t events_ = 0;
    std::uint64_t switches_ = 0;
    unsigned on_core_ = 0;
    unsigned running_ = none;
    bool on_fiber_ = false;
    std::exception_ptr error_;

    inline static thread_local machine* current_ = nullptr;
    inline static thread_local machine* active_ = nullptr;
};

}  // namespace manylock::simulate

// One run of some threads on fibers, one step at a time: a step is what lies between two scheduling points
// (an atomic operation, a park, a yield), and a chooser says who takes the next. Nothing else decides, so
// the same choices give the same run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fiber.hpp"
#include "schedule.hpp"

namespace manylock::simulate {

enum class outcome : std::uint8_t {
    finished,
    deadlock,     ///< all threads wait, some of them for each other
    lost_wakeup,  ///< all threads wait, and nobody for each other: a wake-up is missing
    livelock,     ///< steps without end, none of which commits
    broken        ///< an invariant does not hold
};
[[nodiscard]] char const* name(outcome o) noexcept;

/// What is run. All members are called by the world; those but `thread` outside of all fibers or between
/// two steps, where nothing else moves.
class scenario {
public:
    virtual ~scenario() = default;
    [[nodiscard]] virtual unsigned threads() const = 0;
    virtual void thread(unsigned number) = 0;
    /// After each step. Calls world::fail if an invariant does not hold.
    virtual void after_step() {}
    /// After all threads have ended.
    virtual void at_end() {}
    /// Nobody can go on: do some wait for each other?
    [[nodiscard]] virtual bool waits_in_circle() const = 0;
    /// Each thread's held and wanted locks, a line a thread.
    [[nodiscard]] virtual std::string describe() const = 0;
};

class world {
public:
    struct limits {
        std::uint64_t steps_without_progress = 20'000;
    };
    explicit world(limits l) noexcept : limits_{l} {}
    world(world const&) = delete;
    world& operator=(world const&) = delete;

    /// Runs all threads of `what` as `chooser` says. Call once.
    outcome run(scenario& what, chooser& who);
    [[nodiscard]] schedule const& taken() const noexcept { return taken_; }
    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
    /// What is wrong, if the run did not finish.
    [[nodiscard]] std::string const& complaint() const noexcept { return complaint_; }

    /// The world that the calling fiber runs in; null outside of all fibers and in a quiet section.
    [[nodiscard]] static world* current() noexcept { return current_; }
    /// The world whose run is under way on this thread.
    [[nodiscard]] static world& active() noexcept { return *active_; }
    /// While one exists, operations are no scheduling points: for those who look on.
    class quiet {
    public:
        quiet() noexcept : world_{std::exchange(current_, nullptr)} {}
        ~quiet() { current_ = world_; }
        quiet(quiet const&) = delete;
        quiet& operator=(quiet const&) = delete;

    private:
        world* world_;
    };

    // --- called on a fiber --------------------------------------------------------------------------
    void step();
    /// A step after which the others come first.
    void give_way();
    /// Until woken by wake_one(address), or picked after `deadline` (if there is one).
    void block(void const* address, std::uint64_t const* deadline);
    void wake_one(void const* address) noexcept;
    /// Something was achieved: no livelock.
    void progress() noexcept { progress_at_ = steps_; }
    /// In nanoseconds: one a step; deadlines that come true move it on.
    [[nodiscard]] std::uint64_t now() const noexcept { return steps_ + leapt_; }
    [[nodiscard]] unsigned running() const noexcept { return running_; }
    /// The run ends here. Does not return when called on a fiber.
    void fail(outcome kind, std::string complaint);

private:
    struct thread_state {
        std::unique_ptr<fiber> runs;
        std::uint64_t others_first =
            0;  ///< gave way: bit a thread, those that have to run before it
        void const* address = nullptr;  ///< blocked
        std::uint64_t deadline = 0;
        std::uint64_t blocked_at = 0;
    };
    [[nodiscard]] static constexpr std::uint64_t bit(unsigned thread) noexcept {
        return std::uint64_t{1} << thread;
    }
    void check_progress();
    [[nodiscard]] bool choose(bool can_go_on);
    void switch_away();
    void nobody_can_go_on();

    inline static thread_local world* current_ = nullptr;
    inline static thread_local world* active_ = nullptr;
    static constexpr unsigned none = ~0U;

    limits limits_;
    scenario* what_ = nullptr;
    chooser* who_ = nullptr;
    std::vector<thread_state> threads_;
    std::uint64_t ready_ = 0;  ///< a bit a thread, as the three below
    std::uint64_t gave_way_ = 0;
    std::uint64_t timed_ = 0;  ///< blocked, with a deadline
    std::uint64_t ended_ = 0;
    schedule taken_;
    std::uint64_t steps_ = 0;
    std::uint64_t leapt_ = 0;
    std::uint64_t progress_at_ = 0;
    unsigned running_ = none;
    unsigned next_ = none;
    bool on_fiber_ = false;
    outcome outcome_ = outcome::finished;
    std::string complaint_;
};

}  // namespace manylock::simulate

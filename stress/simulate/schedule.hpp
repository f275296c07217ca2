// Which thread took each step of a run, and who chooses that.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::simulate {

/// Run-length coded. Text form: THREAD:STEPS separated by commas, as in 0:12,1:3,0:4.
class schedule {
public:
    struct segment {
        unsigned thread = 0;
        std::uint64_t steps = 0;
    };
    void add(unsigned thread) {
        if (!segments_.empty() && segments_.back().thread == thread) {
            ++segments_.back().steps;
        } else {
            segments_.push_back({thread, 1});
        }
    }
    void clear() noexcept { segments_.clear(); }
    [[nodiscard]] std::vector<segment> const& segments() const noexcept { return segments_; }
    [[nodiscard]] std::uint64_t steps() const noexcept;
    /// Simpler: fewer switches from thread to thread, then fewer steps.
    [[nodiscard]] bool simpler_than(schedule const& other) const noexcept;
    /// Without segment `i`.
    [[nodiscard]] schedule without(std::size_t i) const;
    [[nodiscard]] std::string text() const;
    /// Throws std::invalid_argument that says what is wrong where.
    [[nodiscard]] static schedule parse(std::string_view text);

private:
    std::vector<segment> segments_;
};

/// What a chooser may choose from.
struct choice {
    std::uint64_t candidates = 0;    ///< a bit a thread; never empty
    unsigned current = 0;            ///< who took the last step
    bool current_can_go_on = false;  ///< is it one of them, without having given way?
};

/// Decides who takes the next step, over many runs.
class chooser {
public:
    virtual ~chooser() = default;
    /// Before each run. False: there is no further schedule to try.
    virtual bool begin_run(unsigned threads) = 0;
    virtual unsigned pick(choice const& c) = 0;
    /// `thread` has given way: it spins for something that another has to do.
    virtual void gave_way(unsigned thread) { (void)thread; }
};

/// At each step some thread at random. How often it changes is drawn for each run: windows of one step are
/// found by changing often, long detours by changing seldom.
[[nodiscard]] std::unique_ptr<chooser> random_chooser(std::uint64_t seed);

/// PCT: random priorities, the highest goes on; at depth-1 random steps the one running falls to the lowest.
/// A defect that needs `depth` ordered events is found with a probability of at least
/// 1 / (threads * steps^(depth-1)) a run.
/// Source: Burckhardt et al., A randomized scheduler with probabilistic guarantees of finding bugs, ASPLOS 2010.
[[nodiscard]] std::unique_ptr<chooser> pct_chooser(std::uint64_t seed, unsigned depth);

/// Lockstep: all threads in turn, n steps each, where n grows by one from run to run. Symmetric as no random
/// schedule is, which is what a livelock takes.
[[nodiscard]] std::unique_ptr<chooser> lockstep_chooser();

/// Every schedule in which at most `preemptions` threads are stopped that could have gone on.
/// Source: Musuvathi, Qadeer: Iterative context bounding, PLDI 2007.
[[nodiscard]] std::unique_ptr<chooser> exhaustive_chooser(unsigned preemptions);

/// The given schedule, once. Where it cannot be followed, and after its end: whoever runs goes on, else the
/// first that can.
[[nodiscard]] std::unique_ptr<chooser> replay_chooser(schedule const& how);

}  // namespace manylock::simulate

// Who looks on while a script is carried out: knows who should be inside each lock, who lives, and what the
// policy has promised. Everything that does not depend on the policy's types.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <manylock/policy.hpp>

#include "script.hpp"

namespace explore {

using manylock::mode;

struct hold {
    unsigned lock;
    mode how;
};

/// One thread of the script.
struct worker {
    std::vector<hold> held;  ///< as the thread itself knows it
    std::optional<hold> wanted;
    manylock::stamp age{};             ///< of the present transaction, when it was looked at last
    std::uint64_t begun_at = 0;        ///< the present attempt
    std::uint64_t first_begun_at = 0;  ///< its first attempt
    std::uint64_t restarts = 0;        ///< of the present transaction
    bool live = false;                 ///< in a transaction that has not begun to end
    bool marked = false;               ///< told to restart
    bool was_marked = false;           ///< at some time of the present attempt
    bool ended = false;

    [[nodiscard]] bool holds(unsigned lock) const noexcept;
    [[nodiscard]] bool holds_exclusively(unsigned lock) const noexcept;
    /// False if it did not hold it.
    bool drop(unsigned lock);
};

/// edges[i]: whom thread i waits for.
using wait_edges = std::vector<std::vector<std::size_t>>;

/// Ends the run with what is wrong.
void broken(std::string complaint);
/// As a script writes it.
[[nodiscard]] std::string letter(unsigned lock, mode m);

class onlooker {
public:
    onlooker(script const& s, manylock::policy_promises p)
        : workers(s.threads.size()), script_{s}, promises_{p} {}

    std::vector<worker> workers;
    std::uint64_t restarts = 0;  ///< of all transactions
    std::uint64_t commits = 0;

    [[nodiscard]] std::string name(worker const& w) const;
    /// Thread `w` is inside `lock` now. Nobody else may be, in a mode that is not compatible.
    void note(worker& w, unsigned lock, mode how);
    void note_gone(unsigned lock) noexcept { gone_ |= 1U << lock; }
    [[nodiscard]] bool is_gone(unsigned lock) const noexcept { return (gone_ >> lock & 1U) != 0; }
    /// `w` was told to restart, and its age and those of all live transactions are up to date.
    void check_restart(worker& w, manylock::restart_reason reason);
    /// `w`, which has been marked just now, must be on a cycle of waits.
    void check_victim(worker const& w, wait_edges const& edges) const;
    /// What the domain has counted is what was seen.
    void check_counts(std::uint64_t restarts_counted, std::uint64_t commits_counted,
                      std::uint64_t wounds_counted) const;
    /// The transaction of `w` begins to end; `ended` when it has.
    [[nodiscard]] std::size_t begin_to_end(worker& w);
    void ended(std::size_t which, std::uint64_t now) { past_[which].ended_at = now; }

    [[nodiscard]] bool waits_in_circle(wait_edges const& edges) const;
    [[nodiscard]] std::string describe() const;

private:
    struct past {
        manylock::stamp
            age;  ///< none: it met nobody, until its end; there it may have drawn an old one
        std::uint64_t ended_at;
    };
    [[nodiscard]] bool in_circle(std::size_t who, wait_edges const& edges) const;

    script const& script_;
    manylock::policy_promises promises_;
    std::deque<past> past_;
    unsigned gone_ = 0;  ///< a bit a lock: its object was detached
};

}  // namespace explore

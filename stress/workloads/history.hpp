// What --check keeps of a run and how it is judged. While a transaction holds its locks it writes
// itself into a word of each (mutual exclusion), and at its end it counts up a version of each lock
// it holds exclusively and notes the versions it saw. Afterwards the versions of a lock give the
// order in which transactions passed it; if the orders of all locks together have a cycle, the
// transactions were not serialisable (Boost.Graph finds it).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "picker.hpp"

namespace manylock::stress {

struct access {
    std::uint32_t lock = 0;
    bool shared = false;
    std::uint64_t version = 0;  ///< exclusive: the one made; shared: the one seen
};

/// Of one thread. Keeps the first transactions up to a bound, so that a long run does not fill the
/// memory; the bound is taken in full when the history is made.
class thread_history {
public:
    explicit thread_history(std::size_t accesses_max) : accesses_max_(accesses_max) {
        accesses_.reserve(accesses_max);
    }

    [[nodiscard]] bool begin(std::size_t how_many) {
        if (accesses_.size() + how_many > accesses_max_) return false;
        ends_.push_back(accesses_.size() + how_many);
        return true;
    }
    void add(access a) { accesses_.push_back(a); }

    [[nodiscard]] std::vector<access> const& accesses() const noexcept { return accesses_; }
    /// Where each transaction's accesses end.
    [[nodiscard]] std::vector<std::size_t> const& ends() const noexcept { return ends_; }

private:
    std::size_t accesses_max_;
    std::vector<access> accesses_;
    std::vector<std::size_t> ends_;
};

/// nullopt if the transactions are serialisable, else what is wrong, as a sentence.
std::optional<std::string> find_fault(std::vector<thread_history> const& threads);

/// The words of all locks. Atomics throughout: where a lock fails, this must find it, not race.
class lock_witness {
public:
    explicit lock_witness(std::size_t locks) : cells_(locks) {}

    void entered(std::uint32_t lock, bool shared, std::uint64_t thread) noexcept {
        auto& holders = cells_[lock].holders;
        // acq_rel: whoever breaks in must not have its report reordered away from the entry
        auto const before =
            holders.fetch_add(shared ? one_reader : writer(thread), std::memory_order_acq_rel);
        bool const good = shared ? before % one_reader == 0 : before == 0;
        if (!good) broken_.store(true, std::memory_order_relaxed);  // relaxed: read after the join
    }
    void left(std::uint32_t lock, bool shared, std::uint64_t thread) noexcept {
        // acq_rel: as in entered
        cells_[lock].holders.fetch_sub(shared ? one_reader : writer(thread),
                                       std::memory_order_acq_rel);
    }
    /// Requires: the lock is held in that mode. Counts the version up if exclusive.
    access passed(request const& r) noexcept {
        auto& version = cells_[r.lock].version;
        // relaxed: the lock under test is what orders these
        auto const seen = version.load(std::memory_order_relaxed);
        if (r.shared) return {r.lock, true, seen};
        version.store(seen + 1, std::memory_order_relaxed);  // relaxed: as above
        return {r.lock, false, seen + 1};
    }
    [[nodiscard]] bool broken() const noexcept {
        return broken_.load(std::memory_order_relaxed);  // relaxed: the threads have been joined
    }

private:
    static constexpr std::uint64_t one_reader = std::uint64_t{1} << 32U;
    static constexpr std::uint64_t writer(std::uint64_t thread) noexcept { return thread + 1; }

    struct cell {
        std::atomic<std::uint64_t> holders{0};
        std::atomic<std::uint64_t> version{0};
    };
    std::vector<cell> cells_;
    std::atomic<bool> broken_{false};
};

}  // namespace manylock::stress

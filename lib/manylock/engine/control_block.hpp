// What other transactions may see of a transaction. Control blocks are type-stable until their domain
// dies: marks and wake-ups that arrive late hit a block, never freed memory, and have no effect, since
// every mark carries the attempt or the wait that it was meant for (E10).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <manylock/engine/checks.hpp>
#include <manylock/engine/hold_list.hpp>
#include <manylock/restart.hpp>
#include <manylock/stamp.hpp>
#include <manylock/statistics.hpp>

namespace manylock::detail {

/// Signals that a waiter's parker takes; bit 0 is the parker's own.
namespace signal {
inline constexpr std::uint32_t granted = 2;  ///< the lock is ours, our request left the queue
inline constexpr std::uint32_t stale = 4;  ///< the object was detached, our request left the queue
inline constexpr std::uint32_t poke = 8;   ///< something changed: look again
}  // namespace signal

/// Scratch memory of one walk over the wait-for graph; kept, so that later walks allocate nothing.
template <class Config>
struct walk_scratch {
    struct step {
        control_block<Config>* node = nullptr;
        std::uint64_t wait = 0;     ///< the wait attempt in which the node was seen
        std::uint32_t parent = 0;   ///< index of the transaction it waits for
        bool queue_edge = false;    ///< it waits for a waiter ahead of it, not for a holder
        bool behind_known = false;  ///< as wait_graph_view::node
    };
    std::vector<step> steps;
    std::vector<step> cycle;
    std::vector<std::uint64_t> visited;  ///< a bit a control block
};
struct no_scratch {};
struct no_link {};

/// Of a transaction that has a control block; one that has ended has none.
enum class transaction_phase : std::uint8_t {
    running,    ///< acquires and releases
    sealed,     ///< acquires nothing more
    restarting  ///< was told to restart, and acquires nothing until it has rolled back (E12)
};

template <class Config>
struct alignas(64) control_block {
    using platform = typename Config::platform;
    using lock_type = queued_lock<Config>;
    template <class T>
    using atomic = typename platform::template atomic<T>;
    template <class T>
    using guarded = typename Config::template guarded<T>;

    // --- read and marked by others -------------------------------------------------------------
    /// 0 until the first conflict. Set by compare-exchange, by the transaction or by whoever must
    /// compare with it first, so that a stamp drawn but not yet published is never taken for none.
    atomic<std::uint64_t> age{0};
    /// Number of the current attempt; a new one at begin and at every rollback. Never reused.
    atomic<std::uint64_t> attempt{0};
    /// The attempt that was wounded last.
    atomic<std::uint64_t> wounded_attempt{0};
    /// Odd while queued on a lock; moved on under that lock's latch when the request leaves the queue.
    atomic<std::uint64_t> wait{0};
    /// The wait that a detector chose to end.
    atomic<std::uint64_t> victim_wait{0};
    atomic<lock_type*> wait_lock{nullptr};
    atomic<mode> wait_mode{mode::shared};
    /// Next in the wait queue; written under the latch, read by walkers without.
    atomic<control_block*> next{nullptr};
    typename platform::parker park;

    // --- under the latch of the lock waited for ------------------------------------------------
    guarded<control_block*> previous{};  ///< of the queue's first: its last
    guarded<hold<Config>*>
        wait_hold{};                   ///< becomes ours when granted; none: a single-object reader
    guarded<bool> wait_upgrade{};      ///< already holds the lock in a weaker mode
    guarded<bool> wait_restartable{};  ///< holds something: may be made to restart
    guarded<std::uint16_t>
        wait_passes{};  ///< times that it was passed: told that the lock is free, it found it taken

    // --- the transaction's own -----------------------------------------------------------------
    std::uint32_t number = 0;  ///< position in the pool
    transaction_phase phase = transaction_phase::running;
    bool under_umbrella = false;  ///< holds the domain's umbrella
    bool has_turn = false;        ///< holds the domain's turn (decision 19)
    restart_reason last_restart = restart_reason::conflict;
    mode contending_mode = mode::exclusive;
    std::uint64_t restarts = 0;          ///< of this transaction
    lock_type* contending = nullptr;     ///< what the next attempt waits for first, in that mode
    std::uintptr_t contending_rank = 0;  ///< as its caller named it
    std::uintptr_t highest_rank = 0;
    atomic<std::uint64_t> stamped_ns{
        0};  ///< the clock when `age` was drawn; for reports, read by all
    hold_list<Config> holds;
    [[no_unique_address]] std::conditional_t<Config::needs.held_list, walk_scratch<Config>,
                                             no_scratch>
        scratch;
    [[no_unique_address]] in_use_mark<platform> in_use;  ///< by a transaction; checked builds
    /// The one made before this, where hold lists are looked through; never changes.
    [[no_unique_address]] std::conditional_t<Config::distributed_readers, guarded<control_block*>,
                                             no_link>
        older{};
    alignas(64) counters<platform> count;

    [[nodiscard]] stamp current_stamp() const noexcept {
        return {age.load(platform::acquire)};  // acquire; pairs with the exchange in ensure_stamp
    }
    /// Under the latch of the lock waited for.
    [[nodiscard]] bool is_single_read() const noexcept { return wait_hold == nullptr; }
    [[nodiscard]] bool queued() const noexcept {
        // relaxed: asked under the latch under which it changes; elsewhere a hint
        return (wait.load(platform::relaxed) & 1U) != 0;
    }
    [[nodiscard]] bool is_wounded() const noexcept {
        // relaxed: nothing is read on the strength of it; that a waiter sees it is the poke's doing
        return wounded_attempt.load(platform::relaxed) == attempt.load(platform::relaxed);
    }
    [[nodiscard]] bool is_victim() const noexcept {
        return victim_wait.load(platform::relaxed) ==
               wait.load(platform::relaxed);  // as is_wounded
    }
};

/// All control blocks of a domain; they live as long as it does. Locked only when the thread's cache
/// has none to offer, and by snapshots.
template <class Config>
class block_pool {
public:
    using block = control_block<Config>;
    using platform = typename Config::platform;
    using cache = typename platform::template block_cache<block, block_pool>;

    block_pool() : id_{cache::new_pool_id(*this)} {}
    ~block_pool() { cache::pool_dies(id_); }
    block_pool(block_pool const&) = delete;
    block_pool& operator=(block_pool const&) = delete;

    [[nodiscard]] block& take() {
        if (auto* const spare = cache::take(id_)) [[likely]]
            return *spare;
        return take_shared();
    }
    void give_back(block& b) noexcept {
        if (!cache::keep(id_, &b)) put_back(&b);
    }
    void put_back(block* b) noexcept {
        std::lock_guard const guard{mutex_};
        free_.push_back(b);
    }
    /// Upper bound of all numbers in use plus one, at the time of the call.
    [[nodiscard]] std::size_t size() const noexcept {
        return size_.load(
            platform::relaxed);  // relaxed: only a number; a walk's fence makes it new enough
    }
    template <class F>
    void for_each(F f) const {
        std::lock_guard const guard{mutex_};
        for (auto const& b : all_) f(*b);
    }

    /// The same for one who looks on while nobody moves (onlooker.hpp), whoever may have the mutex.
    template <class F>
    void for_each_at_standstill(F f) const {
        for (auto const& b : all_) f(*b);
    }
    /// The same without the mutex; may miss a block that is being made.
    template <class F>
    void for_each_unlocked(F f) const {
        // acquire; pairs with the store in take_shared
        for (auto* b = newest_.load(platform::acquire); b != nullptr; b = b->older) f(*b);
    }

private:
    [[nodiscard, gnu::noinline]] block& take_shared() {
        std::lock_guard const guard{mutex_};
        if (!free_.empty()) {
            auto* const spare = free_.back();
            free_.pop_back();
            return *spare;
        }
        free_.reserve(all_.size() + 1);  // so that put_back never allocates
        all_.push_back(std::make_unique<block>());
        all_.back()->number = static_cast<std::uint32_t>(all_.size());
        size_.store(all_.size(), platform::relaxed);  // relaxed: as in size()
        if constexpr (Config::distributed_readers) {
            all_.back()->older = newest_.load(platform::relaxed);  // relaxed: under the mutex
            // release; pairs with for_each_unlocked
            newest_.store(all_.back().get(), platform::release);
        }
        return *all_.back();
    }

    mutable typename platform::mutex mutex_;
    std::vector<std::unique_ptr<block>> all_;
    std::vector<block*> free_;
    typename platform::template atomic<std::size_t> size_{0};
    typename platform::template atomic<block*> newest_{nullptr};
    std::uint64_t id_;
};

/// What requests, walks and snapshots need of a domain.
template <class Config>
struct arbitration {
    alignas(64) block_pool<Config> pool;  // its id is read by every begin: no written neighbour
    alignas(64) typename Config::platform::template atomic<std::uint64_t> last_stamp{0};
    typename Config::platform::mutex choosing;  // cold: one detector chooses at a time
};

}  // namespace manylock::detail

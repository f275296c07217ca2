// Many transactions that hold locks and wait for locks, on one thread: what a detector walks over.
//
// Ten thousand threads that sleep in ten thousand waits cannot be had here, so nobody sleeps. All else is the engine's own on the
// native platform: each transaction is begun and acquires its locks, then its request is queued by wait_queue::enqueue under the
// lock's latch, with the fields that admission::line_up sets. A walk reads nothing else.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <unordered_set>
#include <vector>

#include <manylock/domain.hpp>

namespace manylock::bench {

/// Who waits for whom. Transaction 0 walks; the last one holds what it waits for, and runs.
enum class shape : std::int64_t {
    nobody,  ///< nobody waits for the walker, nor for anybody else
    chain,   ///< each waits for the one before it, down to the walker
    star,    ///< all wait for one lock, which the walker holds
    queue,   ///< all wait for one lock, the walker as the first of its queue
    dag  ///< one lock of each is shared by three; each waits for a random such lock of older ones
};
inline constexpr char const* shape_names[] = {"nobody", "chain", "star", "queue", "dag"};

template <class Policy>
class crowd {
public:
    using domain_type = domain<Policy>;
    using config = typename domain_type::config;
    using block = manylock::detail::control_block<config>;
    using queue = manylock::detail::wait_queue<config>;
    using rules = manylock::detail::conflicts<config>;
    using view = manylock::detail::wait_graph_view<config>;
    using platform = typename config::platform;

    /// Each of `transactions` holds `locks`; blocks and locks lie in memory in no order that has to do with the graph.
    crowd(shape s, std::size_t transactions, std::size_t locks)
        : locks_each_{locks}, cells_{std::make_unique<cell[]>(transactions * locks)} {
        for (std::size_t i = 0; i < transactions; ++i) open_.push_back(domain_.begin());
        domain_.core().shared.pool.for_each([&](block& b) { members_.push_back(&b); });
        std::shuffle(members_.begin(), members_.end(), random_);
        for (std::size_t i = 0; i < transactions * locks; ++i) places_.push_back(&cells_[i]);
        std::shuffle(places_.begin(), places_.end(), random_);

        std::vector<typename domain_type::transaction*> by_number(transactions + 1);
        for (auto& txn : open_) by_number[txn.number()] = &txn;
        for (std::size_t i = 0; i < transactions; ++i) {
            rules::ensure_stamp(domain_.core().shared, *members_[i]);
            hold(*by_number[members_[i]->number], s, i);
        }
        for (std::size_t i = 0; i + 1 < transactions; ++i) let_wait(s, i);
    }
    ~crowd() {
        for (auto* const b : members_) {
            if (!b->queued()) continue;
            auto& lock = *b->wait_lock.load(platform::relaxed);
            auto const w = queue::latch(lock);
            queue::dequeue(lock, *b);
            queue::unlatch(lock, w);
        }
    }
    crowd(crowd const&) = delete;
    crowd& operator=(crowd const&) = delete;

    /// What is done before a waiter sleeps. True if it must restart, which nobody here has to.
    [[nodiscard]] bool walk() {
        platform::fence();
        typename platform::read_section const alive;
        view v{domain_.core().shared, *members_.front()};
        return Policy::on_wait(v);
    }
    /// Locks that the last walk looked at: those of all whom it met.
    [[nodiscard]] std::uint64_t locks_looked_at() const {
        auto const& walker = *members_.front();
        std::unordered_set<block const*> met{&walker};
        for (auto const& step : walker.scratch.steps) met.insert(step.node);
        std::uint64_t sum = 0;
        for (auto const* const b : met) sum += b->holds.size();
        return sum;
    }
    [[nodiscard]] statistics stats() const { return domain_.stats(); }

    /// Writes to each cache line that others write while they acquire and queue, without changing anything.
    void touch() {
        for (auto* const b : members_) {
            auto const wait = b->wait.load(platform::relaxed);
            b->wait.store(wait, platform::relaxed);
            for (std::uint32_t i = 0; i < b->holds.size(); ++i) {
                auto& entry = b->holds.at(i);
                auto& lock = *entry.lock();
                entry.set(&lock, entry.held_mode());
                queue::unlatch(lock, queue::latch(lock));
            }
        }
    }

private:
    using lock_type = typename domain_type::lock_type;
    /// An object of its own has a cache line of its own.
    struct alignas(64) cell {
        lock_type lock;
    };

    [[nodiscard]] std::size_t below(std::size_t n) {
        return std::uniform_int_distribution<std::size_t>{0, n - 1}(random_);
    }
    [[nodiscard]] lock_type& lock_of(std::size_t member, std::size_t i) {
        return places_[member * locks_each_ + i]->lock;
    }
    void hold(typename domain_type::transaction& txn, shape s, std::size_t member) {
        for (std::size_t i = 0; i < locks_each_; ++i) {
            bool const shared = s == shape::dag && i == 0;
            (void)txn.acquire(shared ? lock_of(member / 3 * 3, 0) : lock_of(member, i),
                              shared ? mode::shared : mode::exclusive);
        }
    }
    void let_wait(shape s, std::size_t member) {
        auto const last = members_.size() - 1;
        auto const any = below(locks_each_);
        auto const in_the_first_queue = [&]() -> lock_type& {
            return lock_of(last, locks_each_ - 1);
        };
        switch (s) {
            case shape::nobody:
                if (member == 0) enqueue(in_the_first_queue(), member);
                break;
            case shape::chain:
                enqueue(member == 0 ? in_the_first_queue() : lock_of(member - 1, any), member);
                break;
            case shape::star:
                enqueue(member == 0 ? in_the_first_queue() : lock_of(0, 0), member);
                break;
            case shape::queue: enqueue(in_the_first_queue(), member); break;
            case shape::dag:
                if (member == 0) {
                    enqueue(in_the_first_queue(), member);
                } else if (member >= 3) {
                    enqueue(lock_of(below(member / 3) * 3, 0), member);
                }
                break;
        }
    }
    /// As admission::acquire, for an exclusive request that conflicts.
    void enqueue(lock_type& lock, std::size_t member) {
        auto& b = *members_[member];
        auto const w = queue::latch(lock);
        b.wait_mode.store(mode::exclusive, platform::release);  // release; as there
        b.wait_hold = &b.holds.reserve();
        b.wait_upgrade = false;
        b.wait_restartable = true;
        queue::enqueue(lock, b);
        queue::unlatch(lock, w);
    }

    std::size_t locks_each_;
    std::mt19937_64 random_{20261128};
    domain_type domain_;
    std::unique_ptr<cell[]> cells_;
    std::vector<cell*> places_;  ///< of lock i of member m: at m * locks_each_ + i
    std::vector<typename domain_type::transaction> open_;
    std::vector<block*> members_;  ///< by age: 0 is the walker, and the eldest
};

}  // namespace manylock::bench

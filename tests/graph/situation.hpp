// A random situation of many transactions that hold locks and wait for locks, on one thread:
// requests are queued as the engine queues them, but nobody sleeps. Beside the engine's state
// stands the test's own book, from which the edges follow by the definition alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include <manylock/domain.hpp>
#include <manylock/graph/wait_for_graph.hpp>

namespace manylock::test {

/// Waiter, whom it waits for, and whether that one waits ahead. Numbers of transactions.
using edge_set = std::set<std::tuple<std::uint32_t, std::uint32_t, bool>>;

template <class Policy>
class situation {
public:
    using domain_type = domain<Policy>;
    using config = typename domain_type::config;
    using block = manylock::detail::control_block<config>;
    using queue = manylock::detail::wait_queue<config>;
    using rules = manylock::detail::conflicts<config>;
    using lock_type = typename domain_type::lock_type;

    struct wait {
        std::size_t lock;
        mode wanted;
        bool upgrade;
    };
    struct actor {
        typename domain_type::transaction txn;
        block* who;
        std::vector<std::optional<mode>> holds;  ///< by lock
        std::optional<wait> waits{};
    };

    situation(domain_type& d, std::deque<lock_type>& locks, std::uint64_t seed)
        : domain_{d}, locks_{locks}, random_{seed} {
        auto const count = 2 + below(11);
        for (std::size_t i = 0; i < count; ++i) {
            auto txn = d.begin();
            auto* const who = block_of(txn.number());
            actors_.push_back({std::move(txn), who, {}});
            actors_.back().holds.resize(locks.size());
        }
        std::vector<std::size_t> order(count);
        for (std::size_t i = 0; i < count; ++i) order[i] = i;
        std::shuffle(order.begin(), order.end(), random_);
        for (auto const i : order) rules::ensure_stamp(d.core().shared, *actors_[i].who);

        usable_ = 2 + below(locks.size() - 1);
        auto const shared_percent = below(101);
        for (std::size_t turn = 0; turn < count * (1 + below(4)); ++turn) {
            try_to_hold(actors_[below(count)], below(usable_), random_mode(shared_percent));
        }
        std::shuffle(order.begin(), order.end(), random_);
        for (auto const i : order) {
            for (int tries = 0; tries < 4 && !actors_[i].waits; ++tries) {
                request(actors_[i], shared_percent);
            }
        }
    }
    ~situation() {
        for (auto& a : actors_) leave(a);
    }
    situation(situation const&) = delete;
    situation& operator=(situation const&) = delete;

    [[nodiscard]] std::vector<actor>& actors() noexcept { return actors_; }
    [[nodiscard]] actor* actor_of(block const* who) {
        for (auto& a : actors_) {
            if (a.who == who) return &a;
        }
        return nullptr;
    }
    /// By the definition, from the book.
    [[nodiscard]] edge_set edges() const {
        edge_set all;
        for (auto const& a : actors_) {
            if (!a.waits) continue;
            for (auto const& b : actors_) {
                if (&a == &b) continue;
                auto const held = b.holds[a.waits->lock];
                if (held && !compatible(*held, a.waits->wanted)) {
                    all.insert({a.who->number, b.who->number, false});
                }
                if (b.waits && b.waits->lock == a.waits->lock && ahead(b, a) &&
                    !compatible(b.waits->wanted, a.waits->wanted)) {
                    all.insert({a.who->number, b.who->number, true});
                }
            }
        }
        return all;
    }
    /// True if nothing but the queue's order keeps `a` from its lock.
    [[nodiscard]] bool may_overtake(actor const& a) const {
        return std::none_of(actors_.begin(), actors_.end(), [&](actor const& b) {
            auto const held = b.holds[a.waits->lock];
            return &a != &b && held && !compatible(*held, a.waits->wanted);
        });
    }
    /// Takes the request of `a` out of its queue, as a time-out does.
    void leave(actor& a) {
        if (!a.waits) return;
        auto& lock = locks_[a.waits->lock];
        auto const w = queue::latch(lock);
        queue::dequeue(lock, *a.who);
        queue::unlatch(lock, w);
        a.waits.reset();
    }
    /// Does what a granted transaction does when it wakes up.
    void take_grant(actor& a) {
        auto& lock = locks_[a.waits->lock];
        a.who->holds.push(*a.who->wait_hold, &lock, a.waits->wanted);
        a.holds[a.waits->lock] = a.waits->wanted;
        a.waits.reset();
    }

private:
    [[nodiscard]] std::size_t below(std::size_t n) {
        return std::uniform_int_distribution<std::size_t>{0, n - 1}(random_);
    }
    [[nodiscard]] mode random_mode(std::size_t shared_percent) {
        return below(100) < shared_percent ? mode::shared : mode::exclusive;
    }
    [[nodiscard]] block* block_of(std::uint32_t number) {
        block* found = nullptr;
        domain_.core().shared.pool.for_each([&](block& b) {
            if (b.number == number) found = &b;
        });
        return found;
    }
    /// INV-Q1: upgrades first, then the older.
    [[nodiscard]] static bool ahead(actor const& b, actor const& a) {
        if (b.waits->upgrade != a.waits->upgrade) return b.waits->upgrade;
        return b.who->current_stamp().older_than(a.who->current_stamp());
    }
    void try_to_hold(actor& a, std::size_t lock, mode m) {
        if (a.txn.try_acquire(locks_[lock], m) == status::granted) a.holds[lock] = m;
    }
    void request(actor& a, std::size_t shared_percent) {
        auto i = below(usable_);
        auto m = random_mode(shared_percent);
        if (below(4) == 0) {  // an upgrade, if it reads something
            for (std::size_t k = 0; k < usable_; ++k) {
                if (a.holds[k] == mode::shared) i = k, m = mode::exclusive;
            }
        }
        auto& lock = locks_[i];
        auto const answer = a.txn.try_acquire(lock, m);
        if (answer == status::granted) a.holds[i] = m;
        if (!(answer == status::busy)) return;
        auto const w = queue::latch(lock);
        auto* const held = a.who->holds.find(&lock);
        a.who->wait_mode.store(m);
        a.who->wait_upgrade = held != nullptr;
        a.who->wait_restartable = a.who->holds.held() > 0;
        a.who->wait_hold = held != nullptr ? held : &a.who->holds.reserve();
        queue::enqueue(lock, *a.who);
        queue::unlatch(lock, w);
        a.waits = wait{i, m, held != nullptr};
    }

    domain_type& domain_;
    std::deque<lock_type>& locks_;
    std::mt19937_64 random_;
    std::size_t usable_ = 0;
    std::vector<actor> actors_;
};

inline edge_set edges_of(graph::wait_for_graph const& g) {
    edge_set all;
    for (auto const e : boost::make_iterator_range(edges(g))) {
        all.insert(
            {g[source(e, g)].number, g[target(e, g)].number, g[e].kind == graph::edge_kind::queue});
    }
    return all;
}

}  // namespace manylock::test

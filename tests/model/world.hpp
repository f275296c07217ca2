// What the scenarios of the queued lock share: a domain under the model checker, transactions begun before
// the threads are, and objects whose data only their locks protect.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include <manylock/domain.hpp>

#include "explore.hpp"

namespace manylock::model {

inline constexpr options knobs{.spin_limit = 0, .yield_limit = 0};

template <class Policy, class Platform = platform, options Knobs = knobs>
class world : public scenario {
public:
    using policy = Policy;
    using domain_type = domain<Policy, Knobs, Platform>;
    using transaction = typename domain_type::transaction;
    using lock_type = typename domain_type::lock_type;

    struct object {
        lock_type lock;
        plain<std::uint64_t> data{0};

        void write(where at = where::here()) { data.store(data.load(at) + 1, at); }
        [[nodiscard]] std::uint64_t read(where at = where::here()) const { return data.load(at); }
    };

    world() {
        for (auto& t : transactions) t.emplace(family.core());
    }

    /// One attempt's acquisition: false if the transaction must restart.
    static bool write(transaction& t, object& o, where at = where::here()) {
        if (!t.acquire(o.lock)) return false;
        o.write(at);
        return true;
    }
    static bool read(transaction& t, object& o, where at = where::here()) {
        if (!t.acquire_shared(o.lock)) return false;
        (void)o.read(at);
        return true;
    }
    /// Runs `body(transaction&)` until it commits.
    template <class Body>
    void run(unsigned number, Body body) {
        auto& t = *transactions[number];
        for (;;) {
            body(t);
            if (!t.must_restart()) return t.commit();
            t.rollback();
        }
    }

    using block = detail::control_block<typename domain_type::config>;
    /// What others see of a transaction.
    [[nodiscard]] block& block_of(unsigned number) {
        block* found = nullptr;
        family.core().shared.pool.for_each([&](block const& each) {
            if (each.number == transactions[number]->number()) found = const_cast<block*>(&each);
        });
        return *found;
    }
    /// Goes on when `happened()`; what it looks at orders nothing.
    template <class Condition>
    static void wait_until(Condition happened) {
        while (!happened()) platform::yield();
    }
    /// Lets the others go ahead: without it a short thread is mostly done before a long one has begun.
    static void delay(unsigned most) {
        for (auto n = any_below(most); n > 0; --n) platform::yield();
    }
    [[nodiscard]] static bool waits(block const& b) {
        return (b.wait.load(order::relaxed) & 1U) != 0;  // relaxed: orders nothing
    }

    domain_type family;
    object a, b, c;
    lock_type d;  ///< has no data
    atomic<std::uint32_t> reached{
        0};  ///< relaxed: one thread tells another that it has come so far
    std::array<std::optional<transaction>, 3> transactions;
};

template <class Scenario>
std::unique_ptr<scenario> made() {
    return std::make_unique<Scenario>();
}

}  // namespace manylock::model

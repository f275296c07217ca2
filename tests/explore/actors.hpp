// A script carried out by the fibers of a world, under a policy, with an onlooker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <manylock/domain.hpp>
#include <simulate/platform.hpp>

#include "onlooker.hpp"
#include "queue_checks.hpp"
#include "script.hpp"

namespace explore {

using manylock::restart_reason;

/// Spinning adds schedules and shows nothing; little patience shows turns being taken.
inline constexpr manylock::options no_spinning{.spin_limit = 0, .yield_limit = 0, .turn_after = 4};
inline constexpr manylock::options distributed{
    .spin_limit = 0, .yield_limit = 0, .turn_after = 4, .distributed_readers = true};

template <class Policy, class Platform = manylock::simulate::simulated,
          manylock::options Options = no_spinning>
class actors final : public manylock::simulate::scenario {
public:
    using domain_type = manylock::domain<Policy, Options, Platform>;
    using lock_type = typename domain_type::lock_type;
    using txn_type = typename domain_type::transaction;
    using world = manylock::simulate::world;

    explicit actors(script const& s)
        : script_{s},
          domain_{std::make_unique<domain_type>()},
          onlooker_{s, Policy::promises},
          txns_(s.threads.size()) {
        Platform::begin_run();
        locks_ = std::make_unique<lock_type[]>(s.locks);
    }
    ~actors() override {
        if (!begun_ || ended_) return;
        // Fibers were left behind in the middle of it: locks are held, and always will be.
        (void)locks_.release();
        (void)domain_.release();
    }

    [[nodiscard]] unsigned threads() const override {
        return static_cast<unsigned>(script_.threads.size());
    }
    void thread(unsigned number) override {
        begun_ = true;
        auto& w = onlooker_.workers[number];
        for (auto const& txn : script_.threads[number]) {
            if (txn.size() == 1 && txn.front().what == action::read) {
                read(w, txn.front());
            } else {
                perform(w, txns_[number], txn);
            }
            world::active().progress();
        }
        w.ended = true;
    }
    void after_step() override {
        if constexpr (Policy::needs.stamps) {
            for (unsigned i = 0; i < script_.locks; ++i) {
                if (in_age_order<domain_type>(locks_[i])) continue;
                broken("the queue of lock " + letter(i, mode::exclusive) + " is out of order");
            }
        }
        if constexpr (Policy::promises.only_cycles_restart) {
            for (std::size_t i = 0; i < txns_.size(); ++i) {
                auto& w = onlooker_.workers[i];
                bool const marked = txns_[i] != nullptr && txns_[i]->marked_for_restart();
                if (marked && !w.marked) onlooker_.check_victim(w, edges());
                w.marked = marked;
                w.was_marked = w.was_marked || marked;
            }
        }
    }
    void at_end() override {
        ended_ = true;
        for (unsigned i = 0; i < script_.locks; ++i) {
            if (!locks_[i].busy() && locks_[i].waiter_count() == 0) continue;
            broken("lock " + letter(i, mode::exclusive) + " is busy after all threads have ended");
        }
        if (domain_->core().umbrella.busy() || domain_->core().turn.busy()) {
            broken("the umbrella or the turn is held after all threads have ended");
        }
        auto const counted = domain_->stats();
        onlooker_.check_counts(counted.restarts(), counted[manylock::counter::commits],
                               counted[manylock::counter::wounds]);
    }
    [[nodiscard]] bool waits_in_circle() const override {
        return onlooker_.waits_in_circle(edges());
    }
    [[nodiscard]] std::string describe() const override {
        look_at_ages();
        return onlooker_.describe();
    }

private:
    struct script_throws {};
    enum class ending : std::uint8_t { done, thrown, restart };

    // --- what the threads do ------------------------------------------------------------------------
    void perform(worker& w, txn_type*& mine, transaction const& what) {
        std::size_t self = 0;
        try {
            carry_out(w, mine, what, self);
        } catch (script_throws const&) {  // which has ended the transaction on its way
        }
        onlooker_.ended(self, world::active().now());
    }
    void carry_out(worker& w, txn_type*& mine, transaction const& what, std::size_t& self) {
        auto txn = domain_->begin();
        mine = &txn;
        w.live = true;
        w.age = {};
        w.restarts = 0;
        for (;;) {
            w.begun_at = world::active().now();
            if (w.restarts == 0) w.first_begun_at = w.begun_at;
            w.was_marked = false;
            auto const how = attempt(w, txn, what);
            auto const contending = std::exchange(w.wanted, std::nullopt);
            if (how == ending::restart && txn.last_restart() != restart_reason::stale) {
                restart(w, txn, contending);
                continue;
            }
            if (how == ending::restart) ++onlooker_.restarts;  // the object is gone: so is the work
            look_at_ages();
            mine = nullptr;
            self = onlooker_.begin_to_end(w);
            if (how == ending::thrown) throw script_throws{};
            if (how == ending::done) {
                ++onlooker_.commits;
                txn.commit();
            } else {
                txn.abandon();
            }
            return;
        }
    }
    ending attempt(worker& w, txn_type& txn, transaction const& what) {
        for (auto const& s : what) {
            auto& lock = locks_[s.lock];
            switch (s.what) {
                case action::fail: return ending::thrown;
                case action::inject:
                    if (w.restarts > 0) break;
                    (void)txn.restart_because(restart_reason::injected);
                    return ending::restart;
                case action::release:
                    if (w.drop(s.lock)) txn.release(lock);
                    break;
                case action::detach:
                    if (!w.holds_exclusively(s.lock)) break;
                    onlooker_.note_gone(s.lock);
                    txn.detach(lock);
                    break;
                default:
                    w.wanted = hold{s.lock, s.mode};
                    auto const respected = to_respect(w, s);
                    auto const answer = request(txn, lock, s);
                    if (answer.is_restart()) return ending::restart;
                    w.wanted.reset();
                    if (!answer) break;
                    check_passed(w, txn, s, respected);
                    onlooker_.note(w, s.lock, s.mode);
                    Platform::step();  // others may run while it is held
                    break;
            }
        }
        return ending::done;
    }
    static manylock::acquire_result request(txn_type& txn, lock_type& lock, step const& s) {
        if (s.what == action::try_lock) return txn.try_acquire(lock, s.mode);
        if (s.what == action::lock_until) {
            return txn.acquire_until(lock, s.mode, Platform::now() + std::chrono::nanoseconds{100});
        }
        return txn.acquire(lock, s.mode);
    }
    void restart(worker& w, txn_type& txn, std::optional<hold> const& contending) {
        look_at_ages();
        auto const age = w.age;
        onlooker_.check_restart(w, txn.last_restart());
        w.held.clear();
        bool const rejoins = txn.last_restart() != restart_reason::injected;
        if (rejoins) w.wanted = contending;
        txn.rollback();
        w.wanted.reset();
        look_at_ages();
        if (age.drawn() && !(w.age == age))
            broken(onlooker_.name(w) + " has lost its stamp in a restart");
        if (!rejoins) return;
        bool held = false;
        bool exclusive = false;
        {
            world::quiet const onlooker;
            held = txn.holds(locks_[contending->lock], mode::shared);
            exclusive = txn.holds(locks_[contending->lock], mode::exclusive);
        }
        if (held) onlooker_.note(w, contending->lock, exclusive ? mode::exclusive : mode::shared);
    }
    void read(worker& w, step const& s) {
        w.wanted = hold{s.lock, mode::shared};
        auto const guard = domain_->read_lock(locks_[s.lock]);
        w.wanted.reset();
        if (guard) {
            onlooker_.note(w, s.lock, mode::shared);
            Platform::step();
        } else if (!onlooker_.is_gone(s.lock)) {
            broken("a single-object read of lock " + letter(s.lock, mode::exclusive) +
                   " fails, although its object is not gone");
        }
        w.held.clear();
    }

    // --- what the onlooker is told ------------------------------------------------------------------
    void look_at_ages() const {
        world::quiet const onlooker;
        for (std::size_t i = 0; i < txns_.size(); ++i) {
            if (txns_[i] != nullptr) onlooker_.workers[i].age = txns_[i]->age();
        }
    }
    /// Those whom `w` must not pass when it gets what `s` asks for: older, there first, and holding
    /// something. An upgrade may, and so may whom a detector lets pass, and all where the eldest is promised nothing.
    [[nodiscard]] std::vector<queued_request> to_respect(worker const& w, step const& s) const {
        if constexpr (Policy::promises.eldest_never_restarts && Policy::needs.stamps &&
                      !Policy::needs.held_list) {
            if (w.holds(s.lock)) return {};
            world::quiet const onlooker;
            return holders_waiting<domain_type>(locks_[s.lock], s.mode);
        } else {
            (void)w, (void)s;
            return {};
        }
    }
    void check_passed(worker const& w, txn_type const& txn, step const& s,
                      std::vector<queued_request> const& respected) const {
        if constexpr (Policy::needs.stamps) {
            if (respected.empty()) return;
            bool const passed = [&] {
                world::quiet const onlooker;
                return passes<domain_type>(locks_[s.lock], txn.age(), respected);
            }();
            if (!passed) return;
            broken(onlooker_.name(w) + " has taken lock " + letter(s.lock, s.mode) +
                   " past an older waiter that holds something");
        } else {
            (void)w, (void)txn, (void)s, (void)respected;
        }
    }
    /// From each thread to the incompatible holders of what it wants, and to the incompatible waiters ahead
    /// of it; under an umbrella to whoever holds that.
    [[nodiscard]] wait_edges edges() const {
        world::quiet const onlooker;
        wait_edges all(txns_.size());
        for (std::size_t i = 0; i < txns_.size(); ++i) {
            auto const& w = onlooker_.workers[i];
            if (!w.wanted) continue;
            for (std::size_t k = 0; k < txns_.size(); ++k) {
                if (k != i && bars(k, i)) all[i].push_back(k);
            }
            if constexpr (!Policy::needs.umbrella) {
                if (txns_[i] != nullptr) add_queue_edges(i, all[i]);
            }
        }
        return all;
    }
    [[nodiscard]] bool bars(std::size_t holder, std::size_t waiter) const {
        auto const& wanted = *onlooker_.workers[waiter].wanted;
        if constexpr (Policy::needs.umbrella) {
            if (txns_[holder] != nullptr && txns_[holder]->held() != 0 &&
                (txns_[waiter] == nullptr || txns_[waiter]->held() == 0)) {
                return true;
            }
        }
        for (auto const& h : onlooker_.workers[holder].held) {
            if (h.lock == wanted.lock && !compatible(h.how, wanted.how)) return true;
        }
        return false;
    }
    void add_queue_edges(std::size_t waiter, std::vector<std::size_t>& to) const {
        using queue = manylock::detail::wait_queue<typename domain_type::config>;
        auto const& wanted = *onlooker_.workers[waiter].wanted;
        std::vector<std::size_t> ahead;
        for (auto* b = queue::first(locks_[wanted.lock]); b != nullptr; b = queue::next(*b)) {
            if (b->number == txns_[waiter]->number()) {
                to.insert(to.end(), ahead.begin(), ahead.end());
                return;
            }
            for (std::size_t k = 0; k < txns_.size(); ++k) {
                if (txns_[k] != nullptr && txns_[k]->number() == b->number &&
                    !compatible(queue::mode_of(*b), wanted.how)) {
                    ahead.push_back(k);
                }
            }
        }
    }

    script const& script_;
    std::unique_ptr<domain_type> domain_;
    std::unique_ptr<lock_type[]> locks_;
    mutable onlooker onlooker_;
    std::vector<txn_type*> txns_;  ///< by thread; null while it is in none
    bool begun_ = false;
    bool ended_ = false;
};

}  // namespace explore

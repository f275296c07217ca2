// A script carried out by the fibers of a world, under a policy, with an onlooker that knows who should be
// inside each lock, who waits for whom, and what the policy has promised.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <manylock/domain.hpp>
#include <simulate/platform.hpp>

#include "script.hpp"
#include "worker.hpp"

namespace explore {

using manylock::restart_reason;

/// Spinning adds schedules and shows nothing.
inline constexpr manylock::options no_spinning{.spin_limit = 0, .yield_limit = 0};

template <class Policy, class Platform = manylock::simulate::simulated,
          manylock::options Options = no_spinning>
class actors final : public manylock::simulate::scenario {
public:
    using domain_type = manylock::domain<Policy, Options, Platform>;
    using txn_type = typename domain_type::transaction;
    using world = manylock::simulate::world;
    static constexpr manylock::policy_promises promises = Policy::promises;

    explicit actors(script const& s) : script_{s}, workers_(s.threads.size()) {
        Platform::begin_run();
        locks_ = std::make_unique<typename domain_type::lock_type[]>(s.locks);
    }

    [[nodiscard]] unsigned threads() const override {
        return static_cast<unsigned>(script_.threads.size());
    }
    void thread(unsigned number) override {
        for (auto const& txn : script_.threads[number]) {
            if (txn.size() == 1 && txn.front().what == action::read) {
                read(workers_[number], txn.front());
            } else {
                perform(workers_[number], txn);
            }
            world::current()->progress();
        }
        workers_[number].ended = true;
    }
    void after_step() override {
        if constexpr (promises.only_cycles_restart) {
            for (auto& w : workers_) {
                bool const marked = w.txn != nullptr && w.txn->marked_for_restart();
                if (marked && !w.was_marked && !in_circle(index(w))) {
                    broken("thread " + std::to_string(index(w)) +
                           " is told to restart, but waiting would close no cycle");
                }
                w.was_marked = marked;
            }
        }
    }
    void at_end() override {
        for (unsigned i = 0; i < script_.locks; ++i) {
            if (locks_[i].busy() || locks_[i].waiter_count() != 0) {
                broken("lock " + letter(i, mode::exclusive) +
                       " is busy after all threads have ended");
            }
        }
        if (domain_.core().umbrella.busy())
            broken("the umbrella is held after all threads have ended");
        if (domain_.stats().restarts() != restarts_)
            broken("restarts are not counted as they were issued");
        if (domain_.stats()[manylock::counter::commits] != commits_)
            broken("commits are not counted");
    }
    [[nodiscard]] bool waits_in_circle() const override {
        for (std::size_t i = 0; i < workers_.size(); ++i) {
            if (in_circle(i)) return true;
        }
        return false;
    }
    [[nodiscard]] std::string describe() const override {
        std::string all;
        for (auto const& w : workers_) {
            all += "  thread " + std::to_string(index(w)) + ": ";
            if (w.ended) {
                all += "ended\n";
                continue;
            }
            all += "holds";
            for (auto const& h : w.held) all += ' ' + letter(h.lock, h.how);
            if (w.held.empty()) all += " nothing";
            if (w.wanted) all += ", wants " + letter(w.wanted->lock, w.wanted->how);
            all += ", attempt " + std::to_string(w.restarts + 1);
            if (w.txn != nullptr && w.txn->age().drawn()) {
                all += ", stamp " + std::to_string(w.txn->age().value);
            }
            all += '\n';
        }
        return all;
    }
    /// Of all transactions together.
    [[nodiscard]] std::uint64_t restarts() const noexcept { return restarts_; }

private:
    using worker = explore::worker<txn_type>;
    struct past {
        manylock::stamp
            age;  ///< none: it met nobody, until its end; there it may have drawn an old one
        std::uint64_t ended_at;
    };
    enum class ending : std::uint8_t { done, failed, restart };

    [[nodiscard]] std::size_t index(worker const& w) const {
        return static_cast<std::size_t>(&w - workers_.data());
    }
    static void broken(std::string complaint) {
        world::active().fail(manylock::simulate::outcome::broken, std::move(complaint));
    }

    // --- what the threads do ------------------------------------------------------------------------
    void perform(worker& w, transaction const& what) {
        auto txn = domain_.begin();
        w.txn = &txn;
        w.restarts = 0;
        for (;;) {
            w.begun_at = world::current()->now();
            auto const how = attempt(w, txn, what);
            auto const contending = std::exchange(w.wanted, std::nullopt);
            if (how == ending::restart && txn.last_restart() != restart_reason::stale) {
                check_restart(w, txn.last_restart());
                w.held.clear();
                bool const rejoins = txn.last_restart() != restart_reason::injected;
                if (rejoins) w.wanted = contending;
                txn.rollback();
                w.wanted.reset();
                if (rejoins) note_rejoined(w, contending->lock);
                continue;
            }
            if (how == ending::restart) ++restarts_;  // the object is gone: so is the work
            w.held.clear();
            w.txn = nullptr;
            auto& self = past_.emplace_back(past{quiet_age(txn), ~std::uint64_t{0}});
            if (how == ending::done) {
                ++commits_;
                txn.commit();
            } else {
                txn.abandon();
            }
            self.ended_at = world::current()->now();
            return;
        }
    }
    ending attempt(worker& w, txn_type& txn, transaction const& what) {
        for (auto const& s : what) {
            auto& lock = locks_[s.lock];
            switch (s.what) {
                case action::fail: return ending::failed;
                case action::inject:
                    if (w.restarts > 0) break;
                    (void)txn.restart_because(restart_reason::injected);
                    return ending::restart;
                case action::release:
                    if (!drop(w, s.lock)) break;
                    txn.release(lock);
                    break;
                case action::detach:
                    if (holds(w, s.lock)) txn.detach(lock);
                    break;
                default:
                    w.wanted = hold{s.lock, s.mode};
                    auto const answer = request(txn, lock, s);
                    if (answer.is_restart()) return ending::restart;
                    w.wanted.reset();
                    if (answer) note(w, s.lock, s.mode);
                    break;
            }
        }
        return ending::done;
    }
    static manylock::acquire_result request(txn_type& txn, typename domain_type::lock_type& lock,
                                            step const& s) {
        if (s.what == action::try_lock) return txn.try_acquire(lock, s.mode);
        if (s.what == action::lock_until) {
            return txn.acquire_until(lock, s.mode, Platform::now() + std::chrono::nanoseconds{100});
        }
        return txn.acquire(lock, s.mode);
    }
    void read(worker& w, step const& s) {
        w.wanted = hold{s.lock, mode::shared};
        {
            auto const guard = domain_.read_lock(locks_[s.lock]);
            w.wanted.reset();
            if (guard) note(w, s.lock, mode::shared);
            if (guard) Platform::step();
            w.held.clear();
        }
    }

    // --- what the onlooker knows --------------------------------------------------------------------
    void note(worker& w, unsigned lock, mode how) {
        for (auto& h : w.held) {
            if (h.lock != lock) continue;
            if (how == mode::exclusive) h.how = how;
            return check_exclusion(w, h);
        }
        w.held.push_back({lock, how});
        check_exclusion(w, w.held.back());
    }
    void note_rejoined(worker& w, unsigned lock) {
        bool shared = false;
        bool exclusive = false;
        {
            world::quiet const onlooker;
            shared = w.txn->holds(locks_[lock], mode::shared);
            exclusive = w.txn->holds(locks_[lock], mode::exclusive);
        }
        if (shared) note(w, lock, exclusive ? mode::exclusive : mode::shared);
    }
    void check_exclusion(worker const& w, hold const& mine) {
        for (auto const& other : workers_) {
            if (&other == &w) continue;
            for (auto const& h : other.held) {
                if (h.lock != mine.lock || compatible(h.how, mine.how)) continue;
                broken("threads " + std::to_string(index(w)) + " and " +
                       std::to_string(index(other)) + " are both inside lock " +
                       letter(h.lock, mode::exclusive));
            }
        }
    }
    [[nodiscard]] static bool holds(worker const& w, unsigned lock) {
        for (auto const& h : w.held) {
            if (h.lock == lock && h.how == mode::exclusive) return true;
        }
        return false;
    }
    static bool drop(worker& w, unsigned lock) {
        return std::erase_if(w.held, [lock](hold const& h) { return h.lock == lock; }) > 0;
    }
    static manylock::stamp quiet_age(txn_type const& txn) {
        world::quiet const onlooker;
        return txn.age();
    }
    void check_restart(worker& w, restart_reason reason) {
        ++restarts_;
        ++w.restarts;
        if (reason == restart_reason::injected) return;
        auto const who = "thread " + std::to_string(index(w));
        if (promises.never_restarts)
            broken(who + " restarts, and the policy promises that nobody does");
        if (promises.in_order_never_restarts && script_.in_order()) {
            broken(who + " restarts, although all acquire in order");
        }
        auto const age = quiet_age(*w.txn);
        std::uint64_t elders = 0;
        bool elder_lived = false;
        for (auto const& other : workers_) {
            if (&other == &w || other.txn == nullptr || !quiet_age(*other.txn).older_than(age))
                continue;
            ++elders;
            elder_lived = true;
        }
        for (auto const& p : past_) {
            bool const lived = p.ended_at >= w.begun_at;
            if (!p.age.older_than(age) && (p.age.drawn() || !lived)) continue;
            ++elders;
            elder_lived = elder_lived || lived;
        }
        if (promises.eldest_never_restarts && !elder_lived) {
            broken(who + " restarts, although no older transaction lived since its attempt began");
        }
        if (promises.bounded_restarts &&
            w.restarts > manylock::restart_bound(elders, script_.longest())) {
            broken(who + " restarts for the " + std::to_string(w.restarts) + "th time beside " +
                   std::to_string(elders) + " elders");
        }
    }
    [[nodiscard]] bool in_circle(std::size_t who) const {
        world::quiet const onlooker;
        std::vector<bool> seen(workers_.size());
        std::vector<std::size_t> open{who};
        while (!open.empty()) {
            auto const at = open.back();
            open.pop_back();
            if (at != who && workers_[at].was_marked) continue;  // a victim waits no longer
            bool closed = false;
            for_each_blocker<domain_type>(workers_, locks_.get(), workers_[at],
                                          [&](std::size_t next) {
                                              closed = closed || next == who;
                                              if (!seen[next]) open.push_back(next);
                                              seen[next] = true;
                                          });
            if (closed) return true;
        }
        return false;
    }

    script const& script_;
    domain_type domain_;
    std::unique_ptr<typename domain_type::lock_type[]> locks_;
    std::vector<worker> workers_;
    std::deque<past> past_;
    std::uint64_t restarts_ = 0;
    std::uint64_t commits_ = 0;
};

}  // namespace explore

// Carries out the workloads on plain locks, on any stage: threads of a crew run transactions of one domain,
// through the value form of acquire, so that throwing is no policy's cost. A transaction is retried
// by domain::run with its stamp until it commits; its latency runs from its first attempt.
#pragma once

#include "history.hpp"
#include "picker.hpp"
#include "runner.hpp"
#include "stage.hpp"

#include <cstdint>
#include <manylock/domain.hpp>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace manylock::stress {

/// Ends a transaction that the end of all has caught between two attempts.
struct run_cut {};

/// What the counters of a domain rose by while it was measured.
template <class Domain>
class counter_window {
public:
    explicit counter_window(Domain const& domain) : domain_(&domain) {}
    void mark(bool begins) { (begins ? before_ : after_) = domain_->stats(); }
    [[nodiscard]] std::uint64_t restarts(restart_reason r) const noexcept {
        return after_.restarts(r) - before_.restarts(r);
    }
    /// Of the domain's whole life, the warm-up included.
    [[nodiscard]] std::uint64_t restarts_max() const noexcept {
        return after_.restarts_max_of_one_transaction;
    }
    [[nodiscard]] std::uint64_t operator[](counter c) const noexcept {
        return after_[c] - before_[c];
    }
    /// Fills in what applies to the policy.
    void report(row_outcome& row) const {
        constexpr auto needs = Domain::policy::needs;
        row.wait_ns = (*this)[counter::wait_ns];
        if constexpr (needs.umbrella) row.fallbacks = (*this)[counter::fallbacks];
        if constexpr (graph_policy<typename Domain::policy>) {
            row.detector_walks = (*this)[counter::detector_walks];
            row.detector_edges = (*this)[counter::detector_edges];
        }
        if constexpr (needs.held_list) row.held_list_bytes_max = after_.held_list_bytes_max;
    }

private:
    Domain const* domain_;
    statistics before_;
    statistics after_;
};

template <class Stage, class Policy>
class lock_run {
public:
    explicit lock_run(row_request const& request)
        : request_(request),
          objects_(request.what.locks),
          witness_(request.check ? request.what.locks : 0) {
        if (request.what.picks == choice::zipf) {
            zipf_ = std::make_unique<zipf_sampler>(request.what.locks, request.what.zipf);
        }
        if (request.check) {
            for (std::uint64_t i = 0; i < request.threads; ++i) {
                histories_.emplace_back(accesses_kept / request.threads);
            }
        }
    }

    row_outcome run() {
        row_outcome row;
        counter_window window(domain_);
        typename Stage::crew threads(request_);
        row.seconds = threads.run([this](member& me) { work(me); },
                                  [&](bool begins) { window.mark(begins); });
        row.measured = threads.total();
        row.measured.tagged = Stage::tags_restarts;
        row.lock_bytes = sizeof(lock_type);
        window.report(row);
        if (request_.check) verify(row);
        return row;
    }

private:
    using domain_type = typename Stage::template domain<Policy>;
    using lock_type = typename domain_type::lock_type;
    using transaction = typename domain_type::transaction;
    using member = typename Stage::crew::member;

    static constexpr std::size_t accesses_kept = 400'000;
    static constexpr std::int64_t initial_balance = 1000;

    /// A line each, as a lock inside some object would have it: what is measured is the policy, not
    /// which locks happen to be neighbours.
    struct alignas(64) object {
        lock_type lock;
        std::int64_t balance = initial_balance;
    };

    struct attempt_log {
        typename Stage::time_point begin;  ///< of the present attempt
        std::uint64_t restarts = 0;
        std::uint32_t contending = 0;
    };

    void work(member& me) {
        Stage::begin_thread(request_, me.index());
        picker picks(request_.what, me.index(), request_.seed, zipf_.get());
        try {
            while (me.next()) {
                auto const requests = picks.next();
                Stage::think(own_work::request, requests.size());
                Stage::think(own_work::transaction, 1);
                auto const start = Stage::now();
                attempt_log log{.begin = start};
                domain_.run([&](transaction& txn) { attempt(txn, me, picks, requests, log); });
                me.committed(start);
                if (log.restarts > 0) picks.contended(log.contending);
            }
        } catch (run_cut) {
            // the crew reports a signal
        }
    }

    void attempt(transaction& txn, member& me, picker& picks, std::span<request const> requests,
                 attempt_log& log) {
        if (me.stopping()) throw run_cut();
        if (log.restarts > 0) log.begin = Stage::now();
        for (std::size_t i = 0; i < requests.size(); ++i) {
            auto const& r = requests[i];
            auto& lock = objects_[r.lock].lock;
            auto const wanted = r.shared ? mode::shared : mode::exclusive;
            auto const answer = Stage::acquire(txn, lock, wanted, r.lock);
            if (!answer) {
                auto const ns = Stage::nanoseconds_since(log.begin);
                me.restarted({.reason = answer.reason(),
                              .ns = ns,
                              .locks = txn.held(),
                              .tag = Stage::restarted(domain_, txn, lock, wanted),
                              .restarts = ++log.restarts});
                if (request_.check) leave(me, requests.first(i));
                log.contending = r.lock;
                return;
            }
            if (request_.check) witness_.entered(r.lock, r.shared, me.index());
            Stage::work_for(request_.what.hold_ns, request_.hold_yields);
        }
        if (request_.what.all_held_ns > 0) Stage::sleep_for(request_.what.all_held_ns);
        if (request_.what.transfers) transfer(picks, requests);
        if (request_.check) {
            keep(me, requests);
            leave(me, requests);
        }
    }

    void transfer(picker& picks, std::span<request const> accounts) {
        auto& from = objects_[accounts.front().lock].balance;
        for (auto const& to : accounts.subspan(1)) {
            auto const amount = static_cast<std::int64_t>(picks.random().below(10));
            from -= amount;
            objects_[to.lock].balance += amount;
        }
    }

    void keep(member& me, std::span<request const> requests) {
        auto& history = histories_[me.index()];
        bool const kept = history.begin(requests.size());
        for (auto const& r : requests) {
            auto const seen = witness_.passed(r);
            if (kept) history.add(seen);
        }
    }

    void leave(member& me, std::span<request const> requests) noexcept {
        for (auto const& r : requests) witness_.left(r.lock, r.shared, me.index());
    }

    void verify(row_outcome& row) const {
        row.checked = true;
        if (witness_.broken())
            row.faults.emplace_back("a lock was held by two transactions in incompatible modes");
        if (auto fault = find_fault(histories_)) row.faults.push_back(std::move(*fault));
        std::int64_t sum = 0;
        std::int64_t expected = 0;
        bool still_held = false;
        objects_.for_each([&](object const& o) {
            sum += o.balance;
            expected += initial_balance;
            still_held = still_held || o.lock.busy();
        });
        if (sum != expected) {
            row.faults.push_back("the balances add up to " + std::to_string(sum) + " instead of " +
                                 std::to_string(expected));
        }
        if (still_held)
            row.faults.emplace_back("a lock is still held after every transaction has ended");
    }

    row_request request_;
    domain_type domain_;
    typename Stage::domain_entry watched_{domain_};
    typename Stage::template objects<object> objects_;
    lock_witness witness_;
    std::unique_ptr<zipf_sampler> zipf_;
    std::vector<thread_history> histories_;
};

}  // namespace manylock::stress

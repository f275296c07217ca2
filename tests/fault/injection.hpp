// Restarts injected at acquire sites. An injected_domain hands out transactions whose every acquire form first asks an
// injector whether to restart there; whatever takes a domain as a type (an address space) takes it too, unchanged. Forms that a
// body uses and that are missing here do not compile, so none can be overlooked.
#pragma once

#include <manylock/domain.hpp>

#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace fault {

/// A line of the source: the caller's, as a default argument. (std::source_location is not in every
/// library that these tests are built with.)
struct source_line {
    char const* file;
    int number;
    static constexpr source_line current(char const* file = __builtin_FILE(),
                                         int number = __builtin_LINE()) noexcept {
        return {file, number};
    }
};

/// Where and when to restart. For one thread at a time, unless it is off.
class injector {
public:
    void off() { *this = {}; }
    /// At the acquires of these numbers from now on, counted from 1 and ascending.
    void at(std::vector<std::uint64_t> calls) {
        off();
        at_ = std::move(calls);
    }
    /// At random, each time half as likely as the time before, and never at a transaction's first
    /// lock: so that every transaction ends. Source: the kernel's CONFIG_DEBUG_WW_MUTEX_SLOWPATH.
    void decay(std::uint64_t seed) {
        off();
        random_.emplace(seed);
    }
    /// A new transaction begins: its chances are whole again.
    void transaction_begins() noexcept { one_in_ = 2; }

    [[nodiscard]] bool fires(bool holds_nothing, source_line site) {
        ++calls_;
        if (random_) {
            if (holds_nothing || (*random_)() % one_in_ != 0) return false;
            if (one_in_ < (std::uint64_t{1} << 62U)) one_in_ *= 2;
        } else if (fired_ == at_.size() || calls_ != at_[fired_]) {
            return false;
        }
        ++fired_;
        sites_.insert(std::string(site.file) + ':' + std::to_string(site.number));
        return true;
    }
    [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
    [[nodiscard]] std::uint64_t fired() const noexcept { return fired_; }
    /// file:line of every call that was restarted.
    [[nodiscard]] std::set<std::string> const& sites() const noexcept { return sites_; }

private:
    std::uint64_t calls_ = 0;
    std::uint64_t fired_ = 0;
    std::uint64_t one_in_ = 2;
    std::vector<std::uint64_t> at_;
    std::optional<std::mt19937_64> random_;
    std::set<std::string> sites_;
};

/// A transaction of one thread whose acquire forms ask that thread's injector first.
template <class Real>
class injected_transaction {
    using where = source_line;

public:
    using lock_type = typename Real::lock_type;
    using read_section = typename Real::read_section;
    using time_point = typename Real::time_point;

    injected_transaction(Real& of, injector& by) noexcept : txn_{of}, by_{by} {}

    manylock::acquire_result acquire(lock_type& lock, manylock::mode m = manylock::mode::exclusive,
                                     where here = where::current()) {
        if (fires(here)) return restarted();
        return txn_.acquire(lock, m);
    }
    manylock::acquire_result acquire_shared(lock_type& lock, where here = where::current()) {
        if (fires(here)) return restarted();
        return txn_.acquire_shared(lock);
    }
    manylock::acquire_result acquire_ranked(lock_type& lock, manylock::mode m, std::uintptr_t rank,
                                            where here = where::current()) {
        if (fires(here)) return restarted();
        return txn_.acquire_ranked(lock, m, rank);
    }
    manylock::acquire_result acquire_found(lock_type& lock, manylock::mode m, read_section& section,
                                           std::uintptr_t rank, where here = where::current()) {
        if (fires(here)) return restarted();
        return txn_.acquire_found(lock, m, section, rank);
    }
    manylock::acquire_result try_acquire(lock_type& lock,
                                         manylock::mode m = manylock::mode::exclusive,
                                         where here = where::current()) {
        if (fires(here)) return restarted();
        return txn_.try_acquire(lock, m);
    }
    manylock::acquire_result acquire_until(lock_type& lock, manylock::mode m, time_point until,
                                           where here = where::current()) {
        if (fires(here)) return restarted();
        return txn_.acquire_until(lock, m, until);
    }
    manylock::acquire_result acquire(lock_type& lock, manylock::mode m, std::stop_token token,
                                     where here = where::current()) {
        if (fires(here)) return restarted();
        return txn_.acquire(lock, m, std::move(token));
    }
    /// One site a lock.
    template <class Range>
    manylock::acquire_result acquire_all(Range&& locks, where here = where::current()) {
        manylock::acquire_result last = manylock::status::granted;
        for (lock_type& lock : locks) {
            if (fires(here)) return restarted();
            if (last = txn_.acquire_all(std::span{&lock, 1}); !last) return last;
        }
        return last;
    }
    void lock(lock_type& l, manylock::mode m = manylock::mode::exclusive,
              where here = where::current()) {
        if (fires(here)) (void)restarted();
        txn_.lock(l, m);  // throws what was injected
    }

    void release(lock_type& lock) { txn_.release(lock); }
    void detach(lock_type& lock) { txn_.detach(lock); }
    manylock::acquire_result restart_because(manylock::restart_reason why) {
        return txn_.restart_because(why);
    }
    [[nodiscard]] bool holds(lock_type const& lock, manylock::mode m) const {
        return txn_.holds(lock, m);
    }
    [[nodiscard]] bool must_restart() const noexcept { return txn_.must_restart(); }
    [[nodiscard]] std::uint64_t attempt() const noexcept { return txn_.attempt(); }
    [[nodiscard]] manylock::stamp age() const noexcept { return txn_.age(); }
    [[nodiscard]] Real& without_injection() noexcept { return txn_; }

private:
    [[nodiscard]] bool fires(where here) {
        return !txn_.must_restart() && by_.fires(txn_.held() == 0, here);
    }
    manylock::acquire_result restarted() {
        return txn_.restart_because(manylock::restart_reason::injected);
    }
    Real& txn_;
    injector& by_;
};

template <class Domain>
class injected_domain : public Domain {
    using real = typename Domain::transaction;

public:
    using lock_type = typename Domain::lock_type;
    using read_section = typename Domain::read_section;

    using transaction = injected_transaction<real>;

    using Domain::Domain;

    template <class Body>
    auto run(Body&& body) {
        return Domain::run(wrapped(body));
    }
    template <class Body>
    auto run(manylock::retry_options const& retry, Body&& body) {
        return Domain::run(retry, wrapped(body));
    }

    /// What restarts this domain's transactions; off until somebody arms it.
    injector inject;

private:
    template <class Body>
    auto wrapped(Body& body) {
        return [this, &body](real& txn) {
            if (txn.attempt() == 1) inject.transaction_begins();
            transaction mine{txn, inject};
            return body(mine);
        };
    }
};

}  // namespace fault

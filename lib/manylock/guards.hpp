// Holding shorter than the transaction, and one Manylock lock as a std-style Lockable.
#pragma once

#include <mutex>
#include <optional>
#include <utility>

#include <manylock/domain.hpp>
#include <manylock/engine/umbrella_share.hpp>

namespace manylock {

/// Acquires a lock for a scope inside a transaction. If the transaction had it already, or upgraded it,
/// it stays held when the scope ends. Throws `restart` like lock().
template <class Transaction>
class [[nodiscard]] scoped_hold {
public:
    using lock_type = typename Transaction::lock_type;

    scoped_hold(Transaction& txn, lock_type& lock, mode m = mode::exclusive)
        : txn_{txn}, lock_{lock}, ours_{!txn.holds(lock, mode::shared)} {
        txn_.lock(lock, m);
    }
    ~scoped_hold() {
        if constexpr (checks_enabled) {
            if (txn_.ended()) {
                detail::report_in_destructor("scoped hold outlives its transaction");
                return;
            }
            if (ours_ && !txn_.must_restart() && !txn_.holds(lock_, mode::shared)) {
                detail::report_in_destructor(
                    "lock of a scoped hold released by hand: double unlock?");
                return;
            }
        }
        // A transaction that was told to restart gives everything back in rollback.
        if (ours_ && !txn_.must_restart()) txn_.release(lock_);
    }
    scoped_hold(scoped_hold const&) = delete;
    scoped_hold& operator=(scoped_hold const&) = delete;

private:
    Transaction& txn_;
    lock_type& lock_;
    bool ours_;
};

/// Makes one lock of a domain usable with std::unique_lock, std::shared_lock and
/// std::condition_variable_any, and several with std::lock and std::scoped_lock. An exclusive hold is a transaction of
/// its own with a single lock: it waits holding nothing, so it is never a victim, and it shows in the wait-for graph. A
/// shared hold is a single-object read.
/// Requires: while it is held its context waits for nothing else of the domain: others are taken by the try forms, as
///           std::lock does. As a std::mutex it knows no owner that could restart, so lock after lock can deadlock.
/// Under umbrella the holds of one context share the umbrella (decision 27); other contexts wait for all of them.
template <class Domain>
class lockable {
public:
    using lock_type = typename Domain::lock_type;

    lockable(Domain& domain, lock_type& lock) noexcept : domain_{domain}, lock_{lock} {}
    ~lockable() {
        if (holder_) give_back();
    }
    lockable(lockable const&) = delete;
    lockable& operator=(lockable const&) = delete;

    void lock() {
        check(true);
        if constexpr (shares) {
            while (share::open_here(domain_.core())) {
                if (auto mine = share::join(domain_.core(), lock_)) return keep(std::move(*mine));
                Domain::platform::yield();  // until single-object readers have left
            }
        }
        transaction txn{domain_.core()};
        txn.lock(lock_);
        keep_first(std::move(txn));
    }
    [[nodiscard]] bool try_lock() {
        check(false);
        if constexpr (shares) {
            if (share::open_here(domain_.core())) {
                auto mine = share::join(domain_.core(), lock_);
                if (mine) keep(std::move(*mine));
                return mine.has_value();
            }
        }
        transaction txn{domain_.core()};
        if (!txn.try_lock(lock_)) return false;
        keep_first(std::move(txn));
        return true;
    }
    void unlock() {
        check_use(holder_.has_value(), "unlock of a lock that is not held: double unlock?");
        if (holder_) give_back();
    }
    void lock_shared() {
        if (!holds(domain_.enter_read(lock_))) throw restart{restart_reason::stale, nullptr};
    }
    [[nodiscard]] bool try_lock_shared() { return holds(domain_.try_enter_read(lock_)); }
    void unlock_shared() noexcept { domain_.leave_read(lock_); }

private:
    using transaction = typename Domain::transaction;
    using context = detail::context<typename Domain::platform>;
    using share = detail::umbrella_share<typename Domain::config>;
    static constexpr bool shares = Domain::policy::needs.umbrella;

    void check(bool may_wait) {
        context::check(&domain_.core(), domain_.core().level, detail::scope_kind::hold, may_wait);
    }
    void keep_first(transaction&& txn) {
        if constexpr (shares) share::begin(txn);
        keep(std::move(txn));
    }
    /// holder_ is ours alone: we hold the lock. It is empty, since whoever held it before has reset it; told so, g++ does
    /// not warn of what destroying an old one would read.
    void keep(transaction&& txn) {
        if (holder_) __builtin_unreachable();
        holder_.emplace(std::move(txn));
        mark_ = context::open(&domain_.core(), domain_.core().level, detail::scope_kind::hold);
    }
    void give_back() {
        mark_.close();
        auto txn = std::move(*holder_);
        holder_.reset();  // before the lock is given back, since it belongs to the next holder then
        if constexpr (shares) {
            share::unmark(txn, lock_);
            share::end(txn);
        } else {
            txn.commit();
        }
    }

    Domain& domain_;
    lock_type& lock_;
    std::optional<transaction> holder_;
    [[no_unique_address]] typename context::mark mark_;
};

}  // namespace manylock

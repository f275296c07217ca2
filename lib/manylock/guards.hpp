// Holding shorter than the transaction, and one Manylock lock as a std-style Lockable.
#pragma once

#include <mutex>
#include <optional>
#include <utility>

#include <manylock/domain.hpp>

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
                detail::report_in_destructor("lock of a scoped hold released by hand: double unlock?");
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
/// std::condition_variable_any. An exclusive hold is a transaction of its own with a single lock: it
/// waits holding nothing, so it is never a victim, and it shows in the wait-for graph. A shared hold is
/// a single-object read.
/// Requires: while it is held, the holder acquires nothing else of the domain.
template <class Domain>
class lockable {
public:
    using lock_type = typename Domain::lock_type;

    lockable(Domain& domain, lock_type& lock) noexcept : domain_{domain}, lock_{lock} {}
    lockable(lockable const&) = delete;
    lockable& operator=(lockable const&) = delete;

    void lock() {
        auto txn = domain_.begin();
        txn.lock(lock_);
        keep(std::move(txn));
    }
    [[nodiscard]] bool try_lock() {
        auto txn = domain_.begin();
        if (!txn.try_lock(lock_)) return false;
        keep(std::move(txn));
        return true;
    }
    void unlock() {
        check_use(holder_.has_value(), "unlock of a lock that is not held: double unlock?");
        if (!holder_) return;
        auto txn = std::move(*holder_);
        holder_.reset();  // before the lock is given back, since it belongs to the next holder then
        txn.commit();
    }
    void lock_shared() {
        if (!holds(domain_.enter_read(lock_))) throw restart{restart_reason::stale, nullptr};
    }
    [[nodiscard]] bool try_lock_shared() { return holds(domain_.try_enter_read(lock_)); }
    void unlock_shared() noexcept { domain_.leave_read(lock_); }

private:
    /// holder_ is ours alone: we hold the lock. It is empty, since whoever held it before has reset it; told so, g++ does
    /// not warn of what destroying an old one would read.
    void keep(typename Domain::transaction&& txn) {
        if (holder_) __builtin_unreachable();
        holder_.emplace(std::move(txn));
    }

    Domain& domain_;
    lock_type& lock_;
    std::optional<typename Domain::transaction> holder_;
};

}  // namespace manylock

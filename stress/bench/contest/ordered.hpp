// Contestants that know the whole set before they lock the first: each object in address order, which is what people
// write by hand; and all through one lock.
#pragma once

#include "contest.hpp"
#include "table.hpp"

#include <concepts>
#include <mutex>

namespace manylock::bench {

/// Lock has lock() and unlock(); where Lock has lock_shared(), shared requests use it.
template <class Lock>
class ordered : public on_table<Lock> {
public:
    using on_table<Lock>::on_table;

    class session {
    public:
        session(ordered& of, unsigned) noexcept : all_{of.all_} {}
        template <class Work>
        std::uint64_t transact(std::span<request const> wanted, Work hold) {
            in_address_order const order{wanted};
            for (auto const& r : order.all()) {
                acquire(all_[r].lock, r.shared);
                hold();
            }
            update(all_, wanted);
            for (auto const& r : order.all()) release(all_[r].lock, r.shared);
            return 0;
        }

    private:
        static constexpr bool knows_shared = requires(Lock & l) { l.lock_shared(); };
        static void acquire(Lock& lock, bool shared) {
            if constexpr (knows_shared) {
                if (shared) return lock.lock_shared();
            }
            (void)shared;
            lock.lock();
        }
        static void release(Lock& lock, bool shared) {
            if constexpr (knows_shared) {
                if (shared) return lock.unlock_shared();
            }
            (void)shared;
            lock.unlock();
        }
        table<Lock>& all_;
    };
};

struct nothing {};

class one_for_all : public on_table<nothing> {
public:
    using on_table<nothing>::on_table;

    class session {
    public:
        session(one_for_all& of, unsigned) noexcept : of_{of} {}
        template <class Work>
        std::uint64_t transact(std::span<request const> wanted, Work hold) {
            std::lock_guard const guard{of_.mutex_};
            for (std::size_t i = 0; i < wanted.size(); ++i) hold();
            update(of_.all_, wanted);
            return 0;
        }

    private:
        one_for_all& of_;
    };

private:
    alignas(64) std::mutex mutex_;
};

}  // namespace manylock::bench

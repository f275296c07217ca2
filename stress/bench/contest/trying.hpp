// Contestants that never wait while they hold: whoever meets a lock that is taken gives everything back. Exclusive only.
#pragma once

#include "contest.hpp"
#include "table.hpp"

#include <atomic>
#include <thread>

#include <manylock/platform/native.hpp>

namespace manylock::bench {

/// The least that a lock can be: one byte, one exchange, one store.
class try_lock_byte {
public:
    [[nodiscard]] bool try_lock() noexcept {
        // relaxed: the exchange decides
        return !taken_.load(std::memory_order_relaxed) &&
               !taken_.exchange(true, std::memory_order_acquire);  // acquire; pairs with unlock
    }
    void unlock() noexcept {
        taken_.store(false, std::memory_order_release);
    }  // release; pairs with try_lock

private:
    std::atomic<bool> taken_{false};
};

/// After a restart: give the processor away.
struct by_yield {
    void operator()() noexcept { std::this_thread::yield(); }
};
/// After a restart: pause, twice as long as the time before, up to about 10 us.
class by_pause {
public:
    void operator()() noexcept {
        for (unsigned i = 0; i < length_; ++i) platform::native::pause();
        if (length_ < 256) length_ *= 2;
    }

private:
    unsigned length_ = 4;
};

template <class BackOff>
class try_all : public on_table<try_lock_byte> {
public:
    using on_table<try_lock_byte>::on_table;

    class session {
    public:
        session(try_all& of, unsigned) noexcept : all_{of.all_} {}
        template <class Work>
        std::uint64_t transact(std::span<request const> wanted, Work hold) {
            BackOff back_off;
            for (std::uint64_t restarts = 0;; ++restarts) {
                if (attempt(wanted, hold)) return restarts;
                back_off();
            }
        }

    private:
        template <class Work>
        bool attempt(std::span<request const> wanted, Work hold) {
            for (std::size_t i = 0; i < wanted.size(); ++i) {
                if (!all_[wanted[i]].lock.try_lock()) {
                    release(wanted.first(i));
                    return false;
                }
                hold();
            }
            update(all_, wanted);
            release(wanted);
            return true;
        }
        void release(std::span<request const> held) noexcept {
            for (auto const& r : held) all_[r].lock.unlock();
        }
        table<try_lock_byte>& all_;
    };
};

}  // namespace manylock::bench

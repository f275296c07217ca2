// The native platform for locks inside objects that are found by lock-free lookup and freed by RCU (the
// VMAs of an address space). Read sections are liburcu's; a lock's destructor does not wait, because its
// object is only freed after a grace period.
#pragma once

#include <urcu/urcu-memb.h>

#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#include <manylock/platform/native.hpp>
#include <manylock/platform/recycler.hpp>

namespace manylock {

namespace platform::detail {
/// Who waits for pins waits for what users do between restart and rollback, and is in no hurry.
struct unhurried : native {
    static void yield() noexcept {
        std::this_thread::sleep_for(
            std::chrono::milliseconds{1});  // lint: allow(sleeps) nobody can wake it
    }
};
}  // namespace platform::detail

namespace [[gnu::visibility("default")]] process_wide {
inline constinit platform::grace_period<platform::detail::unhurried> rcu_pins;

struct rcu_registration {
    rcu_registration() noexcept { urcu_memb_register_thread(); }
    ~rcu_registration() { urcu_memb_unregister_thread(); }
};
/// Only once a thread: liburcu's list of threads breaks at the second time.
inline void register_with_rcu() noexcept {
    static thread_local rcu_registration const registered;
    (void)registered;
}
}  // namespace process_wide

namespace platform {

struct native_rcu : native {
    /// An RCU read-side section of this thread. Registers the thread at its first use and unregisters it
    /// when the thread ends.
    class read_section {
    public:
        read_section() noexcept { enter(); }
        ~read_section() { leave(); }
        read_section(read_section const&) = delete;
        read_section& operator=(read_section const&) = delete;

        void enter() noexcept {
            if (entered_) return;
            process_wide::register_with_rcu();
            urcu_memb_read_lock();
            entered_ = true;
        }
        void leave() noexcept {
            if (!entered_) return;
            entered_ = false;
            urcu_memb_read_unlock();
        }

    private:
        bool entered_ = false;
    };
    static void wait_for_readers() noexcept {}

    /// Keeps a contending lock's object from a restart until that lock has been queued for. No RCU section, since it
    /// goes with the transaction from thread to thread (E7): counted apart, and waited for apart.
    class restart_pin {
    public:
        restart_pin() noexcept = default;
        restart_pin(restart_pin&& other) noexcept
            : side_{other.side_}, entered_{std::exchange(other.entered_, false)} {}
        restart_pin& operator=(restart_pin&&) = delete;
        ~restart_pin() { leave(); }

        /// Requires: in a read section that knows the object, or under the latch of its lock.
        void enter() noexcept {
            if (std::exchange(entered_, true)) return;
            side_ = process_wide::rcu_pins.enter();
        }
        void leave() noexcept {
            if (std::exchange(entered_, false)) process_wide::rcu_pins.leave(side_);
        }

    private:
        std::uint32_t side_ = 0;
        bool entered_ = false;
    };
    /// Returns when every pin that was entered before has been left.
    /// Requires: a grace period of liburcu has passed since the object could be found: no section enters a pin for it
    /// then.
    static void wait_for_pins() noexcept { process_wide::rcu_pins.synchronize(); }
    /// A grace period of sections and pins: what nobody could find before the call may be freed after it. Objects with
    /// locks must be freed after this, not after liburcu's own synchronize_rcu alone.
    /// Requires: not in a read section; no transaction of the caller's is between restart and rollback.
    static void synchronize() noexcept {
        urcu_memb_synchronize_rcu();
        wait_for_pins();
    }

    template <class Block, class Pool>
    using block_cache = thread_cache<Block, Pool>;

    /// Retired objects come back to whoever makes new ones.
    template <class Object>
    using recycler = manylock::platform::recycler<Object, native_rcu>;
};

}  // namespace platform

}  // namespace manylock

// The native platform for locks inside objects that are found by lock-free lookup and freed by RCU (the
// VMAs of an address space). Read sections are liburcu's; a lock's destructor does not wait, because its
// object is only freed after a grace period.
#pragma once

#include <urcu/urcu-memb.h>

#include <manylock/platform/native.hpp>
#include <manylock/platform/recycler.hpp>

namespace manylock::platform {

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
            static thread_local registration const registered;
            (void)registered;
            urcu_memb_read_lock();
            entered_ = true;
        }
        void leave() noexcept {
            if (!entered_) return;
            entered_ = false;
            urcu_memb_read_unlock();
        }

    private:
        struct registration {
            registration() noexcept { urcu_memb_register_thread(); }
            ~registration() { urcu_memb_unregister_thread(); }
        };
        bool entered_ = false;
    };
    static void wait_for_readers() noexcept {}

    /// From a restart until the contending lock has been queued for; ends on the thread it began on.
    struct restart_pin : read_section {
        restart_pin() noexcept { leave(); }
    };

    template <class Block, class Pool>
    using block_cache = thread_cache<Block, Pool>;

    /// Retired objects come back to whoever makes new ones.
    template <class Object>
    using recycler = manylock::platform::recycler<Object>;
};

}  // namespace manylock::platform

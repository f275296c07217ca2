// The queued lock: one word and the head of its wait queue, 16 bytes, no heap memory. Fast paths only;
// everything that meets a conflict is admission.hpp's. Used by every policy but umbrella, whose objects
// are marked instead (marked_lock.hpp) and whose one umbrella is itself a queued lock.
//
// State (x)     | exclusive request  | shared request      | release
// free          | -> exclusive       | -> shared(1)        | misuse
// shared(n)     | waits              | -> shared(n+1)      | -> shared(n-1), free at 0
// exclusive     | waits              | waits               | -> free, or handed to the queue's first
// free + waiters| -> exclusive       | -> shared(1)        | misuse
// x + waiters   | queues             | queues, unless older than every conflicting waiter
// x + detached  | restart(stale)     | restart(stale)      | as x
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <manylock/engine/config.hpp>
#include <manylock/engine/control_block.hpp>
#include <manylock/engine/lock_word.hpp>

namespace manylock {

namespace detail {
template <class Config>
class holders;
template <class Config>
class wait_queue;
template <class Config>
class giving_back;
template <class Config>
class waiting;
template <class Config>
class admission;
template <class Config>
class queued_protocol;
template <class Config>
class umbrella_protocol;
template <class Config>
class turns;
template <class Config>
class queued_reads;
template <class Config>
class wait_graph_view;
template <class Config>
struct domain_core;
}  // namespace detail

template <class Config>
class queued_lock {
public:
    using platform = typename Config::platform;
    using block = detail::control_block<Config>;
    using hold = detail::hold<Config>;

    queued_lock() noexcept = default;
    queued_lock(queued_lock const&) = delete;
    queued_lock& operator=(queued_lock const&) = delete;
    ~queued_lock() {
        platform::wait_for_readers();  // a walk may still latch a lock that was waited for
        if constexpr (checks_enabled) {
            word const w{word_.load(platform::relaxed)};  // relaxed: a check
            if (w.has_waiters()) {
                detail::report_in_destructor("lock destroyed while a transaction waits for it");
            } else if (!w.is_idle()) {
                detail::report_in_destructor("lock destroyed while held");
            }
        }
    }

    /// True if somebody holds the lock or waits for it. A hint: it may be outdated when it returns, and knows nothing of
    /// distributed readers.
    [[nodiscard]] bool busy() const noexcept {
        return !word{word_.load(platform::relaxed)}.is_idle();  // relaxed: a hint
    }
    [[nodiscard]] bool has_waiters() const noexcept {
        // relaxed: a hint; walkers order themselves by a fence before they look
        return word{word_.load(platform::relaxed)}.has_waiters();
    }
    [[nodiscard]] bool detached() const noexcept {
        // acquire; pairs with the unlatch in detach
        return word{word_.load(platform::acquire)}.is_detached();
    }
    /// Number of waiting requests. Takes the latch; for tests and reports.
    [[nodiscard]] std::size_t waiter_count() noexcept {
        using queue = detail::wait_queue<Config>;
        auto const w = queue::latch(*this);
        std::size_t n = 0;
        for (auto* b = queue::first(*this); b != nullptr; b = queue::next(*b)) ++n;
        queue::unlatch(*this, w);
        return n;
    }

private:
    friend class detail::holders<Config>;
    friend class detail::wait_queue<Config>;
    friend class detail::giving_back<Config>;
    friend class detail::waiting<Config>;
    friend class detail::admission<Config>;
    friend class detail::queued_protocol<Config>;
    friend class detail::umbrella_protocol<Config>;
    friend class detail::turns<Config>;
    friend struct detail::domain_core<Config>;
    friend class detail::queued_reads<Config>;
    using word = detail::lock_word;

    /// One compare-exchange from free. acq_rel: acquire what the last holder wrote; release our control
    /// block to whoever finds it in the word.
    bool try_exclusive(block& me) noexcept {
        auto expected = word{}.bits;
        return word_.compare_exchange_strong(expected, word{}.held_by(&me).bits, platform::acq_rel,
                                             platform::relaxed);
    }
    bool try_release_exclusive(block& me) noexcept {
        auto expected = word{}.held_by(&me).bits;
        // release: the next holder sees what we wrote
        return word_.compare_exchange_strong(expected, word{}.bits, platform::release,
                                             platform::relaxed);
    }
    /// Requires: our hold list says that we read it, and a full fence has passed since. True if the lock lets us, and then
    /// whoever wants it exclusively later looks through the lists. Acquire as in try_exclusive; the fence has released.
    bool lets_distributed_in() noexcept {
        auto seen = word_.load(platform::acquire);
        while (word{seen}.lets_readers_in()) {
            if (word{seen}.is_distributed()) return true;
            if (word_.compare_exchange_weak(seen, word{seen}.distributed().bits, platform::acquire,
                                            platform::acquire)) {
                return true;
            }
        }
        return false;
    }
    /// Gives back an exclusive hold of a lock whose queue is open and has been told already.
    bool try_release_open() noexcept {
        auto seen = word_.load(platform::relaxed);  // relaxed: the exchange decides
        // release: the next holder sees what we wrote
        return word{seen}.may_be_left_open() &&
               word_.compare_exchange_strong(seen, word{seen}.without_exclusive_holder().bits,
                                             platform::release, platform::relaxed);
    }
    enum class pass : std::uint8_t {
        done,     ///< we hold it
        not_yet,  ///< held, with nobody waiting whom we must not pass
        barred    ///< it has to be queued for, or is detached
    };
    /// Takes a free lock past an open queue; joins readers if nobody waits. Acquire and release as in try_exclusive.
    pass try_pass(block& me, mode m, word::bits_type unit) noexcept {
        auto seen = word_.load(platform::relaxed);  // relaxed: the exchange decides
        for (;;) {
            word const w{seen};
            if (w.bars_newcomers()) return pass::barred;
            bool const joins = m == mode::shared && w.lets_readers_in() && !w.is_full(unit);
            if (w.is_latched() || !(joins || w.is_free())) return pass::not_yet;
            auto const ours = m == mode::shared ? w.plus_reader(unit) : w.held_by(&me);
            if (word_.compare_exchange_weak(seen, ours.bits, platform::acq_rel,
                                            platform::relaxed)) {
                return pass::done;
            }
        }
    }
    /// Adds `unit` if nothing bars shared holders. Acquire as in try_exclusive; a number publishes nothing.
    bool try_add_reader(word::bits_type unit) noexcept {
        auto seen = word_.load(platform::relaxed);  // relaxed: the exchange decides
        while (word{seen}.lets_readers_in() && !word{seen}.is_full(unit)) {
            if (word_.compare_exchange_weak(seen, word{seen}.plus_reader(unit).bits,
                                            platform::acquire, platform::relaxed)) {
                return true;
            }
        }
        return false;
    }
    bool try_remove_reader(word::bits_type unit) noexcept {
        auto seen = word_.load(platform::relaxed);  // relaxed: the exchange decides
        while (word{seen}.lets_holders_out()) {
            // release: a later exclusive holder sees that our reads are over
            if (word_.compare_exchange_weak(seen, word{seen}.minus_reader(unit).bits,
                                            platform::release, platform::relaxed)) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] bool held_exclusively_by(block const& me) const noexcept {
        word const w{word_.load(platform::relaxed)};  // relaxed: only we store and remove ourselves
        return w.is_exclusive() && w.exclusive_holder<block>() == &me;
    }
    /// False if one of its shared holders may be the caller.
    [[nodiscard]] bool free_of_readers() const noexcept {
        // relaxed: only we store and remove ourselves. Whoever counts distributed readers says so when it unlatches.
        return word{word_.load(platform::relaxed)}.has_no_shared_holder(
            Config::distributed_readers);
    }

    typename platform::template atomic<word::bits_type> word_{0};
    typename platform::template atomic<block*> queue_{nullptr};
    [[no_unique_address]] detail::home_of<Config> home_;
};

}  // namespace manylock

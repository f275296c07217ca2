// Who holds a queued lock: what a grant adds to its word, what giving back takes away, and whether a holder is in a
// request's way. All under the lock's latch. Shared holders are a count, or, where the policy must know them, a list of
// holds linked from the word.
#pragma once

#include <manylock/engine/queued_lock.hpp>

namespace manylock::detail {

template <class Config>
class holders {
public:
    using platform = typename Config::platform;
    using lock_type = queued_lock<Config>;
    using block = control_block<Config>;
    using hold_type = hold<Config>;
    using shared_state = arbitration<Config>;

    /// What a single-object reader adds to the word.
    static constexpr lock_word::bits_type single_unit =
        Config::known_readers ? lock_word::single_one : lock_word::counted_one;
    /// What a shared request adds to the word, where it is a number. `h`: its hold; none: a single-object reader.
    [[nodiscard]] static constexpr lock_word::bits_type unit_of(hold_type const* h) noexcept {
        return h == nullptr ? single_unit : lock_word::counted_one;
    }

    /// True if a holder other than `me` conflicts with `wanted`. An upgrader ignores its own hold.
    /// `single_read`: a reader without a hold, for which the word must have room.
    [[nodiscard]] static bool are_in_the_way(lock_word w, block const& me, mode wanted,
                                             bool upgrade, bool single_read) noexcept {
        if (w.is_exclusive()) return true;
        if (compatible(mode::shared, wanted)) return single_read && w.is_full(single_unit);
        if constexpr (Config::known_readers) {
            if (w.single_readers() != 0) return true;
            auto const* const reader = w.first_reader<hold_type>();
            if (reader == nullptr) return false;
            return reader->holder != &me || reader->next != nullptr;
        } else {
            return w.counted_readers() > (upgrade ? 1U : 0U);
        }
    }
    /// The word with `b` as a holder. `upgraded`: its weaker hold, if this is an upgrade. `h`: what to link; none: a
    /// single-object reader.
    [[nodiscard]] static lock_word add(lock_word w, block& b, mode m, hold_type* upgraded,
                                       hold_type* h) noexcept {
        if (m == mode::exclusive) {  // an upgrader was the only reader: the payload is replaced
            if constexpr (Config::known_readers) {
                if (upgraded != nullptr) (void)unlink(w, *upgraded);
            }
            return w.held_by(&b);
        }
        if (h == nullptr) return w.plus_reader(single_unit);
        if constexpr (Config::known_readers) {
            auto* const head = w.first_reader<hold_type>();
            h->holder = &b;
            h->next = head;
            h->previous = nullptr;
            if (head != nullptr) head->previous = h;
            return w.with_first_reader(h);
        } else {
            return w.plus_reader(lock_word::counted_one);
        }
    }
    [[nodiscard]] static lock_word remove(lock_word w, mode m, hold_type* h) noexcept {
        if (m == mode::exclusive) return w.without_exclusive_holder();
        if constexpr (Config::known_readers) {
            return unlink(w, *h);
        } else {
            return w.minus_reader(lock_word::counted_one);
        }
    }
    /// Calls f(block&) for each holder that has an identity.
    template <class F>
    static void for_each_known(lock_word w, F f) noexcept {
        if (w.is_exclusive()) {
            f(*w.exclusive_holder<block>());
        } else if constexpr (Config::known_readers) {
            for (auto* h = w.first_reader<hold_type>(); h != nullptr; h = h->next) f(*h->holder);
        }
    }

    /// Links `me` as a reader with hold `h` if nobody is in its way or waits. Requires: `me` does not hold the lock.
    static bool try_link_reader(lock_type& lock, block& me, hold_type& h) noexcept {
        return change_at_once(
            lock, [](lock_word w) { return !w.lets_readers_in() || w.is_distributed(); },
            [&](lock_word w) { return add(w, me, mode::shared, nullptr, &h); });
    }
    /// Requires: known readers. False if somebody waits, who has to be served then.
    static bool try_unlink_reader(lock_type& lock, hold_type& h) noexcept {
        return change_at_once(
            lock, [](lock_word w) { return !w.lets_holders_out(); },
            [&](lock_word w) { return remove(w, mode::shared, &h); });
    }
    /// Looks through all hold lists for readers that the lock does not know of, and makes it know them.
    /// Cost: a look at every hold of every list of the domain.
    static lock_word count_distributed(shared_state& shared, lock_type& lock,
                                       lock_word w) noexcept {
        w = w.not_distributed();
        // relaxed: the fence orders it. Latched, so nobody else changes it.
        lock.word_.store(w.latched().bits, platform::relaxed);
        platform::fence();  // (D4) partner: the one in joined_distributed (D1)
        shared.pool.for_each_unlocked([&](block& each) {
            auto const size = each.holds.size();
            for (std::uint32_t i = 0; i < size; ++i) {
                auto& h = each.holds.at(i);
                if (h.count_distributed(&lock)) w = add(w, each, mode::shared, nullptr, &h);
            }
        });
        return w;
    }

private:
    /// Takes the latch and stores change(word), unless barred(word) or somebody changes the word meanwhile: then false.
    /// Requires: barred is true of a word that is latched or has waiters, since the queue is not looked at.
    template <class Barred, class Change>
    static bool change_at_once(lock_type& lock, Barred barred, Change change) noexcept {
        auto seen = lock.word_.load(platform::relaxed);  // relaxed: the exchange decides
        lock_word const w{seen};
        // (L1) acquire; pairs (L2), as in wait_queue::latch
        if (barred(w) || !lock.word_.compare_exchange_strong(
                             seen, w.latched().bits, platform::acquire, platform::relaxed)) {
            return false;
        }
        lock.word_.store(change(w).bits,
                         platform::release);  // (L2) release, as in wait_queue::unlatch
        return true;
    }
    [[nodiscard]] static lock_word unlink(lock_word w, hold_type& h) noexcept {
        if (h.next != nullptr) h.next->previous = h.previous;
        if (h.previous != nullptr) {
            h.previous->next = h.next;
            return w;
        }
        return w.with_first_reader<hold_type>(h.next);
    }
};

}  // namespace manylock::detail

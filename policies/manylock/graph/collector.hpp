// Copies of what a wait-for graph is made of, taken while transactions run. For snapshot.hpp
// only.
//
// Each lock's holders and queue are copied under its latch, so they belong to one instant. A
// held-lock list is copied without: its owner does not change it while it waits, and a wait that
// began or ended meanwhile shows in the wait number. Copies belong to different instants; what
// ties them together is settle(): who is in the same wait as when it was copied has neither
// gained nor lost anything. Nothing is allocated under a latch. Only locks that somebody waits
// for are ever dereferenced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <unordered_set>
#include <vector>

#include <manylock/engine/domain_core.hpp>

namespace manylock::graph::detail {

template <class Config>
class collector {
public:
    using core_type = manylock::detail::domain_core<Config>;
    using block = manylock::detail::control_block<Config>;
    using lock_type = queued_lock<Config>;
    using platform = typename Config::platform;

    /// A transaction as it was when one copy was made.
    struct party {
        block const* who;
        std::uint64_t wait;  ///< odd while it waits
        stamp age;
        std::uint64_t stamped_ns;
        bool told_to_restart;
    };
    struct request {
        party by;
        mode wanted;
        bool upgrade;
        bool single_reader;
    };
    struct holding {
        party by;
        mode held;
    };
    struct lock_copy {
        lock_type const* lock = nullptr;
        bool exclusive = false;
        std::uint64_t readers = 0;     ///< shared holders of whom only the number is known
        std::vector<request> queue;    ///< first one first
        std::vector<holding> holders;  ///< those with an identity
    };
    struct list_entry {
        lock_type const* lock;
        mode held;
    };
    struct list_copy {
        party by;
        std::vector<list_entry> entries;
    };

    explicit collector(core_type& core) {
        std::vector<block const*> blocks;
        core.shared.pool.for_each([&](block const& b) { blocks.push_back(&b); });
        for (auto const* const b : blocks) copy_lock_wanted_by(*b);
        if constexpr (Config::published_holds) {
            for (auto const* const b : blocks) copy_list(*b);
        }
        settle();
    }

    [[nodiscard]] std::vector<lock_copy> const& locks() const noexcept { return locks_; }
    [[nodiscard]] std::vector<list_copy> const& lists() const noexcept { return lists_; }
    /// True if `p` has neither begun nor ended a wait between copy and end of collection.
    [[nodiscard]] bool stands(party const& p) const { return wait_at_end_.at(p.who) == p.wait; }

private:
    using queue = manylock::detail::wait_queue<Config>;

    static party party_of(block const& b) noexcept {
        // acquire; pairs with enqueue
        auto const wait = b.wait.load(platform::acquire);
        auto const age = b.current_stamp();
        // relaxed: written before the stamp that was just read
        auto const stamped_ns = b.stamped_ns.load(platform::relaxed);
        // relaxed: a hint
        bool const victim = (wait & 1U) != 0 && b.victim_wait.load(platform::relaxed) == wait;
        return {&b, wait, age, stamped_ns, victim || (Config::needs.holders && b.is_wounded())};
    }

    void copy_lock_wanted_by(block const& b) {
        for (std::size_t room = 16;; room *= 2) {
            lock_copy copy;
            copy.queue.reserve(room);
            copy.holders.reserve(room);
            // A lock that was waited for inside the section is not freed before the section ends.
            typename platform::read_section const alive;
            auto const wait = b.wait.load(platform::acquire);        // acquire; pairs with enqueue
            auto* const lock = b.wait_lock.load(platform::acquire);  // acquire; pairs with enqueue
            // In the same wait before and after, so it is its lock. relaxed: the acquire before it makes it
            // as new as that
            if ((wait & 1U) == 0 || b.wait.load(platform::relaxed) != wait) return;
            if (copied_.contains(lock)) return;
            if (!try_copy(*lock, copy)) continue;
            copied_.insert(lock);
            locks_.push_back(std::move(copy));
            return;
        }
    }
    /// False if there is not enough room.
    static bool try_copy(lock_type& lock, lock_copy& copy) noexcept {
        copy.lock = &lock;
        bool fits = true;
        auto const w = queue::latch(lock);
        copy.exclusive = w.is_exclusive();
        auto const held = copy.exclusive ? mode::exclusive : mode::shared;
        auto const add_holder = [&](block const& b) {
            fits = fits && copy.holders.size() < copy.holders.capacity();
            if (fits) copy.holders.push_back({party_of(b), held});
        };
        manylock::detail::holders<Config>::for_each_known(w, add_holder);
        for (auto* b = queue::first(lock); b != nullptr && fits; b = queue::next(*b)) {
            fits = copy.queue.size() < copy.queue.capacity();
            if (!fits) break;
            bool const single = b->is_single_read();
            auto by = party_of(*b);
            by.told_to_restart = by.told_to_restart && b->wait_restartable;
            copy.queue.push_back({by, queue::mode_of(*b), b->wait_upgrade, single});
            if (!Config::known_readers && b->wait_upgrade) add_holder(*b);
        }
        if (!copy.exclusive) {
            copy.readers = Config::known_readers ? w.single_readers()
                                                 : w.counted_readers() - copy.holders.size();
        }
        queue::unlatch(lock, w);
        return fits;
    }
    void copy_list(block const& b) {
        list_copy copy;
        // A list that was changed by a transaction that waits by now says nothing about this wait.
        for (;;) {
            copy.by = party_of(b);
            copy.entries.clear();
            auto const size = b.holds.size();
            for (std::uint32_t i = 0; i < size; ++i) {
                // One load for both, since a running owner may replace the entry at any time.
                auto const both = b.holds.at(i).read();
                if (both == 0) continue;
                copy.entries.push_back(
                    {reinterpret_cast<lock_type const*>(both & ~std::uintptr_t{3}),
                     manylock::detail::hold<Config>::mode_of(both)});
            }
            // relaxed: the acquire loads of the list make it as new as they are
            auto const wait = b.wait.load(platform::relaxed);
            if ((wait & 1U) == 0 || wait == copy.by.wait) break;
        }
        if (!copy.entries.empty()) lists_.push_back(std::move(copy));
    }
    void settle() {
        auto const note = [&](party const& p) {
            // Once a transaction: all that was copied is held against one number. relaxed: what was copied,
            // by acquire loads or under a latch, makes it as new as that is.
            wait_at_end_.try_emplace(p.who, p.who->wait.load(platform::relaxed));
        };
        for (auto const& l : locks_) {
            for (auto const& r : l.queue) note(r.by);
            for (auto const& h : l.holders) note(h.by);
        }
        for (auto const& l : lists_) note(l.by);
    }

    std::unordered_set<lock_type const*> copied_;
    std::vector<lock_copy> locks_;
    std::vector<list_copy> lists_;
    std::unordered_map<block const*, std::uint64_t> wait_at_end_;
};

}  // namespace manylock::graph::detail

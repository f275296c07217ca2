// How an update claims parts of gaps, waits for the claims of others, and gives its own up. Bodies of
// `update`; included by update.hpp only.
#pragma once

#include <manylock/address_space/update.hpp>

namespace manylock::address_space {

template <class Space>
auto update<Space>::claim_fills() -> answer {
    for (interval const& fill : w_.fills_) {
        vma bounds;
        bounds.start = fill.start;
        bounds.end = fill.end;
        if (make_region(bounds) == nullptr) return answer::restart;
    }
    make_room(0);
    address in_the_way = 0;
    {
        typename map_type::edit edit{map_, stock_, w_.unpublished_.size()};
        for (region_type* r : w_.unpublished_)
            if (map_.overlapping(r->first(), r->past()) != nullptr) in_the_way = r->first();
        if (in_the_way == 0) {
            for (region_type* r : w_.unpublished_) {
                // relaxed: published by the insertion
                r->claim.store(++space_.last_claim_, domain_type::platform::relaxed);
                edit.insert(*r);
            }
        }
    }
    if (in_the_way != 0) {
        interval const range = fill_at(in_the_way);
        drop_unpublished();
        return wait_for_claim_in(range) ? answer::again : answer::restart;
    }
    for (region_type* r : w_.unpublished_) add_held({r, r->first(), true, false});
    w_.unpublished_.clear();
    return wait_for_earlier_claims();
}

/// Somebody else has claimed or mapped part of `range`. A VMA will be locked when we look
/// again.
template <class Space>
bool update<Space>::wait_for_claim_in(interval range) {
    read_section section;
    region_type* const r = map_.overlapping(range.start, range.end);
    if (r == nullptr || r->claim_number() == 0 || is_held(r)) return true;
    return adopt_claim(*r, section);
}

/// Two claims side by side may become one VMA. The later one waits, so that one of the two
/// always sees the other's VMA, and they never wait for each other.
template <class Space>
auto update<Space>::wait_for_earlier_claims() -> answer {
    bool waited = false;
    for (std::size_t i = 0; i < w_.held_.size(); ++i) {
        if (!w_.held_[i].claim) continue;
        region_type const& mine = *w_.held_[i].where;
        for (bool const left : {true, false}) {
            if (left && mine.first() == 0) continue;
            read_section section;
            region_type* const r =
                left ? map_.floor(mine.first() - 1) : map_.first_above(mine.past());
            if (r == nullptr || is_held(r)) continue;
            bool const touches = left ? r->past() == mine.first() : r->first() == mine.past();
            std::uint64_t const number = r->claim_number();
            if (!touches || number == 0 || number > mine.claim_number()) continue;
            if (!adopt_claim(*r, section)) return answer::restart;
            waited = true;
        }
    }
    return waited ? answer::again : answer::ok;
}

/// Waits for the owner of claim `r`. It has become a VMA then, or the owner had to restart and
/// left the claim to us.
template <class Space>
bool update<Space>::adopt_claim(region_type& r, read_section& section) {
    address const rank = r.first();
    w_.last_asked_ = &r;
    w_.last_rank_ = rank;
    make_room(1);
    if (!txn_.acquire_found(r.lock, mode::exclusive, section, rank)) return false;
    if (r.first() != rank) return restart_as_stale();
    add_held({&r, rank, r.claim_number() != 0, false});
    return true;
}

/// Chooses a hole for the operation and claims it. `ok`: there is none. What we have claimed, or got from an owner
/// that had to restart, is looked for as a hole again.
template <class Space>
auto update<Space>::place_in_hole(std::uint64_t length) -> answer {
    for (;;) {
        for (held& h : w_.held_) h.kept = false;
        withdraw_claims();
        address hole = 0;
        {
            read_section const section;
            hole = space_.find_hole(length, op_);
        }
        if (hole == 0) {  // a hint so far
            read_section section;
            region_type* claim = nullptr;
            {
                std::lock_guard const guard{map_.structure};
                hole = space_.find_hole(length, op_);
                if (hole == 0) claim = foreign_claim_in(space_.where_holes_are());
            }
            // Its owner may still restart and go elsewhere.
            if (claim != nullptr)
                return adopt_claim(*claim, section) ? answer::again : answer::restart;
        }
        if (hole == 0) return answer::ok;
        if (!under_umbrella) {
            w_.fills_.assign(1, {hole, hole + length});
            answer const claimed = claim_fills();
            if (claimed == answer::restart) return claimed;
            if (!is_claimed({hole, hole + length})) continue;  // somebody was faster
        }
        op_ = placed_at(op_, hole);
        want(detail::with_borders(hole, length, globals_.address_limit));
        return answer::again;
    }
}

/// Requires: the structure section.
template <class Space>
auto update<Space>::foreign_claim_in(interval range) const -> region_type* {
    region_type* found = nullptr;
    map_.each(range.start, [&](region_type& r) {
        bool const inside = r.first() < range.end;
        if (inside && r.claim_number() != 0 && !is_held(&r)) found = &r;
        return inside && found == nullptr;
    });
    return found;
}

/// Takes back those of our claims that are not `kept`. What we hold says so afterwards.
template <class Space>
void update<Space>::withdraw_claims() {
    auto const goes = [](held const& h) { return h.claim && !h.kept; };
    if (std::none_of(w_.held_.begin(), w_.held_.end(), goes)) return;
    {
        typename map_type::edit edit{map_, stock_, 0};
        for (held const& h : w_.held_)
            if (goes(h)) edit.unlink(*h.where);
    }
    for (held const& h : w_.held_)
        if (goes(h)) remove(*h.where);
    std::erase_if(w_.held_, goes);
}

template <class Space>
void update<Space>::give_claims_up() {
    for (held& h : w_.held_) {
        if (!h.claim) continue;
        h.kept = txn_.must_restart() && h.where->lock.has_waiters();
        if (h.kept) w_.left_.push_back(h.start);
    }
    withdraw_claims();
}

/// After a restart the transaction comes back with the lock it had failed to get. If that is a
/// claim's, the claim is ours now. What the lock guards may have another start, and so another
/// rank, by now: then it is of no use here.
template <class Space>
void update<Space>::settle_rejoined() {
    region_type* const r = std::exchange(w_.last_asked_, nullptr);
    if (under_umbrella || txn_.attempt() == 1 || r == nullptr) return;
    if (!txn_.holds(r->lock, mode::shared)) return;
    if (r->claim_number() != 0) {
        add_held({r, r->first(), true, false});
    } else if (r->first() != w_.last_rank_) {
        txn_.release(r->lock);
    }
}

/// Claims that we left to a waiter which then did not take them are ours again. False: restart.
template <class Space>
bool update<Space>::pick_up_claims() {
    for (std::size_t i = w_.left_.size(); i-- > 0;) {
        address const start = w_.left_[i];
        read_section section;
        region_type* r = nullptr;
        {
            std::lock_guard const guard{map_.structure};  // not finding it must be certain
            r = map_.floor(start);
        }
        bool const there = r != nullptr && r->first() == start && r->claim_number() != 0;
        if (there && !is_held(r) && r->lock.busy()) continue;  // somebody has it now
        w_.left_.erase(w_.left_.begin() + static_cast<std::ptrdiff_t>(i));
        if (!there || is_held(r)) continue;
        make_room(1);
        w_.last_asked_ = r;
        w_.last_rank_ = start;
        if (!txn_.acquire_found(r->lock, mode::exclusive, section, start)) return false;
        if (r->claim_number() != 0) {
            add_held({r, start, true, false});
        } else {
            txn_.release(r->lock);
        }
    }
    return true;
}

template <class Space>
void update<Space>::drop_unpublished() {
    for (region_type* r : w_.unpublished_) {
        txn_.release(r->lock);
        stock_.regions.discard(r);
    }
    w_.unpublished_.clear();
}

}  // namespace manylock::address_space

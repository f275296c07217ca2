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
    bool planned_too_early = false;
    {
        typename map_type::edit edit{map_, stock_, w_.unpublished_.size()};
        planned_too_early = !still_true();
        for (region_type* r : w_.unpublished_)
            if (map_.overlapping(r->first(), r->past()) != nullptr) in_the_way = r->first();
        if (in_the_way == 0 && !planned_too_early) {
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
    if (planned_too_early) {
        drop_unpublished();
        look_at_flags_again();
        return answer::again;
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

/// Two claims side by side may become one VMA. The later one waits, so that its plan knows what the
/// earlier one became, and they never wait for each other. Without this the commit would find the
/// other's VMA, and the work would be done again.
template <class Space>
auto update<Space>::wait_for_earlier_claims() -> answer {
    bool changed = false;
    for (std::size_t i = 0; i < w_.held_.size(); ++i) {
        if (!w_.held_[i].claim) continue;
        region_type const& mine = *w_.held_[i].where;
        for (bool const left : {true, false}) {
            read_section section;
            region_type* const r = left ? touching_below(mine) : touching_above(mine);
            if (r == nullptr || is_held(r)) continue;
            std::uint64_t const number = r->claim_number();
            if (number > mine.claim_number()) continue;
            // 0: it was a claim when ours was planned, and has become a VMA.
            if (number != 0 && !adopt_claim(*r, section)) return answer::restart;
            changed = true;
        }
    }
    return changed ? answer::again : answer::ok;
}

/// Requires, as the next: a read section.
template <class Space>
auto update<Space>::touching_below(region_type const& mine) const -> region_type* {
    if (mine.first() == 0) return nullptr;
    region_type* const r = map_.floor(mine.first() - 1);
    return r != nullptr && r->past() == mine.first() ? r : nullptr;
}
template <class Space>
auto update<Space>::touching_above(region_type const& mine) const -> region_type* {
    region_type* const r = map_.first_above(mine.past());
    return r != nullptr && r->first() == mine.past() ? r : nullptr;
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
    withdraw_all_claims();
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
        if (claim != nullptr) return adopt_claim(*claim, section) ? answer::again : answer::restart;
        if (hole == 0) return answer::ok;
    }
    if (!under_umbrella) {
        w_.fills_.assign(1, {hole, hole + length});
        answer const claimed = claim_fills();
        // Not claimed: somebody was faster.
        if (claimed == answer::restart || !is_claimed({hole, hole + length})) return claimed;
    }
    op_ = placed_at(op_, hole);
    want(detail::with_borders(hole, length, globals_.address_limit));
    return answer::again;
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
void update<Space>::withdraw_all_claims() {
    for (held& h : w_.held_) h.kept = false;
    withdraw_claims();
}

/// A claim is left to those who wait for it, so that none of them is told that it has gone: whoever must
/// restart in its queue comes back to it, unless it may have to wait for its turn first.
template <class Space>
void update<Space>::give_claims_up() {
    bool const leave = txn_.must_restart() && domain_type::policy::promises.eldest_never_restarts;
    for (held& h : w_.held_) h.kept = h.claim && leave && h.where->lock.has_waiters();
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

template <class Space>
void update<Space>::drop_unpublished() {
    for (region_type* r : w_.unpublished_) {
        txn_.release(r->lock);
        stock_.regions.discard(r);
    }
    w_.unpublished_.clear();
}

}  // namespace manylock::address_space

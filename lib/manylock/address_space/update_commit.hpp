// The end of an update: which region becomes which VMA, and the change of the map. Bodies of `update`;
// included by update.hpp only.
#pragma once

#include <manylock/address_space/update.hpp>

namespace manylock::address_space {

/// Which region becomes which VMA: its own; else one of ours that it replaces; else a new one.
template <class Space>
bool update<Space>::choose_destinations() {
    w_.destinations_.clear();
    w_.origins_.clear();
    for (std::size_t i = 0; i < w_.held_.size(); ++i) {
        w_.held_[i].kept = false;
        if (!w_.held_[i].claim) w_.origins_.push_back(i);
    }
    for (draft::entry const& e : w_.plan_.entries())
        if (e.origin != draft::fresh) origin_of(e).kept = true;
    auto spare = w_.held_.begin();
    for (draft::entry const& e : w_.plan_.entries()) {
        if (e.origin != draft::fresh) {
            region_type* const r = origin_of(e).where;
            w_.destinations_.push_back({r, false, !(r->area == e.area)});
            continue;
        }
        while (spare != w_.held_.end() && (spare->kept || spare->where->past() <= e.area.start))
            ++spare;
        if (spare != w_.held_.end() && spare->start < e.area.end) {
            spare->kept = true;
            w_.destinations_.push_back({spare->where, false, true});
        } else if (region_type* const r = make_region(e.area)) {
            w_.destinations_.push_back({r, true, true});
        } else {
            return false;
        }
    }
    return !under_umbrella || mark_changes();
}

/// Under umbrella only what changes is marked, even if it will look the same: mapped over by its like.
template <class Space>
bool update<Space>::mark_changes() {
    for (auto const& d : w_.destinations_) {
        if (d.fresh) continue;
        vma const& was = d.where->area;
        bool const changes = d.changed || w_.plan_.has_unmapped_in({was.start, was.end});
        if (changes && !txn_.acquire(d.where->lock)) return false;
    }
    for (held const& h : w_.held_)
        if (!h.kept && !txn_.acquire(h.where->lock)) return false;
    return true;
}

/// Requires: the structure section. No VMA but ours lies where the draft knew everything.
template <class Space>
bool update<Space>::still_true() const {
    if (under_umbrella) return true;
    if (writes_ && !uses_break_ && space_.default_flags() != globals_.default_flags) return false;
    bool ours = true;
    for (interval const& known : w_.plan_.covered()) {
        map_.each(known.start, [&](region_type const& r) {
            bool const inside = r.first() < known.end;
            if (inside && r.claim_number() == 0 && !is_held(&r)) ours = false;
            return inside && ours;
        });
    }
    return ours;
}

template <class Space>
bool update<Space>::commit(mm_globals const& g) {
    make_room(0);
    {
        typename map_type::edit edit{map_, stock_, w_.unpublished_.size()};
        if (!still_true()) {
            look_at_flags_again();
            return false;
        }
        for (held const& h : w_.held_)
            if (!h.kept) edit.unlink(*h.where);
        // Bounds first: a search for a new region's place must meet them in order.
        for (std::size_t i = 0; i < w_.destinations_.size(); ++i) {
            if (auto const& d = w_.destinations_[i]; d.changed && !d.fresh)
                edit.become(*d.where, w_.plan_[i]);
        }
        for (auto const& d : w_.destinations_)
            if (d.fresh) edit.insert(*d.where);
        space_.adopt_globals(g, uses_break_, count_change());
        w_.commit_number_ = ++space_.commits_;
    }
    committed_ = true;
    w_.unpublished_.clear();
    for (held const& h : w_.held_)
        if (!h.kept) remove(*h.where);
    space_.ids_used(w_, g.next_id);
    return true;
}

template <class Space>
std::int64_t update<Space>::count_change() const {
    auto const before =
        std::count_if(w_.held_.begin(), w_.held_.end(), [](held const& h) { return !h.claim; });
    return static_cast<std::int64_t>(w_.plan_.size()) - before;
}

/// Requires: unlinked. Waiters leave with `stale`; the memory outlives our own hold of the
/// lock.
template <class Space>
void update<Space>::remove(region_type& r) {
    w_.removed_.push_back(&r);
    txn_.detach(r.lock);
}

}  // namespace manylock::address_space

// One attempt of one operation on the concurrent address space: the body of a transaction.
//   1 lock     every VMA that the operation may change or may merge with, found by lock-free lookup
//   2 plan     on a draft made of the locked VMAs; look further if the plan asks
//   3 claim    carve what it will fill off the gaps, born locked, if all that was taken for free still
//              is; wait for earlier claims there and beside it
//   4 work     what the caller does while everything is locked
//   5 commit   in the structure section: nothing we took for free may be mapped now; then edit
// A step that finds the world changed goes back to 1 with its locks kept. An attempt that does not commit
// takes its claims back, or leaves them to those who wait for them: whoever gets the lock of a claim owns the
// claim.
//
// Under umbrella the first request takes the umbrella, so the world stands still: 1 only looks, 3
// is left out, and 5 marks exactly the VMAs that change.
#pragma once

#include <manylock/address_space/worker.hpp>
#include <manylock/domain.hpp>

#include <algorithm>
#include <memory>
#include <mutex>

namespace manylock::address_space {

template <class Space>
class update {
public:
    using domain_type = typename Space::domain_type;
    using transaction = typename domain_type::transaction;
    using read_section = typename domain_type::read_section;
    using region_type = region<domain_type>;
    using map_type = region_map<domain_type>;
    using worker_type = worker<domain_type>;
    using held = typename worker_type::held;
    static constexpr bool under_umbrella = domain_type::policy::needs.umbrella;

    update(Space& space, transaction& txn, worker_type& w, operation const& op)
        : space_{space}, map_{space.map_}, stock_{w.stock_for(map_)}, txn_{txn}, w_{w}, op_{op} {
        w_.held_.clear();
        w_.wanted_.clear();
        space_.free_removed(w_);
    }
    update(update const&) = delete;
    update& operator=(update const&) = delete;
    ~update() {
        drop_unpublished();
        if (!committed_) give_claims_up();
    }

    [[nodiscard]] std::int64_t result() const noexcept { return result_; }

    /// False: a restart was issued. `work` runs while everything that the operation needs is
    /// locked.
    template <class Work>
    bool run(Work&& work) {
        if (!begin()) return false;
        for (;;) {
            if (!lock_wanted()) return false;
            make_draft();
            mm_globals g = globals_;
            outcome const out = run_plan(w_.plan_, op_, g);
            if (out.what == outcome::kind::needs_more) {
                want_first_in(w_.plan_.missing());
                continue;
            }
            if (out.what == outcome::kind::needs_hole) {
                answer const placed = place_in_hole(out.hole_length);
                if (placed == answer::restart) return false;
                if (placed == answer::again) continue;
                result_ = -abi::enomem;  // there is none
                return true;
            }
            result_ = out.result;
            if (!writes_) {
                if (std::lock_guard const guard{map_.structure}; !still_true()) continue;
                return true;
            }
            if (find_fills()) {
                answer const claimed = claim_fills();
                if (claimed == answer::restart) return false;
                if (claimed == answer::again) continue;
            }
            if (!choose_destinations()) return false;
            // What is refused does no work, as on the fault's fast path.
            if (op_.what != call::fault || result_ == 0) work();
            if (commit(g)) return true;
            drop_unpublished();
        }
    }

private:
    enum class answer : std::uint8_t { ok, again, restart };

    bool begin() {
        globals_ = space_.fixed_globals_;
        footprint const guess = footprint_of(op_, globals_);
        writes_ = guess.writes;
        uses_break_ = guess.uses_break;
        settle_rejoined();
        if constexpr (under_umbrella) {
            if (!txn_.acquire(space_.globals_lock_, mode::shared)) return false;
        } else if (uses_break_) {
            // Rank 1: below every VMA.
            if (!txn_.acquire_ranked(space_.globals_lock_, mode::exclusive, 1)) return false;
        }
        globals_ = space_.current_globals(uses_break_);
        globals_.next_id = space_.ids_for(w_);
        for (interval const& range : footprint_of(op_, globals_).ranges) want(range);
        return true;
    }

    void settle_rejoined();

    void want(interval range) {
        if (!range.empty()) w_.wanted_.push_back(range);
    }

    /// The plan asks for the first VMA in `range`.
    void want_first_in(interval range) {
        read_section const section;
        region_type* r = map_.first_above(range.start);
        while (r != nullptr && r->claim_number() != 0 && !is_held(r)) r = map_.following(*r);
        address const up_to = r == nullptr ? range.end : r->first() + page_size;
        want({range.start, std::min(range.end, std::max(up_to, range.start + page_size))});
    }

    // --- 1 lock
    bool lock_wanted() {
        std::sort(w_.wanted_.begin(), w_.wanted_.end(),
                  [](interval a, interval b) { return a.start < b.start; });
        for (interval const& range : w_.wanted_) {
            for (address at = range.start; at < range.end;) {
                read_section section;
                region_type* const r = map_.first_above(at);
                if (r == nullptr || r->first() >= range.end) break;
                address const past = r->past();
                if (r->claim_number() != 0 || is_held(r)) {
                    if (past <= at) continue;  // it moved while we looked
                    at = past;
                    continue;
                }
                address const first = r->first();
                if (!hold(*r, section)) return false;
                if (r->first() == first) at = r->past();
            }
        }
        return true;
    }

    /// Locks `r`. False: restart. It may have moved meanwhile: then it is held for nothing, and what lies in
    /// the range now is looked up again. Only where locks have ranks must it be where it was.
    bool hold(region_type& r, read_section& section) {
        address const rank = r.first();
        if constexpr (!under_umbrella) {
            w_.last_asked_ = &r;
            w_.last_rank_ = rank;
            mode const wanted = writes_ ? mode::exclusive : mode::shared;
            make_room(1);
            if (!txn_.acquire_found(r.lock, wanted, section, rank)) return false;
            if (domain_type::policy::needs.rank && r.first() != rank) return restart_as_stale();
        }
        add_held({&r, r.first(), false, false});
        return true;
    }

    bool restart_as_stale() {
        return static_cast<bool>(txn_.restart_because(restart_reason::stale));
    }

    void add_held(held h) {
        auto const after =
            std::upper_bound(w_.held_.begin(), w_.held_.end(), h,
                             [](held const& a, held const& b) { return a.start < b.start; });
        w_.held_.insert(after, h);
    }
    /// Requires: a read section or the structure section. A held region's start does not change.
    [[nodiscard]] bool is_held(region_type const* r) const noexcept {
        auto const at =
            std::lower_bound(w_.held_.begin(), w_.held_.end(), r->first(),
                             [](held const& h, address start) { return h.start < start; });
        return at != w_.held_.end() && at->where == r;
    }

    // --- 2 plan
    void make_draft() {
        for (held const& h : w_.held_) want({h.start, h.where->past()});
        std::sort(w_.wanted_.begin(), w_.wanted_.end(),
                  [](interval a, interval b) { return a.start < b.start; });
        w_.plan_.reset(space_.vma_count(), globals_.map_count_max, globals_.address_limit);
        for (interval const& known : w_.wanted_) w_.plan_.cover(known);
        w_.wanted_.assign(w_.plan_.covered().begin(), w_.plan_.covered().end());
        for (held const& h : w_.held_)
            if (!h.claim) w_.plan_.add(h.where->area);
    }

    // --- 3 claim
    /// The parts of the plan's VMAs that no region of ours covers. False if there are none.
    bool find_fills() {
        w_.fills_.clear();
        if (under_umbrella) return false;
        auto h = w_.held_.begin();
        for (draft::entry const& e : w_.plan_.entries()) {
            address at = e.area.start;
            while (at < e.area.end) {
                while (h != w_.held_.end() && h->where->past() <= at) ++h;
                address const next = h == w_.held_.end() ? e.area.end : h->start;
                if (next > at) w_.fills_.push_back({at, std::min(next, e.area.end)});
                at = h == w_.held_.end() ? e.area.end : std::max(at, h->where->past());
            }
        }
        return !w_.fills_.empty();
    }

    /// A region that nobody can find yet, born locked.
    region_type* make_region(vma const& area) {
        w_.unpublished_.reserve(w_.unpublished_.size() + 1);
        auto const back = [this](region_type* r) { stock_.regions.discard(r); };
        std::unique_ptr<region_type, decltype(back)> born{stock_.regions.make(area), back};
        if (!txn_.acquire_ranked(born->lock, mode::exclusive, area.start)) return nullptr;
        w_.unpublished_.push_back(born.get());
        return born.release();
    }

    answer claim_fills();
    bool wait_for_claim_in(interval range);
    answer wait_for_earlier_claims();
    [[nodiscard]] region_type* touching_below(region_type const& mine) const;
    [[nodiscard]] region_type* touching_above(region_type const& mine) const;
    bool adopt_claim(region_type& r, read_section& section);
    answer place_in_hole(std::uint64_t length);
    [[nodiscard]] interval fill_at(address start) const {
        return *std::find_if(w_.fills_.begin(), w_.fills_.end(),
                             [=](interval f) { return f.start == start; });
    }
    [[nodiscard]] bool is_claimed(interval range) const {
        return std::any_of(w_.held_.begin(), w_.held_.end(), [=](held const& h) {
            return h.claim && h.start == range.start && h.where->past() >= range.end;
        });
    }
    [[nodiscard]] region_type* foreign_claim_in(interval range) const;

    // --- 5 commit
    bool choose_destinations();
    bool mark_changes();
    bool commit(mm_globals const& g);
    [[nodiscard]] bool still_true() const;
    /// After a plan that was made too early. Requires: the structure section, or as a hint outside.
    void look_at_flags_again() {
        if (!uses_break_) globals_.default_flags = space_.default_flags();
    }
    [[nodiscard]] std::int64_t count_change() const;
    void remove(region_type& r);
    /// Memory to note `more` regions and to give up all: once they are locked, neither may fail.
    void make_room(std::size_t more) {
        auto const grow = [](auto& list, std::size_t n) {
            if (list.capacity() < n) list.reserve(std::max(n, 2 * list.capacity()));
        };
        std::size_t const all = w_.held_.size() + w_.unpublished_.size() + more;
        grow(w_.held_, all);
        grow(w_.removed_, w_.removed_.size() + all);
    }
    [[nodiscard]] held& origin_of(draft::entry const& e) {
        return w_.held_[w_.origins_[static_cast<std::size_t>(e.origin)]];
    }

    void drop_unpublished();
    void withdraw_claims();
    void withdraw_all_claims();
    void give_claims_up();

    Space& space_;
    map_type& map_;
    typename map_type::stock& stock_;
    transaction& txn_;
    worker_type& w_;
    operation op_;
    mm_globals globals_{};
    std::int64_t result_ = 0;
    bool writes_ = true;
    bool uses_break_ = false;
    bool committed_ = false;
};

}  // namespace manylock::address_space

#include <manylock/address_space/update_claims.hpp>
#include <manylock/address_space/update_commit.hpp>

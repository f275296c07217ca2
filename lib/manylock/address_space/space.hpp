// The concurrent address space: a user-space model of Linux's mm on the locks of one Manylock
// policy.
//
//     basic_address_space<policies::wound_wait> space{globals};
//     decltype(space)::worker me;                         // one for each thread
//     std::int64_t const where = space.apply(me, op);     // an address, 0 or -errno
//
// Under `umbrella` it is Linux's own protocol: updates take mmap_lock and mark the VMAs they
// change, faults take one VMA's read lock and fall back. Under every other policy there is no
// umbrella: an update locks, in one transaction, the VMAs it changes, the neighbours it may merge
// with and the parts of gaps that it fills, so that updates of disjoint ranges run in parallel.
// docs/address-space.md has the locking table and the arguments.
#pragma once

#include <manylock/address_space/rules/maps_row.hpp>
#include <manylock/address_space/update.hpp>
#include <manylock/platform/native_rcu.hpp>

#include <string>

namespace manylock::address_space {

struct no_work {
    void operator()() const noexcept {}
};

template <class Domain>
class space_on {
public:
    using domain_type = Domain;
    using worker = address_space::worker<Domain>;
    using region_type = region<Domain>;
    using read_section = typename Domain::read_section;

    explicit space_on(mm_globals const& g = {})
        : fixed_globals_{g}, break_{g.brk}, default_flags_{g.default_flags} {}
    space_on(space_on const&) = delete;
    space_on& operator=(space_on const&) = delete;

    /// Puts a VMA there as it is, without any merging. Requires: nothing is there; no thread is at
    /// work.
    void place(vma const& area) {
        typename region_map<Domain>::stock stock{map_};
        stock.regions.fill(1);
        typename region_map<Domain>::edit edit{map_, stock, 1};
        edit.insert(*stock.regions.make(area));
        // relaxed: alone
        count_.store(count_.load(Domain::platform::relaxed) + 1, Domain::platform::relaxed);
    }
    /// A number that no anon_vma or shared anonymous file of this space has had, for VMAs to place.
    [[nodiscard]] std::uint64_t fresh_id() noexcept { return draw_ids(1); }

    /// Carries out `op`: an address, 0 or -errno. Blocks behind conflicting updates; never
    /// deadlocks.
    std::int64_t apply(worker& me, operation const& op) { return apply(me, op, no_work{}); }
    /// `work` runs while everything that the operation needs is locked (for most page faults one
    /// VMA's read lock): what a kernel does with page tables and files. It runs again after a restart,
    /// and where something was mapped into what the operation saw free and did not claim; not at all
    /// for what only reads VMAs, for a fault that is refused, or for want of a hole. It may throw: then
    /// everything is as before, nothing stays locked, and the exception leaves. Requires: no use of
    /// this space inside; a fault's work that maps would wait for the update that waits for the fault.
    /// Checked builds name it.
    template <class Work>
    std::int64_t apply(worker& me, operation const& op, Work&& work) {
        me.commit_number_ = 0;
        if (op.what == call::fault) return fault(me, op, work);
        return transact(me, op, work);
    }

    /// Whether a VMA was found at `a`: the fault's lookup without the fault. A hint; never blocks.
    [[nodiscard]] bool seems_mapped(address a) const noexcept {
        read_section const section;
        region_type const* const r = map_.floor(a);
        return r != nullptr && r->contains(a) && r->claim_number() == 0;
    }
    [[nodiscard]] Domain& domain() noexcept { return domain_; }
    [[nodiscard]] std::uint64_t vma_count() const noexcept {
        return count_.load(Domain::platform::relaxed);  // relaxed: exact only in quiet
    }
    [[nodiscard]] mm_globals globals() {
        std::lock_guard const guard{map_.structure};
        return current_globals(true);
    }
    /// All VMAs, of one moment.
    [[nodiscard]] std::vector<vma> vmas() {
        std::lock_guard const guard{map_.structure};
        std::vector<vma> all;
        map_.each(0, [&](region_type const& r) {
            if (r.claim_number() == 0) all.push_back(r.area);
            return true;
        });
        return all;
    }
    /// What /proc/PID/maps would print, of one moment.
    [[nodiscard]] std::vector<maps_row> rows() {
        mm_globals const g = globals();
        std::vector<maps_row> all;
        for (vma const& area : vmas()) all.push_back(row_of(area, g));
        return all;
    }
    /// The first broken invariant as a sentence, or nothing. Requires: no thread is at work.
    /// `maximal`: no two neighbours could be one VMA (an mremap that leaves its source breaks
    /// that).
    [[nodiscard]] std::string broken_invariant(bool maximal = true);

private:
    template <class Space>
    friend class update;
    using platform = typename Domain::platform;

    template <class Work>
    std::int64_t transact(worker& me, operation const& op, Work& work) {
        struct release_memory {
            space_on& space;
            worker& w;
            ~release_memory() { space.free_removed(w); }
        } const at_end{*this, me};
        return domain_.run([&](typename Domain::transaction& txn) -> std::int64_t {
            update<space_on> attempt{*this, txn, me, op};
            return attempt.run(work) ? attempt.result() : 0;
        });
    }

    enum class fault_step : std::uint8_t { done, look_again, needs_update };
    template <class Work>
    std::int64_t fault(worker& me, operation const& op, Work& work) {
        std::int64_t result = 0;
        for (;;) {
            switch (fault_once(me, op, result, work)) {
                case fault_step::done: return result;
                case fault_step::look_again: break;
                case fault_step::needs_update: ++me.faults.retry; return transact(me, op, work);
            }
        }
    }
    template <class Work>
    fault_step fault_once(worker& me, operation const& op, std::int64_t& result, Work& work);
    template <class Work>
    fault_step fault_in(worker& me, region_type& r, operation const& op, std::int64_t& result,
                        Work& work);
    fault_step fault_on_gap(worker& me, operation const& op, std::int64_t& result);

    [[nodiscard]] interval where_holes_are() const noexcept {
        return {fixed_globals_.mmap_floor, fixed_globals_.mmap_base};
    }
    [[nodiscard]] address find_hole(std::uint64_t length, operation const& op) const;

    /// Requires, with `break_too`: the globals lock held exclusively, or the structure section.
    [[nodiscard]] mm_globals current_globals(bool break_too) const noexcept {
        mm_globals g = fixed_globals_;
        g.default_flags = default_flags();
        if (break_too) g.brk = break_;
        return g;
    }
    [[nodiscard]] vma_flags default_flags() const noexcept {
        return default_flags_.load(platform::relaxed);  // relaxed: compared again later
    }
    /// Requires: the structure section.
    void adopt_globals(mm_globals const& g, bool break_too, std::int64_t count_change) noexcept {
        // relaxed: written in the structure section only; who needs the exact value reads it there
        count_.store(count_.load(platform::relaxed) + static_cast<std::uint64_t>(count_change),
                     platform::relaxed);
        if (!break_too) return;
        break_ = g.brk;
        default_flags_.store(g.default_flags, platform::relaxed);
    }
    void free_removed(worker& me) {
        auto& stock = me.stock_for(map_);
        for (region_type* r : me.removed_) stock.regions.retire(r);
        me.removed_.clear();
        stock.retire_dead();
    }

    /// Identities come in blocks, so that workers do not meet when they draw one.
    std::uint64_t draw_ids(std::uint64_t n) noexcept {
        return next_id_.fetch_add(n, platform::relaxed);  // relaxed: only unique
    }
    std::uint64_t ids_for(worker& me) noexcept {
        constexpr std::uint64_t block = ids_per_plan << 12U;
        if (me.last_id_ - me.next_id_ < ids_per_plan) {
            me.next_id_ = draw_ids(block);
            me.last_id_ = me.next_id_ + block;
        }
        return me.next_id_;
    }
    static void ids_used(worker& me, std::uint64_t next) noexcept { me.next_id_ = next; }

    region_map<Domain> map_;
    Domain domain_;
    typename Domain::lock_type globals_lock_;  ///< guards brk and the default flags
    mm_globals fixed_globals_;                 ///< what never changes
    address break_;
    typename platform::template atomic<vma_flags> default_flags_;
    typename platform::template atomic<std::uint64_t> count_{0};
    typename platform::template atomic<std::uint64_t> next_id_{1};
    std::uint64_t last_claim_ = 0;  ///< written in the structure section
    std::uint64_t commits_ = 0;     ///< written in the structure section
};

template <class Domain>
template <class Work>
auto space_on<Domain>::fault_once(worker& me, operation const& op, std::int64_t& result, Work& work)
    -> fault_step {
    read_section section;
    region_type* r = map_.floor(op.start);
    if (r == nullptr || !r->contains(op.start) || r->claim_number() != 0) {
        section.leave();
        return fault_on_gap(me, op, result);
    }
    read_status entered = domain_.enter_read(r->lock, section);
    if (entered == read_status::stale) {
        ++me.faults.miss;
        return fault_step::look_again;
    }
    if (entered != read_status::busy) {
        section.leave();
        return fault_in(me, *r, op, result, work);
    }
    // Umbrella only: the VMA is marked. Share the umbrella and look it up again.
    ++me.faults.abort;
    section.leave();
    auto const umbrella = domain_.fall_back();
    section.enter();
    r = map_.floor(op.start);
    if (r == nullptr || !r->contains(op.start)) {
        result = -abi::efault;
        region_type* const above = map_.first_above(op.start);
        bool const may_grow = above != nullptr && (above->area.flags & vm_growsdown);
        return may_grow ? fault_step::needs_update : fault_step::done;
    }
    entered = domain_.try_enter_read(r->lock);
    section.leave();
    if (entered == read_status::stale || entered == read_status::busy)
        return fault_step::look_again;
    return fault_in(me, *r, op, result, work);
}

/// Requires: `r` is held by a single-object read, which ends here.
template <class Domain>
template <class Work>
auto space_on<Domain>::fault_in(worker& me, region_type& r, operation const& op,
                                std::int64_t& result, Work& work) -> fault_step {
    bool still_there = false;
    touch what = touch::refused;
    {
        struct leave_at_end {
            Domain& domain;
            region_type& held;
            ~leave_at_end() { domain.leave_read(held.lock); }
        } const at_end{domain_, r};
        still_there = r.claim_number() == 0 && r.contains(op.start);
        if (still_there) what = classify_fault(r.area, op.start, op.flags);
        if (what == touch::done) work();
    }
    if (!still_there) {
        ++me.faults.abort;
        return fault_step::look_again;
    }
    if (what == touch::needs_anon) return fault_step::needs_update;
    ++me.faults.success;
    result = what == touch::done ? 0 : -abi::eacces;
    return fault_step::done;
}

/// Nothing was found at the address. Look once more where the map cannot change.
template <class Domain>
auto space_on<Domain>::fault_on_gap(worker& me, operation const& op, std::int64_t& result)
    -> fault_step {
    ++me.faults.abort;
    auto const umbrella = domain_.fall_back();
    std::lock_guard const guard{map_.structure};
    region_type* r = map_.first_above(op.start);
    if (r != nullptr && r->contains(op.start) && r->claim_number() == 0)
        return fault_step::look_again;
    while (r != nullptr && r->claim_number() != 0) r = map_.following(*r);
    result = -abi::efault;
    bool const may_grow = r != nullptr && (r->area.flags & vm_growsdown);
    return may_grow ? fault_step::needs_update : fault_step::done;
}

/// Top-down first fit below mmap_base; a free hint is taken as it is. A hint only: claiming
/// decides.
template <class Domain>
address space_on<Domain>::find_hole(std::uint64_t length, operation const& op) const {
    if (op.what == call::map && op.start != 0) {
        address const hint = page_ceil(op.start);  // 0 above the last page
        address const limit = fixed_globals_.address_limit;
        bool const fits = hint != 0 && hint < limit && length <= limit - hint;
        if (fits && map_.overlapping(hint, hint + length) == nullptr) return hint;
    }
    return map_.highest_gap(length, fixed_globals_.mmap_floor, fixed_globals_.mmap_base);
}

template <class Domain>
std::string space_on<Domain>::broken_invariant(bool maximal) {
    std::lock_guard const guard{map_.structure};
    std::uint64_t count = 0;
    region_type const* last = nullptr;
    char const* broken = "";
    map_.each(0, [&](region_type const& r) {
        ++count;
        if (r.claim_number() != 0) {
            broken = "a claim was left behind";
        } else if (r.first() != r.area.start || r.past() != r.area.end) {
            broken = "a region's bounds are not its VMA's";
        } else if (r.first() >= r.past() || !page_aligned(r.first()) || !page_aligned(r.past())) {
            broken = "a VMA is empty or not made of whole pages";
        } else if (r.lock.busy()) {
            broken = "a lock is still held";
        } else if (map_.floor(r.first()) != &r) {
            broken = "a region is not found by its start";
        } else if (last != nullptr && last->past() > r.first()) {
            broken = "two VMAs overlap";
        } else if (maximal && last != nullptr && mergeable(last->area, r.area)) {
            broken = "two neighbours should be one VMA";
        }
        last = &r;
        return *broken == '\0';
    });
    if (*broken != '\0') return broken;
    return count == vma_count() ? std::string{} : "the count of VMAs is wrong";
}

/// `Platform` has a recycler, whose memory outlives the read sections that know it.
template <conflict_policy Policy, options Options = options{},
          class Platform = platform::native_rcu>
using basic_address_space = space_on<manylock::domain<Policy, Options, Platform>>;

}  // namespace manylock::address_space

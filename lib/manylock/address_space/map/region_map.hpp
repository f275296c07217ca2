// The map of an address space's regions. A region is a VMA, or a claim: the part of a gap that a
// transaction has carved off for itself. What lies between regions is free; it has no object, so
// that the one big gap that all mmaps aim at is nobody's bottleneck.
//
// Readers search the range tree without locks inside a read section and get a hint, which they
// check under the region's own lock. Writers change the map in an `edit`, a leaf: nobody waits for
// a region inside one. They hold the locks of the regions they change, so a region's `area` may be
// read under either.
//
// M1 regions are sorted by start and do not overlap.
// M2 a region leaves the map only while its lock is held exclusively, and is freed a grace period
// later.
// M3 bounds may change in place; the order of regions never does.
#pragma once

#include <manylock/address_space/map/range_tree.hpp>
#include <manylock/address_space/rules/vma.hpp>
#include <manylock/platform/concept.hpp>

#include <mutex>
#include <utility>

namespace manylock::address_space {

template <class Domain>
struct alignas(node_alignment<typename Domain::platform>) region {
    using platform = typename Domain::platform;
    template <class T>
    using atomic = typename platform::template atomic<T>;

    explicit region(vma const& what, std::uint64_t claim_number = 0)
        : start{what.start}, end{what.end}, claim{claim_number}, area{what} {}

    [[nodiscard]] address first() const noexcept {
        return start.load(platform::relaxed);  // relaxed: a hint, checked under the lock
    }
    [[nodiscard]] address past() const noexcept {
        return end.load(platform::relaxed);  // relaxed: a hint, checked under the lock
    }
    [[nodiscard]] bool contains(address a) const noexcept { return first() <= a && a < past(); }
    /// 0 for a VMA; else the number of the claim, higher for a later one.
    [[nodiscard]] std::uint64_t claim_number() const noexcept {
        return claim.load(platform::relaxed);  // relaxed: a hint, checked under the lock
    }

    typename Domain::lock_type lock;
    atomic<address> start;
    atomic<address> end;
    atomic<std::uint64_t> claim;
    vma area;  ///< a claim's has only its bounds
};

template <class Domain>
class region_map {
public:
    using region_type = region<Domain>;
    using platform = typename Domain::platform;
    using tree = range_tree<platform, region_type>;
    using memory = typename platform::template recycler<region_type>;
    static_assert(manylock::platform::recycler_type<memory, region_type>);

    /// What a thread that changes the map brings along: memory, so that nothing is allocated or
    /// freed inside the structure section. Does not outlive the map.
    struct stock {
        explicit stock(region_map& map) : regions{map.regions_}, nodes{map.nodes_} {}
        ~stock() { retire_dead(); }
        /// Nodes that left the tree wait here until retire_dead().
        void bury(typename tree::node* list) noexcept {
            while (list != nullptr) {
                auto* const next = list->previous;
                list->previous = std::exchange(dead, list);
                list = next;
            }
        }
        /// Requires: not in a read section.
        void retire_dead() noexcept {
            while (dead != nullptr) nodes.retire(std::exchange(dead, dead->previous));
        }

        typename memory::stock regions;
        typename tree::stock nodes;
        typename tree::node* dead = nullptr;
    };

    region_map() = default;
    region_map(region_map const&) = delete;
    region_map& operator=(region_map const&) = delete;
    ~region_map() {
        each(0, [](region_type& r) {
            delete &r;
            return true;
        });
    }

    /// Where nothing changes: held by whoever edits the map, or must be sure of what it says.
    typename platform::mutex structure;

    /// The leaf section in which the map changes.
    class edit {
    public:
        edit(region_map& map, stock& spare, std::size_t insertions) : map_{map}, spare_{spare} {
            for (;;) {  // the tree may grow before we are in
                std::size_t const needed = map.tree_.nodes_needed(insertions);
                spare.nodes.fill(needed);
                map.structure.lock();
                if (map.tree_.nodes_needed(insertions) <= needed) return;
                map.structure.unlock();
            }
        }
        edit(edit const&) = delete;
        edit& operator=(edit const&) = delete;
        ~edit() {
            auto* dead = map_.tree_.take_dead();
            map_.structure.unlock();
            spare_.bury(dead);
        }

        /// Requires: nothing is there.
        void insert(region_type& r) noexcept { map_.tree_.insert(r, spare_.nodes); }
        void unlink(region_type& r) noexcept { map_.tree_.erase(r); }
        /// Requires: the region's lock held exclusively. For several regions in ascending order.
        void become(region_type& r, vma const& what) noexcept {
            map_.tree_.move(r, what.start, what.end);
            r.area = what;
            // relaxed: readers take them as hints; who holds the lock later is ordered by the lock
            r.start.store(what.start, platform::relaxed);
            r.end.store(what.end, platform::relaxed);
            r.claim.store(0, platform::relaxed);
        }

    private:
        region_map& map_;
        stock& spare_;
    };

    // --- hints inside a read section, certain inside `structure`

    /// The last region that starts at or below `a`; null if there is none.
    [[nodiscard]] region_type* floor(address a) const noexcept { return tree_.floor(a); }
    /// The first region that ends above `a`.
    [[nodiscard]] region_type* first_above(address a) const noexcept {
        return tree_.first_above(a);
    }
    [[nodiscard]] region_type* following(region_type const& r) const noexcept {
        return tree_.above(r.first());
    }
    /// A region that meets [start, end).
    [[nodiscard]] region_type* overlapping(address start, address end) const noexcept {
        region_type* const r = first_above(start);
        return r != nullptr && r->first() < end && r->past() > start ? r : nullptr;
    }
    /// The start of the highest free interval of `length` in [low, high); 0 if there is none.
    [[nodiscard]] address highest_gap(std::uint64_t length, address low,
                                      address high) const noexcept {
        address const found = tree_.highest_gap(length, low, high);
        return found == tree::node::no_key ? 0 : found;
    }

    // --- inside `structure`

    /// Calls `f` with each region from the first that ends above `a` on, as long as it returns true.
    template <class F>
    void each(address a, F&& f) const {
        tree_.each(a, f);
    }

private:
    memory regions_;
    typename platform::template recycler<typename tree::node> nodes_;
    tree tree_;
};

}  // namespace manylock::address_space

// The ordered map of an address space's regions. A region is a VMA, or a claim: the part of a gap
// that a transaction has carved off for itself. What lies between regions is free; it has no
// object, so that the one big gap that all mmaps aim at is nobody's bottleneck.
//
// Readers search without locks inside a read section and get a hint, which they check under the
// region's own lock. Writers change the map under `structure`, a leaf: nobody waits for a region
// inside it. They hold the locks of the regions they change, so a region's `area` may be read under
// either.
//
// M1 regions are sorted by start and do not overlap.
// M2 a region leaves the map only while its lock is held exclusively, and is freed a grace period
// later.
// M3 bounds may change in place; the order of regions never does.
// A skip list: one search path, no rebalancing, and a region that was unlinked still leads onwards.
#pragma once

#include <manylock/address_space/vma.hpp>
#include <manylock/platform/deferred_free.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace manylock::address_space {

template <class Domain>
struct region {
    using platform = typename Domain::platform;
    template <class T>
    using atomic = typename platform::template atomic<T>;
    static constexpr std::size_t levels_max = 10;

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
    /// Requires: the lock held exclusively, and the structure section.
    void become(vma const& what) noexcept {
        area = what;
        // relaxed: readers take them as hints; who holds the lock later is ordered by the lock
        start.store(what.start, platform::relaxed);
        end.store(what.end, platform::relaxed);
        claim.store(0, platform::relaxed);
    }

    typename Domain::lock_type lock;
    atomic<address> start;
    atomic<address> end;
    atomic<std::uint64_t> claim;
    vma area;  ///< a claim's has only its bounds
    std::size_t levels = 1;
    std::array<atomic<region*>, levels_max> next{};
    manylock::platform::free_link free_link{};
};

template <class Domain>
class region_map {
public:
    using region_type = region<Domain>;
    using platform = typename Domain::platform;

    region_map() = default;
    region_map(region_map const&) = delete;
    region_map& operator=(region_map const&) = delete;
    ~region_map() {
        for (region_type* r = head_[0].load(platform::relaxed); r != nullptr;) {  // relaxed: alone
            region_type* const following = r->next[0].load(platform::relaxed);    // relaxed: alone
            delete r;
            r = following;
        }
    }

    /// The leaf section in which the map changes.
    typename platform::mutex structure;

    // --- inside a read section, or the structure section
    // ----------------------------------------------
    /// The last region that starts at or below `a`; null if there is none.
    [[nodiscard]] region_type* floor(address a) const noexcept {
        links const* from = &head_;
        region_type* found = nullptr;
        for (std::size_t level = region_type::levels_max; level-- > 0;)
            for (region_type* r = follow(*from, level); r != nullptr && r->first() <= a;
                 r = follow(*from, level)) {
                found = r;
                from = &r->next;
            }
        return found;
    }
    /// The first region that ends above `a`.
    [[nodiscard]] region_type* first_above(address a) const noexcept {
        region_type* r = floor(a);
        if (r == nullptr) r = follow(head_, 0);
        while (r != nullptr && r->past() <= a) r = following(*r);
        return r;
    }
    [[nodiscard]] static region_type* following(region_type const& r) noexcept {
        return follow(r.next, 0);
    }

    // --- inside the structure section
    // ---------------------------------------------------------------
    void insert(region_type& r) noexcept {
        r.levels = draw_levels();
        path const before = path_to(r.first());
        for (std::size_t level = 0; level < r.levels; ++level) {
            // relaxed: nobody can reach it yet
            r.next[level].store(follow(*before[level], level), platform::relaxed);
        }
        for (std::size_t level = 0; level < r.levels; ++level) {
            // (L1) release; pairs (L2): who finds the region sees it whole
            (*before[level])[level].store(&r, platform::release);
        }
    }
    void unlink(region_type& r) noexcept {
        path const before = path_to(r.first());
        for (std::size_t level = r.levels; level-- > 0;) {
            // (L1) release; pairs (L2): the region after it may be newer than the link
            (*before[level])[level].store(follow(r.next, level), platform::release);
        }
    }
    /// Nothing at all lies in [start, end).
    [[nodiscard]] region_type* overlapping(address start, address end) const noexcept {
        region_type* const r = first_above(start);
        return r != nullptr && r->first() < end ? r : nullptr;
    }

private:
    using links =
        std::array<typename platform::template atomic<region_type*>, region_type::levels_max>;
    using path = std::array<links*, region_type::levels_max>;

    [[nodiscard]] static region_type* follow(links const& from, std::size_t level) noexcept {
        return from[level].load(platform::acquire);  // (L2) acquire; pairs (L1)
    }
    /// On each level the last links before the region that starts at `key`.
    [[nodiscard]] path path_to(address key) noexcept {
        path before{};
        links* from = &head_;
        for (std::size_t level = region_type::levels_max; level-- > 0;) {
            for (region_type* r = follow(*from, level); r != nullptr && r->first() < key;
                 r = follow(*from, level))
                from = &r->next;
            before[level] = from;
        }
        return before;
    }
    /// One region in four reaches the next level.
    [[nodiscard]] std::size_t draw_levels() noexcept {
        draw_ = draw_ * 6364136223846793005U + 1442695040888963407U;
        constexpr std::size_t most = region_type::levels_max;
        std::size_t levels = 1;
        for (std::uint64_t bits = draw_ >> 33U; (bits & 3U) == 0 && levels < most; bits >>= 2U)
            ++levels;
        return levels;
    }

    links head_{};
    std::uint64_t draw_ = 0x9e3779b97f4a7c15U;
};

}  // namespace manylock::address_space

// The readers' half of the range tree: lookups that hold no lock and never wait. Inside a read
// section they descend, see by the nodes' versions whether they met a change, and try again a few
// times. What they get is a hint: nearly always a range that is, or was a moment ago, the answer; in
// the middle of a change perhaps another, or none although there is one. Who must be sure asks again where nothing changes. All are O(log n).
#pragma once

#include <manylock/address_space/map/range_node.hpp>

#include <algorithm>

namespace manylock::address_space {

template <class Platform, class Range>
class range_lookup {
public:
    using node = range_node<Platform>;

    range_lookup() = default;
    range_lookup(range_lookup const&) = delete;
    range_lookup& operator=(range_lookup const&) = delete;

    /// The last range that starts at or below `a`; null if there is none.
    [[nodiscard]] Range* floor(address a) const noexcept {
        return search(a, [](place const& at) { return at.rank == 0 ? nullptr : at.before(); });
    }
    /// The first range that starts above `a`.
    [[nodiscard]] Range* above(address a) const noexcept {
        return search(a, [](place& at) { return at.after(); });
    }
    /// The first range that ends above `a`.
    [[nodiscard]] Range* first_above(address a) const noexcept {
        return search(a, [a](place& at) {
            Range* const low = at.rank == 0 ? nullptr : at.before();
            return low != nullptr && low->past() > a ? low : at.after();
        });
    }
    /// The highest free interval of `length` in [low, high): its start, or `no_key` if there is
    /// none.
    [[nodiscard]] address highest_gap(std::uint64_t length, address low,
                                      address high) const noexcept {
        if (high <= low || high - low < length) return node::no_key;
        Range const* const below = floor(high - 1);
        address const bottom = below == nullptr ? low : std::max(low, below->past());
        if (bottom < high && high - bottom >= length) return high - length;
        return gap_below(*root_.load(Platform::acquire), length, low,
                         high);  // (L2) acquire; pairs (L1)
    }

protected:
    ~range_lookup() = default;

    typename node::template atomic<node*> root_{new node{0}};

private:
    static constexpr unsigned attempts_max = 4;

    struct place {
        node const& leaf;
        unsigned rank;  ///< how many ranges of the leaf start at or below the address
        bool steady = true;

        [[nodiscard]] Range* before() const noexcept {
            return leaf.template below<Range>(rank - 1);
        }
        [[nodiscard]] Range* after() noexcept {
            if (rank < node::slots && leaf.key_at(rank) != node::no_key)
                return leaf.template below<Range>(rank);
            node const* const next = leaf.following();
            if (next == nullptr) return nullptr;
            auto const version = next->version_now();
            Range* const r = next->template below<Range>(0);
            steady = next->still(version);
            return r;
        }
    };

    /// What `pick` makes of the place that `a` has in the leaves.
    template <class Pick>
    [[nodiscard]] Range* search(address a, Pick pick) const noexcept {
        a = std::min(a, node::no_key - 1);  // the key of unused slots is above every address
        for (unsigned attempt = 1;; ++attempt) {
            node const* n = root_.load(Platform::acquire);  // (L2) acquire; pairs (L1)
            auto version = n->version_now();
            bool steady =
                n == root_.load(Platform::relaxed);  // relaxed: after the version's acquire
            while (n->level > 0) {
                node const* const below = n->child(n->slot_for(a));
                auto const version_below = below->version_now();
                steady = steady && n->still(version);
                n = below;
                version = version_below;
            }
            place at{*n, n->rank(a)};
            Range* const found = pick(at);
            if ((steady && at.steady && n->still(version)) || attempt == attempts_max) return found;
            Platform::pause();
        }
    }

    /// Of the gaps in front of ranges that start below `high`: see highest_gap.
    [[nodiscard]] static address gap_below(node const& n, std::uint64_t length, address low,
                                           address high) noexcept {
        if (n.level == 0) {
            for (unsigned i = n.rank(high - 1); i-- > 0;) {
                address const top = n.key_at(i);
                if (top <= low) break;
                address const bottom = std::max(low, top - n.gap_at(i));
                // Below `high` unless the slot changed under our eyes.
                if (top > bottom && top - bottom >= length && top < high) return top - length;
            }
            return node::no_key;
        }
        for (unsigned i = n.slot_for(high - 1) + 1; i-- > 0;) {
            if (n.gap_at(i) >= length) {
                address const found = gap_below(*n.child(i), length, low, high);
                if (found != node::no_key) return found;
            }
            if (i > 0 && n.key_at(i) <= low) break;
        }
        return node::no_key;
    }
};

}  // namespace manylock::address_space

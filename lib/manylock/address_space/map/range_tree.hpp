// An ordered map of ranges that do not overlap, found by address: a B-tree with wide nodes, and in
// each slot the largest gap below it, so that a search for free space is one descent. Its model is
// Linux's maple tree (lib/maple_tree.c); unlike there, a node is changed in place under a version
// number and not copied, so that most changes need no memory.
// Readers: range_lookup.hpp. There is one writer at a time; the caller sees to that.
//
// T1 A node's keys ascend. The key of a used slot is the start of the first range below it, except
//    for slot 0 of an inner node, whose key nobody reads; an unused slot has the key `no_key`.
// T2 A leaf's gap is the free space in front of the range (modulo 2^64 while bounds are moved one
//    after the other). An inner node's gap is the largest one below the slot.
// T3 A node's version is odd while its keys or slots change. A node that left the tree stays odd.
// T4 No node is empty but the root of a tree without ranges.
#pragma once

#include <manylock/address_space/map/range_lookup.hpp>

namespace manylock::address_space {

/// `Range` has `first()` and `past()`: its bounds, as hints. The ranges themselves are the caller's.
template <class Platform, class Range>
class range_tree : public range_lookup<Platform, Range> {
public:
    using typename range_lookup<Platform, Range>::node;
    /// Nodes in reserve, which the writer brings along: nothing is allocated during a change.
    using stock = typename Platform::template recycler<node>::stock;

    range_tree() = default;
    ~range_tree() { delete_below(root()); }

    /// How many nodes `insertions` may take at most. Anybody may ask; certain for the writer.
    [[nodiscard]] std::size_t nodes_needed(std::size_t insertions) const noexcept {
        return insertions *
               (root_.load(Platform::acquire)->level + 2U);  // (L2) acquire; pairs (L1)
    }
    /// Requires: nothing lies in [r.first(), r.past()); `spare` has the nodes.
    void insert(Range& r, stock& spare) noexcept {
        path& p = path_to(r.first());
        unsigned const bottom = p.levels - 1;
        node& leaf = *p.back().where;
        unsigned const position = leaf.rank(r.first());
        address const free_from =
            position == 0 ? 0 : leaf.template below<Range>(position - 1)->past();
        set_gap_after(leaf, position, r.past());
        put(p, bottom, position, r.first(), r.first() - free_from, &r, spare);
        settle();
    }
    /// Requires: `r` is in the tree.
    void erase(Range const& r) noexcept {
        path& p = path_to(r.first());
        unsigned const bottom = p.levels - 1;
        node& leaf = *p.back().where;
        unsigned const position = leaf.rank(r.first()) - 1;
        set_gap_after(leaf, position + 1, leaf.key_at(position) - leaf.gap_at(position));
        change(leaf);
        leaf.take_out(position);
        if (position == 0 && leaf.count > 0) set_separator(p, bottom, leaf.key_at(0));
        rebalance(p, bottom);
        settle();
    }
    /// `r` will be [first, past). Requires: the order of starts stays as it is. Who moves several
    /// bounds does so in ascending order; ranges may overlap in between.
    void move(Range const& r, address first, address past) noexcept {
        path& p = path_to(r.first());
        unsigned const bottom = p.levels - 1;
        node& leaf = *p.back().where;
        unsigned const position = leaf.rank(r.first()) - 1;
        address const free_from = leaf.key_at(position) - leaf.gap_at(position);
        if (first != r.first()) {
            change(leaf);
            if (position == 0) set_separator(p, bottom, first);
            leaf.set_key(position, first);
            leaf.set_gap(position, first - free_from);
        }
        if (past != r.past()) set_gap_after(leaf, position + 1, past);
        raise_gaps(p, bottom);
        settle();
    }
    /// Calls `f` with each range from the first that ends above `a` on, as long as it returns true.
    template <class F>
    void each(address a, F&& f) const {
        a = std::min(a, node::no_key - 1);
        node const* leaf = root();
        while (leaf->level > 0) leaf = leaf->child(leaf->slot_for(a));
        unsigned i = leaf->rank(a);
        if (i > 0 && leaf->template below<Range>(i - 1)->past() > a) --i;
        for (; leaf != nullptr; leaf = leaf->following(), i = 0) {
            for (; i < leaf->count; ++i)
                if (!f(*leaf->template below<Range>(i))) return;
        }
    }
    /// How many nodes there are, for those who count bytes. O(n).
    [[nodiscard]] std::size_t nodes() const noexcept { return nodes_below(*root()); }
    /// Nodes that left the tree, linked by `previous`: to be freed a grace period later.
    [[nodiscard]] node* take_dead() noexcept { return std::exchange(dead_, nullptr); }

private:
    friend struct range_tree_check;
    // A node with a neighbour has 12 slots at least: 2^36 pages need 14 levels.
    static constexpr unsigned levels_max = 24;
    static constexpr unsigned low_mark = node::slots / 4;
    static constexpr unsigned merged_max = node::slots * 3 / 4;
    using range_lookup<Platform, Range>::root_;

    struct step {
        node* where;
        unsigned slot;
    };
    /// From the root down to a leaf.
    struct path {
        std::array<step, levels_max> steps;
        unsigned levels = 0;
        address low = 0;  ///< what lies in [low, high) has this path
        address high = 0;

        [[nodiscard]] step& operator[](unsigned i) noexcept { return steps[i]; }
        [[nodiscard]] step& back() noexcept { return steps[levels - 1]; }
    };

    [[nodiscard]] node* root() const noexcept {
        return root_.load(Platform::relaxed);  // relaxed: the writer's own
    }
    void descend(path& p, address a) const noexcept {
        p.low = 0;
        p.high = node::no_key;
        p.levels = 0;
        for (node* n = root();; n = n->child(p.back().slot)) {
            unsigned const slot = n->level > 0 ? n->slot_for(a) : 0;
            p.steps[p.levels++] = {n, slot};
            if (n->level == 0) return;
            if (slot > 0) p.low = n->key_at(slot);
            if (slot + 1 < n->count) p.high = n->key_at(slot + 1);
        }
    }
    /// The last path is kept, since changes come in neighbourhoods, until a node comes or goes or a
    /// separator moves.
    [[nodiscard]] path& path_to(address a) noexcept {
        if (last_.levels == 0 || a < last_.low || a >= last_.high) descend(last_, a);
        return last_;
    }
    void forget_path() noexcept { last_.levels = 0; }
    void change(node& n) noexcept {
        if (n.begin_change()) changed_[changes_++] = &n;
    }
    void settle() noexcept {
        while (changes_ > 0) changed_[--changes_]->end_change();
    }
    void bury(node& n) noexcept {
        for (unsigned i = 0; i < changes_; ++i)
            if (changed_[i] == &n) changed_[i] = changed_[--changes_];
        n.previous = std::exchange(dead_, &n);
    }

    /// The first key below step `at` has become `key`.
    void set_separator(path& p, unsigned at, address key) noexcept {
        forget_path();
        while (at-- > 0) {
            if (p[at].slot == 0) continue;
            change(*p[at].where);
            p[at].where->set_key(p[at].slot, key);
            return;
        }
    }
    /// The gaps above step `at` follow its node's.
    static void raise_gaps(path& p, unsigned at) noexcept {
        for (; at > 0; --at) {
            std::uint64_t const most = p[at].where->largest_gap();
            if (p[at - 1].where->gap_at(p[at - 1].slot) == most) return;
            p[at - 1].where->set_gap(p[at - 1].slot, most);
        }
    }
    /// The gap in front of the range at `position`, or of the first of the next leaf, begins at
    /// `free_from`. The leaf's own gap has yet to be raised.
    void set_gap_after(node& leaf, unsigned position, address free_from) noexcept {
        if (position < leaf.count) {
            leaf.set_gap(position, leaf.key_at(position) - free_from);
        } else if (node* const next = leaf.following()) {
            next->set_gap(0, next->key_at(0) - free_from);
            path p;
            descend(p, next->key_at(0));
            raise_gaps(p, p.levels - 1);
        }
    }

    void put(path& p, unsigned at, unsigned position, address key, std::uint64_t gap, void* what,
             stock& spare) noexcept {
        node& n = *p[at].where;
        change(n);
        if (n.count < node::slots) {
            n.put(position, key, gap, what);
            raise_gaps(p, at);
            return;
        }
        forget_path();
        node& right = split(p, at, position, key, gap, what, spare);
        address const separator = right.key_at(0);
        if (at == 0) return grow(n, right, separator, spare);
        node& parent = *p[at - 1].where;
        parent.set_gap(p[at - 1].slot, n.largest_gap());
        put(p, at - 1, p[at - 1].slot + 1, separator, right.largest_gap(), &right, spare);
    }
    /// In the middle; at either end of the tree so that the old slots stay together: whoever maps on
    /// and on in one direction then leaves full nodes behind.
    node& split(path& p, unsigned at, unsigned position, address key, std::uint64_t gap, void* what,
                stock& spare) noexcept {
        node& n = *p[at].where;
        node& right = *spare.make(n.level);
        bool const at_end = position == 0 || (position == node::slots && is_last(p, at));
        unsigned const middle = at_end ? position : node::slots / 2;
        n.append_tail(middle, right, n.key_at(middle % node::slots));
        if (position > middle || middle == node::slots)
            right.put(position - middle, key, gap, what);
        if (n.level == 0) link_after(n, right);
        n.shrink(middle);
        if (position <= middle && middle != node::slots) n.put(position, key, gap, what);
        return right;
    }
    /// Nothing lies to the right of step `at`.
    [[nodiscard]] static bool is_last(path& p, unsigned at) noexcept {
        while (at-- > 0)
            if (p[at].slot + 1 < p[at].where->count) return false;
        return true;
    }
    void link_after(node& leaf, node& right) noexcept {
        node* const next = leaf.following();
        right.previous = &leaf;
        right.set_following(next);
        if (next != nullptr) next->previous = &right;
        leaf.set_following(&right);
    }
    void grow(node& left, node& right, address separator, stock& spare) noexcept {
        node& top = *spare.make(left.level + 1);
        top.put(0, 0, left.largest_gap(), &left);
        top.put(1, separator, right.largest_gap(), &right);
        root_.store(&top, Platform::release);             // (L1) release; pairs (L2)
        height_.store(top.level + 1, Platform::relaxed);  // relaxed: the writer's own
    }

    /// A node with few slots joins one beside it; an empty one must.
    void rebalance(path& p, unsigned at) noexcept {
        for (; at > 0 && p[at].where->count < low_mark; --at) {
            forget_path();
            node& n = *p[at].where;
            node& parent = *p[at - 1].where;
            unsigned const slot = p[at - 1].slot;
            if (slot + 1 < parent.count && fit(n, *parent.child(slot + 1))) {
                if (n.count == 0) set_separator(p, at, parent.key_at(slot + 1));
                join(parent, slot);
            } else if (slot > 0 && fit(*parent.child(slot - 1), n)) {
                join(parent, slot - 1);
                p[at - 1].slot = slot - 1;
            } else if (n.count == 0) {  // an only child
                change(parent);
                parent.take_out(0);
                if (n.level == 0) unlink_leaf(n);
                bury(n);
            } else {
                break;
            }
            if (parent.count > 0)
                parent.set_gap(p[at - 1].slot, parent.child(p[at - 1].slot)->largest_gap());
        }
        raise_gaps(p, at);
        collapse();
    }
    [[nodiscard]] static bool fit(node const& left, node const& right) noexcept {
        return left.count == 0 || right.count == 0 || left.count + right.count <= merged_max;
    }
    /// The child in slot + 1 is emptied into the one in `slot`.
    void join(node& parent, unsigned slot) noexcept {
        node& left = *parent.child(slot);
        node& right = *parent.child(slot + 1);
        change(parent);
        change(left);
        change(right);
        right.append_tail(0, left, parent.key_at(slot + 1));
        if (right.level == 0) unlink_leaf(right);
        parent.take_out(slot + 1);
        bury(right);
    }
    static void unlink_leaf(node& leaf) noexcept {
        node* const next = leaf.following();
        if (next != nullptr) next->previous = leaf.previous;
        if (leaf.previous != nullptr) leaf.previous->set_following(next);
    }
    void collapse() noexcept {
        while (root()->level > 0 && root()->count == 1) {
            node& old = *root();
            change(old);
            root_.store(old.child(0), Platform::release);  // (L1) release; pairs (L2)
            height_.store(old.level, Platform::relaxed);   // relaxed: the writer's own
            bury(old);
        }
    }
    static std::size_t nodes_below(node const& n) noexcept {
        std::size_t all = 1;
        for (unsigned i = 0; n.level > 0 && i < n.count; ++i) all += nodes_below(*n.child(i));
        return all;
    }
    static void delete_below(node* n) noexcept {
        for (unsigned i = 0; n->level > 0 && i < n->count; ++i) delete_below(n->child(i));
        delete n;
    }

    typename node::template atomic<unsigned> height_{1};  ///< levels
    path last_;
    node* dead_ = nullptr;
    std::array<node*, 4 * std::size_t{levels_max}> changed_{};
    unsigned changes_ = 0;
};

}  // namespace manylock::address_space

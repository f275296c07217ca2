// The range tree's invariants T1-T4, looked at from the root down.
#pragma once

#include <manylock/address_space/map/range_tree.hpp>

#include <string>

namespace manylock::address_space {

struct range_tree_check {
    /// The first broken one as a sentence, or nothing. Requires: no writer at work.
    template <class Platform, class Range>
    static std::string broken(range_tree<Platform, Range> const& tree) {
        using node = range_node<Platform>;
        walk<Platform, Range> w;
        node const* const root = tree.root();
        if (root->level > 0 && root->count < 2) return "T4: a root with one child";
        w.visit(*root, true);
        if (w.fault.empty() && w.last_leaf != nullptr && w.last_leaf->following() != nullptr)
            w.fault = "the last leaf has one that follows";
        return w.fault;
    }

private:
    template <class Platform, class Range>
    struct walk {
        using node = range_node<Platform>;
        std::string fault;
        address end = 0;  ///< of the last range met
        node const* last_leaf = nullptr;

        /// Returns the first key below.
        address visit(node const& n, bool is_root) {
            if (!fault.empty()) return 0;
            if (n.version_now() % 2 != 0) fail("T3: a node in the tree has an odd version");
            if (n.count == 0 && !is_root) fail("T4: an empty node");
            for (unsigned i = n.count; i < node::slots; ++i)
                if (n.key_at(i) != node::no_key || n.gap_at(i) != 0)
                    fail("T1: an unused slot has a key or gap");
            return n.level == 0 ? leaf(n) : inner(n);
        }
        address leaf(node const& n) {
            if (last_leaf != nullptr && last_leaf->following() != &n)
                fail("a leaf does not lead to the next");
            if (n.previous != last_leaf) fail("a leaf does not know the one before it");
            last_leaf = &n;
            for (unsigned i = 0; i < n.count; ++i) {
                auto const* const r = n.template below<Range>(i);
                if (r->first() != n.key_at(i)) fail("T1: a leaf's key is not its range's start");
                if (r->first() < end) fail("two ranges overlap");
                if (n.gap_at(i) != r->first() - end) fail("T2: a leaf's gap is wrong");
                end = r->past();
            }
            return n.key_at(0);
        }
        address inner(node const& n) {
            address first = 0;
            for (unsigned i = 0; i < n.count; ++i) {
                node const& child = *n.child(i);
                if (child.level + 1 != n.level) fail("a child is on the wrong level");
                address const key = visit(child, false);
                if (!fault.empty()) return 0;
                if (i == 0) first = key;
                if (i > 0 && n.key_at(i) != key) fail("T1: a separator is not the first key below");
                if (n.gap_at(i) != child.largest_gap())
                    fail("T2: an inner gap is not the largest below");
            }
            return first;
        }
        void fail(char const* what) {
            if (fault.empty()) fault = what;
        }
    };
};

}  // namespace manylock::address_space

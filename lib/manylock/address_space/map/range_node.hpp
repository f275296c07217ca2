// A node of the range tree.
#pragma once

#include <manylock/address_space/rules/operation.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace manylock::address_space {

/// What a platform asks for, if it does (a simulated one: a cache line, so that nothing depends on addresses).
template <class Platform>
inline constexpr std::size_t node_alignment = [] {
    if constexpr (requires { Platform::node_alignment; })
        return std::size_t{Platform::node_alignment};
    return alignof(address);
}();

/// Wide enough for three levels at 3,000 ranges, small enough that an insertion moves 3 x 8 words.
template <class Platform>
struct alignas(node_alignment<Platform>) range_node {
    template <class T>
    using atomic = typename Platform::template atomic<T>;
    static constexpr unsigned slots = 16;
    /// The key of an unused slot: above every address.
    static constexpr address no_key = ~address{0};

    explicit range_node(unsigned height) noexcept : level{height} {
        // relaxed: nobody else knows the node
        for (auto& k : key) k.store(no_key, Platform::relaxed);
    }

    // Loads are acquire and stores release throughout: a reader that met any part of a change then
    // reads a version that tells it so, since the odd version was stored before that part. On
    // x86 they are plain moves.

    [[nodiscard]] address key_at(std::size_t i) const noexcept {
        return key[i].load(Platform::acquire);  // (L2) acquire; pairs (L1)
    }
    /// Of a hint's worth to readers: changes without a new version.
    [[nodiscard]] std::uint64_t gap_at(unsigned i) const noexcept {
        return gap[i].load(Platform::relaxed);  // relaxed: a hint; the writer reads its own
    }
    template <class T>
    [[nodiscard]] T* below(unsigned i) const noexcept {
        return static_cast<T*>(slot[i].load(Platform::acquire));  // (L2) acquire; pairs (L1)
    }
    [[nodiscard]] range_node* child(unsigned i) const noexcept { return below<range_node>(i); }

    /// How many keys are at most `a`. All slots are compared: no branch to guess.
    [[nodiscard]] unsigned rank(address a) const noexcept {
        return count_if([this, a](std::size_t i) { return key_at(i) <= a; });
    }
    /// The slot of an inner node whose subtree holds, or would hold, `a`.
    [[nodiscard]] unsigned slot_for(address a) const noexcept {
        return count_if([this, a](std::size_t i) { return i > 0 && key_at(i) <= a; });
    }
    [[nodiscard]] std::uint64_t largest_gap() const noexcept {
        std::uint64_t most = 0;
        for (unsigned i = 0; i < slots; ++i) most = gap_at(i) > most ? gap_at(i) : most;
        return most;
    }

    [[nodiscard]] std::uint64_t version_now() const noexcept {
        return version.load(Platform::acquire);  // (L4) acquire; pairs (L3)
    }
    /// Nothing has changed since `seen` was read. Requires: what was read since came by acquire.
    [[nodiscard]] bool still(std::uint64_t seen) const noexcept {
        // relaxed: cannot come before the acquire loads
        return (seen & 1U) == 0 && version.load(Platform::relaxed) == seen;
    }
    [[nodiscard]] range_node* following() const noexcept {
        return next.load(Platform::acquire);  // (L2) acquire; pairs (L1)
    }

    // --- the writer's

    /// False: a change was already under way.
    bool begin_change() noexcept {
        std::uint64_t const v = version.load(Platform::relaxed);  // relaxed: the writer's own
        if (v & 1U) return false;
        version.store(v + 1, Platform::relaxed);  // relaxed: the release stores come after it
        return true;
    }
    void end_change() noexcept {
        // (L3) release; pairs (L4): who reads the new version sees the change. relaxed: own
        version.store(version.load(Platform::relaxed) + 1, Platform::release);
    }
    void set_following(range_node* n) noexcept {
        next.store(n, Platform::release);  // (L1) release; pairs (L2)
    }
    void set_key(unsigned i, address k) noexcept {
        key[i].store(k, Platform::release);  // (L1) release; pairs (L2)
    }
    void set_gap(unsigned i, std::uint64_t g) noexcept {
        gap[i].store(g, Platform::relaxed);  // relaxed: a hint
    }
    void set(unsigned i, address k, std::uint64_t g, void* what) noexcept {
        slot[i].store(what, Platform::release);  // (L1) release; pairs (L2)
        set_gap(i, g);
        set_key(i, k);
    }
    void copy(unsigned to, range_node const& other, unsigned from) noexcept {
        set(to, other.key_at(from), other.gap_at(from), other.template below<void>(from));
    }
    void put(unsigned position, address k, std::uint64_t g, void* what) noexcept {
        for (unsigned i = count; i > position; --i) copy(i, *this, i - 1);
        set(position, k, g, what);
        ++count;
    }
    void take_out(unsigned position) noexcept {
        for (unsigned i = position; i + 1 < count; ++i) copy(i, *this, i + 1);
        shrink(count - 1);
    }
    void shrink(unsigned to) noexcept {
        for (unsigned i = to; i < count; ++i) {
            set_key(i, no_key);  // its slot stays: a reader may be about to look
            set_gap(i, 0);
        }
        count = to;
    }
    /// What lies in `from` on is appended to `to` as well; it stays here, for readers.
    void append_tail(unsigned from, range_node& to, address first_key) const noexcept {
        for (unsigned i = from; i < count; ++i, ++to.count)
            to.set(to.count, i == from ? first_key : key_at(i), gap_at(i), below<void>(i));
    }

    /// Over all slots, spelled out, because compilers leave a loop over atomics a loop.
    template <class Test>
    [[nodiscard]] static unsigned count_if(Test test) noexcept {
        return [test]<std::size_t... i>(std::index_sequence<i...>) {
            return ((test(i) ? 1U : 0U) + ...);
        }
        (std::make_index_sequence<slots>{});
    }

    std::array<atomic<address>, slots> key;
    std::array<atomic<void*>, slots> slot{};
    std::array<atomic<std::uint64_t>, slots> gap{};
    atomic<std::uint64_t> version{0};   ///< odd: being changed, or no longer in the tree
    atomic<range_node*> next{nullptr};  ///< of a leaf: the following leaf
    range_node* previous = nullptr;  ///< of a leaf, the writer's; of a dead node: the next dead one
    unsigned level;                  ///< 0: a leaf; fixed once the node is in the tree
    unsigned count = 0;              ///< the writer's
};

}  // namespace manylock::address_space

// Lock modes, and which go together, as data: conflicts and upgrades are looked up here. The fast paths
// branch on the two modes, for an exclusive holder is a name in the lock word and shared ones are a count.
// A third mode needs a row and a column here, a place in the word (lock_word.hpp), and its branch there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace manylock {

enum class mode : std::uint8_t { shared = 0, exclusive = 1 };

inline constexpr std::size_t mode_count = 2;
inline constexpr std::array<char const*, mode_count> mode_names{"shared", "exclusive"};

namespace detail {

template <class Entry>
using mode_table = std::array<std::array<Entry, mode_count>, mode_count>;

//                                                          shared exclusive
inline constexpr mode_table<bool> compatibility{{/* shared */ {true, false},
                                                 /* excl.  */ {false, false}}};
/// covers[held][wanted]: a hold in `held` needs nothing more to serve `wanted`.
inline constexpr mode_table<bool> coverage{{/* shared */ {true, false},
                                            /* excl.  */ {true, true}}};

}  // namespace detail

/// True if two transactions may hold one lock in `a` and `b` at the same time.
[[nodiscard]] constexpr bool compatible(mode a, mode b) noexcept {
    return detail::compatibility[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)];
}

/// True if a hold in mode `held` already permits what `wanted` asks for.
[[nodiscard]] constexpr bool covers(mode held, mode wanted) noexcept {
    return detail::coverage[static_cast<std::size_t>(held)][static_cast<std::size_t>(wanted)];
}

[[nodiscard]] constexpr char const* name(mode m) noexcept {
    return mode_names[static_cast<std::size_t>(m)];
}

/// A small set of modes: which modes wait ahead, for instance.
class mode_set {
public:
    constexpr void add(mode m) noexcept { bits_ |= 1U << static_cast<unsigned>(m); }
    [[nodiscard]] constexpr bool conflicts_with(mode m) const noexcept {
        for (std::size_t i = 0; i < mode_count; ++i) {
            if (((bits_ >> i) & 1U) != 0 && !compatible(static_cast<mode>(i), m)) return true;
        }
        return false;
    }
    /// True once no mode is left that every member is compatible with: nobody behind can be served.
    [[nodiscard]] constexpr bool conflicts_with_all() const noexcept {
        for (std::size_t i = 0; i < mode_count; ++i) {
            if (!conflicts_with(static_cast<mode>(i))) return false;
        }
        return true;
    }

private:
    unsigned bits_ = 0;
};

namespace detail {
constexpr bool compatibility_is_symmetric() noexcept {
    for (std::size_t a = 0; a < mode_count; ++a) {
        for (std::size_t b = 0; b < mode_count; ++b) {
            if (compatibility[a][b] != compatibility[b][a]) return false;
            // A mode that covers another conflicts with everything the other conflicts with.
            for (std::size_t c = 0; c < mode_count; ++c) {
                if (coverage[a][b] && !compatibility[b][c] && compatibility[a][c]) return false;
            }
        }
    }
    return true;
}
static_assert(compatibility_is_symmetric());
}  // namespace detail

}  // namespace manylock

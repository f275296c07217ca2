// Age ticket of a transaction: unique, totally ordered, smaller is older, kept across restarts.
// Drawn at the first conflict, so that a transaction that meets nobody touches no shared line (E5).
#pragma once

#include <cstdint>

namespace manylock {

/// 64 bits do not wrap within any program's life (one per nanosecond lasts 584 years), so that plain
/// comparison is right and no signed difference is needed.
struct stamp {
    std::uint64_t value = 0;

    /// A transaction that has not met a conflict yet has no stamp; it counts as youngest of all.
    [[nodiscard]] constexpr bool drawn() const noexcept { return value != 0; }
    [[nodiscard]] constexpr bool older_than(stamp other) const noexcept {
        if (!drawn()) return false;
        return !other.drawn() || value < other.value;
    }
    friend constexpr bool operator==(stamp, stamp) = default;
};

static_assert(stamp{1}.older_than(stamp{2}) && !stamp{2}.older_than(stamp{1}));
static_assert(stamp{9}.older_than(stamp{}) && !stamp{}.older_than(stamp{9}));
static_assert(!stamp{}.older_than(stamp{}));

}  // namespace manylock

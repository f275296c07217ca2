// Events that a domain tells a sink of, if options::events is set. The library itself never logs; the
// stress program hands these to its logger.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <manylock/mode.hpp>
#include <manylock/restart.hpp>
#include <manylock/stamp.hpp>

namespace manylock {

enum class event_kind : std::uint8_t {
    grant,    ///< an acquisition that had met a conflict succeeded
    restart,  ///< a restart was issued
    commit
};
inline constexpr std::array<char const*, 3> event_kind_names{"grant", "restart", "commit"};

[[nodiscard]] constexpr char const* name(event_kind k) noexcept {
    return event_kind_names[static_cast<std::size_t>(k)];
}

struct event {
    event_kind kind = event_kind::commit;
    std::uint32_t transaction = 0;  ///< control block number, stable while the transaction lives
    stamp age{};                    ///< empty if it has not met a conflict
    void const* lock = nullptr;
    mode wanted = mode::exclusive;
    restart_reason reason = restart_reason::conflict;  ///< restart only
};

/// Called on the transaction's own thread, never under a latch. Must not throw and must not start
/// a transaction of the same domain.
using event_sink = void (*)(void* user, event const&) noexcept;

}  // namespace manylock

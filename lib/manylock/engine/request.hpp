// One acquisition on its way to an outcome.
#pragma once

#include <manylock/engine/queued_lock.hpp>

namespace manylock::detail {

/// What ends a wait before its outcome, and what must not be kept while waiting.
template <class Platform>
struct patience {
    using time_point = typename Platform::time_point;

    bool may_wait = true;
    time_point const* deadline = nullptr;
    bool (*cancelled)(void const*) noexcept = nullptr;
    void const* cancel_token = nullptr;
    typename Platform::read_section* section = nullptr;  ///< left before waiting

    [[nodiscard]] bool is_late() const noexcept {
        return deadline != nullptr && Platform::now() >= *deadline;
    }
    [[nodiscard]] bool is_cancelled() const noexcept {
        return cancelled != nullptr && cancelled(cancel_token);
    }
};

template <class Config>
struct request {
    using platform = typename Config::platform;

    queued_lock<Config>& lock;
    mode wanted;
    hold<Config>* upgraded = nullptr;  ///< our weaker hold of the same lock
    hold<Config>* slot = nullptr;      ///< the hold to fill; none: a single-object reader
    bool restartable = false;          ///< holds something: may be made to restart
    bool in_order = true;              ///< ranks above everything held (needs.rank)
    detail::patience<platform> patience{};
    typename platform::restart_pin* pin = nullptr;  ///< entered with a restart

    [[nodiscard]] bool is_upgrade() const noexcept { return upgraded != nullptr; }
    [[nodiscard]] bool is_single_read() const noexcept { return slot == nullptr; }
};

}  // namespace manylock::detail

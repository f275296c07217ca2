// What an acquisition can answer, and why a transaction restarts. A restart exists in two spellings:
// as a value (acquire_result) and as a thrown `restart`. One statistics counter exists per reason (E9).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace manylock {

enum class restart_reason : std::uint8_t {
    wounded,       ///< wound_wait: an older transaction wanted what we hold
    died,          ///< wait_die: a conflicting older transaction was there first
    deadlock,      ///< cycle_detection: chosen as the victim of a cycle
    out_of_order,  ///< lock_ordering: busy, and not above everything held
    conflict,      ///< no_wait: busy
    injected,      ///< asked for by a test
    stale          ///< the object was detached or changed: look it up again
};
inline constexpr std::size_t restart_reason_count = 7;
inline constexpr std::array<char const*, restart_reason_count> restart_reason_names{
    "wounded", "died", "deadlock", "out_of_order", "conflict", "injected", "stale"};

[[nodiscard]] constexpr char const* name(restart_reason r) noexcept {
    return restart_reason_names[static_cast<std::size_t>(r)];
}

enum class status : std::uint8_t {
    granted,       ///< held now (an upgrade that succeeded included)
    already_held,  ///< this transaction had it in a mode that suffices
    busy,          ///< try form only: not available now; nothing changed
    timed_out,     ///< deadline form only: nothing changed
    cancelled,     ///< stop_token form only: nothing changed
    restart        ///< roll back and run again; see reason()
};

/// Answer of the value-returning acquire forms. True when the lock is held afterwards.
class [[nodiscard]] acquire_result {
public:
    constexpr acquire_result(status s) noexcept : status_{s} {}
    constexpr acquire_result(restart_reason r) noexcept : status_{status::restart}, reason_{r} {}

    [[nodiscard]] constexpr status what() const noexcept { return status_; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept {
        return status_ == status::granted || status_ == status::already_held;
    }
    [[nodiscard]] constexpr bool is_restart() const noexcept { return status_ == status::restart; }
    /// Requires: is_restart().
    [[nodiscard]] constexpr restart_reason reason() const noexcept { return reason_; }
    friend constexpr bool operator==(acquire_result a, status s) noexcept { return a.status_ == s; }

private:
    status status_;
    restart_reason reason_ = restart_reason::conflict;
};

/// Answer of the single-object reads.
enum class read_status : std::uint8_t {
    fast,       ///< by the object's own lock
    fell_back,  ///< after waiting for the umbrella
    busy,       ///< try form only: marked, exclusively held or waited for; nothing is held
    stale       ///< the object was detached: nothing is held, look it up again
};
[[nodiscard]] constexpr bool holds(read_status s) noexcept {
    return s == read_status::fast || s == read_status::fell_back;
}

/// Thrown by the throwing acquire forms. Not a std::exception, so that a body's
/// `catch (std::exception const&)` does not swallow it (E12).
class [[gnu::visibility("default")]] restart {
public:
    constexpr restart(restart_reason reason, void const* contending_lock) noexcept
        : reason_{reason}, contending_lock_{contending_lock} {}
    [[nodiscard]] constexpr restart_reason reason() const noexcept {
        return reason_;
    }
    /// Address of the lock that made us restart; null where there is none (stale, injected).
    [[nodiscard]] constexpr void const* contending_lock() const noexcept {
        return contending_lock_;
    }

private:
    restart_reason reason_;
    void const* contending_lock_;
};

/// Thrown by domain::run when the caller's bound on attempts is reached: the caller gives up.
class [[gnu::visibility("default")]] abandoned : public std::runtime_error {
public:
    abandoned(restart_reason last, std::uint64_t attempts)
        : std::runtime_error{"transaction abandoned after " + std::to_string(attempts) +
                             " attempts; last restart: " + name(last)},
          last_{last},
          attempts_{attempts} {}
    [[nodiscard]] restart_reason last_reason() const noexcept {
        return last_;
    }
    [[nodiscard]] std::uint64_t attempts() const noexcept {
        return attempts_;
    }

private:
    restart_reason last_;
    std::uint64_t attempts_;
};

}  // namespace manylock

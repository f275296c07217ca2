// The point in time that a duration from now on means, whatever the duration: the interface takes all that std::chrono
// has.
#pragma once

#include <chrono>
#include <type_traits>

namespace manylock::detail {

/// True if the deadline never comes: the clock's last point stands for that.
template <class TimePoint>
[[nodiscard]] constexpr bool is_never(TimePoint const& deadline) noexcept {
    if constexpr (requires { TimePoint::max(); }) {
        return deadline == TimePoint::max();
    } else {
        return false;
    }
}

/// `now` plus `time`, rounded up. What is negative, or not a number, is over `now`; what the clock cannot count to is
/// never.
template <class TimePoint, class Rep, class Period>
[[nodiscard]] constexpr TimePoint deadline_after(TimePoint now,
                                                 std::chrono::duration<Rep, Period> time) noexcept {
    using ticks = typename TimePoint::duration;
    using wide = std::chrono::duration<long double, typename ticks::period>;
    if (!(time.count() > Rep{0})) return now;  // not a number is in no order
    // An upper bound of the sum, exact enough: who asks for centuries does not ask for their last microsecond.
    if (wide{time} + wide{now.time_since_epoch()} >= wide{ticks::max()} * (1 - 1e-9L))
        return TimePoint::max();
    return now + std::chrono::ceil<ticks>(time);
}

}  // namespace manylock::detail

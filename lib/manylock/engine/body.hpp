// What domain::run and domain::read demand of the bodies that they are given: a sentence where the compiler would give
// pages, or where the program would compile and be wrong.
#pragma once

#include <coroutine>
#include <type_traits>

namespace manylock::detail {

/// What coroutines return. A function that returns one need not be a coroutine, but nothing tells it from one.
template <class R, class... Args>
concept coroutine_type = requires {
    typename std::coroutine_traits<R, Args...>::promise_type;
};

/// Requires: a `Called` can be called with `Args`.
template <class Called, class... Args>
constexpr void check_result() noexcept {
    using result = std::remove_cvref_t<std::invoke_result_t<Called, Args...>>;
    static_assert(!coroutine_type<result, Args...> && !coroutine_type<result, Called, Args...>,
                  "manylock: a body must not be a coroutine, nor return what coroutines return: "
                  "its locks would be given "
                  "back before it has run. Suspend between transactions, or use domain::begin().");
    static_assert(
        (!std::is_same_v<result, std::remove_cvref_t<Args>> && ...),
        "manylock: a body must not return its transaction, which ends when the body has returned.");
}

}  // namespace manylock::detail

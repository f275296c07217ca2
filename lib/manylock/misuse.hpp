// Misuse of the library is a sentence naming the mistake, in checked builds (E8). Checked builds define
// MANYLOCK_CHECKS=1; elsewhere the checks compile to nothing and the objects that carry state for them
// are empty.
#pragma once

#include <cstdio>
#include <cstdlib>

#ifndef MANYLOCK_CHECKS
#define MANYLOCK_CHECKS 0
#endif

namespace manylock {

inline constexpr bool checks_enabled = MANYLOCK_CHECKS != 0;

/// Called with the sentence. May throw (tests do) or not return; if it returns, the program goes on
/// at its own risk.
using misuse_handler = void (*)(char const* sentence);

namespace detail {
[[noreturn]] inline void default_misuse(char const* sentence) {
    std::fprintf(stderr, "manylock: misuse: %s\n", sentence);
    std::abort();
}
}  // namespace detail

namespace [[gnu::visibility("default")]] process_wide {
inline misuse_handler current_misuse_handler = &detail::default_misuse;
}  // namespace process_wide

/// Replaces the handler, returns the former one. Not for use while other threads run transactions.
inline misuse_handler set_misuse_handler(misuse_handler handler) noexcept {
    auto former = process_wide::current_misuse_handler;
    process_wide::current_misuse_handler = handler != nullptr ? handler : &detail::default_misuse;
    return former;
}

/// In checked builds: reports `sentence` if `ok` is false.
inline void check_use(bool ok, char const* sentence) {
    if constexpr (checks_enabled) {
        if (!ok) process_wide::current_misuse_handler(sentence);
    } else {
        (void)ok;
        (void)sentence;
    }
}

namespace detail {
/// A destructor must not throw: what the handler throws is dropped, after it has seen the sentence.
inline void report_in_destructor(char const* sentence) noexcept {
    try {
        process_wide::current_misuse_handler(sentence);
    } catch (...) {
    }
}
}  // namespace detail

}  // namespace manylock

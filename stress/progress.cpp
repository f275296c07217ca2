#include "progress.hpp"

#include <unistd.h>
#include <algorithm>
#include <cstdio>

namespace manylock::stress {

progress::progress(std::size_t steps, bool shown)
    : steps_(std::max<std::size_t>(steps, 1)), terminal_(shown && ::isatty(STDERR_FILENO) == 1) {}

progress::~progress() {
    if (terminal_) std::fputs("\r\x1b[K", stderr);
}

void progress::show(std::string_view what) {
    if (!terminal_) return;
    constexpr std::size_t width = 30;
    auto const filled = std::min(width, done_ * width / steps_);
    auto const bar = std::string(filled, '#') + std::string(width - filled, '.');
    auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(
                             std::chrono::steady_clock::now() - started_)
                             .count();
    std::fprintf(stderr, "\r\x1b[K[%s] %3zu %%  %lld s  %.*s", bar.c_str(),
                 std::min<std::size_t>(100, done_ * 100 / steps_), static_cast<long long>(seconds),
                 static_cast<int>(std::min<std::size_t>(what.size(), 60)), what.data());
    std::fflush(stderr);
}

}  // namespace manylock::stress

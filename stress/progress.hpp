// A progress bar on stderr when that is a terminal, and nothing otherwise. Only the main thread
// draws, between measurements, so it disturbs none of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace manylock::stress {

class progress {
public:
    /// `shown`: on a terminal.
    explicit progress(std::size_t steps, bool shown = true);
    ~progress();
    progress(progress const&) = delete;
    progress& operator=(progress const&) = delete;

    /// Says what comes next.
    void show(std::string_view what);
    /// One more step is done.
    void advance() noexcept { ++done_; }

private:
    std::size_t steps_;
    std::size_t done_ = 0;
    bool terminal_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace manylock::stress

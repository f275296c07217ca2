// Which processors there are to measure on, and a thread's stay on one of them.
#pragma once

#include <sched.h>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace manylock::stress {

struct processor {
    unsigned number = 0;
    long socket = 0;
    long core = 0;  ///< within the socket; threads of one core share it and its caches

    friend bool operator==(processor const&, processor const&) = default;
};

/// Of those with these numbers, what the kernel says of them below `root`; what it does not say counts as
/// one socket with a core for each processor.
std::vector<processor> read_processors(std::vector<unsigned> const& numbers,
                                       std::filesystem::path const& root);
/// Those that this thread may run on.
std::vector<processor> usable_processors();

using processor_pair = std::pair<unsigned, unsigned>;
/// Two cores of one socket.
std::optional<processor_pair> neighbours(std::vector<processor> const& among);
/// Two cores of different sockets.
std::optional<processor_pair> strangers(std::vector<processor> const& among);

/// Keeps the calling thread on one processor while it lives.
class pinned {
public:
    /// Throws std::system_error.
    explicit pinned(unsigned number);
    ~pinned();
    pinned(pinned const&) = delete;
    pinned& operator=(pinned const&) = delete;

private:
    cpu_set_t before_;
};

}  // namespace manylock::stress

// The driver's log: spdlog, asynchronous, to stderr. Measured threads never wait for it: a full
// queue loses its oldest message instead.
#pragma once

#include <spdlog/spdlog.h>
#include <string>

namespace manylock::stress {

/// Lives in main(); what was logged is on stderr once it is destroyed.
class log_session {
public:
    /// `level` is one of log_levels().
    explicit log_session(std::string const& level);
    ~log_session();
    log_session(log_session const&) = delete;
    log_session& operator=(log_session const&) = delete;
};

}  // namespace manylock::stress

#include "log.hpp"

#include <memory>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>

namespace manylock::stress {

log_session::log_session(std::string const& level) {
    constexpr std::size_t queue_length = 8192;
    spdlog::init_thread_pool(queue_length, 1);
    auto logger = std::make_shared<spdlog::async_logger>(
        "manylock-stress", std::make_shared<spdlog::sinks::stderr_color_sink_mt>(),
        spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest);
    logger->set_level(spdlog::level::from_str(level));
    logger->set_pattern("%H:%M:%S.%e %^%l%$ %v");
    spdlog::set_default_logger(std::move(logger));
}

log_session::~log_session() {
    // Lives until the logging thread has been joined, which may still be reading from it.
    auto const last = spdlog::default_logger();
    spdlog::shutdown();
}

}  // namespace manylock::stress

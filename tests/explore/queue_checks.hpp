// What an onlooker can see of one lock's wait queue. All of it: in a quiet section.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <manylock/domain.hpp>

namespace explore {

/// A request, in one particular wait.
struct queued_request {
    void const* who;
    std::uint64_t wait;
    friend bool operator==(queued_request, queued_request) = default;
};

/// Requests of transactions that hold something, in whose way a hold in mode `m` is.
template <class Domain>
[[nodiscard]] std::vector<queued_request> holders_waiting(typename Domain::lock_type const& lock,
                                                          manylock::mode m) {
    using queue = manylock::detail::wait_queue<typename Domain::config>;
    std::vector<queued_request> all;
    for (auto* b = queue::first(lock); b != nullptr; b = queue::next(*b)) {
        if (b->wait_restartable && !compatible(queue::mode_of(*b), m)) {
            all.push_back({b, b->wait.load(Domain::platform::relaxed)});  // relaxed: nothing moves
        }
    }
    return all;
}

/// Is one of `earlier`, older than `age`, still in the same wait for `lock`?
template <class Domain>
[[nodiscard]] bool passes(typename Domain::lock_type const& lock, manylock::stamp age,
                          std::vector<queued_request> const& earlier) {
    using queue = manylock::detail::wait_queue<typename Domain::config>;
    for (auto* b = queue::first(lock); b != nullptr; b = queue::next(*b)) {
        queued_request const still{b,
                                   b->wait.load(Domain::platform::relaxed)};  // relaxed: as above
        if (std::find(earlier.begin(), earlier.end(), still) != earlier.end() &&
            b->current_stamp().older_than(age)) {
            return true;
        }
    }
    return false;
}

/// Upgrades first, then oldest first.
template <class Domain>
[[nodiscard]] bool in_age_order(typename Domain::lock_type const& lock) {
    using queue = manylock::detail::wait_queue<typename Domain::config>;
    auto const* b = queue::first(lock);
    while (b != nullptr) {
        auto const* const behind = queue::next(*b);
        if (behind == nullptr) break;
        if (behind->wait_upgrade != b->wait_upgrade) {
            if (behind->wait_upgrade) return false;
        } else if (behind->current_stamp().older_than(b->current_stamp())) {
            return false;
        }
        b = behind;
    }
    return true;
}

}  // namespace explore

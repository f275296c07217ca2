// What the onlooker of an explored scenario knows of one thread, and the wait-for graph that follows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <manylock/domain.hpp>

namespace explore {

using manylock::mode;

struct hold {
    unsigned lock;
    mode how;
};

template <class Transaction>
struct worker {
    std::vector<hold> held;  ///< as the script's thread knows it
    std::optional<hold> wanted;
    Transaction* txn = nullptr;
    std::uint64_t begun_at = 0;  ///< the present attempt
    std::uint64_t restarts = 0;  ///< of the present transaction
    bool was_marked = false;
    bool ended = false;
};

/// As a script writes it.
[[nodiscard]] inline std::string letter(unsigned lock, mode m) {
    return std::string(
        1, static_cast<char>((m == mode::exclusive ? 'A' : 'a') + static_cast<int>(lock)));
}

/// Calls f(index) for everyone that `w` waits for: incompatible holders, and incompatible waiters ahead of it
/// in the queue; under an umbrella whoever holds that. Requires: a quiet section.
template <class Domain, class F>
void for_each_blocker(std::vector<worker<typename Domain::transaction>> const& workers,
                      typename Domain::lock_type const* locks,
                      worker<typename Domain::transaction> const& w, F f) {
    if (!w.wanted) return;
    for (std::size_t i = 0; i < workers.size(); ++i) {
        auto const& other = workers[i];
        if (&other == &w) continue;
        if constexpr (Domain::policy::needs.umbrella) {
            bool const outside = w.txn == nullptr || w.txn->held() == 0;
            if (outside && other.txn != nullptr && other.txn->held() != 0) f(i);
        }
        for (auto const& h : other.held) {
            if (h.lock == w.wanted->lock && !compatible(h.how, w.wanted->how)) f(i);
        }
    }
    if constexpr (!Domain::policy::needs.umbrella) {
        using queue = manylock::detail::wait_queue<typename Domain::config>;
        if (w.txn == nullptr) return;
        std::vector<std::size_t> ahead;
        for (auto* b = queue::first(locks[w.wanted->lock]); b != nullptr; b = queue::next(*b)) {
            if (b->number == w.txn->number()) {
                for (auto const i : ahead) f(i);
                return;
            }
            for (std::size_t i = 0; i < workers.size(); ++i) {
                if (workers[i].txn != nullptr && workers[i].txn->number() == b->number &&
                    !compatible(queue::mode_of(*b), w.wanted->how)) {
                    ahead.push_back(i);
                }
            }
        }
    }
}

}  // namespace explore

#include "picker.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

namespace manylock::stress {
namespace {

/// Up to this many picks a repeat is found by looking at all of them.
constexpr std::size_t few = 16;
/// The one that workload hotspot is named after.
constexpr std::uint32_t hot_lock = 0;
/// Draws before a skewed choice among locks that are nearly all taken settles for a neighbour.
constexpr int tries = 64;

workload of_thread(workload w, std::uint64_t thread) {
    if (!w.mixed_with_single) return w;
    if (thread % 3 == 1) w.sequence = order::reorder;
    if (thread % 3 == 2) {
        w.sequence = order::random;
        w.locks_per_transaction = 1;
    }
    return w;
}

}  // namespace

picker::picker(workload const& from, std::uint64_t thread, std::uint64_t seed,
               zipf_sampler const* zipf)
    : from_(of_thread(from, thread)),
      thread_(thread),
      random_(derived_seed(seed, thread)),
      zipf_(zipf),
      keeps_order_(from_.sequence == order::fixed || from_.sequence == order::reorder) {
    auto const k = static_cast<std::size_t>(from_.locks_per_transaction);
    auto const n = static_cast<std::size_t>(from_.locks);
    requests_.reserve(k);
    if (from_.picks == choice::uniform && k > n / 4) {
        shuffled_.resize(n);
        std::iota(shuffled_.begin(), shuffled_.end(), 0U);
    } else if (k > few) {
        marks_.resize(std::bit_ceil(2 * k));  // at most half full
    }
    if (keeps_order_) draw();
}

std::span<request const> picker::next() {
    if (!keeps_order_) draw();
    if (from_.read_percent > 0) {
        bool const keep_hot = from_.picks == choice::hotspot && from_.hot_exclusive;
        for (auto& r : requests_) {
            r.shared = !(keep_hot && r.lock == hot_lock) && random_.percent(from_.read_percent);
        }
    }
    return requests_;
}

void picker::contended(std::uint32_t lock) {
    if (from_.sequence != order::reorder) return;
    auto const at = std::find_if(requests_.begin(), requests_.end(),
                                 [&](request const& r) { return r.lock == lock; });
    if (at != requests_.end()) std::rotate(requests_.begin(), at, at + 1);
}

void picker::draw() {
    requests_.clear();
    ++draw_number_;
    switch (from_.picks) {
        case choice::uniform:
            draw_subset(0, static_cast<std::uint32_t>(from_.locks), from_.locks_per_transaction);
            break;
        case choice::hotspot: draw_hotspot(); break;
        case choice::zipf:
        case choice::hot_set: draw_weighted(); break;
        case choice::ring: draw_neighbours(thread_); break;
        case choice::own: draw_neighbours(thread_ * from_.locks_per_transaction); break;
        case choice::vma_mix:
        case choice::giant_vma: break;
    }
    if (from_.sequence == order::ascending) {
        std::sort(requests_.begin(), requests_.end(),
                  [](request const& a, request const& b) { return a.lock < b.lock; });
    }
}

void picker::draw_subset(std::uint32_t first, std::uint32_t end, std::size_t how_many) {
    if (!shuffled_.empty()) {
        // The front of a shuffle that goes on from the last one: uniform, and every step O(1).
        for (std::size_t i = 0; i < how_many; ++i) {
            std::swap(shuffled_[i], shuffled_[i + random_.below(shuffled_.size() - i)]);
            add(shuffled_[i]);
        }
        return;
    }
    while (requests_.size() < how_many) {
        auto const lock = first + static_cast<std::uint32_t>(random_.below(end - first));
        if (!picked(lock)) add(lock);
    }
}

void picker::draw_hotspot() {
    auto const others = from_.locks_per_transaction - 1;
    if (others > 0) draw_subset(1, static_cast<std::uint32_t>(from_.locks), others);
    auto const at = std::lround(from_.hot_position * static_cast<double>(others));
    requests_.insert(requests_.begin() + at, request{hot_lock, false});
}

void picker::draw_weighted() {
    while (requests_.size() < from_.locks_per_transaction) {
        auto lock = weighted_lock();
        for (int i = 0; i < tries && picked(lock); ++i) lock = weighted_lock();
        while (picked(lock)) lock = (lock + 1) % static_cast<std::uint32_t>(from_.locks);
        add(lock);
    }
}

void picker::draw_neighbours(std::uint64_t first) {
    for (std::uint64_t i = 0; i < from_.locks_per_transaction; ++i) {
        add(static_cast<std::uint32_t>((first + i) % from_.locks));
    }
}

std::uint32_t picker::weighted_lock() {
    if (from_.picks == choice::zipf) return static_cast<std::uint32_t>((*zipf_)(random_));
    if (from_.hot_locks == from_.locks || random_.percent(from_.hot_percent)) {
        return static_cast<std::uint32_t>(random_.below(from_.hot_locks));
    }
    return static_cast<std::uint32_t>(from_.hot_locks +
                                      random_.below(from_.locks - from_.hot_locks));
}

bool picker::picked(std::uint32_t lock) const {
    if (!marks_.empty()) return marks_[place_of(lock)].draw == draw_number_;
    return std::any_of(requests_.begin(), requests_.end(),
                       [&](request const& r) { return r.lock == lock; });
}

std::size_t picker::place_of(std::uint32_t lock) const {
    auto const mask = marks_.size() - 1;
    auto at = static_cast<std::size_t>(splitmix(lock)) & mask;
    while (marks_[at].draw == draw_number_ && marks_[at].lock != lock) at = (at + 1) & mask;
    return at;
}

void picker::add(std::uint32_t lock) {
    if (!marks_.empty()) marks_[place_of(lock)] = {lock, draw_number_};
    requests_.push_back({lock, false});
}

}  // namespace manylock::stress

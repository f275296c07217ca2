// The pre-pass keeps, for every stretch of addresses, the last item that wrote it and the latest
// reader of each thread since. A write meets all of these, a read the writer alone.
// Which edges are implied is decided with vector clocks: a thread knows of every item that any of
// its items waited for, and of all that those knew in turn. A clock changes only where an edge is
// kept, so there are as many clocks as such items.

#include "order.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <stdexcept>
#include <utility>

namespace manylock::replay {
namespace {

using address_space::address;

constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
/// Clocks in all hold at most so many entries of four bytes. Beyond that they go stale, which keeps
/// more edges than needed and never too few.
constexpr std::size_t clock_entries_max = std::size_t{1} << 26;

struct reader {
    std::uint32_t thread;
    std::uint32_t item;
};

/// The history of a stretch of addresses, or of one global.
struct history {
    std::uint32_t writer = none;
    std::vector<reader> readers;  ///< since that write, one a thread

    void read_by(std::uint32_t thread, std::uint32_t item) {
        for (reader& earlier : readers) {
            if (earlier.thread == thread) {
                earlier.item = item;
                return;
            }
        }
        readers.push_back({thread, item});
    }

    void written_by(std::uint32_t item) {
        writer = item;
        readers.clear();
    }
};

/// All addresses, cut into stretches of one history each; the key is a stretch's first address.
class address_history {
public:
    address_history() { stretches_.emplace(0, history{}); }

    template <class Visit>
    void touch(touched_interval const& interval, std::uint32_t thread, std::uint32_t item,
               Visit visit) {
        auto const first = cut_at(interval.start);
        auto const last = cut_at(interval.end);
        for (auto at = first; at != last; ++at) {
            visit(at->second);
            if (!interval.writes) {
                at->second.read_by(thread, item);
            }
        }
        if (interval.writes) {
            first->second.written_by(item);
            stretches_.erase(std::next(first), last);
        }
    }

private:
    using stretch_map = std::map<address, history>;

    stretch_map::iterator cut_at(address where) {
        auto const after = stretches_.lower_bound(where);
        if (after != stretches_.end() && after->first == where) {
            return after;
        }
        return stretches_.emplace_hint(after, where, std::prev(after)->second);
    }

    stretch_map stretches_;
};

class clock_store {
public:
    // More than 8,192 threads get no clocks: nothing is dropped then, and all stays correct.
    explicit clock_store(std::size_t threads)
        : threads_{threads},
          enabled_{threads * threads <= clock_entries_max},
          known_(enabled_ ? threads * threads : 0, none),
          latest_(threads, none) {}

    /// Whether `thread` knows that item `item` of thread `other` is done.
    [[nodiscard]] bool knows(std::uint32_t thread, std::uint32_t other, std::uint32_t item) const {
        std::uint32_t const known = enabled_ ? known_[thread * threads_ + other] : none;
        return known != none && known >= item;
    }

    /// `thread` waited for `item` of `other`, whose clock was stored under `stored`.
    void learn(std::uint32_t thread, std::uint32_t other, std::uint32_t item,
               std::uint32_t stored) {
        if (!enabled_) {
            return;
        }
        raise(thread, other, item);
        if (stored == none) {
            return;
        }
        std::size_t const from = std::size_t{stored} * threads_;
        for (std::uint32_t at = 0; at < threads_; ++at) {
            if (at != thread && store_[from + at] != none) {
                raise(thread, at, store_[from + at]);
            }
        }
    }

    /// Stores the clock of `thread` as it is now.
    void keep(std::uint32_t thread) {
        if (!enabled_ || store_.size() + threads_ > clock_entries_max) {
            return;
        }
        latest_[thread] = static_cast<std::uint32_t>(store_.size() / threads_);
        std::size_t const from = thread * threads_;
        for (std::size_t at = from; at < from + threads_; ++at) {
            store_.push_back(known_[at]);
        }
    }

    [[nodiscard]] std::uint32_t latest(std::uint32_t thread) const { return latest_[thread]; }

private:
    void raise(std::uint32_t thread, std::uint32_t other, std::uint32_t item) {
        std::uint32_t& known = known_[thread * threads_ + other];
        known = known == none ? item : std::max(known, item);
    }

    std::size_t threads_;
    bool enabled_;
    std::vector<std::uint32_t> known_;   // [thread][other]: latest item known to be done
    std::vector<std::uint32_t> latest_;  // [thread]: number of its last stored clock
    std::vector<std::uint32_t> store_;
};

class pre_pass {
public:
    pre_pass(footprint_list const& list, order_options const& options)
        : list_{list},
          barriers_{options.barriers},
          threads_{count_threads(list)},
          clocks_{threads_},
          met_(threads_, none),
          own_level_(threads_, 0),
          clock_of_(list.items.size(), none),
          level_of_(list.items.size(), 0) {
        std::ranges::sort(barriers_);
    }

    execution_order run() {
        order_.first_edge.reserve(list_.items.size() + 1);
        order_.first_edge.push_back(0);
        order_.barrier_of.reserve(list_.items.size());
        for (std::uint32_t number = 0; number < list_.items.size(); ++number) {
            pass_barriers(number);
            collect(number);
            choose(number);
        }
        measure();
        return std::move(order_);
    }

private:
    static std::size_t count_threads(footprint_list const& list) {
        std::size_t threads = 0;
        for (footprint const& item : list.items) {
            threads = std::max(threads, std::size_t{item.thread} + 1);
            std::size_t const end = std::size_t{item.first_interval} + item.interval_count;
            if (end > list.intervals.size()) {
                throw std::invalid_argument{"a footprint names intervals beyond the list's end"};
            }
        }
        if (threads > list.items.size() || list.items.size() >= none) {
            throw std::invalid_argument{
                "footprints must number their threads densely from 0, and "
                "be fewer than 2^32 - 1"};
        }
        for (touched_interval const& interval : list.intervals) {
            if (interval.start >= interval.end) {
                throw std::invalid_argument{"a touched interval is empty or ends before it starts"};
            }
        }
        return threads;
    }

    void pass_barriers(std::uint32_t number) {
        while (barriers_passed_ < barriers_.size() && barriers_[barriers_passed_] <= number) {
            ++barriers_passed_;
            barrier_floor_ = number;
            level_floor_ = level_top_;
        }
        order_.barrier_of.push_back(static_cast<std::uint32_t>(barriers_passed_));
    }

    void meet(std::uint32_t item) {
        std::uint32_t const thread = list_.items[item].thread;
        if (met_[thread] == none) {
            met_threads_.push_back(thread);
            met_[thread] = item;
        } else {
            met_[thread] = std::max(met_[thread], item);
        }
    }

    void meet(history const& past, bool writes) {
        if (past.writer != none) {
            meet(past.writer);
        }
        if (writes) {
            for (reader const& earlier : past.readers) {
                meet(earlier.item);
            }
        }
    }

    void collect(std::uint32_t number) {
        footprint const& item = list_.items[number];
        std::span<touched_interval const> const intervals{
            list_.intervals.data() + item.first_interval, item.interval_count};
        for (touched_interval const& interval : intervals) {
            addresses_.touch(interval, item.thread, number,
                             [&](history const& past) { meet(past, interval.writes); });
        }
        for (std::size_t bit = 0; bit < globals_.size(); ++bit) {
            bool const writes = ((item.globals_written >> bit) & 1U) != 0;
            if (writes || ((item.globals_read >> bit) & 1U) != 0) {
                meet(globals_[bit], writes);
                writes ? globals_[bit].written_by(number)
                       : globals_[bit].read_by(item.thread, number);
            }
        }
    }

    /// Keeps the met items that nothing else implies. The latest first: it may imply the others.
    void choose(std::uint32_t number) {
        std::uint32_t const thread = list_.items[number].thread;
        std::size_t level = std::max(own_level_[thread], level_floor_);
        candidates_.clear();
        for (std::uint32_t const other : met_threads_) {
            if (other != thread && met_[other] != number) {
                candidates_.push_back(met_[other]);
            }
            met_[other] = none;
        }
        met_threads_.clear();
        std::ranges::sort(candidates_, std::greater<>{});
        std::size_t const kept_before = order_.waits_for.size();
        for (std::uint32_t const earlier : candidates_) {
            std::uint32_t const other = list_.items[earlier].thread;
            if (earlier < barrier_floor_ || clocks_.knows(thread, other, earlier)) {
                ++order_.edges_dropped;
                continue;
            }
            clocks_.learn(thread, other, earlier, clock_of_[earlier]);
            level = std::max(level, level_of_[earlier]);
            order_.waits_for.push_back(earlier);
        }
        if (order_.waits_for.size() != kept_before) {
            clocks_.keep(thread);
            std::reverse(order_.waits_for.begin() + static_cast<std::ptrdiff_t>(kept_before),
                         order_.waits_for.end());
        }
        clock_of_[number] = clocks_.latest(thread);
        order_.first_edge.push_back(order_.waits_for.size());
        level_of_[number] = level + 1;
        own_level_[thread] = level + 1;
        level_top_ = std::max(level_top_, level + 1);
    }

    void measure() {
        order_.edges_kept = order_.waits_for.size();
        order_.levels = level_top_;
        std::vector<std::size_t> widths(level_top_ + 1, 0);
        for (std::size_t const level : level_of_) {
            order_.width_max = std::max(order_.width_max, ++widths[level]);
        }
        order_.width_mean = level_top_ == 0 ? 0.0
                                            : static_cast<double>(list_.items.size()) /
                                                  static_cast<double>(level_top_);
    }

    footprint_list const& list_;
    std::vector<std::size_t> barriers_;
    std::size_t threads_;
    execution_order order_;
    clock_store clocks_;
    address_history addresses_;
    std::array<history, 32> globals_;
    std::vector<std::uint32_t> met_;  // [thread]: latest met item
    std::vector<std::uint32_t> met_threads_;
    std::vector<std::uint32_t> candidates_;
    std::vector<std::size_t> own_level_;
    std::vector<std::uint32_t> clock_of_;
    std::vector<std::size_t> level_of_;
    std::size_t barriers_passed_ = 0;
    std::uint32_t barrier_floor_ = 0;
    std::size_t level_floor_ = 0;
    std::size_t level_top_ = 0;
};

}  // namespace

void footprint_list::begin_item(std::uint32_t thread) {
    if (intervals.size() >= none) {
        throw std::invalid_argument{"a footprint list holds at most 2^32 - 1 intervals"};
    }
    footprint item;
    item.thread = thread;
    item.first_interval = static_cast<std::uint32_t>(intervals.size());
    items.push_back(item);
}

void footprint_list::touch(address start, address end, bool writes) {
    intervals.push_back({start, end, writes});
    ++items.back().interval_count;
}

void footprint_list::touch_globals(std::uint32_t read, std::uint32_t written) {
    items.back().globals_read |= read;
    items.back().globals_written |= written;
}

execution_order compute_order(footprint_list const& list, order_options const& options) {
    return pre_pass{list, options}.run();
}

}  // namespace manylock::replay

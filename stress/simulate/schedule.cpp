#include "schedule.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <numeric>
#include <stdexcept>
#include <utility>

#include <random.hpp>

namespace manylock::simulate {

std::uint64_t schedule::steps() const noexcept {
    return std::accumulate(segments_.begin(), segments_.end(), std::uint64_t{0},
                           [](std::uint64_t sum, segment const& s) { return sum + s.steps; });
}

bool schedule::simpler_than(schedule const& other) const noexcept {
    if (segments_.size() != other.segments_.size())
        return segments_.size() < other.segments_.size();
    return steps() < other.steps();
}

schedule schedule::without(std::size_t i) const {
    schedule shorter;
    for (std::size_t k = 0; k < segments_.size(); ++k) {
        if (k == i) continue;
        if (!shorter.segments_.empty() && shorter.segments_.back().thread == segments_[k].thread) {
            shorter.segments_.back().steps += segments_[k].steps;
        } else {
            shorter.segments_.push_back(segments_[k]);
        }
    }
    return shorter;
}

std::string schedule::text() const {
    std::string all;
    for (auto const& s : segments_) {
        if (!all.empty()) all += ',';
        all += std::to_string(s.thread) + ':' + std::to_string(s.steps);
    }
    return all;
}

schedule schedule::parse(std::string_view text) {
    schedule result;
    auto const* at = text.data();
    auto const* const end = at + text.size();
    auto const number = [&](auto& value, char const* what) {
        auto const [next, error] = std::from_chars(at, end, value);
        if (error != std::errc{}) {
            throw std::invalid_argument{"schedule, character " +
                                        std::to_string(at - text.data() + 1) + ": expected " +
                                        what + ", as in 0:12,1:3"};
        }
        at = next;
    };
    while (at != end) {
        segment s;
        number(s.thread, "a thread number");
        if (at == end || *at != ':') {
            throw std::invalid_argument{"schedule, character " +
                                        std::to_string(at - text.data() + 1) +
                                        ": expected ':' after the thread number, as in 0:12,1:3"};
        }
        ++at;
        number(s.steps, "a number of steps");
        result.segments_.push_back(s);
        if (at != end && *at++ != ',') {
            throw std::invalid_argument{"schedule, character " + std::to_string(at - text.data()) +
                                        ": expected ',' between segments, as in 0:12,1:3"};
        }
    }
    return result;
}

namespace {

constexpr std::uint64_t bit(unsigned thread) {
    return std::uint64_t{1} << thread;
}

unsigned first_of(std::uint64_t candidates) {
    return static_cast<unsigned>(std::countr_zero(candidates));
}

/// Calls f(thread) for each candidate, in order of their numbers.
template <class F>
void for_each(std::uint64_t candidates, F f) {
    for (; candidates != 0; candidates &= candidates - 1) f(first_of(candidates));
}

class random_choice final : public chooser {
public:
    explicit random_choice(std::uint64_t seed) : random_{seed} {}
    bool begin_run(unsigned) override {
        constexpr std::uint64_t shares[] = {1, 2, 4, 16, 64};
        one_in_ = shares[random_() % std::size(shares)];
        return true;
    }
    unsigned pick(choice const& c) override {
        if (c.current_can_go_on && random_() % one_in_ != 0) return c.current;
        auto left = c.candidates;
        for (auto skip = random_() % static_cast<unsigned>(std::popcount(left)); skip > 0; --skip) {
            left &= left - 1;
        }
        return first_of(left);
    }

private:
    stress::generator random_;
    std::uint64_t one_in_ = 1;
};

class pct_choice final : public chooser {
public:
    pct_choice(std::uint64_t seed, unsigned depth) : random_{seed}, depth_{depth} {}
    bool begin_run(unsigned threads) override {
        longest_ = std::max({longest_, steps_, std::uint64_t{1}});
        steps_ = 0;
        priorities_.resize(threads);
        std::iota(priorities_.begin(), priorities_.end(), std::int64_t{0});
        std::shuffle(priorities_.begin(), priorities_.end(), random_);
        lowest_ = -1;
        changes_.clear();
        for (unsigned i = 1; i < depth_; ++i) changes_.push_back(random_() % longest_);
        std::sort(changes_.begin(), changes_.end(), std::greater<>{});
        return true;
    }
    unsigned pick(choice const& c) override {
        while (!changes_.empty() && changes_.back() <= steps_) {
            changes_.pop_back();
            priorities_[c.current] = lowest_--;
        }
        ++steps_;
        auto best = first_of(c.candidates);
        for_each(c.candidates, [&](unsigned t) {
            if (priorities_[t] > priorities_[best]) best = t;
        });
        return best;
    }
    void gave_way(unsigned thread) override { priorities_[thread] = lowest_--; }

private:
    stress::generator random_;
    unsigned depth_;
    std::uint64_t steps_ = 0;
    std::uint64_t longest_ = 0;  ///< run so far: the changes are spread over as many steps
    std::vector<std::int64_t> priorities_;
    std::vector<std::uint64_t> changes_;  ///< latest first
    std::int64_t lowest_ = -1;
};

class lockstep_choice final : public chooser {
public:
    bool begin_run(unsigned) override {
        ++period_;
        steps_ = 0;
        return true;
    }
    unsigned pick(choice const& c) override {
        if (c.current_can_go_on && ++steps_ % period_ != 0) return c.current;
        auto const behind = c.candidates & ~(bit(c.current) | (bit(c.current) - 1));
        return first_of(behind != 0 ? behind : c.candidates);
    }

private:
    std::uint64_t period_ = 0;
    std::uint64_t steps_ = 0;
};

/// Depth first over the tree of choices. A run repeats the path to the last choice with an option left,
/// takes that, and from there on the first options.
class exhaustive_choice final : public chooser {
public:
    explicit exhaustive_choice(unsigned preemptions) : bound_{preemptions} {}
    bool begin_run(unsigned) override {
        depth_ = 0;
        preempted_ = 0;
        if (first_) {
            first_ = false;
            return true;
        }
        while (!path_.empty() && path_.back().next + 1 == path_.back().options.size())
            path_.pop_back();
        if (path_.empty()) return false;
        ++path_.back().next;
        return true;
    }
    unsigned pick(choice const& c) override {
        if (std::has_single_bit(c.candidates)) return first_of(c.candidates);
        if (c.current_can_go_on && preempted_ == bound_) return c.current;
        if (depth_ == path_.size()) {
            branch b;
            if (c.current_can_go_on) b.options.push_back(c.current);
            for_each(c.candidates, [&](unsigned t) {
                if (!c.current_can_go_on || t != c.current) b.options.push_back(t);
            });
            path_.push_back(std::move(b));
        }
        auto const& b = path_[depth_++];
        auto const chosen = b.options[b.next];
        if (c.current_can_go_on && chosen != c.current) ++preempted_;
        return chosen;
    }

private:
    struct branch {
        std::vector<unsigned> options;
        std::size_t next = 0;
    };
    unsigned bound_;
    std::vector<branch> path_;
    std::size_t depth_ = 0;
    unsigned preempted_ = 0;
    bool first_ = true;
};

class replay_choice final : public chooser {
public:
    explicit replay_choice(schedule const& how) : segments_{how.segments()} {}
    bool begin_run(unsigned) override { return !std::exchange(begun_, true); }
    unsigned pick(choice const& c) override {
        while (segment_ < segments_.size() && used_ == segments_[segment_].steps) {
            ++segment_;
            used_ = 0;
        }
        if (segment_ < segments_.size()) {
            ++used_;
            if (auto const wanted = segments_[segment_].thread;
                wanted < 64 && (c.candidates & bit(wanted)) != 0) {
                return wanted;
            }
        }
        return c.current_can_go_on ? c.current : first_of(c.candidates);
    }

private:
    std::vector<schedule::segment> segments_;
    std::size_t segment_ = 0;
    std::uint64_t used_ = 0;
    bool begun_ = false;
};

}  // namespace

std::unique_ptr<chooser> random_chooser(std::uint64_t seed) {
    return std::make_unique<random_choice>(seed);
}
std::unique_ptr<chooser> pct_chooser(std::uint64_t seed, unsigned depth) {
    return std::make_unique<pct_choice>(seed, depth);
}
std::unique_ptr<chooser> lockstep_chooser() {
    return std::make_unique<lockstep_choice>();
}
std::unique_ptr<chooser> exhaustive_chooser(unsigned preemptions) {
    return std::make_unique<exhaustive_choice>(preemptions);
}
std::unique_ptr<chooser> replay_chooser(schedule const& how) {
    return std::make_unique<replay_choice>(how);
}

}  // namespace manylock::simulate

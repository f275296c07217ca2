#include "replay_lifetimes.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

namespace manylock::stress {
namespace {

constexpr std::uint32_t never = std::numeric_limits<std::uint32_t>::max();

class planner {
public:
    explicit planner(replay::recorded_program const& program)
        : program_(program),
          births_(program.threads.size(), never),
          ends_(program.threads.size(), 0) {
        all_.threads.resize(program.threads.size());
    }

    lifetimes run() {
        share_items();
        find_creators();
        find_births();
        start_children();
        rank_ends();
        return std::move(all_);
    }

private:
    void share_items() {
        for (std::size_t i = 0; i < program_.items.size(); ++i) {
            all_.threads[program_.items[i].thread].items.push_back(static_cast<std::uint32_t>(i));
        }
    }

    /// A tid may be used again: the creator is the latest thread of that number before the child.
    void find_creators() {
        std::unordered_map<std::uint32_t, std::uint32_t> latest;
        for (std::uint32_t t = 0; t < program_.threads.size(); ++t) {
            auto const& thread = program_.threads[t];
            auto const found = thread.creator == 0 ? latest.end() : latest.find(thread.creator);
            creators_.push_back(found == latest.end() ? never : found->second);
            latest[thread.tid] = t;
        }
    }

    /// A birth is the number of items that came before it: those no later than the clone call, and
    /// none of the thread's own or of its descendants. Creators have smaller numbers than children.
    void find_births() {
        std::vector<std::uint32_t> needed(count(), never);
        auto const& items = program_.items;
        for (std::uint32_t t = count(); t-- > 0;) {
            auto const& own = all_.threads[t].items;
            if (!own.empty()) needed[t] = std::min(needed[t], own.front());
            if (needed[t] == never) continue;
            auto const created = std::upper_bound(
                items.begin(), items.end(), program_.threads[t].start_ns,
                [](std::int64_t at, replay::item const& item) { return at < item.time_ns; });
            births_[t] = std::min(needed[t], static_cast<std::uint32_t>(created - items.begin()));
            if (auto const c = creators_[t]; c != never) needed[c] = std::min(needed[c], needed[t]);
        }
        for (std::uint32_t t = 0; t < count(); ++t) {
            if (births_[t] == never) continue;
            births_[t] = creators_[t] == never ? 0 : std::max(births_[t], births_[creators_[t]]);
        }
    }

    void start_children() {
        std::vector<std::vector<std::uint32_t>> children(count());
        for (std::uint32_t t = 0; t < count(); ++t) {
            if (births_[t] == never) continue;
            ++all_.started;
            if (creators_[t] == never) {
                all_.roots.push_back(t);
            } else {
                children[creators_[t]].push_back(t);
            }
        }
        for (std::uint32_t t = 0; t < count(); ++t) {
            auto& life = all_.threads[t];
            std::stable_sort(children[t].begin(), children[t].end(),
                             [&](auto a, auto b) { return births_[a] < births_[b]; });
            for (auto const child : children[t]) {
                auto const before =
                    std::lower_bound(life.items.begin(), life.items.end(), births_[child]);
                life.children.push_back(
                    {static_cast<std::uint32_t>(before - life.items.begin()), child});
            }
            if (births_[t] == never) continue;
            ends_[t] = births_[t];
            if (!life.items.empty()) ends_[t] = std::max(ends_[t], life.items.back());
            if (!children[t].empty()) ends_[t] = std::max(ends_[t], births_[children[t].back()]);
        }
    }

    void rank_ends() {
        std::vector<std::uint32_t> by_end;
        for (std::uint32_t t = 0; t < count(); ++t) {
            if (births_[t] != never) by_end.push_back(t);
        }
        auto by_birth = by_end;
        std::sort(by_end.begin(), by_end.end(),
                  [&](auto a, auto b) { return ends_[a] < ends_[b]; });
        std::sort(by_birth.begin(), by_birth.end(),
                  [&](auto a, auto b) { return births_[a] < births_[b]; });
        std::uint32_t ended = 0;
        for (std::uint32_t rank = 0; rank < by_end.size(); ++rank) {
            all_.threads[by_end[rank]].rank = rank;
        }
        for (std::size_t i = 0; i < by_birth.size(); ++i) {
            auto const birth = births_[by_birth[i]];
            while (ended < by_end.size() && ends_[by_end[ended]] < birth) ++ended;
            all_.threads[by_birth[i]].starts_after = ended;
            all_.live_max = std::max(all_.live_max, i + 1 - ended);
        }
    }

    [[nodiscard]] std::uint32_t count() const {
        return static_cast<std::uint32_t>(program_.threads.size());
    }

    replay::recorded_program const& program_;
    lifetimes all_;
    std::vector<std::uint32_t> creators_;
    std::vector<std::uint32_t> births_;
    std::vector<std::uint32_t> ends_;
};

}  // namespace

lifetimes lifetimes_of(replay::recorded_program const& program) {
    return planner(program).run();
}

}  // namespace manylock::stress

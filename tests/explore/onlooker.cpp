#include "onlooker.hpp"

#include <algorithm>
#include <utility>

#include <simulate/world.hpp>

namespace explore {

bool worker::holds(unsigned lock) const noexcept {
    return std::any_of(held.begin(), held.end(), [lock](hold const& h) { return h.lock == lock; });
}
bool worker::holds_exclusively(unsigned lock) const noexcept {
    return std::any_of(held.begin(), held.end(), [lock](hold const& h) {
        return h.lock == lock && h.how == mode::exclusive;
    });
}
bool worker::drop(unsigned lock) {
    return std::erase_if(held, [lock](hold const& h) { return h.lock == lock; }) > 0;
}

void broken(std::string complaint) {
    manylock::simulate::world::active().fail(manylock::simulate::outcome::broken,
                                             std::move(complaint));
}

std::string letter(unsigned lock, mode m) {
    return std::string(
        1, static_cast<char>((m == mode::exclusive ? 'A' : 'a') + static_cast<int>(lock)));
}

std::string onlooker::name(worker const& w) const {
    return "thread " + std::to_string(&w - workers.data());
}

void onlooker::note(worker& w, unsigned lock, mode how) {
    if (is_gone(lock) && !w.holds(lock)) {
        broken(name(w) + " has got lock " + letter(lock, how) + ", whose object is gone");
    }
    auto mine = std::find_if(w.held.begin(), w.held.end(),
                             [lock](hold const& h) { return h.lock == lock; });
    if (mine == w.held.end()) {
        mine = w.held.insert(mine, {lock, how});
    } else if (how == mode::exclusive) {
        mine->how = how;
    }
    for (auto const& other : workers) {
        if (&other == &w) continue;
        for (auto const& h : other.held) {
            if (h.lock != lock || compatible(h.how, mine->how)) continue;
            broken(name(w) + " and " + name(other) + " are both inside lock " +
                   letter(lock, mode::exclusive));
        }
    }
}

void onlooker::check_restart(worker& w, manylock::restart_reason reason) {
    ++restarts;
    ++w.restarts;
    if (reason == manylock::restart_reason::injected) return;
    if (w.held.empty()) broken(name(w) + " restarts while it holds nothing");
    if (promises_.never_restarts)
        broken(name(w) + " restarts, and the policy promises that nobody does");
    if (promises_.in_order_never_restarts && script_.in_order()) {
        broken(name(w) + " restarts, although all acquire in order");
    }
    if (promises_.only_cycles_restart && !w.was_marked) {
        broken(name(w) + " restarts, and was never chosen as the victim of a cycle");
    }
    std::uint64_t elders = 0;
    bool elder_lived = false;
    for (auto const& other : workers) {
        if (&other == &w || !other.live || !other.age.older_than(w.age)) continue;
        ++elders;
        elder_lived = true;
    }
    for (auto const& p : past_) {
        // Where no age was seen, somebody else may have drawn it just before the end.
        if (p.age.drawn() && !p.age.older_than(w.age)) continue;
        if (p.age.drawn() || p.ended_at >= w.first_begun_at) ++elders;
        elder_lived = elder_lived || p.ended_at >= w.begun_at;
    }
    if (promises_.eldest_never_restarts && !elder_lived) {
        broken(name(w) + " restarts, although no older transaction lived since its attempt began");
    }
    if (promises_.bounded_restarts &&
        w.restarts > manylock::restart_bound(elders, script_.longest())) {
        broken(name(w) + " has restarted " + std::to_string(w.restarts) + " times, beside " +
               std::to_string(elders) + " elders");
    }
}

void onlooker::check_victim(worker const& w, wait_edges const& edges) const {
    if (!in_circle(static_cast<std::size_t>(&w - workers.data()), edges)) {
        broken(name(w) + " is told to restart, but waiting would close no cycle");
    }
}

void onlooker::check_counts(std::uint64_t restarts_counted, std::uint64_t commits_counted,
                            std::uint64_t wounds_counted) const {
    if (restarts_counted != restarts) broken("restarts are not counted as they were issued");
    if (commits_counted != commits) broken("commits are not counted");
    if (script_.requests_hold_nothing() && wounds_counted + restarts != 0) {
        broken("a wound or a restart, although nobody requests while holding");
    }
}

std::size_t onlooker::begin_to_end(worker& w) {
    w.held.clear();
    w.live = false;
    w.marked = false;
    past_.push_back({w.age, ~std::uint64_t{0}});
    return past_.size() - 1;
}

bool onlooker::in_circle(std::size_t who, wait_edges const& edges) const {
    std::vector<bool> seen(workers.size());
    std::vector<std::size_t> open{who};
    while (!open.empty()) {
        auto const at = open.back();
        open.pop_back();
        if (at != who && workers[at].marked) continue;  // a victim waits no longer
        for (auto const next : edges[at]) {
            if (next == who) return true;
            if (!seen[next]) open.push_back(next);
            seen[next] = true;
        }
    }
    return false;
}

bool onlooker::waits_in_circle(wait_edges const& edges) const {
    for (std::size_t i = 0; i < workers.size(); ++i) {
        if (in_circle(i, edges)) return true;
    }
    return false;
}

std::string onlooker::describe() const {
    std::string all;
    for (auto const& w : workers) {
        all += "  " + name(w) + ": ";
        if (w.ended) {
            all += "ended\n";
            continue;
        }
        all += "holds";
        for (auto const& h : w.held) all += ' ' + letter(h.lock, h.how);
        if (w.held.empty()) all += " nothing";
        if (w.wanted) all += ", wants " + letter(w.wanted->lock, w.wanted->how);
        all += ", attempt " + std::to_string(w.restarts + 1);
        if (w.age.drawn()) all += ", stamp " + std::to_string(w.age.value);
        all += '\n';
    }
    return all;
}

}  // namespace explore

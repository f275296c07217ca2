#include "watched.hpp"

#include <algorithm>
#include <mutex>

namespace manylock::stress {
namespace {

struct board {
    std::mutex workers_mutex;
    std::vector<worker_entry*> workers;
    std::uint64_t last_id = 0;
    std::mutex domains_mutex;
    std::vector<domain_entry*> domains;
};
board& the_board() {
    static auto& all = *new board;  // never destroyed: threads may be left behind
    return all;
}

}  // namespace

worker_entry::worker_entry(std::string name, std::uint64_t number)
    : name_(std::move(name)), number_(number) {
    std::lock_guard const guard(the_board().workers_mutex);
    id_ = ++the_board().last_id;
    the_board().workers.push_back(this);
}

worker_entry::~worker_entry() {
    std::lock_guard const guard(the_board().workers_mutex);
    std::erase(the_board().workers, this);
}

domain_entry::domain_entry(std::function<graph::wait_for_graph()> snapshot)
    : snapshot_(std::move(snapshot)) {
    std::lock_guard const guard(the_board().domains_mutex);
    the_board().domains.push_back(this);
}

domain_entry::~domain_entry() {
    std::lock_guard const guard(the_board().domains_mutex);
    std::erase(the_board().domains, this);
}

std::vector<worker_state> workers_now() {
    std::lock_guard const guard(the_board().workers_mutex);
    std::vector<worker_state> all;
    for (auto const* w : the_board().workers) {
        // relaxed: as in step()
        all.push_back({w->id_, w->name_ + ' ' + std::to_string(w->number_),
                       w->steps_.load(std::memory_order_relaxed)});
    }
    return all;
}

std::vector<graph::wait_for_graph> graphs_now() {
    std::lock_guard const guard(the_board().domains_mutex);
    std::vector<graph::wait_for_graph> all;
    for (auto const* d : the_board().domains) all.push_back(d->snapshot_());
    return all;
}

}  // namespace manylock::stress

#include "machine.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <exception>

namespace manylock::simulate {

machine::machine(unsigned cores, costs const& cost)
    : cost_(cost),
      lookahead_(std::min({cost.transfer, cost.transfer_remote, cost.memory})),
      cache_(cores, static_cast<unsigned>(cost.sockets)),
      cores_(cores),
      leaves_(std::bit_ceil(std::size_t{cores})),
      idle_((cores + 63) / 64) {
    tree_.resize(2 * leaves_);
    for (std::size_t i = 0; i < leaves_; ++i) tree_[leaves_ + i].core = static_cast<unsigned>(i);
    for (std::size_t i = leaves_ - 1; i > 0; --i) tree_[i] = tree_[2 * i];
    for (unsigned c = 0; c < cores; ++c) idle_[c / 64] |= std::uint64_t{1} << (c % 64);
}

machine::~machine() = default;

// --- the order of things -----------------------------------------------------------------------------

void machine::set_key(unsigned core, std::uint64_t key) noexcept {
    tree_[leaves_ + core].key = key;
    for (auto i = (leaves_ + core) / 2; i > 0; i /= 2) {
        auto const& left = tree_[2 * i];
        auto const& right = tree_[2 * i + 1];
        auto const& wins = right.key < left.key ? right : left;
        if (tree_[i].core == wins.core && tree_[i].key == wins.key) return;
        tree_[i] = wins;
    }
}

std::uint64_t machine::others_than(unsigned core) const noexcept {
    auto first_of_them = never;
    for (auto i = leaves_ + core; i > 1; i /= 2) {
        first_of_them = std::min(first_of_them, tree_[i ^ 1U].key);
    }
    return first_of_them;
}

/// Whose turn it is: sets on_core_, running_ and horizon_. False if nobody can go on.
bool machine::pick() {
    fire_timers();
    if (tree_[1].key == never) return false;
    on_core_ = tree_[1].core;
    running_ = current_core().runs;
    auto const others = others_than(on_core_);
    set_horizon(timers_.empty() ? others : std::min(others, timers_.top().when));
    return true;
}

/// Lets those run who are behind. Returns when the calling thread is first, maybe on another core.
void machine::go_on() {
    auto const me = running_;
    set_key(on_core_, current_core().time);
    (void)pick();  // at least ourselves
    leave_to_picked(me);
}

void machine::leave_to_picked(unsigned me) {
    if (running_ == me) return;
    ++switches_;
    threads_[me]->runs->switch_to(*threads_[running_]->runs);
}

void machine::in_order() {
    while (!first()) go_on();
}

void machine::run() {
    struct activity {
        machine* before;
        explicit activity(machine* m) : before(std::exchange(active_, m)) {}
        ~activity() { active_ = before; }
    } const active(this);
    while (alive_ > 0) {
        if (!pick()) throw stood_still(standstill());
        current_ = this;
        on_fiber_ = true;
        threads_[running_]->runs->resume();
        on_fiber_ = false;
        current_ = nullptr;
        if (error_) std::rethrow_exception(error_);
    }
}

std::string machine::standstill() const {
    std::size_t asleep = 0;
    for (auto const& t : threads_) asleep += !t->ended && t->blocked ? 1 : 0;
    return "the simulation stands still: all " + std::to_string(asleep) +
           " threads wait, and nobody is left to wake them";
}

// --- threads and cores -------------------------------------------------------------------------------

unsigned machine::spawn(std::function<void()> body) {
    auto const number = static_cast<unsigned>(threads_.size());
    threads_.push_back(std::make_unique<thread_state>());
    auto& t = *threads_.back();
    t.core = number % core_count();
    t.runs = std::make_unique<fiber>([this, number, work = std::move(body)] {
        try {
            work();
        } catch (...) {
            error_ = std::current_exception();
        }
        in_order();
        auto& me = *threads_[number];
        me.ended = true;
        --alive_;
        while (wake_one(&me)) {
        }
        let_next_run(on_core_);
    });
    ++alive_;
    make_ready(number, on_fiber_ ? now() : 0);
    return number;
}

unsigned machine::idle_core(unsigned preferred) const noexcept {
    auto const words = idle_.size();
    if ((idle_[preferred / 64] >> (preferred % 64) & 1U) != 0) return preferred;
    for (std::size_t n = 0; n < words; ++n) {
        auto const w = (preferred / 64 + n) % words;
        if (idle_[w] != 0)
            return static_cast<unsigned>(w * 64) +
                   static_cast<unsigned>(std::countr_zero(idle_[w]));
    }
    return none;
}

void machine::make_ready(unsigned thread, std::uint64_t at) {
    auto& t = *threads_[thread];
    t.blocked = false;
    t.ready_at = at;
    auto const core = idle_core(t.core);
    if (core == none) {
        auto& home = cores_[t.core];
        home.waiting.push_back(thread);
        ++queued_;
        if (home.slice_end == never) home.slice_end = std::max(home.time, at) + cost_.time_slice;
        return;
    }
    auto& c = cores_[core];
    t.core = core;
    c.time = std::max(c.time, at);
    c.runs = thread;
    c.slice_end = never;
    idle_[core / 64] &= ~(std::uint64_t{1} << (core % 64));
    set_key(core, c.time);
    if (c.time < horizon_) set_horizon(c.time);
}

/// The core's thread has left it.
void machine::let_next_run(unsigned core) {
    auto& c = cores_[core];
    auto* from = &c;
    if (c.waiting.empty() && queued_ > 0) {  // an idle core takes work from the busiest
        from = &*std::max_element(cores_.begin(), cores_.end(),
                                  [](core_state const& a, core_state const& b) {
                                      return a.waiting.size() < b.waiting.size();
                                  });
    }
    if (from->waiting.empty()) {
        c.runs = none;
        c.slice_end = never;
        idle_[core / 64] |= std::uint64_t{1} << (core % 64);
        set_key(core, never);
        return;
    }
    auto const next = from->waiting.front();
    from->waiting.pop_front();
    --queued_;
    if (from != &c && from->waiting.empty()) from->slice_end = never;
    auto& t = *threads_[next];
    t.core = core;
    c.runs = next;
    c.time = std::max(c.time, t.ready_at) + cost_.context_switch;
    c.slice_end = c.waiting.empty() ? never : c.time + cost_.time_slice;
    set_key(core, c.time);
}

void machine::give_up_slice() {
    auto const me = running_;
    auto& c = current_core();
    if (c.waiting.empty()) {
        c.slice_end = never;
        return;
    }
    threads_[me]->ready_at = c.time;
    c.waiting.push_back(me);
    ++queued_;
    let_next_run(on_core_);
    (void)pick();  // at least who took the core
    leave_to_picked(me);
}

void machine::compute(std::uint64_t ns) {
    while (ns > 0) {
        auto& c = current_core();
        if (c.time >= c.slice_end) {
            give_up_slice();
            continue;
        }
        auto const step = std::min(ns, c.slice_end - c.time);
        c.time += step;
        ns -= step;
    }
}

void machine::compute_until(std::uint64_t when) {
    while (now() < when) {
        auto& c = current_core();
        if (c.time >= c.slice_end) {
            give_up_slice();
        } else {
            c.time = std::min(when, c.slice_end);
        }
    }
}

void machine::yield() {
    ++events_;
    compute(cost_.yield);
    in_order();
    give_up_slice();
}

void machine::block(void const* address, std::uint64_t const* deadline) {
    ++events_;
    auto const me = running_;
    auto& t = *threads_[me];
    t.blocked = true;
    t.address = address;
    ++t.nap;
    if (address != nullptr) sleepers_[address].push_back(me);
    if (deadline != nullptr) timers_.push({*deadline, timers_set_++, me, t.nap});
    let_next_run(on_core_);
    if (!pick()) {
        error_ = std::make_exception_ptr(stood_still(standstill()));
        t.runs->give_way();
        std::abort();  // never resumed
    }
    leave_to_picked(me);
}

bool machine::wake_one(void const* address) {
    auto const found = sleepers_.find(address);
    if (found == sleepers_.end()) return false;
    auto const thread = found->second.front();
    found->second.pop_front();
    if (found->second.empty()) sleepers_.erase(found);
    make_ready(thread, now() + cost_.wake_latency);
    return true;
}

/// Those whose time has come before anybody else does anything.
void machine::fire_timers() {
    while (!timers_.empty() && timers_.top().when <= tree_[1].key) {
        auto const due = timers_.top();
        timers_.pop();
        auto& t = *threads_[due.thread];
        if (!t.blocked || t.nap != due.nap) continue;
        if (t.address != nullptr) {
            auto const found = sleepers_.find(t.address);
            std::erase(found->second, due.thread);
            if (found->second.empty()) sleepers_.erase(found);
        }
        make_ready(due.thread, due.when + cost_.wake_latency);
    }
}

void machine::join(unsigned thread) {
    in_order();
    while (!threads_[thread]->ended) block(threads_[thread].get(), nullptr);
}

void*& machine::slot(std::uint64_t key) {
    auto& slots = threads_[running_]->slots;
    for (auto& s : slots) {
        if (s.first == key) return s.second;
    }
    return slots.emplace_back(key, nullptr).second;
}

// --- memory ------------------------------------------------------------------------------------------

/// What touch() could not do at once.
void machine::fetch(void const* where, access how) {
    if (current_core().time >= current_core().slice_end) give_up_slice();
    in_order();
    auto const here = how == access::update ? cost_.atomic_hit : cost_.hit;
    auto& line = cache_.line(where);
    auto& time = current_core().time;
    auto const asked_at = time;
    if (cache_.has(line, on_core_, how)) {
        time += here;
        return;
    }
    std::uint64_t cost = cost_.memory;
    switch (cache_.source_of(line, on_core_, how)) {
        case cache::source::memory: break;
        case cache::source::socket: cost = cost_.transfer; break;
        case cache::source::remote: cost = cost_.transfer_remote; break;
    }
    if (cache::queues(line, how)) {
        time = std::max(time, line.free_at) + cost;
        line.free_at = time;
    } else {
        time += cost;
    }
    if (how ==
        access::store) {  // in the store buffer: nobody waits for the line but who wants it next
        current_core().stores_done = std::max(current_core().stores_done, time);
        time = asked_at + here;
        cache_.arrived(line, on_core_, how);
        return;
    }
    ++line.under_way;  // which keeps it from being forgotten
    in_order();
    auto& here_now = cache_.line(where);  // others have run
    --here_now.under_way;
    cache_.arrived(here_now, on_core_, how);
    current_core().time += here;
}

}  // namespace manylock::simulate

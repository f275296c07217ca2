#include "cache.hpp"

#include <algorithm>

namespace manylock::simulate {
namespace {

constexpr std::uintptr_t forgotten = 1;
constexpr unsigned bits_at_first = 12;

}  // namespace

cache::cache(unsigned cores, unsigned sockets)
    : cores_(cores),
      sockets_(std::min(sockets, cores)),
      words_((cores + 63) / 64),
      slots_(std::size_t{1} << bits_at_first),
      shift_(64 - bits_at_first) {}

cache_line& cache::add(std::uintptr_t key) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    auto const mask = slots_.size() - 1;
    auto i = slot_of(key);
    while (slots_[i].key != 0 && slots_[i].key != forgotten) i = (i + 1) & mask;
    if (slots_[i].key == 0) ++used_;
    slots_[i] = {key, {}};
    return slots_[i].line;
}

/// Leaves out what was forgotten; larger only if that is not half of it.
void cache::grow() {
    auto const live = static_cast<std::size_t>(std::count_if(
        slots_.begin(), slots_.end(), [](slot const& s) { return s.key > forgotten; }));
    bool const larger = live * 4 > slots_.size();
    std::vector<slot> old(slots_.size() * (larger ? 2 : 1));
    if (larger) --shift_;
    old.swap(slots_);
    used_ = 0;
    auto const mask = slots_.size() - 1;
    for (auto const& s : old) {
        if (s.key <= forgotten) continue;
        auto i = slot_of(s.key);
        while (slots_[i].key != 0) i = (i + 1) & mask;
        slots_[i] = s;
        ++used_;
    }
}

void cache::forget(void const* where) noexcept {
    auto const key = key_of(where);
    auto const mask = slots_.size() - 1;
    for (auto i = slot_of(key); slots_[i].key != 0; i = (i + 1) & mask) {
        if (slots_[i].key != key) continue;
        if (slots_[i].line.under_way > 0) return;  // somebody is just coming for it
        drop_set(slots_[i].line);
        slots_[i].key = forgotten;
        return;
    }
}

cache::source cache::source_of(cache_line const& l, unsigned core, access how) const noexcept {
    if (l.owner < 0) return source::memory;
    auto const mine = socket(core);
    if (l.sharers == 0) {
        return socket(static_cast<unsigned>(l.owner)) == mine ? source::socket : source::remote;
    }
    if (sockets_ == 1) return source::socket;
    bool near = false;
    bool far = false;
    for (unsigned c = 0; c < cores_; ++c) {
        if (c == core || !shares(l, c)) continue;
        (socket(c) == mine ? near : far) = true;
    }
    // A reader is served by the nearest, a writer waits for the farthest to let go.
    if (how == access::load) return near ? source::socket : source::remote;
    return far ? source::remote : source::socket;
}

std::uint32_t cache::take_set() {
    if (free_sets_.empty()) {
        sets_.resize(sets_.size() + words_);
        return static_cast<std::uint32_t>(sets_.size() / words_);
    }
    auto const number = free_sets_.back();
    free_sets_.pop_back();
    return number;
}

void cache::drop_set(cache_line& l) {
    if (l.sharers == 0) return;
    std::fill_n(set_of(l), words_, 0);
    free_sets_.push_back(l.sharers);
    l.sharers = 0;
}

void cache::arrived(cache_line& l, unsigned core, access how) {
    if (how != access::load || l.owner < 0) {
        drop_set(l);
        l.owner = static_cast<std::int32_t>(core);
        return;
    }
    if (l.sharers == 0) {
        if (l.owner == static_cast<std::int32_t>(core)) return;
        l.sharers = take_set();
        auto const owner = static_cast<unsigned>(l.owner);
        set_of(l)[owner / 64] |= std::uint64_t{1} << (owner % 64);
    }
    set_of(l)[core / 64] |= std::uint64_t{1} << (core % 64);
}

}  // namespace manylock::simulate

#include "space_history.hpp"

#include <address_space/naive_calls.hpp>
#include <address_space/naive_comparison.hpp>

#include <algorithm>

namespace explore {

using namespace manylock::address_space;

namespace {

[[nodiscard]] std::string name(space_history::entry const& e) {
    return "thread " + std::to_string(e.thread) + "'s " + text_of(e.op) + ", which returned " +
           std::to_string(e.result) + ',';
}

}  // namespace

std::string space_history::check(std::vector<vma> const& rows, mm_globals const& globals) {
    after_.assign(1, script_.model);
    for (auto const& e : entries_)
        if (e.commit_number != 0) commits_.push_back(&e);
    std::sort(commits_.begin(), commits_.end(),
              [](auto const* a, auto const* b) { return a->commit_number < b->commit_number; });
    std::uint64_t latest_call = 0;
    for (auto const* const e : commits_) {
        if (e->returned < latest_call)
            return name(*e) + " committed after an operation that was called later";
        latest_call = std::max(latest_call, e->called);
        after_.push_back(after_.back());
        // Where it chose no place, none is right.
        std::int64_t const expected =
            after_.back().apply(e->op, std::max<std::int64_t>(e->result, 0));
        if (expected != e->result)
            return name(*e) + " should return " + std::to_string(expected) +
                   " in the order of the commits";
    }
    if (auto wrong = check_reads(); !wrong.empty()) return wrong;
    std::vector<vma> const expected = after_.back().rows();
    if (canonical(rows) != canonical(expected))
        return "the VMAs are not those of the order of the commits\n" + describe(rows) +
               "expected\n" + describe(expected);
    if (globals.brk != after_.back().globals().brk ||
        globals.default_flags != after_.back().globals().default_flags)
        return "the break or the default flags are not those of the order of the commits";
    return {};
}

std::string space_history::check_reads() const {
    for (auto const& e : entries_) {
        if (e.commit_number != 0) continue;
        std::size_t first = 0;
        std::size_t last = commits_.size();
        for (std::size_t i = 0; i < commits_.size(); ++i) {
            if (commits_[i]->returned < e.called) first = i + 1;
            if (commits_[i]->called > e.returned) last = std::min(last, i);
        }
        bool found = false;
        for (std::size_t i = first; i <= last && !found; ++i) found = could_be(after_[i], e);
        if (!found) return name(e) + " should not, at any moment from its call to its return";
    }
    return {};
}

bool space_history::could_be(naive_model const& m, entry const& e) const {
    bool const places = e.op.what == call::map || e.op.what == call::remap;
    if (places)
        return e.result == -abi::enomem &&
               highest_hole(m, std::max(e.op.length, e.op.new_length) / page_size) == 0;
    auto const result = m.read(e.op);
    return result && *result == e.result;
}

bool space_history::has_unmapped(address page) const {
    return std::any_of(entries_.begin(), entries_.end(), [=](entry const& e) {
        return e.op.what == call::unmap && e.op.start <= page && page < e.op.start + e.op.length;
    });
}

std::string space_history::listing() const {
    std::string all;
    for (auto const& e : entries_)
        all += "  thread " + std::to_string(e.thread) + ", steps " + std::to_string(e.called) +
               " to " + std::to_string(e.returned) + ", commit " + std::to_string(e.commit_number) +
               ": " + text_of(e.op) + " returned " + std::to_string(e.result) + '\n';
    return all;
}

address space_history::highest_hole(std::size_t pages) const {
    return highest_hole(after_.back(), pages);
}

address space_history::highest_hole(naive_model const& m, std::size_t pages) const {
    address const floor = space_script::base;
    address top = floor + script_.window * page_size;
    std::vector<vma> const rows = m.rows();
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
        if (row->start >= top) continue;
        if (row->end <= top && top - row->end >= pages * page_size) return top - pages * page_size;
        top = row->start;
    }
    return top - floor >= pages * page_size ? top - pages * page_size : 0;
}

}  // namespace explore

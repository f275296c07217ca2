// Checks what threads did to one address space, afterwards and exactly: every operation that could
// change VMAs carries its place in the order of commits, so an array of pages that carries them out
// in that order must give each its result, and end with the same VMAs.
//
// What only read (a fault on settled memory, advice about pages) has no place of its own. It must have the
// right result at some place between its thread's operations before and after it.
#pragma once

#include "naive_comparison.hpp"
#include "naive_model.hpp"
#include "random_operations.hpp"

#include <manylock/address_space/space.hpp>

#include <algorithm>
#include <array>
#include <barrier>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace manylock::address_space {

/// Where things are: a window in which all operations collide, the heap above it, and a stack whose
/// guard gap reaches down into the heap's room.
struct arena {
    static constexpr address base = 0x10000000;
    std::size_t window_pages;

    [[nodiscard]] std::size_t stack_page() const { return window_pages + 396; }
    [[nodiscard]] std::size_t all_pages() const { return window_pages + 416; }
    [[nodiscard]] mm_globals globals() const {
        mm_globals g;
        g.start_brk = base + (window_pages + 6) * page_size + 0x123;
        g.brk = g.start_brk;
        g.start_stack = base + stack_page() * page_size + 8;
        g.mmap_floor = base;
        g.mmap_base = base + window_pages * page_size;
        return g;
    }
    [[nodiscard]] operation add_stack() const {
        operation op;
        op.what = call::map;
        op.start = base + stack_page() * page_size;
        op.length = 4 * page_size;
        op.prot = abi::prot_read | abi::prot_write;
        op.flags = abi::map_private | abi::map_anonymous | abi::map_fixed | abi::map_growsdown;
        return op;
    }
};

/// One thread's operations. They depend on the seed alone, not on what other threads do.
class arena_operations {
public:
    arena_operations(std::uint64_t seed, arena where)
        : where_{where}, globals_{where.globals()}, draw_{seed, arena::base, where.window_pages} {}

    operation next() {
        operation op = draw_.next(globals_);
        std::uint64_t const kind = draw_.below(64);
        bool const all = op.what == call::lock_all || op.what == call::unlock_all;
        if (kind == 0) {  // grow the stack
            op = {};
            op.what = call::fault;
            op.start = arena::base + (where_.stack_page() - 1 - draw_.below(220)) * page_size;
            op.flags = fault_write;
        } else if (kind == 1 || (all && kind > 16)) {  // back to a short stack
            op = {};
            op.what = call::unmap;
            op.start = arena::base + (where_.window_pages + 36) * page_size;
            op.length = (where_.stack_page() - where_.window_pages - 36) * page_size;
        } else if (op.what == call::map && (op.flags & abi::map_fixed)) {
            if (kind < 6) op.flags |= abi::map_fixed_noreplace;
            if (kind >= 56) op.flags &= ~std::uint32_t{abi::map_fixed};  // a hint
        } else if (op.what == call::advise && kind < 24) {
            constexpr std::array<std::int32_t, 3> others{abi::madv_dontneed, abi::madv_cold,
                                                         abi::madv_populate_write};
            op.advice = others[draw_.below(others.size())];
        }
        return op;
    }

private:
    arena where_;
    mm_globals globals_;
    random_operations draw_;
};

struct logged_operation {
    operation op;
    std::int64_t result;
    std::uint64_t number;  ///< 0: it only read
};

/// The array of pages, taken through the threads' logs in the order of the commits.
class commit_replay {
public:
    using logs = std::vector<std::vector<logged_operation>>;

    explicit commit_replay(arena where) : model_{arena::base, where.all_pages(), where.globals()} {}

    [[nodiscard]] naive_model& model() noexcept { return model_; }

    /// What is wrong first, or nothing.
    std::string run(logs const& of_threads) {
        std::vector<cursor> threads;
        for (auto const& log : of_threads) threads.push_back({log.begin(), log.end(), log.begin()});
        for (;;) {
            for (cursor& t : threads) pass_reads(t);
            cursor* const first = earliest(threads);
            if (first == nullptr) break;
            if (first->at != first->next_commit) return nowhere(*first->at);
            logged_operation const& done = *first->at++;
            if (done.number <= last_number_) return "two commits have one number";
            last_number_ = done.number;
            // Where it chose no place, none is right.
            std::int64_t const expected = model_.apply(done.op, done.result < 0 ? 0 : done.result);
            if (expected != done.result) return differs(done, expected);
        }
        for (cursor const& t : threads)
            if (t.at != t.end) return nowhere(*t.at);
        return {};
    }

private:
    using position = std::vector<logged_operation>::const_iterator;
    struct cursor {
        position at;
        position end;
        position next_commit;
    };

    void pass_reads(cursor& t) const {
        while (t.at != t.end && t.at->number == 0 && could_be(*t.at)) ++t.at;
    }
    static cursor* earliest(std::vector<cursor>& threads) {
        cursor* first = nullptr;
        for (cursor& t : threads) {
            t.next_commit = std::find_if(std::max(t.at, t.next_commit), t.end,
                                         [](auto const& entry) { return entry.number != 0; });
            if (t.next_commit == t.end) continue;
            if (first == nullptr || t.next_commit->number < first->next_commit->number) first = &t;
        }
        return first;
    }
    /// Is this the result that a read has now?
    [[nodiscard]] bool could_be(logged_operation const& read) const {
        bool const places = read.op.what == call::map || read.op.what == call::remap;
        if (places)
            return read.result == -abi::enomem;  // it found no hole, in a search without locks
        std::optional<std::int64_t> const result = model_.read(read.op);
        return result && *result == read.result;
    }
    [[nodiscard]] static std::string nowhere(logged_operation const& read) {
        return describe(read.op) + " gave " + std::to_string(read.result) +
               ", at no moment between its thread's commits before and after it";
    }
    [[nodiscard]] static std::string differs(logged_operation const& done, std::int64_t expected) {
        std::ostringstream out;
        out << "commit " << done.number << ": " << describe(done.op) << " gave " << done.result
            << ", expected " << expected;
        return out.str();
    }

    naive_model model_;
    std::uint64_t last_number_ = 0;
};

struct commit_order_settings {
    std::uint64_t operations;  ///< in all, rounded up to whole batches
    std::size_t threads;
    std::uint64_t seed;
    std::size_t window_pages;
};

/// Lets threads apply random operations to one address space. After each batch they meet and the
/// batch is checked.
template <class Space>
class commit_order_run {
public:
    static constexpr std::size_t batch_per_thread = 1000;

    explicit commit_order_run(commit_order_settings const& settings)
        : settings_{settings},
          where_{settings.window_pages},
          space_{where_.globals()},
          replay_{where_},
          logs_(settings.threads) {
        typename Space::worker me;
        operation const stack = where_.add_stack();
        log(logs_[0], me, stack, no_work{});
        wrong_ = replay_.run(logs_);
    }

    /// The first thing that is wrong, with what is needed to find it; or nothing.
    std::string run() {
        std::uint64_t const per_batch = batch_per_thread * settings_.threads;
        std::uint64_t const batches = (settings_.operations + per_batch - 1) / per_batch;
        std::barrier meet{static_cast<std::ptrdiff_t>(settings_.threads),
                          [this]() noexcept { check_batch(); }};
        {
            std::vector<std::jthread> threads;
            for (std::size_t t = 0; t < settings_.threads; ++t)
                threads.emplace_back([&, t] {
                    typename Space::worker me;
                    arena_operations draw{settings_.seed * 1000 + t, where_};
                    // Others run while we hold everything, on a machine with few cores too.
                    auto let_others_run = [count = std::uint64_t{0}]() mutable {
                        if (++count % 4 == 0) std::this_thread::yield();
                    };
                    for (std::uint64_t batch = 0; batch < batches && wrong_.empty(); ++batch) {
                        logs_[t].clear();
                        for (std::size_t i = 0; i < batch_per_thread; ++i)
                            log(logs_[t], me, draw.next(), let_others_run);
                        meet.arrive_and_wait();
                    }
                });
        }
        return wrong_;
    }

    [[nodiscard]] Space& space() noexcept { return space_; }
    [[nodiscard]] std::uint64_t batches_done() const noexcept { return batches_done_; }

private:
    using log_type = std::vector<logged_operation>;

    template <class Work>
    void log(log_type& to, typename Space::worker& me, operation const& op, Work&& work) {
        std::int64_t const result = space_.apply(me, op, work);
        to.push_back({op, result, me.commit_number()});
    }

    /// Requires: no thread is at work.
    void check_batch() {
        std::string wrong = replay_.run(logs_);
        mm_globals const real = space_.globals();
        mm_globals const& model = replay_.model().globals();
        std::vector<vma> const rows = space_.vmas();
        std::vector<vma> const expected = replay_.model().rows();
        if (wrong.empty()) wrong = space_.broken_invariant(false);
        if (wrong.empty() && canonical(rows) != canonical(expected)) wrong = "the VMAs differ";
        if (wrong.empty() && (real.brk != model.brk || real.default_flags != model.default_flags))
            wrong = "the break or the default flags differ";
        if (wrong.empty()) {
            ++batches_done_;
            return;
        }
        std::ostringstream out;
        out << wrong << "\nseed " << settings_.seed << ", window " << settings_.window_pages
            << ", batch " << batches_done_ << "\nspace after the batch:\n"
            << describe(rows) << "model where it stopped:\n"
            << describe(expected) << "commits before it:\n"
            << last_commits();
        wrong_ = out.str();
    }
    [[nodiscard]] std::string last_commits() const {
        log_type all;
        for (log_type const& log : logs_) all.insert(all.end(), log.begin(), log.end());
        std::erase_if(all, [](auto const& entry) { return entry.number == 0; });
        std::sort(all.begin(), all.end(),
                  [](auto const& a, auto const& b) { return a.number < b.number; });
        std::ostringstream out;
        for (auto const& entry : all)
            out << entry.number << ": " << describe(entry.op) << " gave " << entry.result << '\n';
        return out.str();
    }

    commit_order_settings settings_;
    arena where_;
    Space space_;
    commit_replay replay_;
    commit_replay::logs logs_;
    std::uint64_t batches_done_ = 0;
    std::string wrong_;  ///< written where the threads meet
};

}  // namespace manylock::address_space

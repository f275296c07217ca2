// Contestants that take a whole set in one call, which waits for one lock at a time while it holds none: std::lock for a
// number of locks fixed at compile time, boost::lock for a range. Exclusive only.
#pragma once

#include "contest.hpp"
#include "table.hpp"

#include <mutex>
#include <utility>

namespace manylock::bench {

struct by_std_lock {
    using lock_type = std::mutex;
    static void lock(std::span<std::mutex*> all) {
        switch (all.size()) {
            case 1: return all[0]->lock();
            case 2: return lock_n(all, std::make_index_sequence<2>{});
            case 4: return lock_n(all, std::make_index_sequence<4>{});
            case 8: return lock_n(all, std::make_index_sequence<8>{});
            default: return lock_n(all, std::make_index_sequence<requests_max>{});
        }
    }

private:
    template <std::size_t... I>
    static void lock_n(std::span<std::mutex*> all, std::index_sequence<I...>) {
        std::lock(*all[I]...);
    }
};

template <class Lock>
class at_once : public on_table<typename Lock::lock_type> {
    using lock_type = typename Lock::lock_type;

public:
    using on_table<lock_type>::on_table;

    class session {
    public:
        session(at_once& of, unsigned) noexcept : all_{of.all_} {}
        template <class Work>
        std::uint64_t transact(std::span<request const> wanted, Work hold) {
            std::array<lock_type*, requests_max> locks;
            for (std::size_t i = 0; i < wanted.size(); ++i) locks[i] = &all_[wanted[i]].lock;
            Lock::lock(std::span{locks.data(), wanted.size()});
            // All work comes when all is held: there is no acquisition after which it could.
            for (std::size_t i = 0; i < wanted.size(); ++i) hold();
            update(all_, wanted);
            for (auto const& r : wanted) all_[r].lock.unlock();
            return 0;
        }

    private:
        table<lock_type>& all_;
    };
};

}  // namespace manylock::bench

// One spare block per thread and pool. An optimisation only: nothing in the semantics depends on the
// thread (E7). A pool has an id that is never reused; a cached block of a dead pool is just forgotten,
// its memory went with the pool. When a thread ends, blocks of living pools are given back, and what it
// still runs after that (destructors of other thread-locals) gets no spare block.
#pragma once

#include <atomic>
#include <array>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace manylock::platform {

template <class Block, class Pool>
class thread_cache {
public:
    static std::uint64_t new_pool_id(Pool& pool) {
        static std::atomic<std::uint64_t> last{0};
        auto const id = last.fetch_add(1, std::memory_order_relaxed) + 1;  // relaxed: only unique
        std::lock_guard const guard{registry_mutex()};
        registry().emplace(id, &pool);
        return id;
    }
    static void pool_dies(std::uint64_t id) noexcept {
        std::lock_guard const guard{registry_mutex()};
        registry().erase(id);
    }

    /// The thread's spare block of pool `id`, or null.
    static Block* take(std::uint64_t id) noexcept {
        if (auto& slot = slots_[0]; slot.pool_id == id && !slot.lent) [[likely]] {
            slot.lent = true;
            return slot.block;
        }
        return take_elsewhere(id);
    }
    /// Keeps `block` if there is room; false if the pool must take it back.
    static bool keep(std::uint64_t id, Block* block) noexcept {
        if (auto& slot = slots_[0]; slot.block == block && slot.pool_id == id) [[likely]] {
            slot.lent = false;
            return true;
        }
        return keep_elsewhere(id, block);
    }

private:
    /// Lending does not touch `block`: what the next transaction of the thread begins with does not hang on a store of
    /// the last one.
    struct slot {
        std::uint64_t pool_id = 0;
        Block* block = nullptr;
        bool lent = false;  ///< not ours now, nor perhaps ever again
    };
    struct janitor {
        bool armed = false;
        ~janitor() {
            over_ = true;
            armed_ = false;
            for (auto& slot : slots_) {
                if (slot.pool_id != 0 && !slot.lent) give_back(slot.pool_id, slot.block);
                slot = {};
            }
        }
    };

    /// What is found comes first from now on, so that a pool which is used no more is in nobody's way.
    [[gnu::noinline]] static Block* take_elsewhere(std::uint64_t id) noexcept {
        for (auto& slot : slots_) {
            if (slot.pool_id != id || slot.lent) continue;
            std::swap(slot, slots_[0]);
            slots_[0].lent = true;
            return slots_[0].block;
        }
        return nullptr;
    }
    [[gnu::noinline]] static bool keep_elsewhere(std::uint64_t id, Block* block) noexcept {
        if (over_) return false;
        for (auto& slot : slots_) {
            if (slot.pool_id == 0 || slot.pool_id == id) {
                if (slot.pool_id == id && !slot.lent) return false;
                slot = {id, block};
                arm();
                return true;
            }
        }
        // All slots belong to other pools, maybe dead ones: one of them has to go.
        auto const victim = std::exchange(slots_[id % slots_.size()], {id, block});
        if (!victim.lent) give_back(victim.pool_id, victim.block);
        return true;
    }
    static void arm() noexcept {
        if (armed_) return;  // spares the fast path the guard of a thread_local with a destructor
        static thread_local janitor at_thread_end;
        at_thread_end.armed = true;
        armed_ = true;
    }
    static void give_back(std::uint64_t id, Block* block) noexcept {
        std::lock_guard const guard{registry_mutex()};
        auto const found = registry().find(id);
        if (found != registry().end()) found->second->put_back(block);
    }
    // Never destroyed: threads may end after static destructors ran.
    static std::mutex& registry_mutex() {
        static auto& mutex = *new std::mutex;
        return mutex;
    }
    static std::unordered_map<std::uint64_t, Pool*>& registry() {
        static auto& map = *new std::unordered_map<std::uint64_t, Pool*>;
        return map;
    }

    static constinit inline thread_local std::array<slot, 4> slots_{};
    static constinit inline thread_local bool armed_ = false;
    static constinit inline thread_local bool over_ = false;  ///< nobody would give a block back
};

}  // namespace manylock::platform

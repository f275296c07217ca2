// One spare block per thread and pool. An optimisation only: nothing in the semantics depends on the
// thread (E7). A cached block of a dead pool is just forgotten, its memory went with the pool. When a thread
// ends, blocks of living pools are given back, and what it still runs after that (destructors of other
// thread-locals) gets no spare block.
// A pool's id is the address of its address: of a small object that lives until the pool and every thread that
// remembers it are gone. So it is not used again too early, whoever counts; and shared objects with slots of
// their own each (hidden visibility) agree on it and find the pool.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace manylock::platform {

template <class Block, class Pool>
class thread_cache {
    class address {
    public:
        explicit address(Pool& pool) noexcept : pool_{&pool} {}
        void remember() noexcept {
            known_by_.fetch_add(1, std::memory_order_relaxed);
        }  // relaxed: as shared_ptr
        void forget() noexcept {
            // (K1) acq_rel; pairs with itself: all use of the object happens before its end
            if (known_by_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
        }
        void give_back(Block* block) noexcept {
            std::lock_guard const guard{mutex_};
            if (pool_ != nullptr) pool_->put_back(block);
        }
        void pool_dies() noexcept {
            std::lock_guard const guard{mutex_};
            pool_ = nullptr;
        }

    private:
        std::mutex mutex_;
        Pool* pool_;
        std::atomic<std::size_t> known_by_{1};  ///< the pool itself, and slots
    };

public:
    static std::uint64_t new_pool_id(Pool& pool) {
        return reinterpret_cast<std::uint64_t>(new address{pool});
    }
    static void pool_dies(std::uint64_t id) noexcept {
        address_of(id)->pool_dies();
        address_of(id)->forget();
    }

    /// The thread's spare block of pool `id`, which lives, or null.
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
    [[nodiscard]] static address* address_of(std::uint64_t id) noexcept {
        return reinterpret_cast<address*>(id);
    }
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
            for (auto& slot : slots_) empty(slot);
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
            if (slot.pool_id != id) continue;
            if (!slot.lent) return false;
            slot.block = block;
            slot.lent = false;
            return true;
        }
        // If all slots belong to other pools, maybe dead ones, one of them has to go.
        auto* place = &slots_[id / 64 % slots_.size()];
        for (auto& slot : slots_) {
            if (slot.pool_id != 0) continue;
            place = &slot;
            break;
        }
        empty(*place);
        address_of(id)->remember();
        *place = {id, block};
        arm();
        return true;
    }
    static void empty(slot& s) noexcept {
        auto const old = std::exchange(s, {});
        if (old.pool_id == 0) return;
        if (!old.lent) address_of(old.pool_id)->give_back(old.block);
        address_of(old.pool_id)->forget();
    }
    static void arm() noexcept {
        if (armed_) return;  // spares the fast path the guard of a thread_local with a destructor
        static thread_local janitor at_thread_end;
        at_thread_end.armed = true;
        armed_ = true;
    }

    static constinit inline thread_local std::array<slot, 4> slots_{};
    static constinit inline thread_local bool armed_ = false;
    static constinit inline thread_local bool over_ = false;  ///< nobody would give a block back
};

}  // namespace manylock::platform

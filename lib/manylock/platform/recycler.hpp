// native_rcu's memory for objects that are found by lock-free lookup: an object that was retired is used
// again, or freed, once no read section can know it. Retired objects are handed to RCU in batches,
// and come back to the threads that make new ones, so that in the long run neither the allocator nor a
// wake-up of RCU's own thread is on the path. Source: the kernel's SLAB_TYPESAFE_BY_RCU and kfree_rcu
// batching, for the idea.
// Under TSan, which does not see liburcu's ordering, objects are kept until the end; under ASan they
// are freed instead of used again, so that a use after the grace period is seen.
#pragma once

#include <urcu/urcu-memb.h>

#include <manylock/platform/sanitizers.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace manylock::platform {

/// What the stocks of all threads share. `Rcu` says what a grace period is: synchronize(), and wait_for_pins() for what
/// liburcu's own does not wait for.
template <class Object, class Rcu>
class recycler {
    static constexpr std::size_t batch_size = 32;
    /// So many batches wait for new use at most; what comes back beyond them is freed. liburcu's
    /// thread works every 10 ms, so this is enough for 800,000 objects a second.
#ifdef MANYLOCK_ASAN
    static constexpr std::size_t ready_max = 0;
#else
    static constexpr std::size_t ready_max = 256;
#endif

    struct batch {
        rcu_head head{};
        recycler* owner = nullptr;
        batch* next = nullptr;
        std::size_t count = 0;
        std::array<Object*, batch_size> objects{};
    };

public:
    /// One thread's: what it has in reserve, and what it has retired. Does not outlive the recycler.
    class stock {
    public:
        explicit stock(recycler& owner) : owner_{owner} {}
        stock(stock const&) = delete;
        stock& operator=(stock const&) = delete;
        ~stock() {
            if (retired_) owner_.hand_over(retired_.release());
            for (void* const memory : spare_) ::operator delete(memory);
            owner_.free_all(ready_);
        }

        /// Room for `n` objects: the next `n` calls of make() allocate nothing.
        void fill(std::size_t n) {
            while (spare_.size() < n) {
                if (spare_.size() == spare_.capacity()) spare_.reserve(spare_.size() + batch_size);
                spare_.push_back(allocate());
            }
        }
        template <class... Arguments>
        [[nodiscard]] Object* make(Arguments&&... arguments) {
            fill(1);
            Object* const made =
                ::new (spare_.back()) Object(std::forward<Arguments>(arguments)...);
            spare_.pop_back();
            return made;
        }
        /// Requires: nobody else has ever known `object`.
        void discard(Object* object) noexcept {
            std::destroy_at(object);
            if (spare_.size() < spare_.capacity()) {
                spare_.push_back(object);
            } else {
                ::operator delete(object);
            }
        }
        /// Requires: nobody can find `object` any more; the caller has no use for it; not in a read
        /// section.
        void retire(Object* object) noexcept {
            if (!retired_) retired_.reset(new (std::nothrow) batch);
            if (!retired_) return owner_.free_now(object);
            retired_->objects[retired_->count++] = object;
            if (retired_->count == batch_size) owner_.hand_over(retired_.release());
        }

    private:
        [[nodiscard]] void* allocate() {
            if (ready_ == nullptr) ready_ = owner_.take_ready();
            if (ready_ == nullptr) return ::operator new(sizeof(Object));
            spare_.reserve(spare_.size() + batch_size);
            std::unique_ptr<batch> const full{std::exchange(ready_, ready_->next)};
            while (full->count > 0) {
                Object* const old = full->objects[--full->count];
                std::destroy_at(old);
                spare_.push_back(old);
            }
            void* const memory = spare_.back();
            spare_.pop_back();
            return memory;
        }

        recycler& owner_;
        std::vector<void*> spare_;
        batch* ready_ = nullptr;  ///< a grace period has passed
        std::unique_ptr<batch> retired_;
    };

    recycler() = default;
    recycler(recycler const&) = delete;
    recycler& operator=(recycler const&) = delete;
    /// Returns when everything retired has been freed. Requires: not in a read section.
    ~recycler() {
#ifndef MANYLOCK_TSAN
        urcu_memb_barrier();
#endif
        free_all(ready_.exchange(nullptr, std::memory_order_acquire));  // (C2) pairs (C1)
    }

private:
    void hand_over(batch* full) noexcept {
        full->owner = this;
#ifdef MANYLOCK_TSAN
        add_ready(*full);
#else
        urcu_memb_call_rcu(&full->head, [](rcu_head* head) {
            batch* const b = caa_container_of(head, batch, head);
            Rcu::wait_for_pins();
            b->owner->come_back(b);
        });
#endif
    }
    void come_back(batch* b) noexcept {
        b->next = nullptr;
        // relaxed: a rough limit
        if (ready_count_.load(std::memory_order_relaxed) >= ready_max) return free_all(b);
        add_ready(*b);
    }
    void add_ready(batch& b) noexcept {
        ready_count_.fetch_add(1, std::memory_order_relaxed);  // relaxed: a rough limit
        b.next = ready_.load(std::memory_order_relaxed);       // relaxed: the exchange decides
        // (C1) release; pairs (C2): who takes the batch sees what is in it
        while (!ready_.compare_exchange_weak(b.next, &b, std::memory_order_release,
                                             std::memory_order_relaxed)) {
        }
    }
    /// All of them at once, so that nobody removes one while another looks at its link.
    [[nodiscard]] batch* take_ready() noexcept {
#ifdef MANYLOCK_TSAN
        return nullptr;
#endif
        if (ready_.load(std::memory_order_relaxed) == nullptr) return nullptr;   // relaxed: a hint
        batch* const all = ready_.exchange(nullptr, std::memory_order_acquire);  // (C2) pairs (C1)
        ready_count_.store(0, std::memory_order_relaxed);  // relaxed: a rough limit
        return all;
    }
    static void free_all(batch* list) noexcept {
        while (list != nullptr) {
            for (std::size_t i = 0; i < list->count; ++i) delete list->objects[i];
            delete std::exchange(list, list->next);
        }
    }
    /// There is no memory to wait with.
    static void free_now(Object* object) noexcept {
        Rcu::synchronize();
        delete object;
    }

    std::atomic<batch*> ready_{nullptr};
    std::atomic<std::size_t> ready_count_{0};
};

}  // namespace manylock::platform

// The simulated platform that tells the time: the engine and the policies, unchanged, on a virtual machine
// (machine.hpp). What an operation costs stands in costs.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "machine.hpp"
#include "platform.hpp"
#include "precaution.hpp"

namespace manylock::simulate {

struct timing_kernel {
    static void touch(void const* where, access how) {
        if (auto* const m = machine::current()) m->touch(where, how);
    }
    static void forget(void const* where) noexcept {
        if (auto* const m = machine::active()) m->forget(where);
    }
    static void fence() noexcept {
        if (auto* const m = machine::current()) m->fence();
    }
    static void pause() noexcept {
        if (auto* const m = machine::current()) m->compute(m->cost().pause);
    }
    static void yield() noexcept {
        if (auto* const m = machine::current()) m->yield();
    }
    [[nodiscard]] static bool inside() noexcept { return machine::current() != nullptr; }
    static void call_sleep() noexcept {
        auto* const m = machine::current();
        if (m == nullptr) return;
        m->compute(m->cost().sleep);
        m->in_order();
    }
    /// Who is woken is on its way from the beginning of the call.
    static void call_wake(void const* address) noexcept {
        auto* const m = machine::current();
        if (m == nullptr) return;
        m->in_order();
        m->wake_one(address);
        m->compute(m->cost().wake);
    }
    static void block(void const* address, std::uint64_t const* deadline) {
        machine::current()->block(address, deadline);
    }
    static void wake_one(void const* address) noexcept {
        auto* const m = machine::current();
        if (m == nullptr) return;
        m->in_order();
        if (m->wake_one(address)) m->compute(m->cost().wake);
    }
    [[nodiscard]] static std::uint64_t now() noexcept {
        auto* const m = machine::current();
        if (m == nullptr) return 0;
        m->compute(m->cost().clock);
        return m->now();
    }
    /// 0 outside of all threads.
    [[nodiscard]] static std::size_t thread() noexcept {
        auto const* const m = machine::current();
        return m != nullptr ? std::size_t{m->running()} + 1 : 0;
    }

    /// One spare block for each thread and pool, as natively.
    template <class Block, class Pool>
    struct block_cache {
        static std::uint64_t new_pool_id(Pool&) noexcept {
            static thread_local std::uint64_t last = 0;
            return ++last;
        }
        static void pool_dies(std::uint64_t) noexcept {}
        static Block* take(std::uint64_t id) noexcept {
            auto* const m = machine::current();
            return m != nullptr ? static_cast<Block*>(std::exchange(m->slot(id), nullptr))
                                : nullptr;
        }
        static bool keep(std::uint64_t id, Block* block) noexcept {
            auto* const m = machine::current();
            if (m == nullptr) return false;
            auto& slot = m->slot(id);
            if (slot != nullptr) return false;
            slot = block;
            return true;
        }
    };
};

struct timed : simulated_on<timing_kernel> {
    template <class Config>
    using onlooker = precaution_onlooker<Config>;
};
static_assert(manylock::platform::platform_type<timed>);

/// The same for locks inside objects that are found by lock-free lookup. A read section costs what liburcu's
/// costs: two stores to a line of the thread's own. What is retired is freed with its recycler, so nothing is
/// ever read after a grace period; no result depends on when it would have ended.
struct timed_rcu : timed {
    static constexpr std::size_t node_alignment =
        64;  ///< also of a tree's first node, which has no recycler
    class read_section {
    public:
        read_section() noexcept { enter(); }
        ~read_section() { leave(); }
        read_section(read_section const&) = delete;
        read_section& operator=(read_section const&) = delete;
        void enter() noexcept {
            if (!std::exchange(entered_, true)) own_store();
        }
        void leave() noexcept {
            if (std::exchange(entered_, false)) own_store();
        }

    private:
        static void own_store() noexcept {
            if (auto* const m = machine::current()) m->compute(m->cost().hit);
        }
        bool entered_ = false;
    };
    static void wait_for_readers() noexcept {}
    /// Counted on a line that all share, as natively.
    class restart_pin {
    public:
        restart_pin() noexcept = default;
        restart_pin(restart_pin&& other) noexcept
            : side_{other.side_}, entered_{std::exchange(other.entered_, false)} {}
        restart_pin& operator=(restart_pin&&) = delete;
        ~restart_pin() { leave(); }
        void enter() noexcept {
            if (!std::exchange(entered_, true)) side_ = grace().enter();
        }
        void leave() noexcept {
            if (std::exchange(entered_, false)) grace().leave(side_);
        }

    private:
        std::uint32_t side_ = 0;
        bool entered_ = false;
    };

    template <class Object>
    class recycler {
        struct line_aligned {
            static constexpr std::align_val_t line{64};
            static void* take() { return ::operator new(sizeof(Object), line); }
            void operator()(void* p) const noexcept { ::operator delete(p, line); }
        };

    public:
        class stock {
        public:
            explicit stock(recycler& owner) : owner_{owner} {}
            stock(stock const&) = delete;
            stock& operator=(stock const&) = delete;
            ~stock() {
                for (void* const memory : spare_) line_aligned{}(memory);
            }
            void fill(std::size_t n) {
                while (spare_.size() < n) {
                    spare_.reserve(spare_.size() + 1);
                    spare_.push_back(line_aligned::take());
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
            void discard(Object* object) noexcept {
                std::destroy_at(object);
                line_aligned{}(object);
            }
            void retire(Object* object) noexcept { owner_.retired_.push_back(object); }

        private:
            recycler& owner_;
            std::vector<void*> spare_;
        };

        recycler() = default;
        recycler(recycler const&) = delete;
        recycler& operator=(recycler const&) = delete;
        ~recycler() {
            for (auto* const object : retired_) free(object);
        }
        static void free(Object* object) noexcept {
            std::destroy_at(object);
            line_aligned{}(object);
        }

    private:
        std::vector<Object*> retired_;
    };
};
static_assert(manylock::platform::platform_type<timed_rcu>);

}  // namespace manylock::simulate

// The exploring platform for locks inside objects that lock-free lookups find: the address space. A grace period
// ends at the first moment at which it may, which is when most goes wrong; what it frees is kept, and an atomic
// operation on it fails the run. So does a thread that falls asleep inside a read section.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "platform.hpp"

namespace manylock::simulate {

/// The read sections of one run and what was retired in it. One for each real thread, as worlds are.
class grace_book {
public:
    [[nodiscard]] static grace_book& of_thread() noexcept {
        static thread_local grace_book one;
        return one;
    }
    void begin_run() noexcept {
        open_.clear();
        retired_.clear();
        freed_.clear();
    }
    /// Returns what leave() wants.
    [[nodiscard]] std::uint64_t enter() {
        open_.push_back({++clock_, thread()});
        return clock_;
    }
    void leave(std::uint64_t entered) noexcept {
        std::erase_if(open_, [=](section const& s) { return s.entered == entered; });
        free_what_nobody_knows();
    }
    /// A section that belongs to no thread: it may end in another one, and its owner may sleep meanwhile.
    void belongs_to_nobody(std::uint64_t entered) noexcept {
        for (auto& s : open_)
            if (s.entered == entered) s.owner = nobody;
    }
    void retire(void const* begin, std::size_t size) {
        if (inside(thread())) fail("an object is retired inside a read section");
        retired_.push_back({static_cast<std::byte const*>(begin), size, ++clock_});
        free_what_nobody_knows();
    }
    void check_sleep() const {
        if (inside(thread())) fail("a thread falls asleep inside a read section");
    }
    void check_use(void const* where) const {
        auto const* const p = static_cast<std::byte const*>(where);
        for (auto const& gone : freed_)
            if (p >= gone.begin && p < gone.begin + gone.size)
                fail("an object is used after its grace period");
    }

private:
    static constexpr unsigned nobody = ~0U;
    struct section {
        std::uint64_t entered;
        unsigned owner;
    };
    struct memory {
        std::byte const* begin;
        std::size_t size;
        std::uint64_t retired;
    };
    [[nodiscard]] static unsigned thread() noexcept {
        auto const* const w = world::current();
        return w != nullptr ? w->running() : nobody;
    }
    [[nodiscard]] bool inside(unsigned owner) const noexcept {
        return owner != nobody && std::any_of(open_.begin(), open_.end(),
                                              [=](section const& s) { return s.owner == owner; });
    }
    static void fail(char const* complaint) { world::active().fail(outcome::broken, complaint); }
    void free_what_nobody_knows() {
        std::erase_if(retired_, [this](memory const& m) {
            bool const known = std::any_of(open_.begin(), open_.end(),
                                           [&](section const& s) { return s.entered < m.retired; });
            if (!known) freed_.push_back(m);
            return !known;
        });
    }

    std::uint64_t clock_ = 0;
    std::vector<section> open_;
    std::vector<memory> retired_;
    std::vector<memory> freed_;
};

/// A scheduling point before every operation, or before every one but loads: with fewer points an exhaustive search
/// reaches further, and what a load may be torn from is left to the others.
struct space_kernel : exploring_kernel {
    inline static thread_local bool loads_are_points = true;

    static void touch(void const* where, access how) {
        if (world::current() == nullptr) return;
        if (loads_are_points || how != access::load) step();
        grace_book::of_thread().check_use(where);
    }
    /// Of a futex: whoever waits for a mutex calls block_for_mutex.
    static void block(void const* address, std::uint64_t const* deadline) {
        grace_book::of_thread().check_sleep();
        exploring_kernel::block(address, deadline);
    }
};

struct exploring_rcu : simulated_on<space_kernel> {
    /// May be waited for inside a read section: its holders wait for nobody.
    class mutex {
    public:
        void lock() {
            space_kernel::touch(this, access::update);
            while (locked_) {
                if (!space_kernel::inside()) return;  // of a run that was given up
                exploring_kernel::block(this, nullptr);
            }
            locked_ = true;
        }
        void unlock() {
            space_kernel::touch(this, access::update);
            locked_ = false;
            space_kernel::wake_one(this);
        }

    private:
        bool locked_ = false;
    };

    class read_section {
    public:
        read_section() { enter(); }
        ~read_section() { leave(); }
        read_section(read_section const&) = delete;
        read_section& operator=(read_section const&) = delete;
        void enter() {
            if (!std::exchange(entered_, true)) number_ = grace_book::of_thread().enter();
        }
        void leave() noexcept {
            if (std::exchange(entered_, false)) grace_book::of_thread().leave(number_);
        }

    private:
        std::uint64_t number_ = 0;
        bool entered_ = false;
    };
    static void wait_for_readers() noexcept {}
    class restart_pin {
    public:
        restart_pin() noexcept = default;
        restart_pin(restart_pin&& other) noexcept
            : number_{other.number_}, entered_{std::exchange(other.entered_, false)} {}
        restart_pin& operator=(restart_pin&&) = delete;
        ~restart_pin() { leave(); }
        void enter() {
            if (std::exchange(entered_, true)) return;
            number_ = grace_book::of_thread().enter();
            grace_book::of_thread().belongs_to_nobody(number_);
        }
        void leave() noexcept {
            if (std::exchange(entered_, false)) grace_book::of_thread().leave(number_);
        }

    private:
        std::uint64_t number_ = 0;
        bool entered_ = false;
    };
    static void begin_run() noexcept {
        simulated_on::begin_run();
        grace_book::of_thread().begin_run();
    }

    /// Memory is given back with the recycler; until then what was freed can still be told by its address.
    template <class Object>
    class recycler {
    public:
        class stock {
        public:
            explicit stock(recycler& owner) : owner_{owner} {}
            stock(stock const&) = delete;
            stock& operator=(stock const&) = delete;
            ~stock() {
                for (void* const memory : spare_) ::operator delete(memory);
            }
            void fill(std::size_t n) {
                spare_.reserve(n);
                while (spare_.size() < n) spare_.push_back(::operator new(sizeof(Object)));
            }
            template <class... Arguments>
            [[nodiscard]] Object* make(Arguments&&... arguments) {
                fill(1);
                Object* const made =
                    ::new (spare_.back()) Object(std::forward<Arguments>(arguments)...);
                spare_.pop_back();
                return made;
            }
            void discard(Object* object) noexcept { delete object; }
            void retire(Object* object) {
                owner_.retired_.emplace_back(object);
                grace_book::of_thread().retire(object, sizeof(Object));
            }

        private:
            recycler& owner_;
            std::vector<void*> spare_;
        };

    private:
        std::vector<std::unique_ptr<Object>> retired_;
    };
};
static_assert(manylock::platform::platform_type<exploring_rcu>);

}  // namespace manylock::simulate

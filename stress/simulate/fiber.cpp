#include "fiber.hpp"

#include <cxxabi.h>
#include <sys/mman.h>

#include <new>
#include <utility>
#include <vector>

#include <boost/context/fiber.hpp>

#include <manylock/platform/sanitizers.hpp>

#ifdef MANYLOCK_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/// The first frames of a fiber would lie on the fake stack of whoever switched to it, which may be gone before
/// they are left. ASAN_OPTIONS go before this.
extern "C" char const* __asan_default_options();
extern "C" char const* __asan_default_options() {
    return "detect_stack_use_after_return=0";
}
#endif

namespace manylock::simulate {

namespace {

constexpr std::size_t stack_size = 256 * 1024;
constexpr std::size_t guard_size = 4096;

/// Stacks that are not in use. A thread's own, like the fibers on them.
class stack_pool {
public:
    ~stack_pool() {
        for (auto* const s : free_) unmap(s);
    }
    void* take() {
        if (free_.empty()) {
            free_.reserve(free_.capacity() + 1);
            // The lowest page stays out of reach: an overflow must not go on into something else.
            auto* const fresh = ::mmap(nullptr, guard_size + stack_size, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
            if (fresh == MAP_FAILED) throw std::bad_alloc{};
            ::mprotect(fresh, guard_size, PROT_NONE);
            return static_cast<char*>(fresh) + guard_size;
        }
        auto* const s = free_.back();
        free_.pop_back();
        return s;
    }
    void give_back(void* stack) noexcept {
#ifdef MANYLOCK_ASAN
        __asan_unpoison_memory_region(stack, stack_size);  // frames that were left behind
#endif
        try {
            free_.push_back(stack);
        } catch (...) {
            unmap(stack);
        }
    }

private:
    static void unmap(void* stack) noexcept {
        ::munmap(static_cast<char*>(stack) - guard_size, guard_size + stack_size);
    }
    std::vector<void*> free_;
};

stack_pool& stacks() {
    static thread_local stack_pool pool;
    return pool;
}

/// Hands a given stack to Boost.Context, which must not free it: its owner does.
struct borrowed_stack {
    void* memory;
    boost::context::stack_context allocate() const {
        boost::context::stack_context context;
        context.size = stack_size;
        context.sp = static_cast<char*>(memory) + stack_size;
        return context;
    }
    void deallocate(boost::context::stack_context&) const noexcept {}
};

/// Exceptions being caught and uncaught, of which the runtime keeps one set a thread. The layout is the
/// Itanium C++ ABI's (__cxa_eh_globals), the same in libstdc++ and libc++.
struct exception_state {
    void* caught = nullptr;
    unsigned uncaught = 0;

    void swap_with_runtime() noexcept {
        auto* const now = reinterpret_cast<exception_state*>(abi::__cxa_get_globals());
        std::swap(*now, *this);
    }
};

/// A fiber of Boost whose destructor is not run, since that would unwind its stack.
union never_destroyed {
    boost::context::fiber value;
    never_destroyed() : value{} {}
    ~never_destroyed() {}
};

}  // namespace

struct fiber::state {
    std::function<void()> body;
    void* stack;
    never_destroyed own;     ///< valid while it is not running
    never_destroyed caller;  ///< valid while it is running: its resumer
    exception_state exceptions;
    bool begun = false;
    bool ended = false;
#ifdef MANYLOCK_ASAN
    void* caller_fake = nullptr;
    void* own_fake = nullptr;
    void const* caller_bottom = nullptr;
    std::size_t caller_size = 0;
#endif

    /// Runs on from where a switch to this fiber arrives: `from` is what was left by it.
    void arrive(boost::context::fiber&& from) {
        if (auto* const left = std::exchange(leaving, nullptr)) {
            left->own.value = std::move(from);
        } else {
            caller.value = std::move(from);
        }
    }
    void prepare() {
        if (begun) return;
        begun = true;
        own.value = boost::context::fiber{
            std::allocator_arg, borrowed_stack{stack}, [this](boost::context::fiber&& from) {
#ifdef MANYLOCK_ASAN
                if (leaving == nullptr) {
                    __sanitizer_finish_switch_fiber(nullptr, &caller_bottom, &caller_size);
                } else {
                    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
                }
#endif
                arrive(std::move(from));
                body();
                ended = true;
#ifdef MANYLOCK_ASAN
                __sanitizer_start_switch_fiber(nullptr, caller_bottom, caller_size);
#endif
                return std::move(caller.value);
            }};
    }

    /// The fiber that a switch under way comes from; null: it comes from a resumer.
    inline static thread_local state* leaving = nullptr;
};

fiber::fiber(std::function<void()> body) : state_{std::make_unique<state>()} {
    state_->body = std::move(body);
    state_->stack = stacks().take();
}

fiber::~fiber() {
    stacks().give_back(state_->stack);
}

bool fiber::ended() const noexcept {
    return state_->ended;
}

// Which fiber comes back here, and whose state it is, is known only once it has: switch_to may have handed
// the resumer on.
void fiber::resume() {
    auto& s = *state_;
    exception_state own;
    own.swap_with_runtime();
    s.exceptions.swap_with_runtime();
    s.prepare();
#ifdef MANYLOCK_ASAN
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, s.stack, stack_size);
#endif
    auto back = std::move(s.own.value).resume();
    if (auto* const left = std::exchange(state::leaving, nullptr)) {
        left->own.value = std::move(back);
        left->exceptions.swap_with_runtime();
    }
#ifdef MANYLOCK_ASAN
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
    own.swap_with_runtime();
}

void fiber::give_way() {
    auto& s = *state_;
#ifdef MANYLOCK_ASAN
    __sanitizer_start_switch_fiber(&s.own_fake, s.caller_bottom, s.caller_size);
#endif
    state::leaving = &s;
    s.arrive(std::move(s.caller.value).resume());
#ifdef MANYLOCK_ASAN
    __sanitizer_finish_switch_fiber(s.own_fake, nullptr, nullptr);
#endif
}

void fiber::switch_to(fiber& next) {
    auto& s = *state_;
    auto& n = *next.state_;
    n.caller.value = std::move(s.caller.value);
    s.exceptions.swap_with_runtime();
    n.exceptions.swap_with_runtime();
    n.prepare();
#ifdef MANYLOCK_ASAN
    n.caller_bottom = s.caller_bottom;
    n.caller_size = s.caller_size;
    __sanitizer_start_switch_fiber(&s.own_fake, n.stack, stack_size);
#endif
    state::leaving = &s;
    s.arrive(std::move(n.own.value).resume());
#ifdef MANYLOCK_ASAN
    __sanitizer_finish_switch_fiber(s.own_fake, nullptr, nullptr);
#endif
}

}  // namespace manylock::simulate

// Checked builds: what is open in the current context, to name nesting mistakes (E8). A context is what the platform
// says, natively the calling thread. Followed are transactions of domain::run, single-object reads, fallbacks and
// exclusive holds of a lockable; transactions begun by hand (domain::begin) may wander and are not.
//
// A guard may be given back in another context than the one that it was made in. So each thing that is open is a node
// that outlives its context: whoever gives it back closes the node, and the context that made it drops it when it looks
// next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <manylock/misuse.hpp>

namespace manylock::detail {

enum class scope_kind : unsigned char {
    transaction,  ///< of domain::run
    begun,        ///< by hand: checked when it begins, not followed
    read,
    fallback,
    hold  ///< of a lockable, exclusive
};

/// What is wrong with opening `inner` inside `outer` of the same domain; null: nothing. A form that cannot wait closes
/// no cycle.
[[nodiscard]] constexpr char const* nesting_mistake(scope_kind outer, scope_kind inner,
                                                    bool may_wait) noexcept {
    bool const transactional = outer == scope_kind::transaction || outer == scope_kind::hold;
    bool const tries = !may_wait && (inner == scope_kind::read || inner == scope_kind::hold);
    if (tries && outer != scope_kind::transaction) return nullptr;
    switch (inner) {
        case scope_kind::begun:
            if (transactional) return nullptr;
            [[fallthrough]];
        case scope_kind::hold:
        case scope_kind::transaction:
            if (transactional) return "two live transactions of one domain in one context";
            return outer == scope_kind::read
                       ? "transaction begun inside a single-object read of its domain"
                       : "transaction begun inside a fallback of its domain";
        case scope_kind::read:
            if (transactional) return "single-object read inside a transaction of its domain";
            if (outer == scope_kind::fallback)
                return nullptr;  // nothing can be marked: it does not wait
            return "single-object read inside a single-object read of its domain: only a try form "
                   "may be";
        case scope_kind::fallback:
            if (transactional) return "fallback inside a transaction of its domain";
            return outer == scope_kind::read ? "fallback inside a single-object read of its domain"
                                             : "fallback inside a fallback of its domain";
    }
    return nullptr;
}

template <class Platform, bool Checked = checks_enabled>
class context {
    struct node {
        typename Platform::tally opened{0};  ///< odd while open
        typename Platform::tally uncertain{
            0};  ///< somebody else may have closed another one in its place
        typename Platform::tally domain{0};
        typename Platform::tally lock{0};  ///< of a read
        int level = 0;
        scope_kind kind = scope_kind::transaction;
        node* next = nullptr;

        [[nodiscard]] std::uint64_t generation() const noexcept {
            return opened.load(Platform::relaxed);
        }  // relaxed: a check
        [[nodiscard]] bool is_open() const noexcept { return generation() % 2 != 0; }
        void close() noexcept {
            opened.store(generation() + 1, Platform::relaxed);
        }  // relaxed: a check
        [[nodiscard]] bool is_read_of(std::uint64_t d, std::uint64_t l) const noexcept {
            // relaxed: a check
            return is_open() && lock.load(Platform::relaxed) == l &&
                   domain.load(Platform::relaxed) == d;
        }
    };

public:
    /// What a guard keeps of its node.
    class mark {
    public:
        mark() = default;
        mark(mark&& other) noexcept
            : node_{std::exchange(other.node_, nullptr)}, generation_{other.generation_} {}
        mark& operator=(mark&& other) noexcept {
            node_ = std::exchange(other.node_, nullptr);
            generation_ = other.generation_;
            return *this;
        }
        void close() noexcept {
            auto* const n = std::exchange(node_, nullptr);
            if (n != nullptr && n->generation() == generation_) n->close();
        }

    private:
        friend class context;
        explicit mark(node* n) noexcept : node_{n}, generation_{n->generation()} {}
        node* node_ = nullptr;
        std::uint64_t generation_ = 0;
    };

    /// Names the mistake if `kind` must not be opened here. Makes room for open().
    static void check(void const* domain, int level, scope_kind kind, bool may_wait = true) {
        auto& here = opened();
        for (auto** link = &here.open; *link != nullptr;) {
            auto* const outer = *link;
            if (!outer->is_open()) {
                *link = outer->next;
                outer->next = std::exchange(here.spare, outer);
                continue;
            }
            link = &outer->next;
            // relaxed: a check
            if (outer->uncertain.load(Platform::relaxed) != 0) continue;
            if (outer->domain.load(Platform::relaxed) == number(domain)) {
                auto const* const mistake = nesting_mistake(outer->kind, kind, may_wait);
                if (mistake != nullptr) check_use(false, mistake);
            } else if (may_wait && kind != scope_kind::begun) {
                bool const unordered = outer->level == 0 && level == 0;
                check_use(unordered || outer->level < level,
                          "domains nested against their declared order");
            }
        }
        if (here.spare == nullptr) here.spare = all().take();
    }
    /// Requires: check() in this context before. `lock`: what is read, or nothing.
    static mark open(void const* domain, int level, scope_kind kind,
                     void const* lock = nullptr) noexcept {
        auto& here = opened();
        auto* const n = here.spare;
        here.spare = n->next;
        // relaxed: checks
        n->uncertain.store(0, Platform::relaxed);
        n->domain.store(number(domain), Platform::relaxed);
        n->lock.store(number(lock), Platform::relaxed);
        n->level = level;
        n->kind = kind;
        n->next = std::exchange(here.open, n);
        n->opened.store(n->generation() + 1, Platform::relaxed);
        return mark{n};
    }
    /// Closes a read that nobody kept a mark of: this context's latest of `lock`, or else another's.
    /// False: there is none.
    static bool close_read(void const* domain, void const* lock) noexcept {
        for (auto* n = opened().open; n != nullptr; n = n->next) {
            if (!n->is_read_of(number(domain), number(lock))) continue;
            n->close();
            return true;
        }
        return all().close_one(number(domain), number(lock));
    }

private:
    /// Trivial, so that it serves to the end of its thread; its spare nodes go back when `keeper` is destroyed.
    struct list {
        node* open = nullptr;
        node* spare = nullptr;
        bool kept = false;
    };
    struct keeper {
        list* of = nullptr;
        ~keeper() {
            if (of != nullptr) all().take_back(std::exchange(of->spare, nullptr));
        }
    };
    class nodes {
    public:
        node* take() {
            std::lock_guard const guard{mutex_};
            if (auto* const n = spare_; n != nullptr) {
                spare_ = n->next;
                n->next = nullptr;
                return n;
            }
            nodes_.push_back(std::make_unique<node>());
            return nodes_.back().get();
        }
        void take_back(node* first) noexcept {
            std::lock_guard const guard{mutex_};
            while (first != nullptr) {
                auto* const n = std::exchange(first, first->next);
                n->next = std::exchange(spare_, n);
            }
        }
        bool close_one(std::uint64_t domain, std::uint64_t lock) noexcept {
            std::lock_guard const guard{mutex_};
            node* found = nullptr;
            for (auto const& n : nodes_) {
                if (!n->is_read_of(domain, lock)) continue;
                if (found !=
                    nullptr) {  // whose read it was is not known: neither is held against its context
                    found->uncertain.store(1, Platform::relaxed);  // relaxed: a check
                    n->uncertain.store(1, Platform::relaxed);      // relaxed: a check
                }
                found = n.get();
            }
            if (found != nullptr) found->close();
            return found != nullptr;
        }

    private:
        // For all: simulated platforms run in several threads.
        std::mutex mutex_;  // lint: allow(platform)
        std::vector<std::unique_ptr<node>> nodes_;
        node* spare_ = nullptr;
    };
    static nodes& all() {
        static auto& one = *new nodes;  // never destroyed: guards may outlive static objects
        return one;
    }
    static list& opened() {
        auto& here = Platform::template context_local<list>();
        if (!std::exchange(here.kept, true)) Platform::template context_local<keeper>().of = &here;
        return here;
    }
    static std::uint64_t number(void const* p) noexcept {
        return reinterpret_cast<std::uintptr_t>(p);
    }
};

template <class Platform>
class context<Platform, false> {
public:
    struct mark {
        void close() noexcept {}
    };
    static void check(void const*, int, scope_kind, bool = true) noexcept {}
    static mark open(void const*, int, scope_kind, void const* = nullptr) noexcept { return {}; }
    static bool close_read(void const*, void const*) noexcept { return true; }
};

/// A transaction of domain::run, while it lives.
template <class Platform>
class open_scope {
public:
    open_scope(void const* domain, int level) : mark_{opened(domain, level)} {}
    ~open_scope() { mark_.close(); }
    open_scope(open_scope const&) = delete;
    open_scope& operator=(open_scope const&) = delete;

private:
    using here = context<Platform>;
    static typename here::mark opened(void const* domain, int level) {
        here::check(domain, level, scope_kind::transaction);
        return here::open(domain, level, scope_kind::transaction);
    }
    [[no_unique_address]] typename here::mark mark_;
};

}  // namespace manylock::detail

// Everything that only checked builds keep: whose a lock is, what is open, under which number the umbrella marks. Elsewhere
// it is empty. The nodes of what is open are platform/opened.hpp's.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <type_traits>
#include <utility>

#include <manylock/misuse.hpp>
#include <manylock/platform/opened.hpp>

namespace manylock {

namespace [[gnu::visibility("default")]] process_wide {
/// Checked builds: the domains that exist, since a lock may outlive its domain.
struct living_domains {
    std::mutex mutex;  // lint: allow(platform) for all: simulated platforms run in several threads
    std::set<void const*> cores;
};
inline living_domains& domains_alive() {
    static auto& all = *new living_domains;  // never destroyed: locks may die after static objects
    return all;
}
}  // namespace process_wide

namespace detail {

template <class Config>
struct domain_core;

// --- whose a lock is ---------------------------------------------------------------------------------
/// Checked builds: which domain a lock belongs to, fixed at its first use.
template <class Config>
struct home {
    typename Config::platform::template atomic<void const*> domain{nullptr};
    void adopt(void const* by) {
        void const* expected = nullptr;
        // relaxed: a check, nothing is ordered by it
        if (!domain.compare_exchange_strong(expected, by, Config::platform::relaxed,
                                            Config::platform::relaxed)) {
            check_use(expected == by, "lock used with two domains: a lock belongs to one domain");
        }
    }
    /// True if the domain still exists and its umbrella is held under `sequence`.
    [[nodiscard]] bool marked_now(std::uint32_t sequence) const noexcept {
        // relaxed: a check
        return domain_core<Config>::is_marking(domain.load(Config::platform::relaxed), sequence);
    }
};
struct no_home {
    void adopt(void const*) noexcept {}
    [[nodiscard]] bool marked_now(std::uint32_t) const noexcept { return false; }
};
template <class Config>
using home_of = std::conditional_t<checks_enabled, home<Config>, no_home>;

// --- what is in use ----------------------------------------------------------------------------------
/// Checked builds: whether something is open, for whoever destroys what it needs. A statistic, so that
/// asking at the wrong time is no race.
template <class Platform, bool Checked = checks_enabled>
class in_use_mark {
public:
    void set(bool used) noexcept {
        value_.store(used ? 1 : 0, Platform::relaxed);
    }  // relaxed: a check
    [[nodiscard]] bool is_set() const noexcept {
        return value_.load(Platform::relaxed) != 0;  // relaxed: a check
    }

private:
    typename Platform::tally value_{0};
};
template <class Platform>
class in_use_mark<Platform, false> {
public:
    void set(bool) noexcept {}
    [[nodiscard]] bool is_set() const noexcept { return false; }
};
/// Checked builds: the number under which the umbrella's holder marks, if there is one. A statistic, so that
/// it may be read while the registry's mutex is held, on every platform.
template <class Platform, bool Checked = checks_enabled>
class marking_mark {
public:
    void set(std::uint32_t number) noexcept {
        value_.store(number, Platform::relaxed);
    }                                                                   // relaxed: a check
    void clear() noexcept { value_.store(nobody, Platform::relaxed); }  // relaxed: a check
    [[nodiscard]] bool is(std::uint32_t number) const noexcept {
        return value_.load(Platform::relaxed) == number;  // relaxed: a check
    }

private:
    static constexpr std::uint64_t nobody = ~std::uint64_t{0};
    typename Platform::tally value_{nobody};
};
template <class Platform>
class marking_mark<Platform, false> {
public:
    void set(std::uint32_t) noexcept {}
    void clear() noexcept {}
};

// --- what is open in a context -----------------------------------------------------------------------
// What is open in the current context, to name nesting mistakes (E8). A context is what the platform
// says, natively the calling thread. Followed are transactions of domain::run, single-object reads, fallbacks and
// exclusive holds of a lockable; transactions begun by hand (domain::begin) may wander and are not.
//
// A guard may be given back in another context than the one that it was made in. So each thing that is open is a node
// that outlives its context: whoever gives it back closes the node, and the context that made it drops it when it looks
// next.

using process_wide::scope_kind;

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
    using node = process_wide::open_node;
    using nodes = process_wide::open_nodes;
    using list = process_wide::open_list;
    using keeper = process_wide::open_list_keeper;

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
            if (!outer->is_certain()) continue;
            if (outer->is_of(domain)) {
                auto const* const mistake = nesting_mistake(outer->kind, kind, may_wait);
                if (mistake != nullptr) check_use(false, mistake);
            } else if (may_wait && kind != scope_kind::begun) {
                bool const unordered = outer->level == 0 && level == 0;
                check_use(unordered || outer->level < level,
                          "domains nested against their declared order");
            }
        }
        if (here.spare == nullptr) here.spare = nodes::all().take();
    }
    /// Requires: check() in this context before. `lock`: what is read, or nothing.
    static mark open(void const* domain, int level, scope_kind kind,
                     void const* lock = nullptr) noexcept {
        auto& here = opened();
        auto* const n = here.spare;
        here.spare = n->next;
        n->level = level;
        n->kind = kind;
        n->next = std::exchange(here.open, n);
        n->open(domain, lock);
        return mark{n};
    }
    /// Closes a read that nobody kept a mark of: this context's latest of `lock`, or else another's.
    /// False: there is none.
    static bool close_read(void const* domain, void const* lock) noexcept {
        for (auto* n = opened().open; n != nullptr; n = n->next) {
            if (!n->is_read_of(domain, lock)) continue;
            n->close();
            return true;
        }
        return nodes::all().close_read(domain, lock);
    }

private:
    static list& opened() {
        auto& here = Platform::template context_local<list>();
        if (!std::exchange(here.kept, true)) Platform::template context_local<keeper>().of = &here;
        return here;
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

}  // namespace detail
}  // namespace manylock

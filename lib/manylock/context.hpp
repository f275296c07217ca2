// Checked builds: which transactions are open in the current context, to name nesting mistakes (E8). A
// context is what the platform says, natively the calling thread; transactions begun by hand
// (domain::begin) may wander and are not followed.
#pragma once

#include <array>
#include <cstddef>

#include <manylock/misuse.hpp>

namespace manylock {

namespace [[gnu::visibility("default")]] process_wide {
enum class scope_kind : unsigned char { transaction, read };

struct scope_entry {
    void const* domain = nullptr;
    int level = 0;
    scope_kind kind = scope_kind::transaction;
};
/// Visible, so that a platform's context_local of it is one for a program and its shared libraries.
struct open_list {
    std::array<scope_entry, 8> entries{};
    std::size_t count = 0;
};
}  // namespace process_wide

namespace detail {

using process_wide::scope_kind;

template <class Platform>
class open_scope {
public:
    open_scope(void const* domain, int level, scope_kind kind = scope_kind::transaction) {
        if constexpr (checks_enabled) {
            auto& open = list();
            for (std::size_t i = 0; i < open.count && i < open.entries.size(); ++i) {
                check_nesting(open.entries[i], {domain, level, kind});
            }
            if (open.count < open.entries.size()) open.entries[open.count] = {domain, level, kind};
            ++open.count;
        } else {
            (void)domain, (void)level, (void)kind;
        }
    }
    ~open_scope() {
        if constexpr (checks_enabled) --list().count;
    }
    open_scope(open_scope const&) = delete;
    open_scope& operator=(open_scope const&) = delete;

    static void forbid(void const* domain, char const* sentence) {
        if constexpr (checks_enabled) {
            auto const& open = list();
            for (std::size_t i = 0; i < open.count && i < open.entries.size(); ++i) {
                check_use(open.entries[i].domain != domain, sentence);
            }
        } else {
            (void)domain, (void)sentence;
        }
    }

private:
    using entry = process_wide::scope_entry;
    static void check_nesting(entry const& outer, entry const& inner) {
        if (outer.domain == inner.domain) {
            check_use(outer.kind == inner.kind || inner.kind == scope_kind::read,
                      "transaction begun inside a single-object read of its domain");
            check_use(outer.kind == scope_kind::read || inner.kind == scope_kind::read,
                      "two live transactions of one domain in one context");
            return;
        }
        bool const unordered = outer.level == 0 && inner.level == 0;
        check_use(unordered || outer.level < inner.level,
                  "domains nested against their declared order");
    }
    static auto& list() noexcept { return Platform::template context_local<process_wide::open_list>(); }
};

}  // namespace detail

}  // namespace manylock

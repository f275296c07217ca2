// Checked builds: which transactions are open in the current context, to name nesting mistakes (E8). A
// context is the calling thread; transactions begun by hand (domain::begin) may wander and are not
// followed.
#pragma once

#include <array>
#include <cstddef>

#include <manylock/misuse.hpp>

namespace manylock::detail {

class open_scope {
public:
    open_scope(void const* domain, int level) {
        if constexpr (checks_enabled) {
            auto& open = list();
            for (std::size_t i = 0; i < open.count && i < open.entries.size(); ++i) {
                check_use(open.entries[i].domain != domain,
                          "two live transactions of one domain in one context");
                check_use(open.entries[i].level < level || open.entries[i].domain == domain ||
                              (level == 0 && open.entries[i].level == 0),
                          "domains nested against their declared order");
            }
            if (open.count < open.entries.size()) open.entries[open.count] = {domain, level};
            ++open.count;
        } else {
            (void)domain, (void)level;
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
    struct entry {
        void const* domain = nullptr;
        int level = 0;
    };
    struct open_list {
        std::array<entry, 8> entries{};
        std::size_t count = 0;
    };
    static open_list& list() noexcept {
        static thread_local open_list open;
        return open;
    }
};

}  // namespace manylock::detail

// Goal:   what a lock, a transaction, a guard and a hold cost in bytes under each policy changes only on purpose, and the table
//         of docs/architecture.md says it.
// Method: a static_assert a policy; the page's table is held against one made from sizeof. The program is unchecked in every
//         build (checked locks also carry their domain's address).
#include <manylock/domain.hpp>
#include <manylock/graph/cycle_detection_bgl.hpp>
#include <manylock/guards.hpp>
#include <manylock/platform/native_rcu.hpp>
#include <manylock/policies.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace {

namespace policies = manylock::policies;

struct sizes {
    std::size_t lock;
    std::size_t
        hold;  ///< an entry of the release list, which is the held-lock list where that is published
    std::size_t transaction;
    std::size_t transaction_rcu;  ///< of an address space, whose locks RCU protects
    std::size_t control_block;
    std::size_t scoped_hold;
    std::size_t lockable;
    std::size_t read_guard;
    std::size_t fallback_guard;
    friend constexpr bool operator==(sizes const&, sizes const&) = default;
};

template <class Policy>
constexpr sizes sizes_of() {
    using domain = manylock::domain<Policy>;
    using domain_rcu =
        manylock::domain<Policy, manylock::options{}, manylock::platform::native_rcu>;
    using transaction = typename domain::transaction;
    return {sizeof(typename domain::lock_type),
            sizeof(manylock::detail::hold<typename domain::config>),
            sizeof(transaction),
            sizeof(typename domain_rcu::transaction),
            sizeof(manylock::detail::control_block<typename domain::config>),
            sizeof(manylock::scoped_hold<transaction>),
            sizeof(manylock::lockable<domain>),
            sizeof(typename domain::read_guard),
            sizeof(typename domain::fallback_guard)};
}

#if defined(__x86_64__) && defined(__GLIBCXX__)
static_assert(!manylock::checks_enabled, "this program is to be built unchecked");
static_assert(sizes_of<policies::umbrella>() == sizes{8, 8, 16, 24, 704, 24, 40, 24, 8});
static_assert(sizes_of<policies::wound_wait>() == sizes{16, 32, 16, 24, 896, 24, 40, 24, 8});
static_assert(sizes_of<policies::wait_die>() == sizes{16, 32, 16, 24, 896, 24, 40, 24, 8});
static_assert(sizes_of<policies::cycle_detection>() == sizes{16, 8, 16, 24, 832, 24, 40, 24, 8});
static_assert(sizes_of<policies::cycle_detection_bgl>() ==
              sizes{16, 8, 16, 24, 832, 24, 40, 24, 8});
static_assert(sizes_of<policies::lock_ordering>() == sizes{16, 24, 16, 24, 832, 24, 40, 24, 8});
static_assert(sizes_of<policies::no_wait>() == sizes{16, 8, 16, 24, 704, 24, 40, 24, 8});
constexpr bool as_documented = true;
#else
constexpr bool as_documented = false;
#endif

template <class Policy>
std::string row() {
    auto const s = sizes_of<Policy>();
    std::ostringstream text;
    text << "| `" << Policy::name << '`';
    for (auto const bytes : {s.lock, s.hold, s.transaction, s.transaction_rcu, s.control_block,
                             s.scoped_hold, s.lockable, s.read_guard, s.fallback_guard}) {
        text << " | " << bytes;
    }
    text << " |\n";
    return text.str();
}

}  // namespace

TEST_CASE("sizes: the page on architecture has the row of every policy and no other" *
          doctest::skip(!as_documented)) {
    std::ifstream file{MANYLOCK_SOURCE_DIR "/docs/architecture.md"};
    std::string const page{std::istreambuf_iterator<char>{file}, {}};
    auto const head = page.find("| bytes of | lock | hold |");
    REQUIRE(head != std::string::npos);
    auto const rows = page.find("\n| `", head) + 1;
    auto const table = page.substr(rows, page.find("\n\n", rows) + 1 - rows);
    std::string expected;
#define MANYLOCK_REGISTER_POLICY(policy) expected += row<policies::policy>();
#include <manylock/policies/registry.hpp>
#include <manylock/graph/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
    CHECK_MESSAGE(table == expected, "it should be\n" << expected);
}

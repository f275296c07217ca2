// Policies whose needs do not fit what they do, one at a time: REFUSED names it. Each is refused in a sentence
// (CMakeLists.txt); `coherent` is not, so that it is not the rest of the file that fails.
#include <manylock/domain.hpp>

using manylock::conflict;
using manylock::decision;
using manylock::policy_needs;

struct base {
    static constexpr char const* name = "refused";
    static constexpr policy_needs needs{};
    static constexpr manylock::policy_promises promises{};
    static constexpr manylock::restart_reason reason = manylock::restart_reason::conflict;
    static constexpr decision on_conflict(conflict const&) noexcept { return decision::die; }
};
struct with_on_wait : base {
    template <class View>
    static bool on_wait(View&) {
        return false;
    }
};

struct coherent : base {};

struct wounds_nobody : base {
    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.requester.older_than(c.other) ? decision::wound : decision::wait;
    }
};
struct wounds_upgraders_by_age : wounds_nobody {
    static constexpr policy_needs needs{.stamps = true};
    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.is_upgrade ? decision::wound : decision::die;
    }
};
struct answers_at_run_time : base {
    static decision on_conflict(conflict const&) noexcept { return decision::wait; }
};
struct dies_by_an_age_of_none : base {
    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.requester.value == 1 ? decision::wait : decision::die;
    }
};
struct dies_by_the_others_age : base {
    static constexpr policy_needs needs{.stamps = true};
    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.other.value == 1 ? decision::wait : decision::die;
    }
};
struct orders_without_rank : base {
    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.in_order ? decision::wait : decision::die;
    }
};
struct umbrella_with_ages : base {
    static constexpr policy_needs needs{.umbrella = true, .stamps = true};
};
struct umbrella_with_rank : base {
    static constexpr policy_needs needs{.umbrella = true, .rank = true};
};
struct holders_without_ages : base {
    static constexpr policy_needs needs{.holders = true};
};
struct list_without_ages : with_on_wait {
    static constexpr policy_needs needs{.held_list = true};
};
struct list_without_walk : base {
    static constexpr policy_needs needs{.stamps = true, .held_list = true};
};
struct walk_without_list : with_on_wait {
    static constexpr policy_needs needs{.stamps = true};
};

int main() {
    using domain = manylock::domain<REFUSED>;
    domain d;
    domain::lock_type lock;
    d.run([&](auto& txn) { txn.lock(lock); });
}

// Policies that do not keep what they promise: each is a real one, or nearly, with a promise too many. The kit
// has to refuse every one of them.
#pragma once

#include <manylock/policies/cycle_detection.hpp>
#include <manylock/policies/lock_ordering.hpp>
#include <manylock/policies/no_wait.hpp>
#include <manylock/policies/wait_die.hpp>
#include <manylock/policies/wound_wait.hpp>

namespace liars {

using manylock::conflict;
using manylock::decision;
using manylock::policy_needs;
using manylock::policy_promises;
namespace policies = manylock::policies;

struct no_wait_spares_eldest : policies::no_wait {
    static constexpr char const* name = "no_wait_spares_eldest";
    static constexpr policy_promises promises{.eldest_never_restarts = true};
};

struct no_wait_in_order : policies::no_wait {
    static constexpr char const* name = "no_wait_in_order";
    static constexpr policy_promises promises{.in_order_never_restarts = true};
};

/// The younger waits and the elder dies.
struct wait_die_reversed : policies::wait_die {
    static constexpr char const* name = "wait_die_reversed";
    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.requester.older_than(c.other) ? decision::die : decision::wait;
    }
};

struct wait_die_only_cycles : policies::wait_die {
    static constexpr char const* name = "wait_die_only_cycles";
    static constexpr policy_promises promises{.only_cycles_restart = true};
};

struct wound_wait_only_cycles : policies::wound_wait {
    static constexpr char const* name = "wound_wait_only_cycles";
    static constexpr policy_promises promises{.only_cycles_restart = true};
};

struct wound_wait_in_order : policies::wound_wait {
    static constexpr char const* name = "wound_wait_in_order";
    static constexpr policy_promises promises{.in_order_never_restarts = true};
};

struct lock_ordering_bounded : policies::lock_ordering {
    static constexpr char const* name = "lock_ordering_bounded";
    static constexpr policy_promises promises{.bounded_restarts = true};
};

struct lock_ordering_never_restarts : policies::lock_ordering {
    static constexpr char const* name = "lock_ordering_never_restarts";
    static constexpr policy_promises promises{.never_restarts = true};
};

/// Whoever closes a cycle restarts, be it the eldest.
struct detection_of_closers : policies::cycle_detection {
    static constexpr char const* name = "detection_of_closers";
    template <class View>
    static bool on_wait(View& view) {
        closer<View> as_found{view};
        return policies::cycle_detection::on_wait(as_found);
    }

private:
    template <class View>
    struct closer : View {
        explicit closer(View const& v) : View{v} {}
        template <class Cycle>
        typename View::verdict choose(Cycle const&) {
            return View::verdict::self_is_victim;
        }
    };
};

/// Spares the first of all transactions, and none that becomes the eldest later.
struct first_only : policies::wait_die {
    static constexpr char const* name = "first_only";
    static constexpr decision on_conflict(conflict const& c) noexcept {
        return c.requester.value == 1 ? decision::wait : decision::die;
    }
};

/// Everybody waits for everybody. It promises nothing, and deadlocks.
struct always_wait {
    static constexpr char const* name = "always_wait";
    static constexpr policy_needs needs{};
    static constexpr policy_promises promises{};
    static constexpr manylock::restart_reason reason = manylock::restart_reason::conflict;
    static constexpr decision on_conflict(conflict const&) noexcept { return decision::wait; }
};

}  // namespace liars

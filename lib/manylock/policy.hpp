// What a policy is: constexpr facts about what it needs, and one pure decision. The engine compiles in
// exactly what the facts ask for, so that nobody pays for what his policy does not use.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include <manylock/mode.hpp>
#include <manylock/restart.hpp>
#include <manylock/stamp.hpp>

namespace manylock {

/// What the engine must provide for a policy. All false is the cheapest.
struct policy_needs {
    bool umbrella = false;   ///< one exclusive umbrella per domain, objects are only marked
    bool stamps = false;     ///< ages; the wait queue is then sorted oldest first, else FIFO
    bool holders = false;    ///< identity of every holder, shared ones too (readers are linked)
    bool held_list = false;  ///< the list of held locks is readable by other transactions
    bool rank = false;       ///< locks have a rank, transactions know the highest they hold
};

/// What a policy promises its users. The conformance kit tries to break each (docs/testing.md). Restarts
/// that the caller asks for, and `stale`, are nobody's promise.
struct policy_promises {
    bool never_restarts = false;
    /// So every transaction becomes eldest and commits. Without it the engine lets transactions that restart
    /// each other take turns (decision 19); promised wrongly, nothing ends a livelock.
    bool eldest_never_restarts = false;
    bool bounded_restarts = false;         ///< of one transaction: at most restart_bound()
    bool only_cycles_restart = false;      ///< waiting instead would have closed a cycle
    bool in_order_never_restarts = false;  ///< where all acquire exclusively and in rank order
};

/// The most restarts of one transaction beside `elders` older ones that make at most `requests` requests
/// an attempt. An attempt of an elder makes a younger one restart once a request: it keeps what it gets,
/// and the one restarted queues behind it. So f(n) = requests * (attempts of all elders) = (1 + requests)^n - 1.
[[nodiscard]] constexpr std::uint64_t restart_bound(std::uint64_t elders,
                                                    std::uint64_t requests) noexcept {
    std::uint64_t attempts = 1;
    for (std::uint64_t i = 0; i < elders; ++i) {
        if (attempts > ~std::uint64_t{0} / (1 + requests)) return ~std::uint64_t{0};
        attempts *= 1 + requests;
    }
    return attempts - 1;
}
static_assert(restart_bound(0, 8) == 0 && restart_bound(1, 8) == 8 && restart_bound(2, 2) == 8);

/// What the engine tells a policy about one conflict. Fields a policy did not ask for stay empty.
struct conflict {
    stamp requester{};
    stamp other{};            ///< the conflicting holder, or waiter ahead (needs.holders)
    bool in_order = false;    ///< the wanted lock ranks above everything held (needs.rank)
    bool is_upgrade = false;  ///< the requester already holds this lock in a weaker mode
};

enum class decision : std::uint8_t {
    wait,  ///< the requester waits
    die,   ///< the requester restarts, with the policy's reason
    wound  ///< the other restarts at its next conflict; the requester waits
};

/// Requires: pure and total; called under a lock's latch, at every conflict of a requester that holds
/// something (one that holds nothing always waits: it can close no cycle).
template <class P>
concept conflict_policy = requires(conflict const& c) {
    { P::name } -> std::convertible_to<char const*>;
    { P::needs } -> std::convertible_to<policy_needs>;
    { P::promises } -> std::convertible_to<policy_promises>;
    { P::reason } -> std::convertible_to<restart_reason>;
    { P::on_conflict(c) }
    noexcept->std::same_as<decision>;
};

namespace detail {
/// Stands for the engine's view of the graph (wait_graph_view.hpp), to ask whether there is an on_wait.
struct any_view {};

template <class P>
concept has_on_wait = requires(any_view& view) {
    { P::on_wait(view) } -> std::convertible_to<bool>;
};
}  // namespace detail

/// A policy that looks at the wait-for graph before it lets a waiter sleep: it has
/// `template <class View> static bool on_wait(View&)`, true if the waiter itself must restart.
template <class P>
concept graph_policy =
    conflict_policy<P> && P::needs.held_list&& P::needs.stamps&& detail::has_on_wait<P>;

namespace detail {
/// What the answers of on_conflict hang on, and whether one of them is `wound`.
struct answers_of_policy {
    bool wounds = false;
    bool by_requester = false;
    bool by_other = false;
    bool by_order = false;
};
template <class P>
constexpr answers_of_policy look_at_answers() noexcept {
    answers_of_policy seen;
    constexpr stamp stamps[]{{0}, {1}, {2}};
    for (auto const requester : stamps) {
        for (auto const other : stamps) {
            for (int flags = 0; flags < 4; ++flags) {
                conflict const c{requester, other, (flags & 1) != 0, (flags & 2) != 0};
                auto const answer = P::on_conflict(c);
                auto const differs = [&](conflict const& less) {
                    return P::on_conflict(less) != answer;
                };
                seen.wounds = seen.wounds || answer == decision::wound;
                seen.by_requester =
                    seen.by_requester || differs({{}, other, c.in_order, c.is_upgrade});
                seen.by_other = seen.by_other || differs({requester, {}, c.in_order, c.is_upgrade});
                seen.by_order = seen.by_order ||
                                (!c.is_upgrade && differs({requester, other, !c.in_order, false}));
            }
        }
    }
    return seen;
}
template <class P>
concept constant_answers = requires {
    typename std::bool_constant<look_at_answers<P>().wounds>;
};

/// Refuses a policy whose needs do not fit what it does, at compile time, before anything else does.
template <conflict_policy P>
struct coherent_needs {
    static constexpr policy_needs needs = P::needs;
    static_assert(!needs.umbrella ||
                      !(needs.stamps || needs.holders || needs.held_list || needs.rank),
                  "this policy has needs.umbrella and others besides: under an umbrella nobody "
                  "meets a conflict, "
                  "so leave out stamps, holders, held_list and rank");
    static_assert(!needs.holders || needs.stamps,
                  "this policy has needs.holders without needs.stamps: holders are told apart by "
                  "their ages, so "
                  "set both");
    static_assert(!needs.held_list || needs.stamps,
                  "this policy has needs.held_list without needs.stamps: a cycle's victim is its "
                  "youngest, so set "
                  "both");
    static_assert(!needs.held_list || has_on_wait<P>,
                  "this policy has needs.held_list but no template <class View> static bool "
                  "on_wait(View&), which "
                  "is what the list is for");
    static_assert(needs.held_list || !has_on_wait<P>,
                  "this policy has an on_wait without needs.held_list, so it would never be "
                  "called: set held_list "
                  "and stamps");
    static_assert(
        needs.holders || constant_answers<P>,
        "this policy's on_conflict is not constexpr: without needs.holders it must be, so that the "
        "compiler can see that it never answers wound");

    static constexpr answers_of_policy answers = [] {
        if constexpr (constant_answers<P>) return look_at_answers<P>();
        return answers_of_policy{};
    }();
    static_assert(needs.holders || !answers.wounds,
                  "this policy's on_conflict can answer wound, for which it must know whom: set "
                  "needs.stamps and "
                  "needs.holders");
    static_assert(needs.stamps || !answers.by_requester,
                  "this policy's on_conflict looks at the requester's age, which is never drawn: "
                  "set needs.stamps");
    static_assert(needs.holders || !answers.by_other,
                  "this policy's on_conflict looks at the other's age, which is never told: set "
                  "needs.stamps and "
                  "needs.holders");
    static_assert(
        needs.rank || !answers.by_order,
        "this policy's on_conflict looks at in_order, which nobody works out: set needs.rank");
    static constexpr bool checked = true;
};
}  // namespace detail

}  // namespace manylock

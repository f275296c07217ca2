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

/// What the engine tells a policy about one conflict. Fields a policy did not ask for stay empty.
struct conflict {
    stamp requester{};
    stamp other{};             ///< the conflicting holder, or waiter ahead (needs.holders)
    bool in_order = false;     ///< the wanted lock ranks above everything held (needs.rank)
    bool is_upgrade = false;   ///< the requester already holds this lock in a weaker mode
};

enum class decision : std::uint8_t {
    wait,   ///< the requester waits
    die,    ///< the requester restarts, with the policy's reason
    wound   ///< the other restarts at its next conflict; the requester waits
};

/// Requires: pure and total; called under a lock's latch, at every conflict of a requester that holds
/// something (one that holds nothing always waits: it can close no cycle).
template <class P>
concept conflict_policy = requires(conflict const& c) {
    { P::name } -> std::convertible_to<char const*>;
    { P::needs } -> std::convertible_to<policy_needs>;
    { P::reason } -> std::convertible_to<restart_reason>;
    { P::on_conflict(c) } noexcept -> std::same_as<decision>;
};

namespace detail {
/// Stands for the engine's graph view in the check below; see wait_graph_view.hpp.
struct any_view {};
}  // namespace detail

/// A policy that looks at the wait-for graph before it lets a waiter sleep: it has
/// `template <class View> static bool on_wait(View&)`, true if the waiter itself must restart.
template <class P>
concept graph_policy = conflict_policy<P> && P::needs.held_list && P::needs.stamps;

}  // namespace manylock

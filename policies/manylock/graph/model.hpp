// What a snapshot of a domain looks like: a Boost adjacency list whose vertices are transactions
// and whose edges say who waits for whom. It refers to nothing alive: locks are addresses and
// names.
//
// Edge: from a waiter to every incompatible holder (holder edge), and to every incompatible
// waiter ahead of it, since the grant rule will not let it overtake that one (queue edge).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/graph/adjacency_list.hpp>

#include <manylock/mode.hpp>
#include <manylock/stamp.hpp>

namespace manylock::graph {

struct lock_ref {
    void const* address = nullptr;
    std::string name;  ///< empty if the domain knows none
};

struct held_lock {
    lock_ref lock;
    mode held = mode::shared;
};

struct wanted_lock {
    lock_ref lock;
    mode wanted = mode::shared;
    bool upgrade = false;   ///< it holds the lock already, in a weaker mode
    std::size_t place = 0;  ///< in the queue; 0 is served first
};

enum class vertex_kind : std::uint8_t {
    waiting,  ///< a transaction, or a single-object reader, that waits for a lock
    running,  ///< a transaction that does not wait: what it holds may be outdated
    readers   ///< holders of one lock in shared mode of whom only the number is known
};

struct transaction_vertex {
    vertex_kind kind = vertex_kind::running;
    std::uint32_t number = 0;  ///< as transaction::number(); 0 for `readers`
    stamp age{};               ///< undrawn until its first conflict, or if ages are not needed
    std::optional<std::uint64_t> age_ns;  ///< time since the stamp was drawn
    bool told_to_restart = false;         ///< wounded, or chosen as the victim of a cycle
    bool single_reader = false;           ///< waiting, and no transaction: a single-object read
    std::uint64_t readers = 0;            ///< kind readers: how many
    std::vector<held_lock> holds;         ///< as far as known
    std::optional<wanted_lock> wants;     ///< waiting only
};

enum class edge_kind : std::uint8_t {
    holder,  ///< the target holds the lock in an incompatible mode
    queue    ///< the target waits ahead, for an incompatible mode
};

struct wait_edge {
    edge_kind kind = edge_kind::holder;
    lock_ref lock;
    mode wanted = mode::shared;  ///< by the source, which waits
    mode other = mode::shared;   ///< held by the target, or wanted by it
};

struct graph_facts {
    std::string policy;
    bool holds_known = false;  ///< held-lock lists were readable, not only what is waited for
};

using wait_for_graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS,
                                             transaction_vertex, wait_edge, graph_facts>;
using vertex = boost::graph_traits<wait_for_graph>::vertex_descriptor;
using edge = boost::graph_traits<wait_for_graph>::edge_descriptor;

}  // namespace manylock::graph

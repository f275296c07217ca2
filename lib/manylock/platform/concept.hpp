// What a platform must provide. The engine, the policies and the address space touch atomics, parking,
// clocks and reclamation only through it, so a simulator or a model checker replaces `native` without a
// change elsewhere.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace manylock::platform {

/// Sleeping place of one waiter. Signals are bits (2 and up) that stay set until cleared or reset.
template <class T, class TimePoint>
concept parker_type = requires(T& p, T const& looked_at, TimePoint const* deadline) {
    p.reset();  // acquire: sees what earlier senders wrote
    { looked_at.signals() } -> std::same_as<std::uint32_t>;  // acquire
    p.clear(std::uint32_t{2});
    p.wait(deadline);             // null: no deadline; may return early
    p.deliver(std::uint32_t{2});  // release; wakes
};

/// A section in which memory that others may free stays valid. Must nest.
template <class T>
concept section_type = std::default_initializable<T> && requires(T& s) {
    s.enter();
    s.leave();
};

/// Memory for objects that lock-free lookups find. A thread's stock makes objects, and takes back those that
/// nobody can find any more: they are destroyed, and their memory used again, once no read section that knew
/// them is left. Only the address space asks a platform for one: `recycler<Object>`.
template <class T, class Object>
concept recycler_type = std::default_initializable<T> &&
    std::constructible_from<typename T::stock, T&> &&
    requires(typename T::stock& mine, Object* object) {
    mine.fill(std::size_t{1});  // what the next calls of make() need
    mine.discard(object);       // never was found
    mine.retire(object);        // may still be known; not in a read section
};

/// `atomic<T>` has std::atomic's members with explicit orders; the orders are the platform's constants.
/// `tally` is an atomic<uint64_t> of one writer that nobody orders on: a statistic.
/// `context_local<T>()` is one T for each context that transactions run in (checked builds; lockables
/// under an umbrella).
/// `block_cache<Block, Pool>` keeps a spare block a thread: take(id), keep(id, block), new_pool_id(pool),
/// pool_dies(id); it may keep none.
template <class P>
concept platform_type = requires(typename P::template atomic<std::uint64_t>& word,
                                 std::uint64_t expected) {
    { word.load(P::acquire) } -> std::same_as<std::uint64_t>;
    word.store(std::uint64_t{1}, P::release);
    { word.compare_exchange_strong(expected, 1, P::acq_rel, P::relaxed) } -> std::same_as<bool>;
    { word.compare_exchange_weak(expected, 1, P::seq_cst, P::relaxed) } -> std::same_as<bool>;
    { word.fetch_add(1, P::relaxed) } -> std::same_as<std::uint64_t>;
}
&&requires {
    P::fence();  // sequentially consistent
    P::pause();
    P::yield();
    P::wait_for_readers();  // for objects that are freed while read_sections may know them
    typename P::tally;
    typename P::mutex;  // for cold paths
    { P::template context_local<int>() } -> std::same_as<int&>;
    { P::now() } -> std::same_as<typename P::time_point>;
    { P::ns_between(P::now(), P::now()) } -> std::same_as<std::uint64_t>;
}
&&parker_type<typename P::parker, typename P::time_point>&& section_type<typename P::read_section>&&
    // Keeps the memory of a lock from a restart to the wait for it. Moves with its transaction, to other threads too.
    std::is_nothrow_move_constructible_v<typename P::restart_pin>&& requires(
        typename P::restart_pin& pin) {
    pin.enter();
    pin.leave();
};

}  // namespace manylock::platform

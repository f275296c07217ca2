// The state of a domain that its transactions share. All of it is cold: an uncontended transaction
// touches none of these lines but the thread's own control block (E5).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include <manylock/engine/marked_lock.hpp>
#include <manylock/engine/queued_lock.hpp>
#include <manylock/event.hpp>

namespace manylock {

namespace detail {

template <class Config>
struct shared_umbrella {
    typename Config::platform::template atomic<std::uint64_t> word{
        0};  ///< in which context, and by how many
    typename Config::template guarded<control_block<Config>*> holder{
        nullptr};  ///< of the first of them
};

template <class Config>
struct domain_core {
    using platform = typename Config::platform;
    using lock_type =
        std::conditional_t<Config::needs.umbrella, marked_lock<Config>, queued_lock<Config>>;

    domain_core() {
        if constexpr (checks_enabled) living(this, true);
    }
    ~domain_core() {
        if constexpr (checks_enabled) {
            bool open = false;
            shared.pool.for_each([&](auto const& b) { open = open || b.in_use.is_set(); });
            if (open) report_in_destructor("domain destroyed while a transaction of it is open");
            living(this, false);
        }
    }
    domain_core(domain_core const&) = delete;
    domain_core& operator=(domain_core const&) = delete;

    arbitration<Config> shared;
    /// Umbrella only: taken exclusively by transactions, shared by readers that fell back.
    alignas(64) queued_lock<Config> umbrella;
    /// Umbrella only: number of the present or next umbrella holder. 0 is the number of no holder.
    alignas(64) typename platform::template atomic<std::uint32_t> sequence{1};
    [[no_unique_address]] marking_mark<platform> marks_under;
    /// Umbrella only: what lockables share of it (umbrella_share.hpp).
    [[no_unique_address]] std::conditional_t<Config::needs.umbrella, shared_umbrella<Config>,
                                             no_link>
        lockables{};

    /// Held by the one transaction that has run out of patience and whose turn it is (options::turn_after).
    /// Waited for while holding nothing, so it closes no cycle.
    alignas(64) queued_lock<Config> turn;

    event_sink sink = nullptr;
    void* sink_user = nullptr;
    int level = 0;

    mutable typename platform::mutex names_mutex;
    std::map<void const*, std::string> names;

    /// Empty if it has no name.
    [[nodiscard]] std::string name_of(void const* lock) const {
        std::lock_guard const guard{names_mutex};
        auto const found = names.find(lock);
        return found != names.end() ? found->second : std::string{};
    }
    void tell(event const& e) const noexcept {
        if (sink != nullptr) sink(sink_user, e);
    }
    void adopt(lock_type* lock) {
        if constexpr (checks_enabled) lock->home_.adopt(this);
        (void)lock;
    }
    /// Checked builds, umbrella: does the domain, which may be gone, mark under `number` right now?
    [[nodiscard]] static bool is_marking(void const* domain, std::uint32_t number) noexcept {
        auto& alive = process_wide::domains_alive();
        std::lock_guard const guard{alive.mutex};
        return alive.cores.contains(domain) &&
               static_cast<domain_core const*>(domain)->marks_under.is(number);
    }
    /// The rank of a lock whose caller names none is its address.
    [[nodiscard]] static std::uintptr_t rank_of(lock_type const& lock,
                                                std::uintptr_t named) noexcept {
        return named != 0 ? named : reinterpret_cast<std::uintptr_t>(&lock);
    }
    /// The last single-object reader has left an object that the umbrella's holder wants to mark.
    void wake_marker() noexcept {
        // acquire; pairs with the exchange by which the holder took the umbrella
        lock_word const w{umbrella.word_.load(platform::acquire)};
        if (w.is_exclusive())
            w.template exclusive_holder<control_block<Config>>()->park.deliver(signal::poke);
    }

private:
    static void living(domain_core const* core, bool lives) {
        auto& alive = process_wide::domains_alive();
        std::lock_guard const guard{alive.mutex};
        if (lives) {
            alive.cores.insert(core);
        } else {
            alive.cores.erase(core);
        }
    }
};

}  // namespace detail

}  // namespace manylock

// Several lockables of one domain, held in one context, under an umbrella (decision 27). The first takes the
// umbrella; the others share it, or they would wait for themselves. Each marks its own object, and the last to
// be unlocked gives the umbrella back, in whatever order and on whatever thread they are unlocked.
#pragma once

#include <cstdint>
#include <optional>

#include <manylock/engine/domain_core.hpp>
#include <manylock/platform/opened.hpp>
#include <manylock/transaction.hpp>

namespace manylock::detail {

template <class Config>
class umbrella_share {
    using platform = typename Config::platform;
    using core = domain_core<Config>;
    using transaction = basic_transaction<Config>;
    using lock_type = typename core::lock_type;

public:
    /// `holder` has taken the umbrella for a lockable of this context.
    static void begin(transaction& holder) noexcept {
        auto& shared = holder.core_->lockables;
        shared.holder = holder.block_;
        // release; pairs with join. Nobody else writes the word: whoever does has the umbrella.
        shared.word.store(here() | 1U, platform::release);
    }
    /// True if a lockable of this context holds the umbrella: then a transaction of its own would wait for itself.
    [[nodiscard]] static bool open_here(core const& of) noexcept {
        return may_join(
            of.lockables.word.load(platform::relaxed));  // relaxed: a context sees its own
    }
    /// Marks `lock` under the umbrella that another lockable of this context holds. Nothing: there is none, or
    /// the object cannot be marked now. Never waits for its readers, so that two contexts may share one umbrella
    /// by mistake.
    static std::optional<transaction> join(core& of, lock_type& lock) {
        auto now = of.lockables.word.load(platform::relaxed);  // relaxed: the exchange decides
        do {
            if (!may_join(now)) return {};
            // acquire; pairs with begin: what earlier holders of the umbrella wrote
        } while (!of.lockables.word.compare_exchange_weak(now, now + 1, platform::acquire,
                                                          platform::relaxed));
        transaction mine{of, *of.lockables.holder};
        if (lock.try_mark(of.sequence.load(platform::relaxed)))
            return mine;  // relaxed: ours while we are counted
        bool const gone = lock.detached();
        end(mine);
        if (gone) throw restart{restart_reason::stale, nullptr};
        return {};
    }
    /// Requires: the object of `mine` is unmarked, or `mine` marks none.
    static void end(transaction& mine) noexcept {
        // acq_rel: the last sees what the others did under the umbrella, and gives it back after them
        if ((mine.core_->lockables.word.fetch_sub(1, platform::acq_rel) & count_mask) == 1) {
            mine.finish(counter::commits);
        } else {
            mine.block_ = nullptr;
        }
    }
    static void unmark(transaction& mine, lock_type& lock) noexcept {
        lock.unmark(mine.core_->sequence.load(
            platform::relaxed));  // relaxed: ours while we share the umbrella
    }

private:
    static constexpr std::uint64_t count_mask =
        0xffff;  ///< those who share; above it, in which context
    static bool may_join(std::uint64_t now) noexcept {
        auto const n = now & count_mask;
        return n != 0 && n != count_mask && (now & ~count_mask) == here();
    }
    /// This context, as the upper bits of the word: where its mark lies. One that is gone may lend its place to
    /// another, which then shares an umbrella that it did not take: objects are marked one by one all the same.
    static std::uint64_t here() noexcept {
        return reinterpret_cast<std::uintptr_t>(
                   &platform::template context_local<process_wide::context_mark>())
               << 16;
    }
};

}  // namespace manylock::detail

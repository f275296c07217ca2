// The bodies of basic_transaction for domains with an umbrella. Included by transaction_impl.hpp only.
#pragma once

#include <manylock/domain_core.hpp>
#include <manylock/transaction.hpp>

namespace manylock {

template <class Config>
acquire_result basic_transaction<Config>::acquire_marked(lock_type& lock, mode m, limits const& l) {
    if constexpr (Config::needs.umbrella) {
        auto& me = *block_;
        bool const newcomer = !me.under_umbrella;
        if (newcomer) {
            if (!core_->umbrella.try_exclusive(me)) {
                detail::request<Config> const r{.lock = core_->umbrella,
                                                .wanted = mode::exclusive,
                                                .slot = &me.holds.reserve(),
                                                .patience = l.patience};
                if (auto const answer = detail::admission<Config>::acquire(core_->shared, me, r); !answer) return answer;
            }
            me.under_umbrella = true;
        }
        auto const sequence = core_->sequence.load(platform::relaxed);  // relaxed: ours while we hold it
        if (newcomer) core_->marks_under.set(sequence);
        if (lock.marked_by(sequence)) return status::already_held;
        // An object found before the umbrella was ours may have left its container since.
        if (lock.detached()) return issue_restart(restart_reason::stale, nullptr, m, 0);
        if (m == mode::shared) return status::granted;
        if (lock.try_mark(sequence)) return status::granted;
        if (!lock.begin_mark()) {
            auto failure = status::busy;
            if (!drain_readers(lock, l, failure)) {
                if (newcomer) drop_umbrella();
                return failure;
            }
        }
        lock.mark(sequence);
        return status::granted;
    } else {
        (void)lock, (void)m, (void)l;
        return status::busy;  // never called
    }
}

/// Waits for the single-object readers inside. On failure the object is as before.
template <class Config>
bool basic_transaction<Config>::drain_readers(lock_type& lock, limits const& l, status& failure) {
    auto& me = *block_;
    auto const begin = platform::now();
    me.count.add(counter::waits);
    bool done = false;
    for (unsigned looks = 0;; ++looks) {
        me.park.reset();  // before the look: a reader that leaves after it wakes us
        if (done = lock.drained(); done || !l.patience.may_wait) break;
        if (looks < Config::knobs.spin_limit) {
            platform::pause();
            continue;
        }
        failure = status::timed_out;
        if (l.patience.is_late()) break;
        failure = status::cancelled;
        if (l.patience.is_cancelled()) break;
        if (looks < Config::knobs.spin_limit + Config::knobs.yield_limit) {
            platform::yield();
            continue;
        }
        me.count.add(counter::parks);
        me.park.wait(l.patience.deadline);
    }
    if (!done) lock.cancel_mark();
    me.count.add(counter::wait_ns, platform::ns_between(begin, platform::now()));
    return done;
}

/// Unmarks whatever was marked, by one store, and gives the umbrella back.
template <class Config>
void basic_transaction<Config>::drop_umbrella() noexcept {
    auto& me = *block_;
    me.under_umbrella = false;
    core_->marks_under.clear();
    // release: who reads the new number sees what we did to every object we had marked
    core_->sequence.store(core_->sequence.load(platform::relaxed) + 1, platform::release);
    if (!core_->umbrella.try_release_exclusive(me)) {
        giving::release(core_->umbrella, mode::exclusive, nullptr);
    }
}

}  // namespace manylock

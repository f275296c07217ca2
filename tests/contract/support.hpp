// What the contract suite is made of: the list of policies, threads that do one thing at a time, and
// waiting for something observable instead of for time. A hang is a failure: ctest's time-out ends it.
#pragma once

#include <doctest/doctest.h>

#include <concepts>
#include <functional>
#include <future>
#include <mutex>
#include <condition_variable>
#include <deque>
#include <memory>
#include <thread>
#include <utility>

#include <manylock/graph/cycle_detection_bgl.hpp>
#include <manylock/guards.hpp>
#include <manylock/policies.hpp>

#define MANYLOCK_REGISTER_POLICY(policy) TYPE_TO_STRING(manylock::policies::policy);
#include <manylock/policies/registry.hpp>
#undef MANYLOCK_REGISTER_POLICY
TYPE_TO_STRING(manylock::policies::cycle_detection_bgl);

#define EVERY_POLICY                                                                            \
    manylock::policies::umbrella, manylock::policies::wound_wait, manylock::policies::wait_die, \
        manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl,           \
        manylock::policies::lock_ordering, manylock::policies::no_wait
/// Those whose objects are locked one by one.
#define EVERY_OBJECT_POLICY                                                           \
    manylock::policies::wound_wait, manylock::policies::wait_die,                     \
        manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl, \
        manylock::policies::lock_ordering, manylock::policies::no_wait
/// Those that promise that the eldest never restarts.
#define EVERY_FAIR_POLICY                                         \
    manylock::policies::wound_wait, manylock::policies::wait_die, \
        manylock::policies::cycle_detection, manylock::policies::cycle_detection_bgl

namespace contract {

using manylock::mode;
using manylock::restart_reason;
using manylock::status;

/// A thread that carries out what it is given, one after the other.
class actor {
public:
    actor() : thread_{[this](std::stop_token stop) { loop(stop); }} {}
    ~actor() {
        thread_.request_stop();
        wake_.notify_all();
    }
    template <class F>
    auto does(F f) -> std::future<std::invoke_result_t<F>> {
        auto task = std::make_shared<std::packaged_task<std::invoke_result_t<F>()>>(std::move(f));
        auto result = task->get_future();
        {
            std::lock_guard const guard{mutex_};
            work_.emplace_back([task] { (*task)(); });
        }
        wake_.notify_all();
        return result;
    }

private:
    void loop(std::stop_token const& stop) {
        std::unique_lock lock{mutex_};
        while (wake_.wait(lock, stop, [this] { return !work_.empty(); })) {
            auto next = std::move(work_.front());
            work_.pop_front();
            lock.unlock();
            next();
            lock.lock();
        }
    }
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<std::function<void()>> work_;
    std::jthread thread_;
};

template <class Condition>
void until(Condition condition) {
    while (!condition()) std::this_thread::yield();
}

/// Requests that wait for `lock`, the umbrella's included.
template <class Domain>
std::size_t waiting(Domain& domain, typename Domain::lock_type& lock) {
    return lock.waiter_count() + domain.core().umbrella.waiter_count();
}

template <class T>
[[nodiscard]] bool is_ready(std::future<T> const& f) {
    return f.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
}

/// Makes `elder` older than `younger`: stamps are drawn at a conflict, the holder's first. `lock` must be
/// held by `elder` alone, exclusively.
template <class Transaction>
void make_younger(Transaction& younger, typename Transaction::lock_type& held_by_elder) {
    REQUIRE(younger.try_acquire(held_by_elder) == status::busy);
}

}  // namespace contract

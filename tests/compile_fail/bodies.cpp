// Bodies that domain::run and domain::read refuse: one a compilation, picked by a macro. None of the macros:
// all that is here is fine. CMakeLists.txt has the sentences.
#include <coroutine>
#include <memory>
#include <string>

#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

using bank = manylock::domain<manylock::default_policy>;

struct task {
    struct promise_type {
        task get_return_object() { return {}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
    };
};
/// A coroutine's type that says so from outside.
struct foreign_task {};
template <class... Args>
struct std::coroutine_traits<foreign_task, Args...> {
    struct promise_type : task::promise_type {
        foreign_task get_return_object() { return {}; }
    };
};

void bodies(bank& accounts, bank::lock_type& a) {
#if defined(COROUTINE)
    (void)accounts.run([&](bank::transaction& txn) -> task {
        txn.lock(a);
        co_return;
    });
#elif defined(COROUTINE_WITH_OPTIONS)
    (void)accounts.run({.max_attempts = 2}, [&](auto& txn) -> task {
        txn.lock(a);
        co_return;
    });
#elif defined(FOREIGN_COROUTINE)
    (void)accounts.run([&](auto& txn) -> foreign_task {
        txn.lock(a);
        co_return;
    });
#elif defined(COROUTINE_READS)
    accounts.read(a, [&]() -> task { co_return; });
#elif defined(NO_ARGUMENT)
    accounts.run([&] { (void)a; });
#elif defined(WRONG_ARGUMENT)
    accounts.run([&](std::string&) { (void)a; });
#elif defined(BY_VALUE)
    accounts.run([&](auto txn) { txn.lock(a); });
#elif defined(ONCE_ONLY)
    struct once {
        void operator()(bank::transaction&) && {}
    };
    accounts.run(once{});
#elif defined(NO_FUNCTION)
    accounts.run({.max_attempts = 2}, 7);
#elif defined(RETURNS_ITS_TRANSACTION)
    (void)accounts.run([&](auto& txn) -> auto& { return txn; });
#elif defined(READ_WITH_ARGUMENT)
    accounts.read(a, [](auto& lock) { (void)lock; });
#endif
    accounts.run([&](auto& txn) { txn.lock(a); });
    accounts.run([&](auto&& txn) { txn.lock(a); });
    accounts.run({.max_attempts = 2}, [&](bank::transaction& txn) { txn.lock(a); });
    auto const owned = accounts.run([&](auto&) { return std::make_unique<int>(7); });
    bank::lock_type& same = accounts.run([&](auto&) -> bank::lock_type& { return a; });
    accounts.read(same, [] {});
    accounts.read(a, [&]() -> int { return *owned; });
}

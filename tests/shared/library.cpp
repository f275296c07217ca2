#include "library.hpp"

namespace {

using namespace shared_test;
using manylock::mode;
using manylock::platform::native;
using manylock::platform::native_rcu;

constexpr library mine{
    .make = [] { return new bank; },
    .destroy = [](bank* b) { delete b; },
    .run = [](bank& b, bank::lock_type& lock) { b.run([&](auto& txn) { txn.lock(lock); }); },
    .begin = [](bank& b) { return b.begin(); },
    .commit = [](bank::transaction& txn) { txn.commit(); },
    .throws_a_restart =
        [] {
            throw manylock::restart{manylock::restart_reason::injected, nullptr};
        },
    .mark =
        [](marked& m, marked::lock_type& lock, void (*meanwhile)(void*), void* with) {
            m.run([&](auto& txn) {
                txn.lock(lock);
                meanwhile(with);
            });
        },
    .enter = []() -> void* { return new native::read_section; },
    .leave = [](void* section) { delete static_cast<native::read_section*>(section); },
    .enter_rcu_section = [] { native_rcu::read_section const section; },
    .pin = []() -> void* {
        auto* const pin = new native_rcu::restart_pin;
        pin->enter();
        return pin;
    },
    .unpin = [](void* pin) { delete static_cast<native_rcu::restart_pin*>(pin); },
};

}  // namespace

shared_test::library const* shared_test_library() {
    return &mine;
}

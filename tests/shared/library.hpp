// What the program of this folder asks of its libraries. All of them, program included, are compiled with hidden
// visibility, and so are the policies: every template over one exists once in each.
#pragma once

#include <manylock/domain.hpp>
#include <manylock/platform/native_rcu.hpp>
#include <manylock/policies.hpp>

namespace shared_test {

using bank = manylock::domain<manylock::policies::wound_wait>;
using marked = manylock::domain<manylock::policies::umbrella>;

/// Done in the library's code.
struct library {
    bank* (*make)();
    void (*destroy)(bank*);
    void (*run)(bank&, bank::lock_type&);
    bank::transaction (*begin)(bank&);
    void (*commit)(bank::transaction&);
    void (*throws_a_restart)();
    void (*mark)(marked&, marked::lock_type&, void (*meanwhile)(void*), void*);
    void* (*enter)();  ///< a section that keeps locks alive
    void (*leave)(void*);
    void (*enter_rcu_section)();  ///< and leaves it
    void* (*pin)();
    void (*unpin)(void*);
};

}  // namespace shared_test

extern "C" [[gnu::visibility("default")]] shared_test::library const* shared_test_library();
using shared_test_library_type = shared_test::library const*();

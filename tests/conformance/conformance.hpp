// The policy conformance kit. In one .cpp of a policy's author, linked to manylock_conformance:
//
//     #include <my/policy.hpp>
//     #include <conformance.hpp>
//     MANYLOCK_CONFORMS(my::policy)
//
// gives every case that fits what the policy needs, promises and decides, as tests `sentence<name>`.
// docs/policies/writing-one.md shows the build.
#pragma once

#include "api.hpp"
#include "conflict.hpp"
#include "decisions.hpp"
#include "detection.hpp"
#include "ends.hpp"
#include "kernel.hpp"
#include "misuse.hpp"
#include "promises.hpp"
#include "random.hpp"

#ifndef MANYLOCK_EXPLORE
#define MANYLOCK_EXPLORE 0
#endif
#if MANYLOCK_EXPLORE
#include <adversarial.hpp>
#endif

namespace conformance {

template <class P>
bool all() {
    static_assert(manylock::conflict_policy<P>);
    api(cases<P>{"api"});
    ends(cases<P>{"ends"});
    conflict(cases<P>{"conflict"});
    decisions(cases<P>{"decisions"});
    detection(cases<P>{"detection"});
    promises(cases<P>{"promises"});
    kernel(cases<P>{"kernel"});
    misuse(cases<P>{"misuse"});
    random(cases<P>{"random"});
#if MANYLOCK_EXPLORE
    explore::adversarial(cases<P>{"adversarial"});
#endif
    return true;
}

}  // namespace conformance

/// All suites for one policy. At namespace scope.
#define MANYLOCK_CONFORMS(...)                                                 \
    [[maybe_unused]] static bool const DOCTEST_ANONYMOUS(manylock_conforms_) = \
        conformance::all<__VA_ARGS__>();

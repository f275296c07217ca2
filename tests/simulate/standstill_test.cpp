// Runs that do not end well. Not under AddressSanitizer: they leave fibers behind, and their memory with them.
#include "support.hpp"

#include <string>

namespace manylock::simulate::testing {

TEST_SUITE("simulate/standstill") {
    TEST_CASE("what leaves a thread ends the run") {
        program p(2);
        p.thread([&] { p.on().block(&p, nullptr); });
        p.thread([&] {
            p.until(10);
            throw std::string("left");
        });
        CHECK_THROWS_AS(p.run(), std::string);
    }

    TEST_CASE("a machine on which nobody can go on says so") {
        program p(2);
        int place = 0;
        for (int i = 0; i < 3; ++i) {
            p.thread([&] { p.on().block(&place, nullptr); });
        }
        CHECK_THROWS_WITH_AS(
            p.run(),
            "the simulation stands still: all 3 threads wait, and nobody is left to "
            "wake them",
            stood_still);

        program joined(1);
        joined.thread([&] { joined.on().join(0); });
        CHECK_THROWS_AS(joined.run(), stood_still);
    }
}

}  // namespace manylock::simulate::testing

// The shipped recordings replay to the kernel's own final map (and checkpoints), under every policy, with one
// thread and with one for each recorded thread.
#include <doctest/doctest.h>

#include <string>

#include "program.hpp"

using namespace manylock::stress::testing;

namespace {

void check_replay(std::string const& recording, std::string const& threads,
                  std::string const& policies) {
    temporary_directory const place;
    auto const result = run_program(
        {"replay", MANYLOCK_SOURCE_DIR "/stress/replay/recorded/" + recording, "--policy", policies,
         "--threads", threads, "--check", "--out", (place / "out").string()});
    CAPTURE(result.out);
    CAPTURE(result.err);
    CHECK(result.status == 0);
    CHECK(result.out.find(" 0 failed") != std::string::npos);
}

#ifdef __SANITIZE_THREAD__
constexpr char const* some_policies =
    "umbrella,wound_wait,cycle_detection";  // 72 threads are slow here
#else
constexpr char const* some_policies = "all";
#endif

}  // namespace

TEST_SUITE("replay") {
    TEST_CASE("sqlite3 ends in the kernel's map with one thread") {
        check_replay("sqlite3", "1", "all");
    }
    TEST_CASE("sqlite3 ends in the kernel's map with every recorded thread") {
        check_replay("sqlite3", "traced", "all");
    }
    TEST_CASE("sqlite3 ends in the kernel's map under the detector that walks with Boost") {
        check_replay("sqlite3", "traced", "cycle_detection_bgl");
    }
    TEST_CASE("python ends in the kernel's map with one thread") {
        check_replay("python", "1", "all");
    }
    TEST_CASE("python ends in the kernel's map with every recorded thread") {
        check_replay("python", "traced", some_policies);
    }
}

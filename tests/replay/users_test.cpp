// A recorded program multiplied into users of one address space, and the work that stands for the
// kernel's.

#include "temporary_program.hpp"

#include "workloads/replay_users.hpp"
#include "workloads/replay_work.hpp"
#include "workloads/runner.hpp"

#include <doctest/doctest.h>

#include <string>

namespace manylock::stress {
namespace {

using address_space::call;

/// brk to grow, to ask, to shrink; mlockall; a munmap beyond the user half; a walk beyond it.
constexpr char const* process_wide =
    "100 1001.000000 brk(NULL) = 0x1000000 <0.000010>\n"
    "100 1002.000000 brk(0x1004000) = 0x1004000 <0.000010>\n"
    "100 1003.000000 brk(0x1003f00) = 0x1003f00 <0.000010>\n"
    "100 1004.000000 brk(0x1002000) = 0x1002000 <0.000010>\n"
    "100 1005.000000 mlockall(MCL_CURRENT) = 0 <0.000010>\n"
    "100 1006.000000 munmap(0x7ffffffff000, 8192) = -1 EINVAL (Invalid argument) <0.000010>\n"
    "100 1007.000000 mprotect(0x7ffc00010000, 280650297344000, PROT_READ) = -1 ENOMEM (Cannot "
    "allocate memory) <0.000010>\n";

row_outcome replay_users(replay::recorded_program const& program, user_program const& users,
                         std::uint64_t threads, bool disjoint, std::string const& policy) {
    replay_request request;
    request.program = &program;
    request.threads = threads;
    request.check = true;
    request.users = &users;
    request.disjoint = disjoint;
    return find_runner(policy).replay(request);
}

}  // namespace

TEST_SUITE("replay/users") {
    TEST_CASE("what belongs to a process as a whole is replaced or left out and said") {
        replay::strace_program const directory{process_wide};
        auto const program = replay::load_program(directory.path());
        auto const users = multiplied(program);
        REQUIRE(users.items.size() == 3);
        auto const& grow = users.items[0].op;
        CHECK(grow.what == call::map);
        CHECK(grow.start == 0x1000000);
        CHECK(grow.length == 0x4000);
        CHECK(users.items[0].recorded == 1);
        auto const& shrink = users.items[1].op;
        CHECK(shrink.what == call::unmap);
        CHECK(shrink.start == 0x1002000);
        CHECK(shrink.length == 0x2000);
        CHECK(users.items[2].op.what == call::protect);
        CHECK(users.items[2].op.start + users.items[2].op.length == region_size);
        CHECK(users.final_globals.brk == 0x1002000);
        CHECK_FALSE(users.complete());
        CHECK(
            users.left_out() ==
            "left out: 1 mlockall or munlockall, 1 calls beyond the 47-bit half, 2 brk that moved "
            "no page");
        for (auto const* policy : {"umbrella", "wound_wait"}) {
            auto const outcome = replay_users(program, users, 3, true, policy);
            for (auto const& fault : outcome.faults) FAIL_CHECK(fault);
            CHECK(outcome.measured.commits == 9);
        }
    }

    TEST_CASE("a user whose part of the map is not the recorded program's fails the check") {
        replay::strace_program const directory{
            "100 1001.000000 munmap(0x7f0000000000, 4096) = 0 <0.000010>\n"};
        auto const program = replay::load_program(directory.path());
        auto const outcome = replay_users(program, multiplied(program), 2, true, "wound_wait");
        REQUIRE(outcome.faults.size() == 2);
        CHECK(outcome.faults[1].starts_with("the final map of user 1 differs"));
    }

    TEST_CASE("users that share their addresses contend and leave the space in order") {
        auto const recorded = std::string(MANYLOCK_SOURCE_DIR) + "/stress/replay/recorded/sqlite3";
        auto const program = replay::load_program(recorded);
        auto const users = multiplied(program);
        for (auto const* policy : {"umbrella", "wound_wait", "lock_ordering"}) {
            CAPTURE(policy);
            auto const outcome = replay_users(program, users, 4, false, policy);
            for (auto const& fault : outcome.faults) FAIL_CHECK(fault);
            CHECK(outcome.measured.commits == 4 * users.items.size());
        }
    }

    TEST_CASE("work is counted by pages or as recorded and never beyond its cap") {
        replay::native_program const directory{
            "10\t10\t10\t310\t400\t100\t100\tmmap\t0x7e0000000000\t0,2001,3,22,ffffffff,0\t\n"
            "500\t500\t500\t-\t900\t100\t100\tmunmap\t0\t7e0000000000,1000\t\n"
            "1000\t1000\t-\t-\t1400\t100\t100\tmadvise\t0\t7e0000001000,1000,4\t\n"
            "1500\t1500\t1500\t1600\t1700\t100\t100\tmprotect\t-12\t1000,1000,1\t\n"
            "2000\t2000\t2000\t90000000\t1700\t100\t100\tmunmap\t0\t7d0000000000,7000000000\t\n"};
        directory.write("faults.txt", "# base_mono_ns=5000\n3 100 7e0000001 6\n");
        auto const program = replay::load_program(directory.path());
        REQUIRE(program.items.size() == 6);
        CHECK(work_of(program, {}).empty());
        using work = std::vector<std::uint32_t>;
        CHECK(work_of(program, {work_choice::kind::traced, 0}) ==
              work{300, 400, 0, 0, work_ns_max, fault_work_ns});
        CHECK(work_of(program, {work_choice::kind::per_page, 7}) ==
              work{21, 7, 7, 0, work_ns_max, 7});
        CHECK(work_choice{work_choice::kind::per_page, 7}.text() == "7");
    }
}

}  // namespace manylock::stress

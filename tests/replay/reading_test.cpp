// What the reader makes of single lines, in both forms.

#include "replay/trace.hpp"
#include "temporary_program.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>

namespace manylock::replay {
namespace {

using address_space::call;

std::string line(std::string const& call_text, std::string const& seconds = "1001.000000",
                 std::string const& pid = "100") {
    return pid + "  " + seconds + " " + call_text + "\n";
}

recorded_program load_calls(std::string const& calls) {
    strace_program const files{calls};
    return load_program(files.path());
}

recorded_program load_events(std::string const& events) {
    native_program const files{events};
    return load_program(files.path());
}

}  // namespace

TEST_CASE("a call becomes an operation with its result") {
    auto const program =
        load_calls(line("mmap(0x7f1000000000, 8192, PROT_READ|PROT_WRITE, "
                        "MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS|MAP_STACK, -1, 0) = 0x7f1000000000 "
                        "<0.000013>"));
    REQUIRE(program.items.size() == 1);
    auto const& op = program.items[0].op;
    CHECK(op.what == call::map);
    CHECK(op.prot == 3);
    CHECK(op.flags == 0x20032);
    CHECK(op.start == 0x7f1000000000);
    CHECK(op.length == 8192);
    CHECK(op.result == 0x7f1000000000);
    CHECK(op.placed);
    CHECK(op.file == address_space::backing{});
    CHECK(program.items[0].line == 1);
    // Nothing but the trace is there: the call is placed by its return.
    CHECK(program.items[0].time_ns == 1'000'013'000);
    CHECK(program.notes.calls_without_order == 1);
}

TEST_CASE("every modelled call is read") {
    auto const program = load_calls(
        line("munmap(0x7f0000001000, 4096) = 0 <0.000001>", "1001.000001") +
        line("mprotect(0x7f0000000000, 4096, PROT_NONE) = 0 <0.000001>", "1001.000002") +
        line("mremap(0x7f0000000000, 4096, 8192, MREMAP_MAYMOVE|MREMAP_FIXED, 0x7f2000000000) = "
             "0x7f2000000000 <0.000001>",
             "1001.000003") +
        line("brk(NULL) = 0x600000 <0.000001>", "1001.000004") +
        line("madvise(0x7f2000000000, 4096, 0x66 /* MADV_??? */) = 0 <0.000001>", "1001.000005") +
        line("mlock(0x7f2000000000, 4096) = 0 <0.000001>", "1001.000006") +
        line("mlock2(0x7f2000000000, 4096, MLOCK_ONFAULT) = 0 <0.000001>", "1001.000007") +
        line("munlock(0x7f2000000000, 4096) = 0 <0.000001>", "1001.000008") +
        line("mlockall(MCL_CURRENT|MCL_FUTURE) = 0 <0.000001>", "1001.000009") +
        line("munlockall() = 0 <0.000001>", "1001.000010"));
    constexpr call expected[] = {
        call::unmap,      call::protect,    call::remap,        call::set_break, call::advise,
        call::lock_range, call::lock_range, call::unlock_range, call::lock_all,  call::unlock_all};
    REQUIRE(program.items.size() == std::size(expected));
    for (std::size_t at = 0; at < std::size(expected); ++at) {
        CHECK(program.items[at].op.what == expected[at]);
    }
    CHECK(program.items[2].op.new_start == 0x7f2000000000);
    CHECK(program.items[4].op.advice == 0x66);
    CHECK(program.items[6].op.flags == 1);
    CHECK(program.items[8].op.flags == 3);
    CHECK(program.globals.start_brk == 0x600000);
}

TEST_CASE("a refused call keeps its errno") {
    auto const program = load_calls(
        line("mprotect(0x7f0000000000, 4096, PROT_READ) = -1 ENOMEM (Cannot allocate memory) "
             "<0.000004>"));
    REQUIRE(program.items.size() == 1);
    CHECK(program.items[0].op.result == -ENOMEM);
}

TEST_CASE("a call that another thread's line interrupts is put together again") {
    auto const program = load_calls(
        line("clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[101]}, 88) = 101 "
             "<0.000020>") +
        line("mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>",
             "1001.000100") +
        line("munmap(0x7f0000000000, 4096 <unfinished ...>", "1001.000110", "101") +
        line("<... mmap resumed>) = 0x7f3000000000 <0.000200>", "1001.000300") +
        line("<... munmap resumed>) = 0 <0.000150>", "1001.000260", "101"));
    REQUIRE(program.items.size() == 2);
    CHECK(program.items[0].op.what == call::unmap);
    CHECK(program.items[0].thread == 1);
    CHECK(program.items[1].op.what == call::map);
    CHECK(program.threads[1].creator == 100);
    CHECK_FALSE(program.threads[1].other_process);
}

TEST_CASE("the lock order decides, not the order of the lines") {
    strace_program const files{
        line("clone3({flags=CLONE_VM|CLONE_THREAD} => {parent_tid=[101]}, 88) = 101 <0.000020>") +
        line("munmap(0x7f0000000000, 4096) = 0 <0.000001>", "1001.000100") +
        line("brk(NULL) = 0x600000 <0.000001>", "1001.000110", "101")};
    files.write("order.tsv",
                "# dt_us\ttid\tcall\n1000000.1\t100\tclone3\n1000130.5\t100\tmunmap\n"
                "1000115.0\t101\tbrk\n");
    auto const program = load_program(files.path());
    REQUIRE(program.items.size() == 2);
    CHECK(program.items[0].op.what == call::set_break);
    CHECK(program.items[1].time_ns == 1'000'130'500);
    CHECK(program.notes.calls_without_order == 0);
}

TEST_CASE("only threads that share the root's address space count") {
    std::string const clear = "munmap(0x7f0000000000, 4096) = 0 <0.000001>";
    auto const program = load_calls(
        line(clear, "999.000000") +  // before the snapshot
        line(clear, "1001.000000", "999") +
        line("clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 200 "
             "<0.0001>",
             "1001.000001") +
        line(clear, "1001.000002", "200") +  // a fork child
        line("vfork( <unfinished ...>", "1001.000003") +
        line(clear, "1001.000004", "300") +  // a vfork child
        line("execve(\"/bin/no\", [\"no\"], 0x7ff /* 1 var */) = -1 ENOENT (No such file or "
             "directory) <0.0001>",
             "1001.000005", "300") +
        line(clear, "1001.000006", "300") +
        line("execve(\"/bin/true\", [\"true\"], 0x7ff /* 1 var */) = 0 <0.0001>", "1001.000007",
             "300") +
        line("<... vfork resumed>) = 300 <0.000005>", "1001.000008") +
        line(clear, "1001.000009", "300") + line("+++ exited with 0 +++", "1001.000010", "300"));
    REQUIRE(program.items.size() == 2);
    CHECK(program.items[0].line == 6);
    CHECK(program.items[1].line == 8);
    CHECK(program.threads.size() == 2);
    CHECK(program.threads[1].tid == 300);
    CHECK(program.threads[1].other_process);
}

TEST_CASE("lines that are no errors are passed over") {
    auto const program = load_calls(
        line("--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---") +
        line("?\?\?( <unfinished ...>") + line("munmap(0x7f0000000000, 4096 <unfinished ...>") +
        line("+++ killed by SIGKILL +++"));
    CHECK(program.items.empty());
    CHECK(program.notes.unfinished_calls == 1);
}

TEST_CASE("a mapping gets the file that mmap2.tsv names, whatever its path holds") {
    strace_program const files{
        line("mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3</tmp/a, b) = 0 \\74x\\76>, 0x2000) = "
             "0x7f3000000000 <0.000010>") +
        line("mmap(NULL, 4096, PROT_READ, MAP_SHARED, 4</tmp/other>, 0) = 0x7f3000010000 "
             "<0.000010>",
             "1001.000100") +
        line("mmap(NULL, 4096, PROT_READ, MAP_SHARED|MAP_ANONYMOUS, -1, 0) = 0x7f3000020000 "
             "<0.000010>",
             "1001.000200")};
    files.write("mmap2.tsv",
                "# base_real=1000.000000\n"
                "1000003\t100\t7f3000000000\t1000\t2000\tfe:01\t42\tr--p\t/tmp/a, b) = 0 <x>\n"
                "1000203\t100\t7f3000020000\t1000\t0\t00:01\t5167\tr--s\t/dev/zero (deleted)\n");
    auto const program = load_program(files.path());
    REQUIRE(program.items.size() == 3);
    auto const& named = program.items[0].op;
    CHECK(named.offset == 0x2000);
    CHECK(named.file.inode == 42);
    CHECK(named.file.device_major == 0xfe);
    CHECK(named.file.device_minor == 1);
    CHECK(program.paths[named.file.path] == "/tmp/a, b) = 0 <x>");
    auto const& guessed = program.items[1].op;
    CHECK(program.paths[guessed.file.path] == "/tmp/other");
    CHECK(guessed.file.open_file != named.file.open_file);
    CHECK(program.notes.maps_without_backing == 1);
    CHECK(program.items[2].op.file.inode == 5167);
}

TEST_CASE("faults take their place among the calls") {
    strace_program const files{line("munmap(0x7f0000000000, 4096) = 0 <0.000001>", "1001.000100")};
    files.write("faults.txt",
                "# base_real=1000.000000: dt_us tid page err\n"
                "1000050.5 100 7f0000000 6\n1000200.0 100 400 14\n"
                "1000300.0 777 400 4\n");
    auto const program = load_program(files.path());
    REQUIRE(program.items.size() == 3);
    CHECK(program.items[0].op.what == call::fault);
    CHECK(program.items[0].op.start == 0x7f0000000000);
    CHECK(program.items[0].op.flags == address_space::fault_write);
    CHECK(program.items[2].op.flags == address_space::fault_exec);
    CHECK(program.notes.foreign_faults == 1);
}

TEST_CASE("the native form is read with its threads, files and stack growth") {
    auto const program = load_events(
        "-20\t-30\t-20\t-10\t90\t100\t100\texecve\t0\t\t\n"
        "100\t90\t100\t110\t120\t100\t100\tmmap\t0x7f3000000000\t0,1800,1,2,3,0\t"
        "fe:00|42|0x0|0x7f3000000000|0x2000|r--p|/lib/x|y.so\n"
        "200\t200\t-\t-\t210\t100\t100\tclone3\t101\t7ffd0000,58\t\n"
        "300\t290\t300\t-\t310\t100\t101\tmunmap\t-22\t7f3000000000,0\t\n"
        "400\t400\t-\t-\t400\t100\t100\tGROW\t0\t7ffbfffff000,22000\t"
        "00:00|0|0x7ffbfffff000|0x7ffbfffff000|0x22000|rw-p|[stack]\n"
        "500\t500\t-\t-\t510\t100\t100\tmadvise\t0\t7f3000000000,1000,4\t\n");
    REQUIRE(program.items.size() == 4);
    CHECK(program.paths[program.items[0].op.file.path] == "/lib/x|y.so");
    CHECK(program.items[0].op.length == 0x1800);
    CHECK(program.items[1].thread == 1);
    CHECK(program.items[1].op.result == -EINVAL);
    CHECK(program.items[2].op.what == call::grow_stack);
    CHECK(program.items[2].op.start == 0x7ffbfffff000);
    CHECK(program.items[3].op.advice == 4);
    CHECK(program.final_ns == 9'000'000 - 5'000);
}

TEST_CASE("checkpoints lie between the items before and after them") {
    native_program const files{
        "100\t90\t100\t110\t120\t100\t100\tbrk\t0x600000\t0\t\n"
        "200\t190\t200\t210\t220\t100\t100\tbrk\t0x600000\t0\t\n"};
    files.write("checkpoint0.maps", "# t_mono_ns=5150 kind=cp tgid=100 tid=100 comm=a b=c\n" +
                                        std::string{initial_rows});
    auto const program = load_program(files.path());
    REQUIRE(program.checkpoints.size() == 1);
    CHECK(program.checkpoints[0].items_before == 1);
    CHECK(program.checkpoints[0].rows.size() == 3);
}

TEST_CASE("items after the final snapshot are left out and counted") {
    strace_program const files{line("brk(NULL) = 0x600000 <0.000001>") +
                               line("brk(NULL) = 0x600000 <0.000001>", "2001.000000")};
    auto const program = load_program(files.path());
    CHECK(program.items.size() == 1);
    CHECK(program.notes.after_final == 1);
}

TEST_CASE("a shared mapping without VM_SHARED tells that its file was opened read-only") {
    strace_program const files{
        line("mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3</tmp/ro>, 0) = "
             "0x7f3000000000 <0.000010>")};
    std::string const row = "7f3000000000-7f3000001000 r--s 00000000 fe:01 9        /tmp/ro";
    files.write("final.maps", row + "\n");
    files.write("final.vmflags", row + "\tAnonymous=0\tVmFlags=rd mr me ms\n");
    auto const program = load_program(files.path());
    REQUIRE(program.items.size() == 1);
    CHECK(program.items[0].op.file.read_only_file);
    CHECK(program.items[0].op.file.inode == 9);
}

TEST_CASE("a compressed file reads as the plain one") {
    strace_program const files{line("brk(NULL) = 0x600000 <0.000001>")};
    files.write_gzip("trace.strace.gz", files.read("trace.strace"));
    files.remove("trace.strace");
    CHECK(load_program(files.path()).items.size() == 1);
}

TEST_CASE("without initial.stat the stack and the heap are taken from the maps") {
    auto const program = load_calls(line("brk(NULL) = 0x600000 <0.000001>"));
    CHECK(program.globals.start_stack == 0x7ffc00020fff);
    CHECK(program.globals.brk == 0x600000);
}

TEST_CASE("seals and names and policies and remapped files become operations") {
    using address_space::call;
    strace_program const files{
        "100 1001.0 mseal(0x400000, 4096, 0) = 0 <0.1>\n"
        "100 1001.1 syscall_0x1ce(0x400000, 0x1000, 0, 0x7ff, 0x1, 0x7) = 0 <0.1>\n"
        "100 1001.2 prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, 0x7f0000000000, 8192, \"a, \\\"b\") = "
        "0 "
        "<0.1>\n"
        "100 1001.3 prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, 0x7f0000000000, 4096, NULL) = 0 <0.1>\n"
        "100 1001.4 prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, 0x7f0000000000, 1, \"c\") = -1 EINVAL "
        "(Invalid argument) <0.1>\n"
        "100 1001.5 mbind(0x7f0000000000, 8192, MPOL_BIND, [0x0000000000000001, 000], 128, 0) = 0 "
        "<0.1>\n"
        "100 1001.6 mbind(0x7f0000000000, 8192, MPOL_BIND, [0x0000000000000001], 64, MPOL_MF_MOVE) "
        "= 0 <0.1>\n"
        "100 1001.7 mbind(0x7f0000000000, 8192, MPOL_LOCAL, NULL, 0, 0) = 0 <0.1>\n"
        "100 1001.8 mbind(0x7f0000000000, 8192, MPOL_DEFAULT, NULL, 0, 0) = 0 <0.1>\n"
        "100 1001.9 remap_file_pages(0x7f0000000000, 4096, PROT_NONE, 3, MAP_FILE) = -1 EINVAL "
        "(Invalid argument) <0.1>\n"};
    auto const program = load_program(files.path());
    REQUIRE(program.items.size() == 9);
    CHECK(program.notes.other_calls == 1);  // the name that was not taken
    auto const& items = program.items;
    CHECK(items[0].op.what == call::seal);
    CHECK(items[1].op.what == call::seal);
    CHECK(items[1].op.length == 4096);
    CHECK(items[2].op.what == call::set_name);
    CHECK(program.paths[items[2].op.file.path] == "a, \"b");
    CHECK(items[3].op.file.path == 0);
    CHECK(items[4].op.what == call::set_policy);
    CHECK(items[4].op.flags != 0);
    CHECK(items[5].op.flags == items[4].op.flags);  // words of zeros at the end name no node
    CHECK(items[6].op.flags != items[4].op.flags);
    CHECK(items[7].op.flags == 0);
    CHECK(items[8].op.what == call::remap_file);
    CHECK(items[8].op.offset == 3);
}

TEST_CASE("the native form has seals and names taken away and policies that need no nodes") {
    using address_space::call;
    std::string const begin = "100\t90\t100\t110\t120\t100\t100\t";
    native_program const files{
        begin + "mseal\t0\t400000,1000,0\t\n" + begin + "prctl\t0\t53564d41,0,400000,1000,0\t\n" +
        begin + "mbind\t0\t400000,1000,0,0,0,0\t\n" + begin + "mbind\t0\t400000,1000,4,0,0,0\t\n" +
        begin + "mbind\t-22\t400000,1000,2,7ff,40,0\t\n"};
    auto const program = load_program(files.path());
    REQUIRE(program.items.size() == 5);
    CHECK(program.items[0].op.what == call::seal);
    CHECK(program.items[1].op.what == call::set_name);
    CHECK(program.items[2].op.flags == 0);
    CHECK(program.paths[program.items[3].op.flags] == "MPOL_LOCAL");
    CHECK(program.items[4].op.result == -22);
}

TEST_CASE("names printed in the initial maps are names and not paths") {
    strace_program const files{"100 1001.000000 brk(NULL) = 0x600000 <0.000001>\n"};
    files.write("initial.maps",
                "# t_real=1000.0 tgid=100\n"
                "7f0000000000-7f0000002000 rw-p 00000000 00:00 0    [anon: a:b]\n"
                "7f0000002000-7f0000003000 rw-s 00000000 00:01 77   [anon_shmem:c]\n");
    auto const program = load_program(files.path());
    CHECK(program.paths[program.initial[0].name] == " a:b");
    CHECK(program.initial[0].file.path == 0);
    CHECK(program.paths[program.initial[1].name] == "c");
    CHECK(program.paths[program.initial[1].file.path] == "/dev/zero (deleted)");
    CHECK(program.initial[1].file.shared_memory);
}

}  // namespace manylock::replay

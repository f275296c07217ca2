// Bad input of every kind gives one sentence that names the file, and the line where there is one.

#include "replay/trace.hpp"
#include "temporary_program.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

namespace manylock::replay {
namespace {

std::string const good_line = "100 1001.000000 brk(NULL) = 0x600000 <0.000001>\n";
std::string const good_event = "100\t90\t100\t110\t120\t100\t100\tbrk\t0x600000\t0\t\n";

/// Loading must fail with a sentence that holds both texts.
void check_refused(std::filesystem::path const& directory, std::string const& file_and_line,
                   std::string const& reason, load_options const& options = {}) {
    std::string sentence = "nothing was refused";
    try {
        (void)load_program(directory, options);
    } catch (trace_error const& error) {
        sentence = error.what();
    }
    CAPTURE(file_and_line);
    CAPTURE(reason);
    CAPTURE(sentence);
    CHECK(sentence.find(file_and_line) != std::string::npos);
    CHECK(sentence.find(reason) != std::string::npos);
    CHECK(sentence.find('\n') == std::string::npos);
}

void check_line_refused(std::string const& line, std::string const& reason) {
    strace_program const files{good_line + line + "\n"};
    check_refused(files.path(), "trace.strace:2", reason);
    load_options options;
    options.skip_unknown = true;
    auto const program = load_program(files.path(), options);
    CHECK(program.notes.unknown_lines == 1);
    CHECK(program.items.size() == 1);
}

void check_event_refused(std::string const& line, std::string const& reason) {
    native_program const files{good_event + line + "\n"};
    check_refused(files.path(), "events.tsv:3", reason);
    load_options options;
    options.skip_unknown = true;
    auto const program = load_program(files.path(), options);
    CHECK(program.notes.unknown_lines == 1);
    CHECK(program.items.size() == 1);
}

void check_file_refused(std::string const& name, std::string const& text,
                        std::string const& reason) {
    strace_program const files{good_line};
    files.write(name, text);
    check_refused(files.path(), name, reason);
}

std::string const anonymous = "7f0000000000-7f0000002000 rw-p 00000000 00:00 0 \n";

}  // namespace

TEST_CASE("a directory that is missing, no directory, empty or ambiguous is refused") {
    temporary_directory const files;
    check_refused(files.path() / "nowhere", "nowhere", "is not a directory");
    files.write("file", "");
    check_refused(files.path() / "file", "file", "is not a directory");
    check_refused(files.path(), files.path().string(), "neither trace.strace nor events.tsv");
    strace_program const both{good_line};
    both.write("events.tsv", good_event);
    check_refused(both.path(), both.path().string(), "holds both");
}

TEST_CASE("each required file is asked for by name") {
    for (char const* const name : {"initial.maps", "final.maps"}) {
        strace_program const files{good_line};
        files.remove(name);
        check_refused(files.path(), name, "no such file");
    }
}

TEST_CASE("a directory or an empty file in a file's place is refused") {
    strace_program const files{good_line};
    files.remove("trace.strace");
    std::filesystem::create_directory(files.path() / "trace.strace");
    check_refused(files.path(), "trace.strace", "is not a regular file");
    check_file_refused("trace.strace", "", "holds no call of process 100");
    check_file_refused("initial.maps", "", "holds no maps row");
    check_file_refused("final.maps", "# t_real=2000.0\n", "holds no maps row");
    check_file_refused("initial.stat", "", "is not a line of /proc/PID/stat");
    native_program const native{""};
    check_refused(native.path(), "events.tsv", "holds no call");
}

TEST_CASE("a strace line that is none is refused, or counted when asked to") {
    check_line_refused("hello", "is not a line 'pid seconds call'");
    check_line_refused("100", "is not a line 'pid seconds call'");
    check_line_refused("100 1001.0", "is not a line 'pid seconds call'");
    check_line_refused("-5 1001.0 brk(NULL) = 0", "is not a line 'pid seconds call'");
    check_line_refused("99999999999 1001.0 brk(NULL) = 0", "is not a line 'pid seconds call'");
    check_line_refused("100 1001.0000000001 brk(NULL) = 0", "is not a line 'pid seconds call'");
    check_line_refused("100 99999999999999.0 brk(NULL) = 0", "is not a line 'pid seconds call'");
    check_line_refused("100 1001.1 what ever", "is not a system call");
    check_line_refused("100 1001.1 read(0, \"\", 0) = 0 <0.1>", "the call 'read'");
    check_line_refused("100 1001.1 \x01\x02(", "is not a system call");
}

TEST_CASE("a strace call with bad arguments or a bad result is refused") {
    check_line_refused("100 1001.1 brk(NULL)", "has no result");
    check_line_refused("100 1001.1 brk(NULL) = x <0.1>", "is not a result");
    check_line_refused("100 1001.1 brk(NULL) = 0 <0.1", "is not a result");
    check_line_refused("100 1001.1 brk(NULL) = 0 <-1>", "is not a result");
    check_line_refused("100 1001.1 brk(NULL) = 0x8000000000000000 <0.1>", "is not a result");
    check_line_refused("100 1001.1 brk(NULL) = -1 EWHAT (What) <0.1>", "is not a result");
    check_line_refused("100 1001.1 brk(0xzz) = 0 <0.1>", "are not those of brk");
    check_line_refused("100 1001.1 brk() = 0 <0.1>", "are not those of brk");
    check_line_refused("100 1001.1 munmap(1, 2, 3) = 0 <0.1>", "are not those of munmap");
    check_line_refused("100 1001.1 munmap(0x11111111111111111, 1) = 0 <0.1>", "of munmap");
    check_line_refused("100 1001.1 mprotect(0, 1, MAP_SHARED) = 0 <0.1>", "of mprotect");
    check_line_refused("100 1001.1 mprotect(0, 1, PROT_READ|) = 0 <0.1>", "of mprotect");
    check_line_refused("100 1001.1 mprotect(0, 1, 0x100000000) = 0 <0.1>", "of mprotect");
    check_line_refused("100 1001.1 mmap(NULL, 1) = 0 <0.1>", "are not those of mmap");
    check_line_refused("100 1001.1 mmap(0, 1, 1, 2, 3</a, 0) = 0 <0.1>", "are not those of mmap");
    check_line_refused("100 1001.1 mmap(0, 1, 1, 2, x, 0) = 0 <0.1>", "are not those of mmap");
    check_line_refused("100 1001.1 mremap(0, 1, 2) = 0 <0.1>", "are not those of mremap");
    check_line_refused("100 1001.1 clone(stack=NULL) = 7 <0.1>", "hold no flags=");
    check_line_refused("100 1001.1 <... brk resumed>) = 0 <0.1>", "resumes no unfinished call");
    check_line_refused("100 1001.1 <... brk", "resumes no unfinished call");
}

TEST_CASE("a call whose effect nothing models is refused when it succeeded") {
    check_line_refused("100 1001.1 shmat(1, NULL, 0) = 0x7f5000000000 <0.1>", "is not modelled");
    check_line_refused("100 1001.1 prctl(PR_SET_VMA, 1, 1, 2, 3) = 0 <0.1>", "is not modelled");
    check_line_refused("100 1001.1 prctl(0x53564d41 /* PR_??? */, 0, 1, 2, 3) = 0 <0.1>",
                       "is not modelled");
    check_line_refused("100 1001.1 pkey_mprotect(0x400000, 4096, PROT_READ, 3) = 0 <0.1>",
                       "is not modelled");
    check_line_refused(
        "100 1001.1 mbind(0x400000, 4096, MPOL_BIND, [1], 64, MPOL_MF_MOVE) = -1 EIO (Error) <0.1>",
        "could not move every page");
    strace_program const failed{good_line +
                                "100 1001.1 shmat(1, NULL, 0) = -1 EINVAL (Invalid) <0.1>\n"};
    CHECK(load_program(failed.path()).notes.other_calls == 1);
}

TEST_CASE("a name or a node mask that is not shown whole is refused when the call succeeded") {
    std::string const named = "100 1001.1 prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, ";
    check_line_refused(named + "0x400000, 4096, \"begin\"...) = 0 <0.1>", "a whole name");
    check_line_refused(named + "0x400000, 4096, 0x7ff) = 0 <0.1>", "a whole name");
    check_line_refused(named + "x, 4096, \"a\") = 0 <0.1>", "a whole name");
    check_line_refused(named + "0x400000) = 0 <0.1>", "a whole name");
    std::string const bound = "100 1001.1 mbind(0x400000, 4096, MPOL_BIND, ";
    check_line_refused(bound + "0x7ff, 64, 0) = 0 <0.1>", "node mask");
    check_line_refused(bound + "[1, ...], 64, 0) = 0 <0.1>", "node mask");
    check_line_refused(bound + "[1, 64, 0) = 0 <0.1>", "are not those of mbind");
    check_line_refused(bound + "[1], 64) = 0 <0.1>", "are not those of mbind");
}

TEST_CASE("an execve of the root after the snapshot is refused") {
    strace_program const files{
        "100 1001.0 execve(\"/bin/x\", [\"x\"], 0x7 /* 1 var */) = 0 <0.1>\n"};
    check_refused(files.path(), "trace.strace:1", "replaces its address space");
    native_program const native{"100\t90\t100\t110\t120\t100\t100\texecve\t0\t\t\n"};
    check_refused(native.path(), "events.tsv:2", "replaces its address space");
}

TEST_CASE("a second call of a thread that is still in one is refused") {
    strace_program const files{
        "100 1001.1 brk(NULL <unfinished ...>\n"
        "100 1001.2 munmap(0x7f0000000000, 4096) = 0 <0.1>\n"};
    check_refused(files.path(), "trace.strace:2", "while an earlier call of it is unfinished");
}

TEST_CASE("an event row that is none is refused, or counted when asked to") {
    check_event_refused("hello", "fields instead of 11");
    check_event_refused("a\tb\tc\td\te\tf\tg\tbrk\t0\t0\t", "does not begin with five times");
    check_event_refused("1\t1\t1\t1\t1\t100\tx\tbrk\t0\t0\t", "does not begin with five times");
    check_event_refused("1\t1\t1\t1\t1\t100\t100\tread\t0\t0\t", "the call 'read'");
    check_event_refused("1\t1\t1\t1\t1\t100\t100\tbrk\t-5000\t0\t", "are no numbers");
    check_event_refused("1\t1\t1\t1\t1\t100\t100\tbrk\t0x8000000000000000\t0\t", "are no numbers");
    check_event_refused("1\t1\t1\t1\t1\t100\t100\tbrk\t0\tzz\t", "are no numbers");
    check_event_refused("1\t1\t1\t1\t1\t100\t100\tmmap\t0\t1,2,3,4,5,6,7\t", "are no numbers");
    check_event_refused("1\t1\t1\t1\t1\t100\t100\tmunmap\t0\t1\t", "are not those of munmap");
    check_event_refused("1\t1\t1\t1\t1\t100\t100\tshmat\t0\t1,0,0\t", "is not modelled");
    check_event_refused("1\t1\t1\t1\t1\t100\t100\tprctl\t0\t53564d41,0,400000,1000,7ff\t",
                        "is not modelled");
    check_event_refused("1\t1\t1\t1\t1\t100\t100\tmbind\t0\t400000,1000,2,7ff,40,0\t",
                        "does not say which nodes");
}

TEST_CASE("an event whose file column is none is refused") {
    native_program const files{
        "100\t90\t100\t110\t120\t100\t100\tmmap\t0x7f3000000000\t0,1000,1,2,3,0\tfe|x\n"};
    check_refused(files.path(), "events.tsv:2", "is not a mapping");
}

TEST_CASE("maps rows are checked field by field") {
    check_file_refused("final.maps", "zz-7f0000002000 rw-p 00000000 00:00 0\n", "the range");
    check_file_refused("final.maps", "7f0000002000-7f0000000000 rw-p 0 00:00 0\n", "the range");
    check_file_refused("final.maps", "7f0000000001-7f0000002000 rw-p 0 00:00 0\n", "the range");
    check_file_refused("final.maps", "7f0000000000 rw-p 00000000 00:00 0\n", "the range");
    check_file_refused("final.maps", "1000-2000 rwxz 00000000 00:00 0\n", "the permissions");
    check_file_refused("final.maps", "1000-2000 rw 00000000 00:00 0\n", "the permissions");
    check_file_refused("final.maps", "1000-2000 rw-p xx 00:00 0\n", "the offset");
    check_file_refused("final.maps", "1000-2000 rw-p 0 0000 0\n", "the device");
    check_file_refused("final.maps", "1000-2000 rw-p 0 00:00 x\n", "the inode");
    check_file_refused("final.maps", "1000-2000 rw-p\n", "the offset");
    check_file_refused("final.maps", "\n", "the range");
    check_file_refused("initial.maps", anonymous + anonymous, "overlaps the one before");
    check_file_refused("initial.maps", "# t_real=x tgid=100\n" + anonymous, "snapshot time");
    check_file_refused("initial.maps", "# t_real=5..4 tgid=100\n" + anonymous, "snapshot time");
    check_file_refused("initial.maps", "# t_real=1 tgid=x\n" + anonymous, "is not a number");
    check_file_refused("initial.maps", anonymous, "its header must say");
    check_file_refused("checkpoint0.maps", anonymous, "says no time");
}

TEST_CASE("the files beside the maps are checked against them") {
    std::string const row =
        "400000-401000 r-xp 00000000 fe:01 7                          /bin/tiny";
    check_file_refused("initial.vmflags", row + "\tVmFlags=rd ex\n", "fewer rows");
    check_file_refused("initial.vmflags", "1000-2000 rw-p 0 00:00 0\tVmFlags=rd\n", "is not row 1");
    check_file_refused("initial.vmflags", row + "\tVmFlags=rdx\n", "two-letter flags");
    check_file_refused("initial.vmflags", row + "\tAnonymous=x\n", "not a number of kB");
    check_file_refused("initial.vmflags", row + "\tWhat=1\n", "neither Anonymous nor VmFlags");
    check_file_refused("initial.stat", "1 (x) t 2 3\n", "field 28");
    check_file_refused("initial.stat", "1 (x)", "is not a line of /proc/PID/stat");
    check_file_refused("faults.txt", "x 100 7f 6\n", "is not a fault");
    check_file_refused("faults.txt", "1.0 100 fffffffffffffffff 6\n", "is not a fault");
    check_file_refused("faults.txt", "1.0 100 ffffffffffffffff 6\n", "is not a fault");
    check_file_refused("faults.txt", "1.0 100 7f\n", "is not a fault");
    check_file_refused("order.tsv", "x\t100\tbrk\n", "is not a line 'dt_us tid call'");
    check_file_refused("order.tsv", "1.0\t100\n", "is not a line 'dt_us tid call'");
    check_file_refused("order.tsv", "2.0\t100\tbrk\n1.0\t100\tbrk\n", "go backwards");
    check_file_refused("mmap2.tsv", "1\t100\n", "is not a line 't_us tid");
    check_file_refused("mmap2.tsv", "1\t100\t1000\t1000\t0\tx\t0\trw-p\t/a\n", "is not a line");
}

TEST_CASE("an order.tsv of another run is noticed") {
    strace_program const files{good_line};
    files.write("order.tsv", "7000000.0\t100\tbrk\n");
    check_refused(files.path(), "trace.strace:1", "it is not of this recording");
}

TEST_CASE("broken compression is refused, wherever it breaks") {
    strace_program const files{good_line};
    std::string text;
    for (int count = 0; count < 2000; ++count) text += good_line;
    files.remove("trace.strace");
    files.write_gzip("trace.strace.gz", text);
    std::string const whole = files.read("trace.strace.gz");
    for (std::size_t const length : {std::size_t{1}, std::size_t{9}, std::size_t{20},
                                     whole.size() / 2, whole.size() - 9, whole.size() - 1}) {
        files.write("trace.strace.gz", whole.substr(0, length));
        check_refused(files.path(), "trace.strace.gz", "gzip file");
    }
    files.write("trace.strace.gz", whole + "garbage");
    check_refused(files.path(), "trace.strace.gz", "gzip file");
    files.write("trace.strace.gz", good_line);
    check_refused(files.path(), "trace.strace.gz", "gzip file");
    files.write("trace.strace.gz", "");
    check_refused(files.path(), "trace.strace.gz", "gzip file");
    files.remove("trace.strace.gz");
    for (char const* const bytes : {"",
                                    "\xfd"
                                    "7zXZ",
                                    "no xz at all"}) {
        files.write("trace.strace.xz", bytes);
        check_refused(files.path(), "trace.strace.xz", "xz file");
    }
}

TEST_CASE("an xz file cut in its middle is refused in every place that may hold one") {
    std::ifstream in{MANYLOCK_SOURCE_DIR "/stress/replay/recorded/sqlite3/faults.txt.xz",
                     std::ios::binary};
    std::string const whole{std::istreambuf_iterator<char>{in}, {}};
    REQUIRE(whole.size() > 1000);
    for (std::size_t const length : {whole.size() / 2, whole.size() - 1}) {
        strace_program const files{good_line};
        files.write("faults.txt.xz", whole.substr(0, length));
        load_options options;
        options.skip_unknown = true;  // its lines are of another thread
        check_refused(files.path(), "faults.txt.xz", "xz file", options);
        native_program const native{good_event};
        native.remove("events.tsv");
        native.write("events.tsv.xz", whole.substr(0, length));
        check_refused(native.path(), "events.tsv.xz", "xz file", options);
    }
}

TEST_CASE("an endless line is refused after its first MiB") {
    constexpr std::uintmax_t gigabyte = std::uintmax_t{1} << 30U;
    std::string member;
    {
        temporary_directory const scratch;
        scratch.write_gzip("x.gz", std::string(std::size_t{1} << 20U, 'x'));
        member = scratch.read("x.gz");
    }
    std::string compressed;  // a gzip file may be many, one after another
    for (int count = 0; count < 1024; ++count) compressed += member;
    strace_program const files{good_line};
    native_program const native{good_event};
    for (auto const& [directory, name] :
         {std::pair{files.path(), "trace.strace"}, std::pair{files.path(), "initial.maps"},
          std::pair{files.path(), "final.vmflags"}, std::pair{native.path(), "events.tsv"},
          std::pair{native.path(), "faults.txt"}}) {
        auto const place = directory / name;
        auto const aside = directory / "aside";
        bool const there = std::filesystem::exists(place);
        if (there) std::filesystem::rename(place, aside);
        std::ofstream{place.string() + ".gz", std::ios::binary} << compressed;
        check_refused(directory, std::string{name} + ".gz:1", "longer than 1048576 bytes");
        std::filesystem::remove(place.string() + ".gz");
        std::ofstream{place};
        std::filesystem::resize_file(place, gigabyte);  // sparse: takes no room
        check_refused(directory, std::string{name} + ":1", "longer than 1048576 bytes");
        std::filesystem::remove(place);
        if (there) std::filesystem::rename(aside, place);
    }
}

TEST_CASE("a directory or garbage in any file's place is refused by name in both forms") {
    using namespace std::string_literals;
    strace_program const files{good_line};
    native_program const native{good_event};
    auto const check = [](std::filesystem::path const& directory, std::string const& name) {
        CAPTURE(name);
        auto const place = directory / name;
        auto const aside = directory / "aside";
        bool const there = std::filesystem::exists(place);
        if (there) std::filesystem::rename(place, aside);
        std::filesystem::create_directory(place);
        check_refused(directory, name, "is not a regular file");
        std::filesystem::remove(place);
        for (auto const& garbage : {"\x89PNG\r\n\x1a\n"s, "\xff\xfe\xfd \t\t\x80"s, "\x01"s}) {
            std::ofstream{place, std::ios::binary} << garbage;
            check_refused(directory, name + ":1", "");
        }
        std::ofstream{place, std::ios::binary} << "a\0b"s;
        check_refused(directory, name + ":1", "NUL byte");
        std::filesystem::remove(place);
        if (there) std::filesystem::rename(aside, place);
    };
    for (char const* const name :
         {"trace.strace", "initial.maps", "final.maps", "initial.vmflags", "final.vmflags",
          "initial.stat", "order.tsv", "mmap2.tsv", "faults.txt", "checkpoint0.maps"}) {
        check(files.path(), name);
    }
    for (char const* const name : {"events.tsv", "initial.maps", "final.maps", "initial.vmflags",
                                   "initial.stat", "faults.txt", "checkpoint0.maps"}) {
        check(native.path(), name);
    }
}

TEST_CASE("rows out of order are refused") {
    std::string const low = "1000-2000 rw-p 00000000 00:00 0\n";
    check_file_refused("initial.maps", anonymous + low, "overlaps the one before");
    check_file_refused("final.maps", anonymous + low, "or is out of order");
    check_file_refused("checkpoint0.maps", anonymous + low, "or is out of order");
}

TEST_CASE("lines, files and recordings have a size that they may not pass") {
    strace_program const files{good_line + std::string((std::size_t{1} << 20) + 1, 'x')};
    check_refused(files.path(), "trace.strace:2", "longer than 1048576 bytes");
    strace_program const small{good_line + good_line + good_line};
    load_options options;
    options.max_file_bytes = 100;
    check_refused(small.path(), "trace.strace", "more than 100 bytes", options);
    options = {};
    options.max_items = 2;
    check_refused(small.path(), "trace.strace:3", "more than 2", options);
}

TEST_CASE("binary input is refused") {
    using namespace std::string_literals;
    check_file_refused("trace.strace",
                       "\x7f"
                       "ELF\0\0\0"s,
                       "NUL byte");
    check_file_refused("final.maps", "\0\0\0\0"s, "NUL byte");
    check_file_refused("faults.txt", "\xff\xfe\n", "is not a fault");
}

// No oracle but this: whatever is done to a good file, the reader ends in a program or in a
// trace_error.
TEST_CASE("a good recording with any one byte changed or cut off never crashes the reader") {
    std::string const calls =
        "100 1001.0 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3</a>, 0) = 0x7f3000000000 <0.1>\n"
        "100 1001.1 clone3({flags=CLONE_VM|CLONE_THREAD} => {}, 88) = 101 <0.1>\n"
        "101 1001.2 brk(NULL <unfinished ...>\n101 1001.3 <... brk resumed>) = 0 <0.1>\n";
    strace_program const files{calls};
    files.write("mmap2.tsv", "1000000\t100\t7f3000000000\t1000\t0\tfe:01\t42\tr--p\t/a\n");
    files.write("order.tsv", "1000000.0\t100\tmmap\n");
    files.write("faults.txt", "1000000.0 100 7f0000000 6\n");
    (void)load_program(files.path());
    for (char const* const name :
         {"trace.strace", "mmap2.tsv", "order.tsv", "faults.txt", "initial.maps"}) {
        std::string const good = files.read(name);
        for (std::size_t at = 0; at < good.size(); ++at) {
            for (char const byte : {'\n', ' ', '9', '<', '\\'}) {
                std::string changed = good;
                changed[at] = byte;
                files.write(name, changed);
                try {
                    (void)load_program(files.path());
                } catch (trace_error const&) {
                }
            }
            files.write(name, good.substr(0, at));
            try {
                (void)load_program(files.path());
            } catch (trace_error const&) {
            }
        }
        files.write(name, good);
    }
    CHECK(load_program(files.path()).items.size() == 3);
}

TEST_CASE("the native form with any one byte changed or cut off never crashes the reader") {
    native_program const files{
        "100\t90\t100\t110\t120\t100\t100\tmmap\t0x7f3000000000\t0,1000,1,2,3,0\t"
        "fe:01|42|0|7f3000000000|1000|r--p|/a\n"};
    CHECK(load_program(files.path()).items.size() == 1);
    std::string const good = files.read("events.tsv");
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (char const byte : {'\n', '\t', '9', '-', '|', ','}) {
            std::string changed = good;
            changed[at] = byte;
            files.write("events.tsv", changed);
            try {
                (void)load_program(files.path());
            } catch (trace_error const&) {
            }
        }
        files.write("events.tsv", good.substr(0, at));
        try {
            (void)load_program(files.path());
        } catch (trace_error const&) {
        }
    }
}

}  // namespace manylock::replay

// Goal:   what the program writes replaces regular files only, all of a result or nothing of it, and whatever ends it
//         leaves no half of anything.
// Method: results onto a FIFO, a directory, a link; a file that may not grow; signals; standard output without room.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>

#include "program.hpp"

using namespace manylock::stress::testing;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> quick_run(fs::path const& out) {
    return {"run",       "--workload", "uniform",  "--policy", "no_wait", "--threads", "1",
            "--seconds", "0.001",      "--rounds", "1",        "--out",   out.string()};
}
void refuses(finished const& f) {
    CHECK(f.status == 2);
    CHECK(f.err.ends_with('\n'));
    CHECK(f.err.find("manylock-stress: ") != std::string::npos);
}
std::string first_recording() {
    std::vector<std::string> names;
    for (auto const& entry :
         fs::directory_iterator(MANYLOCK_SOURCE_DIR "/stress/replay/recorded")) {
        if (entry.is_directory()) names.push_back(entry.path().filename().string());
    }
    return *std::min_element(names.begin(), names.end());
}
bool is_clean(fs::path const& directory) {
    for (auto const& entry : fs::directory_iterator(directory)) {
        if (entry.path().string().find(".tmp") != std::string::npos) return false;
    }
    return true;
}

}  // namespace

TEST_SUITE_BEGIN("outputs");

TEST_CASE("no FIFO, directory or dangling link is replaced by a result") {
    temporary_directory const place;
    SUBCASE("FIFO") {
        REQUIRE(::mkfifo((place / "results.csv").c_str(), 0600) == 0);
    }
    SUBCASE("directory") {
        fs::create_directory(place / "results.csv");
    }
    SUBCASE("link to nothing") {
        fs::create_symlink(place / "gone", place / "results.csv");
    }
    SUBCASE("socket") {
        sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
        auto const path = (place / "results.csv").string();
        REQUIRE(path.size() < sizeof name.sun_path);
        std::copy(path.begin(), path.end(), name.sun_path);
        int const fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        REQUIRE(::bind(fd, reinterpret_cast<sockaddr const*>(&name), sizeof name) == 0);
        ::close(fd);
    }
    auto const before = fs::symlink_status(place / "results.csv").type();
    auto endless = quick_run(place.path());
    endless.insert(endless.end(), {"--seconds", "3000"});  // refused before anything is measured
    refuses(run_program(endless));
    CHECK(fs::symlink_status(place / "results.csv").type() == before);
    CHECK(entries(place.path()) == 1);
}

TEST_CASE("a link to a regular file stays, and what it names is written") {
    temporary_directory const place;
    temporary_directory const elsewhere;
    write_text(elsewhere / "kept.csv", "old");
    fs::create_symlink(elsewhere / "kept.csv", place / "results.csv");
    CHECK(run_program(quick_run(place.path())).status == 0);
    CHECK(fs::is_symlink(place / "results.csv"));
    CHECK(file_text(elsewhere / "kept.csv").starts_with("policy,workload"));
    CHECK((is_clean(place.path()) && is_clean(elsewhere.path())));
}

TEST_CASE("a result is replaced whole or not at all") {
    temporary_directory const place;
    write_text(place / "results.csv", "old");
    fs::create_directory(place / "results.json");  // the second file cannot be written
    refuses(run_program(quick_run(place.path())));
    CHECK(file_text(place / "results.csv") == "old");
    CHECK(entries(place.path()) == 2);
}

TEST_CASE("a file that may not grow is an error, and nothing is left") {
    temporary_directory const place;
    auto command = quick_run(place / "out");
    std::string line = "ulimit -f 1; exec " + program_path();
    for (auto const& word : command) line += " '" + word + "'";
    // More rows than fit one block.
    line += " --threads 1,2,3,4 --rounds 9 --policy all >/dev/null 2>/dev/null";
    CHECK(run_command({"/bin/bash", "-c", line}).status == 2);
    CHECK((!fs::exists(place / "out") || entries(place / "out") == 0));
}

TEST_CASE("whatever ends a command, it leaves nothing and its status says so") {
    std::string const recording =
        MANYLOCK_SOURCE_DIR "/stress/replay/recorded/" + first_recording();
    std::vector<std::vector<std::string>> const commands{
        {"run", "--workload", "zipf", "--policy", "wound_wait", "--seconds", "60", "--rounds", "1",
         "--threads", "2"},
        {"simulate", "--workload", "zipf", "--policy", "wound_wait", "--cores", "64", "--commits",
         "10000000"},
        {"replay", recording, "--repeat", "1000"},
        {"suite", "--seconds", "60"},
        {"calibrate"}};
    for (int const signal : {SIGINT, SIGTERM, SIGHUP}) {
        for (auto command : commands) {
            temporary_directory const place;
            bool const one_file = command.front() == "calibrate";
            command.insert(command.end(),
                           {"--out", (place / (one_file ? "costs.txt" : "out")).string()});
            child running(command);
            while (running.out_so_far().empty()) std::this_thread::yield();  // it has begun
            ::kill(running.pid(), signal);
            auto const f = running.wait();
            CAPTURE(command.front());
            CAPTURE(f.err);
            CHECK(f.status == 130);
            CHECK(f.err.find("manylock-stress: interrupted; nothing was written\n") !=
                  std::string::npos);
            CHECK((one_file ? entries(place.path()) == 0
                            : !fs::exists(place / "out") || entries(place / "out") == 0));
        }
    }
}

TEST_CASE("a signal ends a soak as its time does") {
    child running({"run", "--forever", "--workload", "uniform", "--policy", "no_wait"});
    while (running.out_so_far().find("round 1") == std::string::npos) std::this_thread::yield();
    ::kill(running.pid(), SIGTERM);
    auto const f = running.wait();
    CHECK(f.status == 0);
    CHECK(f.out.find("soak: ") != std::string::npos);
}

TEST_CASE("a signal ends a report, and its gnuplot, and leaves the results") {
    temporary_directory const place;
    REQUIRE(run_program(quick_run(place.path())).status == 0);
    auto const before = entries(place.path());
    temporary_directory const tools;
    write_text(tools / "gnuplot",
               "#!/bin/sh\necho $$ >'" + (tools / "begun").string() + "'\nexec sleep 600\n");
    fs::permissions(tools / "gnuplot", fs::perms::owner_all);
    std::vector<std::string> const environment{"PATH=" + tools.path().string() + ":/usr/bin:/bin"};
    child running({"report", place.path().string()}, &environment);
    while (file_text(tools / "begun").empty()) std::this_thread::yield();
    ::kill(running.pid(), SIGTERM);
    auto const f = running.wait();
    CAPTURE(f.err);
    CHECK(f.status == 130);
    CHECK(entries(place.path()) == before);
    auto const gnuplot = std::stoi(file_text(tools / "begun"));
    CHECK((::kill(gnuplot, 0) != 0 && errno == ESRCH));
}

TEST_CASE("new results take the graphs of the old ones away, and nothing else") {
    temporary_directory const place;
    REQUIRE(run_program(quick_run(place.path())).status == 0);
    REQUIRE(run_program({"report", place.path().string()}).status == 0);
    REQUIRE(fs::exists(place / "uniform-throughput.svg"));
    write_text(place / "other-throughput.svg", "the user's");
    auto other = quick_run(place.path());
    std::replace(other.begin(), other.end(), std::string{"uniform"}, std::string{"zipf"});
    REQUIRE(run_program(other).status == 0);
    CHECK(!fs::exists(place / "uniform-throughput.svg"));
    CHECK(!fs::exists(place / "report.html"));
    CHECK(entries(place.path()) == 3);
    CHECK(file_text(place / "other-throughput.svg") == "the user's");
}

TEST_CASE("a name may be as long as the file system has it") {
    temporary_directory const place;
    auto const f = run_program(
        {"calibrate", "--seconds", "0.05", "--out", (place / std::string(255, 'c')).string()});
    CAPTURE(f.err);
    CHECK(f.status == 0);
    CHECK(entries(place.path()) == 1);
}

TEST_CASE("standard output without room is an error") {
    for (auto const* const arguments : {"list", "--help", "run --help"}) {
        auto const f =
            run_command({"/bin/bash", "-c", program_path() + " " + arguments + " >/dev/full"});
        CAPTURE(arguments);
        CHECK(f.status == 2);
        CHECK(is_one_sentence(f.err));
    }
}

TEST_CASE("what the user gave is shown on one line of bearable length") {
    for (auto const& name :
         {std::string(5'000, 'x'), std::string("a\nb\x01 c"), std::string(300, '/')}) {
        auto const f = run_program({"run", "--workload", name});
        CHECK(f.status == 2);
        CHECK(is_one_sentence(f.err));
        CHECK(f.err.size() < 700);
    }
    auto const f = run_program(quick_run(std::string(300, 'd')));
    refuses(f);
}

TEST_CASE("names in results that graphs could not show are refused") {
    for (auto const* const name : {"50%d", "<b>", "\"", "a\\b", "\x01", "\xff\xfe", "a'b"}) {
        temporary_directory const place;
        REQUIRE(run_program(quick_run(place.path())).status == 0);
        auto text = file_text(place / "results.csv");
        auto const at = text.find("\nno_wait,");
        REQUIRE(at != std::string::npos);
        write_text(place / "results.csv", text.replace(at + 1, 7, name));
        auto const f = run_program({"report", place.path().string()});
        CAPTURE(name);
        CHECK(f.status == 2);
        CHECK(is_one_sentence(f.err));
    }
}

TEST_CASE("too many workloads for a report are refused at once") {
    temporary_directory const place;
    REQUIRE(run_program(quick_run(place.path())).status == 0);
    auto const text = file_text(place / "results.csv");
    auto const row = text.substr(text.find('\n') + 1);
    auto all = text;
    for (int i = 0; i < 3'000; ++i) {
        auto more = row;
        all += more.replace(row.find("uniform"), 7, "w" + std::to_string(i));
    }
    write_text(place / "results.csv", all);
    for (auto const& command :
         {std::vector<std::string>{"report", place.path().string()},
          std::vector<std::string>{"report", place.path().string(), place.path().string()}}) {
        auto const f = run_program(command);
        CHECK(f.status == 2);
        CHECK(is_one_sentence(f.err));
        CHECK(f.err.find("3001 workloads") != std::string::npos);
    }
}

TEST_CASE("no byte of a result makes a graph that is no XML") {
    temporary_directory const place;
    REQUIRE(run_program(quick_run(place.path())).status == 0);
    auto json = file_text(place / "results.json");
    auto const at = json.find("\"commit\": \"") + 11;
    write_text(place / "results.json", json.insert(at, "\\u0001<&\\uffff"));
    REQUIRE(run_program({"report", place.path().string()}).status == 0);
    auto const well_formed =
        run_command({"/usr/bin/env", "python3", "-c",
                     "import sys, xml.dom.minidom as d\nfor f in sys.argv[1:]: d.parse(f)",
                     (place / "uniform-throughput.svg").string()});
    CAPTURE(well_formed.err);
    CHECK(well_formed.status == 0);
}

TEST_SUITE_END();

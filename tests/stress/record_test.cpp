// stress/replay/record, run as its users run it: what it refuses, that it leaves nothing behind, and, where strace
// may trace, that a recording of a small command replays to the kernel's own maps.
#include "program.hpp"

#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace manylock::stress::testing {
namespace {

constexpr char const* script = MANYLOCK_SOURCE_DIR "/stress/replay/record";

std::vector<std::string> recording(std::vector<std::string> const& arguments) {
    std::vector<std::string> command{script};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
}

void check_refused(finished const& result, std::string const& part) {
    CAPTURE(result.err);
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK(result.err.starts_with("record: "));
    CHECK(result.err.find('\n') == result.err.size() - 1);
    CHECK(result.err.find(part) != std::string::npos);
}

/// Is there an strace, and may it trace?
bool can_trace() {
    return std::system("strace -o /dev/null -e inject=exit_group:delay_enter=1 true 2>/dev/null") ==
           0;
}

}  // namespace

TEST_SUITE("stress/record") {
    TEST_CASE("record refuses wrong usage in one sentence and makes nothing") {
        temporary_directory const place;
        auto const there = place.path().string();
        auto const target = (place / "new").string();
        auto const refused = [](std::vector<std::string> const& arguments,
                                std::string const& part) {
            check_refused(run_command(recording(arguments)), part);
        };
        refused({}, "usage: record DIR -- COMMAND");
        refused({target, "true"}, "the word --");
        refused({target, "--"}, "a command to be recorded is missing");
        refused({there, "--", "true"}, "exists already");
        refused({target, "--", "/nonexistent/command"}, "is not found");
        refused({(place / "no/such").string(), "--", "true"}, "is not a directory");
        CHECK(entries(place.path()) == 0);
        // A PATH with the tools that come first, and without strace.
        auto const tools = place / "tools";
        std::filesystem::create_directory(tools);
        for (std::string const tool : {"dirname", "uname"})
            std::filesystem::create_symlink("/usr/bin/" + tool, tools / tool);
        check_refused(run_command({"/usr/bin/env", "PATH=" + tools.string(), "/bin/bash", script,
                                   target, "--", "/bin/true"}),
                      "strace is not installed");
        CHECK(entries(place.path()) == 1);  // the tools
        CHECK(run_command(recording({"--help"})).out.starts_with("usage: "));
    }

    TEST_CASE("a command without an orderly end leaves no recording") {
        if (!can_trace()) {
            MESSAGE("skipped: strace is not there or may not trace");
            return;
        }
        temporary_directory const place;
        auto const result =
            run_command(recording({(place / "new").string(), "--", "/bin/sh", "-c", "kill -9 $$"}));
        check_refused(result, "nothing was recorded");
        CHECK(entries(place.path()) == 0);
    }

    TEST_CASE("an interrupted recording leaves nothing") {
        if (!can_trace()) {
            MESSAGE("skipped: strace is not there or may not trace");
            return;
        }
        temporary_directory const place;
        auto const mark = place / "mark";
        REQUIRE(::mkfifo(mark.c_str(), 0600) == 0);
        child running(recording({(place / "new").string(), "--", "/bin/sh", "-c",
                                 "echo begun >" + mark.string() + "; sleep 60"}),
                      nullptr, true);
        std::string begun;
        std::getline(std::ifstream{mark}, begun);  // a pipe: waits for the command without spinning
        CHECK(::kill(running.pid(), SIGTERM) == 0);
        auto const result = running.wait();
        CAPTURE(result.err);
        CHECK(result.status == 130);
        CHECK(result.err.find("interrupted") != std::string::npos);
        CHECK(entries(place.path()) == 1);  // the mark
    }

    TEST_CASE("a recorded command replays to the kernel's maps") {
        if (!can_trace()) {
            MESSAGE("skipped: strace is not there or may not trace");
            return;
        }
        temporary_directory const place;
        auto const target = (place / "new").string();
        auto const recorded = run_command(recording({target, "--", "/bin/ls", "/"}));
        if (recorded.err.find("the machine is too busy") != std::string::npos) {
            MESSAGE("skipped: the machine is too busy to read maps in time");
            return;
        }
        CAPTURE(recorded.err);
        REQUIRE(recorded.status == 0);
        CHECK(recorded.out.ends_with("recorded: " + target + "\n"));
        CHECK(entries(place.path()) == 1);
        auto const replayed = run_program({"replay", target, "--policy", "no_wait", "--check",
                                           "--out", (place / "out").string()});
        CAPTURE(replayed.err);
        CAPTURE(replayed.out);
        CHECK(replayed.status == 0);
        CHECK(replayed.out.find("checks: 1 ok, 0 failed") != std::string::npos);
    }
}

}  // namespace manylock::stress::testing

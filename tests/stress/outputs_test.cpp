// Goal:   what the program writes replaces regular files only, all of a result or nothing of it, and whatever ends it
//         leaves no half of anything.
// Method: results onto a FIFO, a directory, a link; a file that may not grow; signals; standard output without room.
#include <doctest/doctest.h>

#include <csignal>
#include <sys/stat.h>
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
    auto const before = fs::symlink_status(place / "results.csv").type();
    refuses(run_program(quick_run(place.path())));
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
    for (int const signal : {SIGINT, SIGTERM, SIGHUP}) {
        for (auto const* const command : {"run", "simulate"}) {
            temporary_directory const place;
            std::vector<std::string> arguments{command,
                                               "--workload",
                                               "zipf",
                                               "--policy",
                                               "wound_wait",
                                               "--out",
                                               (place / "out").string()};
            if (command == std::string{"run"}) {
                arguments.insert(arguments.end(),
                                 {"--seconds", "60", "--rounds", "1", "--threads", "2"});
            } else {
                arguments.insert(arguments.end(), {"--cores", "64", "--commits", "10000000"});
            }
            child running(arguments);
            while (running.out_so_far().empty()) std::this_thread::yield();  // it has begun
            ::kill(running.pid(), signal);
            auto const f = running.wait();
            CAPTURE(command);
            CHECK(f.status == 130);
            CHECK((!fs::exists(place / "out") || entries(place / "out") == 0));
        }
    }
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

TEST_CASE("stress/run answers before it builds, and knows the options of suite") {
    std::string const script = MANYLOCK_SOURCE_DIR "/stress/run";
    auto const help = run_command({"/bin/bash", script, "--help"});
    CHECK(help.status == 0);
    CHECK(help.err.empty());
    auto const wrong = run_command({"/bin/bash", script, "--nonsense"});
    CHECK(wrong.status == 2);
    CHECK(wrong.err.starts_with("stress/run: unknown option --nonsense"));
    auto const suite = run_program({"suite", "--help"}).out;
    for (std::size_t at = suite.find("\n  --"); at != std::string::npos;
         at = suite.find("\n  --", at + 1)) {
        auto const option = suite.substr(at + 3, suite.find_first_of(" \n", at + 3) - at - 3);
        CAPTURE(option);
        CHECK(help.out.find(" " + option) != std::string::npos);
    }
}

TEST_SUITE_END();

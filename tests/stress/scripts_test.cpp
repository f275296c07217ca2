// Every script answers --help and a wrong option at once: before it installs, configures, builds or measures.
#include "program.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace manylock::stress::testing {
namespace {

constexpr char const* scripts[] = {
    "stress/run",
    "stress/bench/contest-page",
    "stress/bench/detector-page",
    "stress/bench/instructions",
    "stress/replay/record",
    "stress/replay/results",
    "stress/simulate/limits",
    "stress/simulate/must-match",
    "stress/simulate/scaling",
    "stress/simulate/speed",
    "stress/simulate/three-answers",
    "stress/simulate/validate",
    "tests/address_space/long_run",
    "tests/arm64",
    "tests/replay/repeat",
    "tests/run",
    "tests/soak",
};

/// A PATH on which whatever installs or builds only leaves a mark.
class watched_path {
public:
    watched_path() {
        for (auto const* name :
             {"apt-get", "cmake", "dpkg-query", "g++", "make", "ninja", "sudo"}) {
            write_text(place_ / name, "#!/bin/sh\necho " + std::string(name) + " >>'" +
                                          mark().string() + "'\nexit 1\n");
            std::filesystem::permissions(place_ / name, std::filesystem::perms::owner_all);
        }
        environment_ = {"PATH=" + place_.path().string() + ":/usr/local/bin:/usr/bin:/bin"};
    }
    [[nodiscard]] std::vector<std::string> const* environment() const { return &environment_; }
    [[nodiscard]] std::filesystem::path mark() const { return place_ / "mark"; }

private:
    temporary_directory place_;
    std::vector<std::string> environment_;
};

std::string path_of(std::string const& script) {
    return std::string(MANYLOCK_SOURCE_DIR) + '/' + script;
}

}  // namespace

TEST_SUITE("stress/scripts") {
    TEST_CASE("a script answers help and a wrong option before it does anything") {
        watched_path const path;
        for (auto const* script : scripts) {
            CAPTURE(script);
            auto const help = child({path_of(script), "--help"}, path.environment(), true).wait();
            CHECK(help.status == 0);
            CHECK(help.out.find("usage: ") != std::string::npos);
            CHECK(help.err.empty());
            auto const wrong =
                child({path_of(script), "--nonsense"}, path.environment(), true).wait();
            CHECK(wrong.status == 2);
            CHECK(wrong.out.empty());
            CHECK(std::count(wrong.err.begin(), wrong.err.end(), '\n') == 1);
            CHECK_FALSE(std::filesystem::exists(path.mark()));
        }
    }

    TEST_CASE("stress/run refuses what the suite refuses, at once") {
        watched_path const path;
        for (auto const& arguments :
             std::vector<std::vector<std::string>>{{"extra"},
                                                   {"--out"},
                                                   {"--seconds", "1", "--rounds"},
                                                   {"--outer=x"},
                                                   {"-x"},
                                                   {"--rounds", "1", "2"}}) {
            auto whole = arguments;
            whole.insert(whole.begin(), path_of("stress/run"));
            auto const result = child(whole, path.environment(), true).wait();
            CAPTURE(result.err);
            CHECK(result.status == 2);
            CHECK(result.err.starts_with("stress/run: "));
            CHECK_FALSE(std::filesystem::exists(path.mark()));
        }
    }

    TEST_CASE("stress/run knows every option of the suite") {
        auto const help = run_program({"suite", "--help"}).out + run_program({"--help"}).out;
        auto const usage = run_command({path_of("stress/run"), "--help"}).out;
        for (std::size_t at = help.find("--"); at != std::string::npos;
             at = help.find("--", at + 2)) {
            auto const option =
                help.substr(at, help.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at) - at);
            if (option == "--help" || option.size() < 4) continue;
            CAPTURE(option);
            CHECK(usage.find('[' + option + ' ') != std::string::npos);
        }
    }
}

}  // namespace manylock::stress::testing

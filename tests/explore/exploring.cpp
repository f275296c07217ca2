#include "exploring.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <stdexcept>

#include <allocation.hpp>

namespace explore {

namespace {

std::string environment(char const* name) {
    auto const* const value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::uint64_t number(char const* name, std::uint64_t otherwise) {
    auto const text = environment(name);
    if (text.empty()) return otherwise;
    char* end = nullptr;
    auto const value = std::strtoull(text.c_str(), &end, 0);
    if (*end != '\0') {
        std::fprintf(stderr, "%s is '%s': it must be a whole number\n", name, text.c_str());
        std::exit(2);
    }
    return value;
}

struct counter {
    std::uint64_t schedules = 0;
    unsigned spaces = 0;
    unsigned exhausted = 0;
    ~counter() {
        if (schedules == 0) return;
        std::printf("schedules: %llu\n", static_cast<unsigned long long>(schedules));
        if (spaces != 0)
            std::printf("spaces of schedules exhausted: %u of %u\n", exhausted, spaces);
    }
};

}  // namespace

std::uint64_t seed() {
    static auto const chosen = [] {
        auto const value = number("MANYLOCK_SEED", std::random_device{}());
        std::printf("seed: %llu\n", static_cast<unsigned long long>(value));
        return value;
    }();
    return chosen;
}

std::uint64_t scaled(std::uint64_t n) {
    static auto const factor = number("MANYLOCK_FACTOR", 1);
    auto const wanted = n * factor;
    return manylock::test::sanitized ? wanted / 10 + 1 : wanted;
}

void count_schedules(std::uint64_t n, simulate::strategy by, bool exhausted) {
    static counter all;
    all.schedules += n;
    if (by == simulate::strategy::exhaustive) ++all.spaces;
    if (exhausted) ++all.exhausted;
}

bool asked_to_replay() {
    return !environment("MANYLOCK_SCHEDULE").empty() && !environment("MANYLOCK_SCRIPT").empty();
}
std::string script_to_replay() {
    return environment("MANYLOCK_SCRIPT");
}
std::string schedule_to_replay() {
    return environment("MANYLOCK_SCHEDULE");
}

std::string replay_command(std::string_view policy, std::string_view script,
                           simulate::schedule const& how) {
    std::string program;
    std::getline(std::ifstream{"/proc/self/cmdline"}, program, '\0');
    return "replay: MANYLOCK_SCRIPT='" + std::string{script} + "' MANYLOCK_SCHEDULE='" +
           how.text() + "' " + program + " '-tc=replays the schedule*<" + std::string{policy} +
           ">'";
}

}  // namespace explore

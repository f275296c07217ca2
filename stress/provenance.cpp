#include "provenance.hpp"

#include "input_error.hpp"

#include <sched.h>
#include <sys/utsname.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

// The build defines these two; a build by hand does not have to.
#ifndef MANYLOCK_BUILD_COMMIT
#define MANYLOCK_BUILD_COMMIT "unknown"
#endif
#ifndef MANYLOCK_BUILD_FLAGS
#define MANYLOCK_BUILD_FLAGS "unknown"
#endif

namespace manylock::stress {
namespace {

std::string compiler_name() {
#if defined(__clang__)
    return std::string("clang ") + __clang_version__;
#else
    return std::string("g++ ") + __VERSION__;
#endif
}

std::string cpu_name(std::string const& machine) {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
        // x86-64 says "model name"; arm64 has no such line and goes by its machine name.
        if (!line.starts_with("model name")) continue;
        auto const colon = line.find(':');
        if (colon == std::string::npos) continue;
        auto const start = line.find_first_not_of(' ', colon + 1);
        if (start != std::string::npos) return line.substr(start);
    }
    return machine;
}

std::string quoted(std::string const& argument) {
    auto const plain = argument.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "0123456789_-+=./:,@%") == std::string::npos;
    if (plain && !argument.empty()) return argument;
    std::string text = "'";
    for (char const c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

}  // namespace

std::uint64_t usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
        return static_cast<std::uint64_t>(CPU_COUNT(&set));
    }
    return std::max(1U, std::thread::hardware_concurrency());
}

std::string provenance::line() const {
    return "seed=" + std::to_string(seed) + " commit=" + commit + " | " + compiler + " " + flags +
           " | " + cpu + ", " + std::to_string(cores) + " cores | Linux " + kernel + " | " +
           command;
}

provenance current_provenance(std::vector<std::string> const& arguments, std::uint64_t seed) {
    provenance origin;
    origin.commit = MANYLOCK_BUILD_COMMIT;
    origin.compiler = compiler_name();
    origin.flags = MANYLOCK_BUILD_FLAGS;
    utsname system{};
    ::uname(&system);
    origin.kernel = system.release;
    origin.cpu = cpu_name(system.machine);
    origin.cores = usable_cores();
    origin.seed = seed;
    for (auto const& argument : arguments) {
        if (!origin.command.empty()) origin.command += ' ';
        origin.command += quoted(argument);
    }
    return origin;
}

std::string json_text(provenance const& origin, std::vector<result_row> const& rows) {
    nlohmann::ordered_json document;
    document["commit"] = origin.commit;
    document["compiler"] = origin.compiler;
    document["flags"] = origin.flags;
    document["cpu"] = origin.cpu;
    document["cores"] = origin.cores;
    document["kernel"] = origin.kernel;
    document["command"] = origin.command;
    document["seed"] = origin.seed;
    if (!origin.costs.empty()) document["costs"] = origin.costs;
    document["rows"] = json_rows(rows);
    // An argument or a CPU name need not be UTF-8; the file must be.
    return document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

namespace {

/// What stands in the way of XML, and of one line: control characters, U+FFFE and U+FFFF. JSON is UTF-8 otherwise.
std::string shown(std::string text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto const byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 || byte == 0x7f) text[i] = '?';
        if (text.compare(i, 2, "\xef\xbf") == 0 && i + 2 < text.size() &&
            static_cast<unsigned char>(text[i + 2]) >= 0xbe)
            text.replace(i, 3, "?");
    }
    return text;
}

}  // namespace

provenance parse_provenance(std::string_view json, std::filesystem::path const& file) {
    try {
        auto const document = nlohmann::json::parse(json);
        if (!document.is_object()) {
            throw input_error(file.string() +
                              " is not a JSON object; run the measuring command again");
        }
        provenance origin;
        origin.commit = shown(document.value("commit", "unknown"));
        origin.compiler = shown(document.value("compiler", "unknown"));
        origin.flags = shown(document.value("flags", "unknown"));
        origin.cpu = shown(document.value("cpu", "unknown"));
        origin.cores = document.value("cores", std::uint64_t{0});
        origin.kernel = shown(document.value("kernel", "unknown"));
        origin.command = shown(document.value("command", "unknown"));
        origin.seed = document.value("seed", std::uint64_t{0});
        return origin;
    } catch (nlohmann::json::exception const& error) {
        throw input_error(file.string() +
                          " is not what a measuring command writes: " + error.what());
    }
}

}  // namespace manylock::stress

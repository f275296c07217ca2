// Every memory order that the engine spells, and every fence, weakened one step at a time: some scenario
// must fail then. The few that none can catch are listed in survivors.txt, with the reason.
#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>
#include <set>
#include <regex>
#include <filesystem>
#include <map>
#include <string>
#include <thread>

#include "explore.hpp"

namespace manylock::model {
namespace {

/// Where a weakening is known to fail: a scenario, and the number of the failing schedule.
struct hint {
    std::string scenario;
    std::uint64_t schedule = 0;
};
struct trial {
    std::string name;
    weakening weak;
    bool may_survive = false;
    bool killed = false;
    bool crashed = false;  ///< the checker with it: says nothing
    hint by;               ///< as known before, then as found
};

/// Lines `KEY: VALUE`; '#' begins a comment.
std::map<std::string, std::string> read_table(char const* path) {
    std::ifstream file{path};
    REQUIRE_MESSAGE(file, "cannot read ", path);
    std::map<std::string, std::string> table;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        auto const colon = line.find(": ");
        REQUIRE_MESSAGE(colon != std::string::npos, path, " has a line without ': ': ", line);
        REQUIRE_MESSAGE(table.emplace(line.substr(0, colon), line.substr(colon + 2)).second, path,
                        " names one twice: ", line);
    }
    return table;
}

std::vector<order> weaker_than(site const& s) {
    if (s.what == operation::fence) return {order::relaxed};
    switch (s.spelt) {
        case order::relaxed: return {};
        case order::acquire:
        case order::release: return {order::relaxed};
        case order::acq_rel: return {order::acquire, order::release};
        case order::seq_cst:
            if (s.what == operation::load) return {order::acquire};
            if (s.what == operation::store) return {order::release};
            return {order::acq_rel};
    }
    return {};
}

bool is_engine(site const& s) {
    return std::strstr(s.at.file, "lib/manylock/") != nullptr ||
           std::strstr(s.at.file, "policies/manylock/") != nullptr;
}

class weakened_engine {
public:
    weakened_engine() {
        auto const* const chosen = chosen_of(all_scenarios());
        for (auto& s : all_scenarios()) {
            if (chosen == nullptr || s.name == chosen) scenarios_.push_back(std::move(s));
        }
        // What each scenario executes, unweakened.
        for (auto const& s : scenarios_) {
            (void)explore(s, s.how == search::sampled ? 100 : s.schedules);
            executed_.push_back(sites());
        }
    }
    [[nodiscard]] std::vector<trial> trials() const {
        auto const survivors = read_table(MANYLOCK_MODEL_FOLDER "/survivors.txt");
        auto const killers = read_table(MANYLOCK_MODEL_FOLDER "/killers.txt");
        std::vector<trial> all;
        std::vector<site> engine;
        std::vector<std::size_t> index;
        for (std::size_t i = 0; auto const& s : sites()) {
            if (is_engine(s)) {
                engine.push_back(s);
                index.push_back(i);
            }
            ++i;
        }
        auto const names = names_of(engine);
        for (std::size_t i = 0; i < engine.size(); ++i) {
            for (auto const to : weaker_than(engine[i])) {
                bool const fence = engine[i].what == operation::fence;
                trial t{.name = names[i] + " -> " + (fence ? "none" : name(to)),
                        .weak = {index[i], to},
                        .by = {}};
                t.may_survive = survivors.contains(t.name);
                if (auto const known = killers.find(t.name); known != killers.end()) {
                    auto const at = known->second.rfind(" @");
                    t.by = {known->second.substr(0, at),
                            std::strtoull(known->second.c_str() + at + 2, nullptr, 10)};
                }
                all.push_back(std::move(t));
            }
        }
        // A line of a table that fits nothing is out of date.
        for (auto const* const table : {&survivors, &killers}) {
            for (auto const& line : *table) {
                CHECK_MESSAGE(std::any_of(all.begin(), all.end(),
                                          [&](trial const& t) { return t.name == line.first; }),
                              "no such order is spelt and executed: ", line.first);
            }
        }
        return all;
    }
    /// True if a scenario fails; says which in `t.by`. First where it is known to: the very schedule, then
    /// many of that scenario. Then each scenario that executes the place, with more and more schedules.
    bool kills(trial& t, std::uint64_t most) const {
        for (auto const& s : scenarios_) {
            if (s.name != t.by.scenario) continue;
            bool const sampled = s.how == search::sampled;
            if (explore(s, sampled ? 1 : s.schedules, t.weak, false, sampled ? t.by.schedule : 1)
                    .failed) {
                return true;
            }
            // The engine has changed, and other schedules fail now.
            auto const result = explore(s, sampled ? deep : s.schedules, t.weak);
            if (result.failed) {
                t.by.schedule = result.schedules;
                return true;
            }
        }
        for (std::uint64_t n = 30; n <= most; n *= 10) {
            for (std::size_t i = 0; i < scenarios_.size(); ++i) {
                auto const& s = scenarios_[i];
                auto const& executed = executed_[i];
                if (t.weak.site >= executed.size() || executed[t.weak.site].executed == 0) continue;
                if (s.how != search::sampled && n != 30) continue;
                auto const result = explore(s, s.how == search::sampled ? n : s.schedules, t.weak);
                if (!result.failed) continue;
                t.by = {s.name, result.schedules};
                return true;
            }
        }
        return false;
    }

private:
    static constexpr std::uint64_t deep = 100'000;
    std::vector<description> scenarios_;
    std::vector<std::vector<site>> executed_;
};

/// In a process of its own: an engine that is too weak may crash as well as fail. Several at a time.
void run_all(weakened_engine const& engine, std::vector<trial>& trials, std::uint64_t most,
             std::uint64_t most_of_survivors) {
    struct child {
        trial* what;
        int from;
    };
    std::map<pid_t, child> children;
    auto const reap = [&] {
        int status = 0;
        auto const pid = ::wait(&status);
        REQUIRE(children.contains(pid));
        auto const [what, from] = children[pid];
        children.erase(pid);
        std::array<char, 256> text{};
        auto const n = ::read(from, text.data(), text.size() - 1);
        ::close(from);
        if (n > 0) {  // scenario, number
            std::string const said(text.data(), static_cast<std::size_t>(n));
            auto const end = said.find('\n');
            what->by = {said.substr(0, end), std::strtoull(said.c_str() + end + 1, nullptr, 10)};
        }
        what->killed = WIFEXITED(status) && WEXITSTATUS(status) == 1;
        what->crashed = !WIFEXITED(status);
    };
    auto const at_once = std::max(1U, std::thread::hardware_concurrency());
    for (auto& t : trials) {
        if (children.size() >= at_once) reap();
        std::array<int, 2> ends{};
        REQUIRE(::pipe(ends.data()) == 0);
        std::fflush(stdout);
        auto const pid = ::fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            bool const killed = engine.kills(t, t.may_survive ? most_of_survivors : most);
            auto const text = t.by.scenario + '\n' + std::to_string(t.by.schedule);
            if (killed) (void)!::write(ends[1], text.data(), text.size());
            ::_exit(killed ? 1 : 0);
        }
        ::close(ends[1]);
        children[pid] = {&t, ends[0]};
    }
    while (!children.empty()) reap();
}

/// MANYLOCK_MODEL_LEARN=N tries N schedules of each scenario before it lets an order survive, and prints
/// the table of killers. MANYLOCK_MODEL_ONLY: those only whose name has this in it.
TEST_CASE("orders weakened one by one") {
    bool const learn = std::getenv("MANYLOCK_MODEL_LEARN") != nullptr;
    char const* const only = std::getenv("MANYLOCK_MODEL_ONLY");
    auto const most = setting("MANYLOCK_MODEL_LEARN", 3000);
    weakened_engine const engine;
    auto trials = engine.trials();
    if (only != nullptr) {
        std::erase_if(trials,
                      [&](trial const& t) { return t.name.find(only) == std::string::npos; });
    }
    run_all(engine, trials, most, learn ? most : 300);
    std::size_t killed = 0;
    for (auto const& t : trials) {
        killed += t.killed;
        if (learn) {
            if (t.killed) {
                std::printf("%s: %s @%llu\n", t.name.c_str(), t.by.scenario.c_str(),
                            static_cast<unsigned long long>(t.by.schedule));
            } else {
                std::printf("# survived: %s\n", t.name.c_str());
            }
            continue;
        }
        CHECK_MESSAGE(!t.crashed, "the checker itself crashes with ", t.name);
        CHECK_MESSAGE((t.killed || t.may_survive), "nothing catches ", t.name);
        CHECK_MESSAGE(!(t.killed && t.may_survive), "listed as a survivor, but ", t.by.scenario,
                      " catches ", t.name);
    }
    auto const listed = static_cast<std::size_t>(
        std::count_if(trials.begin(), trials.end(), [](trial const& t) { return t.may_survive; }));
    std::printf("weakened orders: %zu/%zu killed\n", killed, trials.size() - listed);
    std::printf("orders that nothing can catch: %zu, listed in survivors.txt\n", listed);
}

/// So that none drops out in silence: an order that no scenario executes could not be weakened either.
TEST_CASE("orders in the sources are executed") {
    weakened_engine const engine;
    std::map<std::string, std::set<unsigned>> executed;  // by file, below the project's folder
    std::string const root = MANYLOCK_SOURCE_DIR "/";
    for (auto const& s : sites()) {
        auto const at = std::string_view{s.at.file}.find("lib/manylock/");
        if (at == std::string_view::npos || weaker_than(s).empty()) continue;
        executed[s.at.file + at].insert(s.at.line);
    }
    REQUIRE(executed.size() > 10);
    std::regex const spelt{R"(\b[pP]latform::(acquire|release|acq_rel|seq_cst|fence)\b)"};
    unsigned orders = 0;
    for (auto const* const folder :
         {"lib/manylock", "lib/manylock/engine", "lib/manylock/platform"}) {
        for (auto const& entry : std::filesystem::directory_iterator{root + folder}) {
            auto const name = std::string{folder} + '/' + entry.path().filename().string();
            // Native only, or retired memory, whose order is liburcu's.
            if (name.find("/concept.hpp") != std::string::npos ||
                name.find("/recycler.hpp") != std::string::npos || !entry.is_regular_file()) {
                continue;
            }
            std::ifstream file{entry.path()};
            std::string line;
            for (unsigned number = 1; std::getline(file, line); ++number) {
                if (!std::regex_search(line.substr(0, line.find("//")), spelt)) continue;
                ++orders;
                // The call may begin on a line above.
                auto const& lines = executed[name];
                auto const from = lines.lower_bound(number < 3 ? 1 : number - 2);
                CHECK_MESSAGE((from != lines.end() && *from <= number), name, ":", number,
                              ": no scenario executes ", line);
            }
        }
    }
    std::printf("orders in the sources: %u, all executed\n", orders);
    CHECK(orders > 40);
}

}  // namespace
}  // namespace manylock::model

#include "options_simulate.hpp"

#include "input_error.hpp"
#include "simulate/simulator.hpp"

#include <algorithm>

namespace manylock::stress {
namespace {

constexpr std::uint64_t cores_max = 4096;
constexpr std::string_view usual_cores = "1,2,4,...,1024";

void set_shapes(workload& w, std::vector<std::uint64_t> const& cores,
                std::vector<std::uint64_t> const& threads) {
    w.shapes.clear();
    for (auto const c : cores) {
        if (threads.empty()) w.shapes.push_back({c, c});
        for (auto const t : threads) w.shapes.push_back({c, t});
    }
}

void choose_workloads(texts const& given, simulate_options& chosen) {
    auto const workload_name = given.find("--workload");
    auto const preset_name = given.find("--preset");
    if (workload_name && preset_name) {
        throw input_error("--workload and --preset exclude each other; give one of them");
    }
    if (preset_name) {
        auto found = find_full_preset(*preset_name);
        if (!found) {
            std::vector<std::string_view> names;
            for (auto const& p : full_presets()) names.push_back(p.name);
            refuse("--preset", *preset_name, "is not a preset; the presets are " + joined(names));
        }
        chosen.workloads = std::move(found->workloads);
        chosen.preset = found->name;
        chosen.scaled = found->scaled;
        if (found->commits) chosen.commits = *found->commits;
        return;
    }
    chosen.workloads.push_back(read_workload(*workload_name));
    set_shapes(chosen.workloads.back(), core_list("--cores", usual_cores), {});
}

void read_workloads(texts const& given, simulate_options& chosen) {
    choose_workloads(given, chosen);
    pick_order(given, chosen.preset, chosen.workloads);
    std::vector<std::uint64_t> threads;
    if (auto const text = given.find("--threads")) threads = core_list("--threads", *text);
    for (auto& w : chosen.workloads) {
        refuse_useless(given, w);
        // The full size of a preset is more than may be asked for by hand: what is not asked for stays.
        adjust_workload(given, w, !chosen.preset.empty());
        if (auto const text = given.find("--cores")) {
            set_shapes(w, core_list("--cores", *text), threads);
        } else if (!threads.empty()) {
            std::vector<std::uint64_t> cores;
            for (auto const& s : w.shapes) {
                if (std::find(cores.begin(), cores.end(), s.cores) == cores.end())
                    cores.push_back(s.cores);
            }
            set_shapes(w, cores, threads);
        }
        refuse_too_few_of_its_own(w);
    }
}

void refuse_what_cannot_be_simulated(std::vector<std::string> const& policies,
                                     known_policies const& known) {
    for (auto const& name : policies) {
        if (simulate::find_simulator(name) != nullptr) continue;
        std::vector<std::string_view> can;
        for (auto const* names : {&known.all, &known.more}) {
            for (auto const& one : *names) {
                if (simulate::find_simulator(one) != nullptr) can.push_back(one);
            }
        }
        refuse("--policy", name,
               can.empty() ? "cannot be simulated: a build with ThreadSanitizer simulates none; "
                             "take another build"
                           : "cannot be simulated; those that can are " + joined(can));
    }
}

replay_options read_replay(simulate_form const& form, simulate_options const& chosen) {
    replay_options replay;
    replay.recording = form.recording;
    replay.policies = chosen.policies;
    replay.seed = chosen.seed;
    replay.check = chosen.check;
    auto const text = form.given.find("--threads").value_or("cores");
    if (text == "cores") {
        replay.threads = {own_threads};
    } else {
        replay.threads = thread_list("--threads", text, true);
    }
    replay.disjoint = read_regions(form.given, replay.threads);
    replay.work = read_work(form.given);
    return replay;
}

}  // namespace

std::vector<std::uint64_t> core_list(std::string const& option, std::string_view text) {
    std::vector<std::uint64_t> values;
    auto const add = [&](std::uint64_t value) {
        if (std::find(values.begin(), values.end(), value) != values.end()) {
            refuse(option, text, "names one number twice; name each once");
        }
        values.push_back(value);
    };
    bool go_on = false;
    for (std::string_view rest = text;;) {
        auto const comma = rest.find(',');
        auto const item = rest.substr(0, comma);
        if (item == "...") {
            if (values.size() < 2 || go_on || comma == std::string_view::npos) {
                refuse(option, text,
                       "has its three dots in the wrong place; write them as in 1,2,4,...,64");
            }
            go_on = true;
        } else {
            auto const value = whole_number(option, item, 1, cores_max);
            if (go_on) {
                auto const last = values.back();
                auto const before = values[values.size() - 2];
                bool const multiplies =
                    before > 0 && last % before == 0 && last / before >= 2 &&
                    (values.size() < 3 || values[values.size() - 3] * (last / before) == before);
                if (last <= before) refuse(option, text, "does not rise before its three dots");
                if (value <= last)
                    refuse(option, text,
                           "ends before its three dots go on; write them as in 1,2,4,...,64");
                auto const next = [&](std::uint64_t v) {
                    return multiplies ? v * (last / before) : v + (last - before);
                };
                for (auto v = next(last); v < value; v = next(v)) add(v);
                go_on = false;
            }
            add(value);
        }
        if (comma == std::string_view::npos) return values;
        rest.remove_prefix(comma + 1);
    }
}

simulate_form::simulate_form(CLI::App& app) : given(app) {
    app.add_option("DIR", recording, "directory of a recorded program, to replay it");
    given.add("--workload", "W", "what to run; `list` names the workloads");
    given.add("--preset", "NAME",
              "a published workload at its full size; `list` names the presets");
    add_common(given);
    given.add("--cores", "1,2,..",
              "cores of the virtual machines, a row each; 1,2,4,...,64 goes on as it begins "
              "[1,2,4,...,1024, or the preset's]");
    given.add("--threads", "T,..",
              "threads on each of them [as many as it has cores]; of a replay 1, traced, or "
              "so many users [cores: one user a core]");
    given.add("--sockets", "N", "sockets that share the cores [1]");
    given.add("--commits", "N", "commits of each row in all [100000, or the preset's]");
    app.add_option("--cost", costs,
                   "KEY=VALUE: what something takes, in nanoseconds; may be repeated")
        ->type_name("KEY=VALUE");
    given.add("--costs", "FILE", "costs from a file that `calibrate` has written");
    add_workload(given);
    given.add("--regions", "R", "of a replay by users: shared or disjoint [shared]");
    given.add("--work", "W", "of a replay: none, traced, or nanoseconds per page [none]");
    given.add("--rounds", "R", "rounds, each with other transactions [1]");
    given.add("--jobs", "J", "rows simulated side by side [the cores of this machine]");
    app.add_flag("--check", check, "verify the history of every row");
}

simulate_options read_simulate(simulate_form const& form, known_policies const& known,
                               std::uint64_t cores) {
    auto const& given = form.given;
    simulate_options chosen;
    read_common(given, chosen.out, chosen.seed);
    chosen.policies = read_policies(given, known);
    refuse_what_cannot_be_simulated(chosen.policies, known);
    chosen.check = form.check;
    chosen.jobs = cores;
    given.number("--jobs", chosen.jobs, 1, 256);
    given.number("--rounds", chosen.rounds, 1, 1000);
    if (auto const file = given.find("--costs")) chosen.cost = simulate::read_costs(*file);
    for (auto const& text : form.costs) simulate::set_cost(chosen.cost, text);
    given.number("--sockets", chosen.cost.sockets, 1, 64);
    bool const on_locks = given.find("--workload") || given.find("--preset");
    if (on_locks == !form.recording.empty()) {
        throw input_error(
            "simulate needs one of a directory of a recorded program, --workload W and --preset "
            "NAME; "
            "`manylock-stress list` shows the last two");
    }
    if (on_locks) {
        for (auto const* option : {"--regions", "--work"}) {
            if (given.find(option))
                throw input_error(std::string(option) +
                                  " belongs to the replay of a recorded program");
        }
        read_workloads(given, chosen);
        for (auto const& w : chosen.workloads) {
            if (on_address_space(w.picks)) refuse_plain_locks_only(chosen.policies, known, w.name);
        }
        given.number("--commits", chosen.commits, 1, count_max);
        return chosen;
    }
    for (auto const* option : {"--commits", "--locks", "--locks-per-transaction", "--read-percent",
                               "--zipf", "--hot-position", "--hold-ns", "--order"}) {
        if (given.find(option))
            throw input_error(std::string(option) +
                              " has no meaning for the replay of a recorded program");
    }
    refuse_plain_locks_only(chosen.policies, known, "replay");
    chosen.cores = core_list("--cores", given.find("--cores").value_or(usual_cores));
    chosen.replay = read_replay(form, chosen);
    return chosen;
}

}  // namespace manylock::stress

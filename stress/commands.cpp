#include "commands.hpp"

#include "atomic_file.hpp"
#include "calibrate.hpp"
#include "input_error.hpp"
#include "interrupt.hpp"
#include "measure.hpp"
#include "provenance.hpp"
#include "report/aggregate.hpp"
#include "report/report.hpp"
#include "simulation.hpp"
#include "soak.hpp"
#include "watchdog.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace manylock::stress {
namespace {

std::vector<std::string> const result_names{"results.csv", "results.json"};
std::vector<std::string> const report_names{"results.csv", "results.json", "report.html"};

void add_results(atomic_files& files, provenance const& origin,
                 std::vector<result_row> const& rows) {
    files.add("results.csv", csv_text(rows));
    files.add("results.json", json_text(origin, rows));
}

void print_tables(std::vector<result_row> const& rows, std::ostream& out) {
    for (auto const& p : make_panels(rows)) {
        out << '\n'
            << p.workload << ": " << p.description
            << (p.checked ? " (--check: not for publication)" : "") << "\n"
            << markdown(narrow_table(p));
    }
}

void print_checks(std::vector<result_row> const& rows, std::ostream& out) {
    auto const of = [&](std::string_view state) {
        return std::count_if(rows.begin(), rows.end(),
                             [&](result_row const& r) { return r.check == state; });
    };
    auto const ok = of("ok");
    auto const failed = of("failed");
    if (ok + failed > 0) out << "checks: " << ok << " ok, " << failed << " failed\n";
}

int say(atomic_files const& files, std::vector<result_row> const& rows) {
    print_tables(rows, std::cout);
    std::cout << '\n';
    print_checks(rows, std::cout);
    std::cout << "results: " << (files.directory() / "results.csv").string()
              << " and results.json\n";
    return any_failed(rows) ? 1 : 0;
}

int finish(atomic_files& files, provenance const& origin, std::vector<result_row> const& rows) {
    remove_report(files);
    add_results(files, origin, rows);
    files.commit();
    return say(files, rows);
}

nlohmann::ordered_json named_json(std::string_view name, std::string_view description) {
    return {{"name", name}, {"description", description}};
}

std::string policy_description(policy_runner const& runner) {
    auto const& twins = twin_runners();
    bool const twin = std::find(twins.begin(), twins.end(), &runner) != twins.end();
    auto const facts = runner.facts();
    if (facts.plain_locks_only)
        return "restarts for reason " + std::string(manylock::name(facts.reason)) +
               " at a cycle or at its limit; for plain locks, not part of all";
    if (twin)
        return "restarts for reason " + std::string(manylock::name(facts.reason)) +
               "; walks with Boost.Graph, not part of all";
    return facts.restarts ? "restarts for reason " + std::string(manylock::name(facts.reason))
                          : "never restarts";
}

int list(list_options const& chosen) {
    auto const all_presets = presets(usable_cores());
    auto const all_runners = every_runner();
    if (chosen.json) {
        nlohmann::ordered_json document;
        for (auto const* runner : all_runners) {
            document["policies"].push_back(named_json(runner->name(), policy_description(*runner)));
        }
        for (auto const& w : workload_names())
            document["workloads"].push_back(named_json(w.name, w.description));
        for (auto const& p : all_presets) {
            auto entry = named_json(p.name, p.description);
            entry["scaled"] = p.scaled;
            document["presets"].push_back(std::move(entry));
        }
        std::cout << document.dump(2) << '\n';
        return 0;
    }
    auto const line = [](std::string_view kind, std::string_view name,
                         std::string_view description) {
        std::cout << kind << "  " << name
                  << std::string(name.size() < 20 ? 20 - name.size() : 1, ' ') << ' ' << description
                  << '\n';
    };
    for (auto const* runner : all_runners)
        line("policy  ", runner->name(), policy_description(*runner));
    for (auto const& w : workload_names()) line("workload", w.name, w.description);
    for (auto const& p : all_presets) line("preset  ", p.name, p.description);
    return 0;
}

/// Says so where threads share cores, because it changes what a row means.
void say_if_yielding(std::vector<run_options> const& runs, std::ostream& out) {
    auto const cores = usable_cores();
    for (auto const& r : runs) {
        for (auto const& w : r.workloads) {
            auto const most = *std::max_element(w.threads.begin(), w.threads.end());
            if (!w.hold_yields || most <= cores) continue;
            out << "scaled: " << w.name << ": with more threads than the " << cores
                << " cores the hold yields its core, so that as many transactions overlap as there "
                   "are threads; only the restarts of such rows mean something, their throughput "
                   "is the cost of yielding\n";
        }
    }
}

int run(run_options const& chosen, std::vector<std::string> const& arguments) {
    atomic_files files(chosen.out, result_names);
    auto const origin = current_provenance(arguments, chosen.seed);
    std::cout << origin.line() << '\n';
    if (!chosen.scaled.empty()) std::cout << "scaled: " << chosen.scaled << '\n';
    say_if_yielding({chosen}, std::cout);
    std::cout.flush();
    std::unique_ptr<watchdog> dog;
    if (chosen.watchdog > 0) {
        dog = std::make_unique<watchdog>(
            std::chrono::duration_cast<watchdog::duration>(
                std::chrono::duration<double>(chosen.watchdog)),
            [&](stuck_report const& report) { end_stuck(report, chosen.out.string()); });
    }
    std::vector<result_row> rows;
    {
        progress bar(row_count(chosen));
        rows = measure(chosen, bar);
    }
    return finish(files, origin, rows);
}

int replay(replay_options const& chosen, std::vector<std::string> const& arguments) {
    replay::load_options reading;
    reading.skip_unknown = chosen.skip_unknown;
    auto const program = replay::load_program(chosen.recording, reading);
    atomic_files files(chosen.out, result_names);
    auto const origin = current_provenance(arguments, chosen.seed);
    std::cout << origin.line() << std::endl;
    if (chosen.skip_unknown) {
        std::cout << "skipped: " << program.notes.unknown_lines
                  << " lines that the reader does not understand" << std::endl;
    }
    std::vector<result_row> rows;
    {
        progress bar(row_count(chosen));
        rows = measure(chosen, program, bar);
    }
    return finish(files, origin, rows);
}

int simulate(simulate_options const& chosen, std::vector<std::string> const& arguments) {
    std::optional<replay::recorded_program> program;
    if (chosen.replay) program = replay::load_program(chosen.replay->recording);
    atomic_files files(chosen.out, result_names);
    auto origin = current_provenance(arguments, chosen.seed);
    for (auto const& key : simulate::cost_keys)
        origin.costs[std::string(key.name)] = chosen.cost.*key.member;
    origin.costs["sockets"] = chosen.cost.sockets;
    std::cout << origin.line() << '\n';
    if (!chosen.scaled.empty()) std::cout << "scaled: " << chosen.scaled << '\n';
    std::cout.flush();
    std::vector<result_row> rows;
    {
        progress bar(row_count(chosen));
        rows = simulate_rows(chosen, program ? &*program : nullptr, bar);
    }
    return finish(files, origin, rows);
}

int report(report_options const& chosen) {
    if (chosen.against) {
        compare_results(chosen.results, *chosen.against, std::cout);
    } else {
        write_report(chosen.results, std::cout);
    }
    return 0;
}

/// The suite's workloads: each is contended on few cores.
std::vector<workload> suite_workloads() {
    auto contended = find_preset("contended", usable_cores())->workloads.front();
    contended.threads = {1, 2, 4};
    std::vector<workload> all{contended};
    for (auto const* name : {"zipf", "hotspot", "ring", "bank", "vma_mix", "giant_vma"}) {
        all.push_back(*find_workload(name));
        all.back().hold_ns = contended.hold_ns;
    }
    return all;
}

/// The program usually lies in a build folder of the checkout that ships the recordings.
std::vector<std::filesystem::path> shipped_recordings() {
    namespace fs = std::filesystem;
    std::error_code ignored;
    std::vector<fs::path> found;
    for (auto at = fs::read_symlink("/proc/self/exe", ignored); at.has_relative_path();
         at = at.parent_path()) {
        auto const place = at.parent_path() / "stress/replay/recorded";
        for (auto const& entry : fs::directory_iterator(place, ignored)) {
            if (entry.is_directory()) found.push_back(entry.path());
        }
        if (!found.empty()) break;
    }
    std::sort(found.begin(), found.end());
    return found;
}

struct recording {
    replay::recorded_program program;
    replay_options measured;
    replay_options checked;
};

std::vector<recording> load_recordings(suite_options const& chosen) {
    auto paths = chosen.recordings;
    if (paths.empty()) paths = shipped_recordings();
    if (paths.empty()) {
        throw input_error(
            "suite: no recorded program beside this program; name one with --recording DIR");
    }
    std::vector<recording> loaded;
    for (auto const& path : paths) {
        replay_options options{.recording = path,
                               .policies = chosen.policies,
                               .threads = {1, traced_threads},
                               .repeat = chosen.rounds,
                               .seed = chosen.seed,
                               .check = false,
                               .skip_unknown = false,
                               .out = chosen.out,
                               .disjoint = false,
                               .work = {}};
        auto checked = options;
        checked.check = true;
        checked.repeat = 1;
        loaded.push_back({replay::load_program(path), std::move(options), std::move(checked)});
    }
    return loaded;
}

/// First everything is checked, shortly; then the contended workload is measured, the others at
/// half its time each, and the recordings.
std::vector<run_options> suite_runs(suite_options const& chosen) {
    constexpr double check_share = 0.2;
    run_options base;
    base.policies = chosen.policies;
    base.seed = chosen.seed;
    auto check = base;
    check.workloads = suite_workloads();
    for (auto& w : check.workloads) w.threads = {4};
    check.check = true;
    check.rounds = 1;
    check.seconds = chosen.seconds * check_share;
    auto main = base;
    main.workloads = {suite_workloads().front()};
    main.rounds = chosen.rounds;
    main.seconds = chosen.seconds;
    auto others = main;
    others.workloads = suite_workloads();
    others.workloads.erase(others.workloads.begin());
    others.seconds = chosen.seconds / 2;
    return {check, main, others};
}

int suite(suite_options const& chosen, std::vector<std::string> const& arguments) {
    auto const recordings = load_recordings(chosen);
    atomic_files files(chosen.out, report_names);
    auto const origin = current_provenance(arguments, chosen.seed);
    std::cout << origin.line() << std::endl;
    auto const runs = suite_runs(chosen);
    say_if_yielding(runs, std::cout);
    std::size_t steps = 0;
    for (auto const& r : runs) steps += row_count(r);
    for (auto const& r : recordings) steps += row_count(r.checked) + row_count(r.measured);
    std::vector<result_row> rows;
    auto const append = [&](std::vector<result_row> more) {
        rows.insert(rows.end(), more.begin(), more.end());
    };
    {
        progress bar(steps);
        for (auto const& r : runs) append(measure(r, bar));
        for (auto const& r : recordings) {
            append(measure(r.checked, r.program, bar));
            append(measure(r.measured, r.program, bar));
        }
        bar.show("drawing the graphs");
    }
    std::size_t graphs = 0;
    try {
        add_results(files, origin, rows);
        graphs = add_report(files, rows, origin);
    } catch (input_error const&) {  // what took so long to measure is kept without graphs
        atomic_files without(chosen.out);
        static_cast<void>(finish(without, origin, rows));
        throw;
    }
    files.commit();
    auto const status = say(files, rows);
    say_where(graphs, chosen.out, std::cout);
    return status;
}

}  // namespace

known_policies policies_of_this_program() {
    known_policies known;
    for (auto const* runner : policy_runners()) known.all.emplace_back(runner->name());
    for (auto const* runner : twin_runners()) known.more.emplace_back(runner->name());
    for (auto const* runner : limited_runners()) {
        known.more.emplace_back(runner->name());
        known.plain_locks_only.emplace_back(runner->name());
    }
    return known;
}

int carry_out(options const& chosen, std::vector<std::string> const& arguments) {
    return std::visit(
        [&](auto const& form) -> int {
            using type = std::decay_t<decltype(form)>;
            if constexpr (std::is_same_v<type, list_options>) return list(form);
            if constexpr (std::is_same_v<type, run_options>) return run(form, arguments);
            if constexpr (std::is_same_v<type, soak_options>) return soak(form);
            if constexpr (std::is_same_v<type, replay_options>) return replay(form, arguments);
            if constexpr (std::is_same_v<type, simulate_options>) return simulate(form, arguments);
            if constexpr (std::is_same_v<type, report_options>) return report(form);
            if constexpr (std::is_same_v<type, suite_options>) return suite(form, arguments);
            if constexpr (std::is_same_v<type, calibrate_options>)
                return calibrate(form, arguments);
        },
        chosen.what);
}

}  // namespace manylock::stress

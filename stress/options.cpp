#include "options.hpp"

#include "input_error.hpp"
#include "option_texts.hpp"
#include "options_calibrate.hpp"
#include "options_simulate.hpp"
#include "options_soak.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

namespace manylock::stress {
namespace {

struct run_form {
    texts given;
    bool check = false;
    bool yield_in_hold = false;

    explicit run_form(CLI::App& app) : given(app) {
        given.add("--workload", "W", "what to run; `list` names the workloads");
        given.add("--preset", "NAME", "a published workload instead; `list` names the presets");
        add_common(given);
        given.add("--threads", "1,2,4", "thread counts, one configuration each");
        add_workload(given);
        app.add_flag("--yield-in-hold", yield_in_hold,
                     "with more threads than cores the busy work yields its core, so that as many "
                     "transactions overlap as there are threads");
        given.add("--seconds", "S", "measured time of each row");
        given.add("--commits", "N", "commits of each row in all, instead of --seconds");
        given.add("--rounds", "R", "rounds; the policies take turns within each");
        given.add("--sample-restarts", "1/N",
                  "look at one restart in N: had waiting closed a cycle? An estimate, and it "
                  "costs: every "
                  "policy then publishes what its transactions hold");
        app.add_flag("--check", check,
                     "verify the history of every row; never for published numbers");
        soak.add(app, given);
    }
    soak_form soak;
};

void choose_workloads(texts const& given, run_options& run, std::uint64_t cores) {
    auto const workload_name = given.find("--workload");
    auto const preset_name = given.find("--preset");
    if (workload_name && preset_name) {
        throw input_error("--workload and --preset exclude each other; give one of them");
    }
    if (!workload_name && !preset_name) {
        throw input_error(
            "run needs --workload W or --preset NAME; `manylock-stress list` shows both");
    }
    if (workload_name) {
        run.workloads.push_back(read_workload(*workload_name));
        return;
    }
    auto found = find_preset(*preset_name, cores);
    if (!found) {
        std::vector<std::string_view> names;
        auto const all = presets(cores);
        for (auto const& p : all) names.push_back(p.name);
        refuse("--preset", *preset_name, "is not a preset; the presets are " + joined(names));
    }
    run.workloads = std::move(found->workloads);
    run.preset = found->name;
    run.scaled = found->scaled;
    run.seconds = found->seconds;
    run.commits = found->commits;
    run.rounds = found->rounds;
}

std::uint64_t read_sample(texts const& given, std::vector<workload> const& workloads) {
    auto const text = given.find("--sample-restarts");
    if (!text) return 0;
    if (!text->starts_with("1/")) {
        refuse("--sample-restarts", *text, "is not a share of the form 1/N, as in 1/100");
    }
    for (auto const& w : workloads) {
        if (on_address_space(w.picks)) {
            throw input_error(
                "--sample-restarts has no meaning for workload " + w.name +
                ", whose address space retries its transactions itself; it belongs to the "
                "workloads on plain locks");
        }
    }
    return whole_number("--sample-restarts", text->substr(2), 1, count_max);
}

run_options read_run(run_form const& form, known_policies const& known, std::uint64_t cores) {
    auto const& given = form.given;
    run_options run;
    read_common(given, run.out, run.seed);
    run.policies = read_policies(given, known);
    run.check = form.check;
    choose_workloads(given, run, cores);
    for (auto const& w : run.workloads) {
        if (on_address_space(w.picks)) refuse_plain_locks_only(run.policies, known, w.name);
    }
    for (auto& w : run.workloads) w.hold_yields = w.hold_yields || form.yield_in_hold;
    pick_order(given, run.preset, run.workloads);
    for (auto& w : run.workloads) {
        refuse_useless(given, w);
        adjust_workload(given, w, !run.preset.empty());
        refuse_too_few_of_its_own(w);
    }
    if (given.find("--seconds") && given.find("--commits")) {
        throw input_error("--seconds and --commits exclude each other; give one of them");
    }
    if (given.find("--seconds")) run.commits.reset();
    given.real("--seconds", run.seconds, seconds_low, seconds_high, seconds_range);
    if (auto const text = given.find("--commits"))
        run.commits = whole_number("--commits", *text, 1, count_max);
    given.number("--rounds", run.rounds, 1, 1000);
    run.sample_restarts = read_sample(given, run.workloads);
    run.watchdog = read_watchdog(given, 0);
    form.soak.refuse_alone();
    return run;
}

struct replay_form {
    texts given;
    std::string recording;
    bool check = false;
    bool skip_unknown = false;

    explicit replay_form(CLI::App& app) : given(app) {
        app.add_option("DIR", recording, "directory of the recorded program")->required();
        add_common(given);
        given.add("--threads", "1|traced|N,..",
                  "traced: one thread per recorded thread; N: so many users of one address space, "
                  "each of whom replays everything [1]");
        given.add("--regions", "R",
                  "where N users are: shared, all at the same addresses, or disjoint [shared]");
        given.add("--work", "W",
                  "busy work of an operation under its locks: none, traced (as long as recorded), "
                  "or nanoseconds per page [none]");
        given.add("--repeat", "N", "replays of each configuration [1]");
        app.add_flag("--check", check,
                     "compare the final map and the checkpoints with the kernel's");
        app.add_flag("--skip-unknown", skip_unknown,
                     "count lines and calls that the reader does not understand instead of "
                     "refusing the recording");
    }
};

replay_options read_replay(replay_form const& form, known_policies const& known) {
    replay_options replay;
    read_common(form.given, replay.out, replay.seed);
    replay.recording = form.recording;
    replay.policies = read_policies(form.given, known);
    refuse_plain_locks_only(replay.policies, known, "replay");
    replay.threads = thread_list("--threads", form.given.find("--threads").value_or("1"), true);
    form.given.number("--repeat", replay.repeat, 1, 1000);
    replay.check = form.check;
    replay.disjoint = read_regions(form.given, replay.threads);
    replay.work = read_work(form.given);
    replay.skip_unknown = form.skip_unknown;
    return replay;
}

struct suite_form {
    texts given;
    std::vector<std::string> recordings;

    explicit suite_form(CLI::App& app) : given(app) {
        add_common(given);
        given.add("--seconds", "S", "measured time of each row [0.3]");
        given.add("--rounds", "R", "rounds of each configuration [3]");
        app.add_option("--recording", recordings,
                       "recorded program to replay as well; may be repeated")
            ->type_name("DIR")
            ->take_all();
    }
};

suite_options read_suite(suite_form const& form, known_policies const& known) {
    suite_options suite;
    read_common(form.given, suite.out, suite.seed);
    suite.policies = read_policies(form.given, known);
    refuse_plain_locks_only(suite.policies, known, "suite");
    suite.recordings.assign(form.recordings.begin(), form.recordings.end());
    form.given.real("--seconds", suite.seconds, seconds_low, 60, "from 0.001 to 60");
    form.given.number("--rounds", suite.rounds, 1, 1000);
    return suite;
}

/// What CLI11 found, as one sentence that says what would be right.
std::string sentence(CLI::ParseError const& error, CLI::App const& app, CLI::App const* command,
                     std::string const& commands) {
    if (command == nullptr) {
        auto const rest = app.remaining();
        if (!rest.empty() && !rest.front().starts_with("-")) {
            return "'" + rest.front() + "' is not a command; the commands are " + commands;
        }
    }
    auto const help = "`manylock-stress " + (command == nullptr ? "" : command->get_name() + " ") +
                      "--help` lists what it takes";
    if (dynamic_cast<CLI::ExtrasError const*>(&error) != nullptr) {
        auto const rest = app.remaining(true);
        if (!rest.empty()) return "'" + joined(rest, " ") + "' is not expected here; " + help;
    }
    if (dynamic_cast<CLI::RequiredError const*>(&error) != nullptr) {
        if (command == nullptr) return "no command given; the commands are " + commands;
        return command->get_name() + " needs a directory; " + help;
    }
    std::string what = error.what();
    std::replace(what.begin(), what.end(), '\n', ' ');
    return what + "; " + help;
}

std::string checked_log_level(std::string const& level) {
    constexpr std::array<std::string_view, 7> names{"trace", "debug",    "info", "warning",
                                                    "error", "critical", "off"};
    if (std::find(names.begin(), names.end(), level) == names.end()) {
        refuse("--log-level", level, "is not a level; the levels are " + joined(names));
    }
    return level;
}

}  // namespace

std::optional<options> parse_options(int argc, char const* const* argv, known_policies const& known,
                                     std::uint64_t cores) {
    CLI::App app(
        "Compares policies of deadlock avoidance: restarts, throughput and latency on synthetic "
        "and recorded workloads.",
        "manylock-stress");
    app.require_subcommand(1);
    app.footer(
        "Exit status: 0 fine, 1 a check failed, 2 bad usage, bad input or output that cannot be "
        "written, "
        "130 interrupted, 3 anything else.");
    app.fallthrough();
    options result;
    app.add_option("--log-level", result.log_level,
                   "trace, debug, info, warning, error, critical or off [warning]")
        ->type_name("LEVEL");

    auto* const list = app.add_subcommand("list", "names the policies, workloads and presets");
    auto* const run = app.add_subcommand("run", "measures policies on a workload");
    auto* const replay =
        app.add_subcommand("replay", "replays a recorded program on the address space");
    auto* const simulation = app.add_subcommand(
        "simulate", "runs or replays in virtual time, on machines of up to 4,096 cores");
    auto* const report =
        app.add_subcommand("report", "draws the graphs of a result, or compares two results");
    auto* const suite = app.add_subcommand(
        "suite", "checks and measures every policy on every workload, then reports");
    auto* const calibrate = app.add_subcommand(
        "calibrate", "measures the timing simulator's constants on this machine");

    list_options list_form;
    list->add_flag("--json", list_form.json, "as JSON");
    run_form run_values(*run);
    replay_form replay_values(*replay);
    simulate_form simulate_values(*simulation);
    suite_form suite_values(*suite);
    calibrate_form calibrate_values(*calibrate);
    std::vector<std::string> directories;
    report
        ->add_option("DIR", directories,
                     "directory of results.csv; a second one to compare it with")
        ->required()
        ->expected(1, 2)
        ->type_name("");

    CLI::App const* chosen = nullptr;
    try {
        app.parse(argc, argv);
        chosen = app.get_subcommands().front();
    } catch (CLI::CallForHelp const&) {
        auto const used = app.get_subcommands();
        std::cout << (used.empty() ? app.help() : used.front()->help("manylock-stress"));
        return std::nullopt;
    } catch (CLI::ParseError const& error) {
        auto const used = app.get_subcommands();
        throw input_error(sentence(error, app, used.empty() ? nullptr : used.front(),
                                   "list, run, replay, simulate, report, suite and calibrate"));
    }
    checked_log_level(result.log_level);
    if (chosen == list) result.what = list_form;
    if (chosen == run && run_values.soak.forever) {
        result.what = read_soak(run_values.given, run_values.soak, known);
        if (app.count("--log-level") == 0) result.log_level = "info";  // a line a round
    } else if (chosen == run) {
        result.what = read_run(run_values, known, cores);
    }
    if (chosen == replay) result.what = read_replay(replay_values, known);
    if (chosen == simulation) result.what = read_simulate(simulate_values, known, cores);
    if (chosen == suite) result.what = read_suite(suite_values, known);
    if (chosen == calibrate) result.what = read_calibrate(calibrate_values);
    if (chosen == report) {
        report_options form{directories.front(), std::nullopt};
        if (directories.size() == 2) form.against = directories.back();
        result.what = form;
    }
    return result;
}

}  // namespace manylock::stress

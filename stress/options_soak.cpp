#include "options_soak.hpp"

#include "input_error.hpp"

#include <limits>

namespace manylock::stress {

void soak_form::add(CLI::App& app, texts& given) {
    app.add_flag(
        "--forever", forever,
        "check until interrupted, with workload, policy, threads and parameters drawn anew "
        "each round; --seconds and --rounds bound it in all, --workload, --policy and "
        "--threads what is drawn from; writes no results; a signal ends it as its time would: "
        "exit status 0, or 1 if a check failed");
    given.add("--watchdog", "S",
              "end with exit 1 when no transaction has ended for so long, and show who waits for "
              "whom; 0: never [10 with --forever, else 0]");
    app.add_option("--recording", recordings,
                   "with --forever: recorded program to replay in some rounds; may be repeated")
        ->type_name("DIR")
        ->take_all();
}

void soak_form::refuse_alone() const {
    if (!recordings.empty()) throw input_error("--recording has no meaning without --forever");
}

double read_watchdog(texts const& given, double usual) {
    given.real("--watchdog", usual, 0, seconds_high, "from 0 to 3600");
    return usual;
}

soak_options read_soak(texts const& given, soak_form const& form, known_policies const& known) {
    for (auto const* option : {"--preset", "--locks", "--locks-per-transaction", "--read-percent",
                               "--zipf", "--hot-position", "--hold-ns", "--order", "--commits"}) {
        if (given.find(option)) {
            throw input_error(std::string(option) +
                              " has no meaning with --forever, which draws it");
        }
    }
    soak_options soak;
    soak.seed = default_seed;
    given.number("--seed", soak.seed, 0, std::numeric_limits<std::uint64_t>::max());
    soak.out = given.find("--out").value_or("");
    if (auto const name = given.find("--workload")) {
        soak.workloads.push_back(read_workload(*name).name);
    } else {
        for (auto const& line : workload_names()) soak.workloads.emplace_back(line.name);
    }
    soak.policies = read_policies(given, known);
    if (!given.find("--policy")) {
        soak.policies.insert(soak.policies.end(), known.more.begin(), known.more.end());
        // What is drawn may be a workload on an address space.
        for (auto const& name : known.plain_locks_only) std::erase(soak.policies, name);
    }
    if (!form.recordings.empty()) refuse_plain_locks_only(soak.policies, known, "--recording");
    for (auto const& name : soak.workloads) {
        if (on_address_space(read_workload(name).picks))
            refuse_plain_locks_only(soak.policies, known, name);
    }
    soak.threads =
        thread_list("--threads", given.find("--threads").value_or("1,2,3,4,8,16"), false);
    soak.recordings.assign(form.recordings.begin(), form.recordings.end());
    if (auto const text = given.find("--seconds")) {
        soak.seconds = real_number("--seconds", *text, seconds_low, 31'536'000,
                                   "from 0.001 to 31536000, a year");
    }
    if (auto const text = given.find("--rounds"))
        soak.rounds = whole_number("--rounds", *text, 1, count_max);
    soak.watchdog = read_watchdog(given, soak.watchdog);
    return soak;
}

}  // namespace manylock::stress

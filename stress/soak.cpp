#include "soak.hpp"

#include "interrupt.hpp"
#include "measure.hpp"
#include "random.hpp"
#include "watchdog.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
#include <spdlog/spdlog.h>
#include <sstream>

namespace manylock::stress {
namespace {

template <class T>
T const& pick(generator& random, std::vector<T> const& from) {
    return from[random.below(from.size())];
}

std::uint64_t between(generator& random, std::uint64_t low, std::uint64_t high) {
    return low + random.below(high - low + 1);
}

/// From very few locks, which everybody wants, to many.
void draw_parameters(workload& w, generator& random) {
    static constexpr std::uint64_t holds[] = {0, 0, 0, 200, 2'000, 20'000};
    w.hold_ns = holds[random.below(std::size(holds))];
    w.hold_yields = random.percent(50);
    if (w.picks == choice::giant_vma) w.hold_ns %= 1'000;
    if (on_address_space(w.picks)) return;
    if (w.picks != choice::own) {
        w.locks = std::uint64_t{1} << between(random, 1, 9);
        w.locks += random.below(3);
    }
    w.locks_per_transaction = between(random, 1, std::min<std::uint64_t>(w.locks, 24));
    if (w.picks == choice::ring) w.locks_per_transaction = std::min<std::uint64_t>(w.locks - 1, 6);
    if (w.transfers) {
        w.locks_per_transaction = std::max<std::uint64_t>(w.locks_per_transaction, 2);
    } else {
        w.read_percent = static_cast<double>(25 * random.below(4));
    }
    if (w.picks == choice::zipf) w.zipf = 0.3 * static_cast<double>(random.below(5));
    if (w.picks == choice::hotspot) w.hot_position = 0.25 * static_cast<double>(random.below(5));
    if (w.picks != choice::ring) w.sequence = static_cast<order>(random.below(4));
}

struct totals {
    std::uint64_t rounds = 0;
    std::uint64_t failed = 0;
    std::uint64_t commits = 0;
    std::uint64_t restarts = 0;
};

result_row carry_out(soak_options const& chosen, soak_round const& round,
                     std::vector<replay::recorded_program> const& programs) {
    progress quiet(1, false);
    if (!round.recording) {
        run_options run;
        run.workloads = {round.what};
        run.workloads.front().threads = {round.threads};
        run.policies = {round.policy};
        run.seconds = round.seconds;
        run.rounds = 1;
        run.seed = round.seed;
        run.check = true;
        return measure(run, quiet).front();
    }
    replay_options replay{.recording = chosen.recordings[*round.recording],
                          .policies = {round.policy},
                          .threads = {round.traced ? traced_threads : round.threads},
                          .repeat = 1,
                          .seed = round.seed,
                          .check = true,
                          .skip_unknown = false,
                          .out = {},
                          .disjoint = round.disjoint && !round.traced && round.threads > 1,
                          .work = {}};
    return measure(replay, programs[*round.recording], quiet).front();
}

void say(std::uint64_t number, soak_round const& round, result_row const& row) {
    spdlog::info("round {} seed {:#x}: {} under {}, {} threads, {} commits, {} restarts, check {}",
                 number, round.seed, row.workload, row.policy, row.threads.value_or(0),
                 row.commits.value_or(0), row.restarts.value_or(0), row.check);
}

}  // namespace

std::uint64_t round_seed(std::uint64_t seed, std::uint64_t round) {
    return round == 0 ? seed : derived_seed(seed, round);
}

soak_round draw_round(soak_options const& from, std::uint64_t seed) {
    generator random(seed);
    soak_round round;
    round.seed = seed;
    round.policy = pick(random, from.policies);
    round.threads = pick(random, from.threads);
    round.seconds = 0.2 + 0.1 * static_cast<double>(random.below(8));
    auto const choice = random.below(from.workloads.size() + from.recordings.size());
    if (choice >= from.workloads.size()) {
        round.recording = choice - from.workloads.size();
        round.threads = std::min<std::uint64_t>(round.threads, 4);  // each replays all of it
        round.traced = random.percent(50);
        round.disjoint = random.percent(50);
        return round;
    }
    round.what = *find_workload(from.workloads[choice]);
    draw_parameters(round.what, random);
    return round;
}

std::string replay_command(soak_options const& of, std::uint64_t seed) {
    std::ostringstream text;
    auto const list = [&](char const* option, auto const& values) {
        text << ' ' << option << ' ';
        for (std::size_t i = 0; i < values.size(); ++i) text << (i > 0 ? "," : "") << values[i];
    };
    text << "manylock-stress run --forever --rounds 1 --seed 0x" << std::hex << seed << std::dec;
    list("--policy", of.policies);
    list("--threads", of.threads);
    if (of.workloads.size() == 1) list("--workload", of.workloads);
    for (auto const& path : of.recordings) text << " --recording " << path.string();
    return text.str();
}

int soak(soak_options const& chosen) {
    std::vector<replay::recorded_program> programs;
    for (auto const& path : chosen.recordings) programs.push_back(replay::load_program(path));
    std::cout << "soak: seed 0x" << std::hex << chosen.seed << std::dec << std::endl;

    std::mutex running_mutex;
    std::string running;  // how to repeat the round that is running
    std::unique_ptr<watchdog> dog;
    if (chosen.watchdog > 0) {
        dog = std::make_unique<watchdog>(std::chrono::duration_cast<watchdog::duration>(
                                             std::chrono::duration<double>(chosen.watchdog)),
                                         [&](stuck_report report) {
                                             std::lock_guard const guard(running_mutex);
                                             report.text +=
                                                 "to repeat the round: " + running + "\n";
                                             end_stuck(report, chosen.out);
                                         });
    }

    totals sum;
    auto const begin = std::chrono::steady_clock::now();
    auto const elapsed = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    try {
        for (std::uint64_t n = 0; !chosen.rounds || n < *chosen.rounds; ++n) {
            throw_if_interrupted();
            if (chosen.seconds && elapsed() >= *chosen.seconds) break;
            auto round = draw_round(chosen, round_seed(chosen.seed, n));
            if (chosen.seconds) {
                auto const left = std::max(*chosen.seconds - elapsed(), 0.05);
                round.seconds = std::min(round.seconds, left);
            }
            auto const again = replay_command(chosen, round.seed);
            {
                std::lock_guard const guard(running_mutex);
                running = again;
            }
            // Said before: what ends the process, a sanitizer's finding say, leaves no time to say it after.
            std::cout << "round " << n + 1 << ": " << again << std::endl;
            auto const row = carry_out(chosen, round, programs);
            say(n, round, row);
            ++sum.rounds;
            sum.commits += row.commits.value_or(0);
            sum.restarts += row.restarts.value_or(0);
            if (row.check == "ok") continue;
            ++sum.failed;
            std::cout << "to repeat the round: " << again << std::endl;
        }
    } catch (interrupted const&) {
        // ends it cleanly: the round that was cut off does not count
    }
    std::cout << "soak: " << sum.rounds << " rounds, " << sum.commits << " commits, "
              << sum.restarts << " restarts; checks: " << sum.rounds - sum.failed << " ok, "
              << sum.failed << " failed" << std::endl;
    return sum.failed > 0 ? 1 : 0;
}

}  // namespace manylock::stress

#include "measure.hpp"

#include "interrupt.hpp"
#include "provenance.hpp"
#include "random.hpp"
#include "rows.hpp"

#include <algorithm>

namespace manylock::stress {
namespace {

result_row row_for(std::string const& policy, std::string const& workload_name,
                   std::uint64_t threads, std::uint64_t seed, std::uint64_t round) {
    result_row row;
    row.policy = policy;
    row.workload = workload_name;
    row.platform = "native";
    row.threads = threads;
    row.cores = usable_cores();
    row.seed = seed;
    row.round = round;
    return row;
}

result_row measure_one(run_options const& run, workload const& w, std::uint64_t threads,
                       std::string const& policy, std::uint64_t round) {
    row_request request;
    request.what = w;
    request.threads = threads;
    request.length = {run.seconds, run.commits};
    // The same for all policies of a round, so that they see the same transactions.
    request.seed = derived_seed(run.seed, round);
    request.check = run.check;
    request.sample_restarts = run.sample_restarts;
    request.hold_yields = w.hold_yields && threads > usable_cores();
    auto row = row_for(policy, w.name, threads, run.seed, round);
    fill_configuration(row, w);
    if (!on_address_space(w.picks) && request.hold_yields) row.hold = "yields";
    auto const& runner = find_runner(policy);
    if (run.sample_restarts > 0 && runner.facts().restarts) {
        row.sampled = "1/" + std::to_string(run.sample_restarts);
    }
    fill_outcome(row, runner.run(request), runner.facts(), on_address_space(w.picks));
    return row;
}

}  // namespace

std::size_t row_count(run_options const& run) {
    std::size_t configurations = 0;
    for (auto const& w : run.workloads) configurations += w.threads.size();
    return configurations * run.policies.size() * run.rounds;
}

std::vector<result_row> measure(run_options const& run, progress& bar) {
    std::vector<result_row> rows;
    for (std::uint64_t round = 0; round < run.rounds; ++round) {
        for (auto const& w : run.workloads) {
            for (auto const threads : w.threads) {
                for (auto const& policy : run.policies) {
                    throw_if_interrupted();
                    bar.show(w.name + ", " + std::to_string(threads) + " threads, " + policy +
                             (run.check ? ", checked" : ""));
                    rows.push_back(measure_one(run, w, threads, policy, round));
                    bar.advance();
                }
            }
        }
    }
    return rows;
}

std::size_t row_count(replay_options const& replay) {
    return replay.threads.size() * replay.policies.size() * replay.repeat;
}

std::vector<result_row> measure(replay_options const& replay,
                                replay::recorded_program const& program, progress& bar) {
    std::vector<result_row> rows;
    replay_preparation prepared(replay, program, bar);
    auto const& name = prepared.name();
    for (std::uint64_t round = 0; round < replay.repeat; ++round) {
        for (auto const asked : replay.threads) {
            for (auto const& policy : replay.policies) {
                throw_if_interrupted();
                auto row = row_for(policy, name, 1, replay.seed, round);
                auto const request = prepared.request(asked, row);
                bar.show(name + ", " + std::to_string(request.threads) + " threads, " + policy +
                         (replay.check ? ", checked" : ""));
                auto const& runner = find_runner(policy);
                fill_outcome(row, runner.replay(request), runner.facts(), true);
                rows.push_back(std::move(row));
                bar.advance();
            }
        }
    }
    return rows;
}

bool any_failed(std::vector<result_row> const& rows) {
    return std::any_of(rows.begin(), rows.end(),
                       [](result_row const& row) { return row.check == "failed"; });
}

}  // namespace manylock::stress

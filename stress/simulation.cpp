#include "simulation.hpp"

#include "input_error.hpp"
#include "interrupt.hpp"
#include "random.hpp"
#include "rows.hpp"
#include "simulate/simulator.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <mutex>
#include <new>
#include <sstream>
#include <thread>

namespace manylock::stress {
namespace {

/// One row to simulate: its known columns, and what fills in the rest.
struct job {
    result_row row;
    std::function<row_outcome(simulate::simulated_machine const&)> carry_out;
    simulate::policy_simulator const* policy = nullptr;
    machine_shape shape;
    bool on_space = false;
    std::uint64_t commits = 0;  ///< expected, for the progress bar
};

result_row known_columns(simulate_options const& chosen, std::string const& policy,
                         std::string workload_name, machine_shape shape, std::uint64_t round) {
    result_row row;
    row.policy = policy;
    row.workload = std::move(workload_name);
    row.platform = "simulated";
    row.threads = shape.threads;
    row.cores = shape.cores;
    row.sockets = std::min(chosen.cost.sockets, shape.cores);
    row.seed = chosen.seed;
    row.round = round;
    return row;
}

std::vector<job> workload_jobs(simulate_options const& chosen) {
    std::vector<job> jobs;
    for (std::uint64_t round = 0; round < chosen.rounds; ++round) {
        for (auto const& w : chosen.workloads) {
            for (auto const& shape : w.shapes) {
                for (auto const& policy : chosen.policies) {
                    auto& j = jobs.emplace_back();
                    j.policy = simulate::find_simulator(policy);  // what has none was refused
                    j.shape = shape;
                    j.on_space = on_address_space(w.picks);
                    j.commits = chosen.commits + chosen.commits / 10;
                    j.row = known_columns(chosen, policy, w.name, shape, round);
                    fill_configuration(j.row, w);
                    row_request request;
                    request.what = w;
                    request.threads = shape.threads;
                    request.length = {0, chosen.commits};
                    // The same for all policies of a round, so that they see the same transactions.
                    request.seed = derived_seed(chosen.seed, round);
                    request.check = chosen.check;
                    request.hold_yields = w.hold_yields && shape.threads > shape.cores;
                    if (!j.on_space && request.hold_yields) j.row.hold = "yields";
                    j.carry_out = [request,
                                   simulates = j.policy](simulate::simulated_machine const& on) {
                        return simulates->run(request, on);
                    };
                }
            }
        }
    }
    return jobs;
}

std::vector<job> replay_jobs(simulate_options const& chosen, replay_preparation& prepared) {
    std::vector<job> jobs;
    auto const& replay = *chosen.replay;
    for (std::uint64_t round = 0; round < chosen.rounds; ++round) {
        for (auto const asked : replay.threads) {
            for (auto const cores : chosen.cores) {
                for (auto const& policy : chosen.policies) {
                    auto& j = jobs.emplace_back();
                    j.policy = simulate::find_simulator(policy);  // what has none was refused
                    j.shape = {cores, 1};
                    j.on_space = true;
                    j.row = known_columns(chosen, policy, prepared.name(), j.shape, round);
                    auto const request =
                        prepared.request(asked == own_threads ? cores : asked, j.row);
                    j.shape.threads = request.threads;
                    j.carry_out = [request,
                                   simulates = j.policy](simulate::simulated_machine const& on) {
                        return simulates->replay(request, on);
                    };
                }
            }
        }
    }
    return jobs;
}

class side_by_side {
public:
    side_by_side(std::vector<job>& jobs, simulate_options const& chosen, progress& bar)
        : jobs_(jobs), chosen_(chosen), bar_(bar), outcomes_(jobs.size()) {}

    void run() {
        std::vector<std::jthread> workers;
        auto const wanted = std::min<std::size_t>(chosen_.jobs, jobs_.size());
        for (std::size_t i = 0; i < wanted; ++i) {
            workers.emplace_back([this] { work(); });
        }
        workers.clear();
        if (error_) std::rethrow_exception(error_);
        throw_if_interrupted();
        for (std::size_t i = 0; i < jobs_.size(); ++i) {
            auto& j = jobs_[i];
            fill_outcome(j.row, outcomes_[i], j.policy->facts(), j.on_space);
        }
    }
    [[nodiscard]] std::uint64_t events() const noexcept {
        std::uint64_t sum = 0;
        for (auto const& o : outcomes_) sum += o.simulated ? o.simulated->events : 0;
        return sum;
    }
    [[nodiscard]] std::uint64_t switches() const noexcept {
        std::uint64_t sum = 0;
        for (auto const& o : outcomes_) sum += o.simulated ? o.simulated->switches : 0;
        return sum;
    }

private:
    void work() {
        for (;;) {
            // relaxed: only unique
            auto const i = next_.fetch_add(1, std::memory_order_relaxed);
            // relaxed: a flag
            if (i >= jobs_.size() || interrupt_requested.load(std::memory_order_relaxed)) return;
            auto& j = jobs_[i];
            show(j);
            try {
                outcomes_[i] = j.carry_out({j.shape, chosen_.cost, &commits_});
            } catch (...) {
                std::lock_guard const guard(mutex_);
                if (!error_) {
                    error_ = describe_error(j);
                    next_.store(jobs_.size(),
                                std::memory_order_relaxed);  // relaxed: only so that all end
                }
                return;
            }
            std::lock_guard const guard(mutex_);
            bar_.advance();
        }
    }
    void show(job const& j) {
        std::lock_guard const guard(mutex_);
        bar_.show(j.row.workload + ", " + std::to_string(j.shape.cores) + " cores, " +
                  j.row.policy);
    }
    static std::exception_ptr describe_error(job const& j) {
        try {
            throw;
        } catch (interrupted const&) {  // these three say all, and have exit codes of their own
            return std::current_exception();
        } catch (input_error const&) {
            return std::current_exception();
        } catch (std::bad_alloc const&) {
            return std::current_exception();
        } catch (std::exception const& e) {
            return std::make_exception_ptr(
                std::runtime_error(j.row.workload + " under " + j.row.policy + " on " +
                                   std::to_string(j.shape.cores) + " cores: " + e.what()));
        } catch (...) {
            return std::current_exception();
        }
    }

    std::vector<job>& jobs_;
    simulate_options const& chosen_;
    progress& bar_;
    std::vector<row_outcome> outcomes_;
    std::atomic<std::size_t> next_{0};
    std::atomic<std::uint64_t> commits_{0};
    std::mutex mutex_;  ///< guards the bar and what follows
    std::exception_ptr error_;
};

}  // namespace

std::size_t row_count(simulate_options const& chosen) {
    std::size_t configurations = 0;
    if (chosen.replay) {
        configurations = chosen.replay->threads.size() * chosen.cores.size();
    } else {
        for (auto const& w : chosen.workloads) configurations += w.shapes.size();
    }
    return configurations * chosen.policies.size() * chosen.rounds;
}

std::vector<result_row> simulate_rows(simulate_options const& chosen,
                                      replay::recorded_program const* program, progress& bar) {
    auto const begin = std::chrono::steady_clock::now();
    std::optional<replay_preparation> prepared;
    if (chosen.replay) prepared.emplace(*chosen.replay, *program, bar);
    auto jobs = prepared ? replay_jobs(chosen, *prepared) : workload_jobs(chosen);
    side_by_side all(jobs, chosen, bar);
    all.run();
    std::ostringstream text;
    text << std::fixed << std::setprecision(1) << "simulated in "
         << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()
         << " s: " << static_cast<double>(all.events()) * 1e-6 << " million events, "
         << static_cast<double>(all.switches()) * 1e-6 << " million switches";
    std::cout << text.str() << std::endl;
    std::vector<result_row> rows;
    rows.reserve(jobs.size());
    for (auto& j : jobs) rows.push_back(std::move(j.row));
    return rows;
}

}  // namespace manylock::stress

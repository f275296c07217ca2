#include "rows.hpp"

#include <cctype>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <spdlog/spdlog.h>
#include <sstream>

namespace manylock::stress {
namespace {

count result_row::*reason_column(restart_reason reason) {
    return restart_reason_columns[static_cast<std::size_t>(reason)].member;
}
static_assert(restart_reason_columns.size() == restart_reason_count);
static_assert([] {
    for (std::size_t i = 0; i < restart_reason_count; ++i) {
        if (restart_reason_columns[i].name != restart_reason_names[i]) return false;
    }
    return true;
}());

/// Sampled tags stand for all restarts; without a sample they stay empty.
void fill_tags(result_row& row, measurement const& m) {
    if (!m.tagged) return;
    if (row.sampled.empty()) {
        row.restarts_cycle = m.tags.cycle;
        row.restarts_precaution = m.tags.precaution;
        return;
    }
    auto const looked_at = m.tags.cycle + m.tags.precaution;
    if (looked_at == 0) return;
    auto const share = static_cast<double>(m.tags.cycle) / static_cast<double>(looked_at);
    row.restarts_cycle =
        static_cast<std::uint64_t>(std::llround(static_cast<double>(*row.restarts) * share));
    row.restarts_precaution = *row.restarts - *row.restarts_cycle;
}

/// `on_space`: the workload is on an address space, whose objects can go away.
void fill_restarts(result_row& row, measurement const& m, policy_facts const& facts,
                   bool on_space) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < restart_reason_count; ++i) {
        sum += m.restarts[i];
        auto const reason = static_cast<restart_reason>(i);
        bool const applies = (facts.restarts && reason == facts.reason) ||
                             (on_space && reason == restart_reason::stale);
        if (applies || m.restarts[i] > 0) row.*reason_column(reason) = m.restarts[i];
    }
    row.restarts = sum;
    row.restarts_max_of_one_transaction = m.restarts_max_of_one_transaction;
    fill_tags(row, m);
    if (facts.restarts && !on_space) {  // a space retries its transactions itself, unseen
        row.wasted_ns = m.wasted_ns;
        row.wasted_locks = m.wasted_locks;
    }
    if (m.commits > 0)
        row.restarts_per_commit = static_cast<double>(sum) / static_cast<double>(m.commits);
}

}  // namespace

void fill_configuration(result_row& row, workload const& w) {
    if (!on_address_space(w.picks)) {
        row.locks = w.locks;
        row.locks_per_transaction = w.locks_per_transaction;
        row.read_percent = w.read_percent;
        row.hold_ns = w.hold_ns;
        if (w.picks == choice::zipf) row.zipf = w.zipf;
    }
    if (w.picks == choice::giant_vma) row.hold_ns = w.hold_ns;
}

void fill_outcome(result_row& row, row_outcome const& outcome, policy_facts const& facts,
                  bool on_space) {
    auto const& m = outcome.measured;
    row.seconds = outcome.seconds;
    row.commits = m.commits;
    if (outcome.seconds > 0)
        row.commits_per_second = static_cast<double>(m.commits) / outcome.seconds;
    fill_restarts(row, m, facts, on_space);
    if (m.latency.count() > 0) {
        row.latency_ns_p50 = m.latency.at(0.5);
        row.latency_ns_p99 = m.latency.at(0.99);
        row.latency_ns_p999 = m.latency.at(0.999);
        row.latency_ns_max = m.latency.max();
    }
    row.fallbacks = outcome.fallbacks;
    row.wait_ns = outcome.wait_ns;
    row.detector_walks = outcome.detector_walks;
    row.detector_edges = outcome.detector_edges;
    row.held_list_bytes_max = outcome.held_list_bytes_max;
    row.lock_bytes = outcome.lock_bytes;
    if (outcome.page_faults) {
        auto const& faults = *outcome.page_faults;
        row.fault_success = faults.success;
        row.fault_abort = faults.abort;
        row.fault_retry = faults.retry;
        row.fault_miss = faults.miss;
        if (faults.latency.count() > 0) {
            row.fault_ns_p50 = faults.latency.at(0.5);
            row.fault_ns_p99 = faults.latency.at(0.99);
            row.fault_ns_max = faults.latency.max();
        }
    }
    if (outcome.simulated) {
        row.cycles_formed = outcome.simulated->cycles_formed;
        if (*row.cycles_formed > 0 && row.restarts_cycle) {
            row.victims_per_cycle =
                static_cast<double>(*row.restarts_cycle) / static_cast<double>(*row.cycles_formed);
        }
        for (auto const& [length, n] : outcome.simulated->cycle_lengths) {
            if (!row.cycle_lengths.empty()) row.cycle_lengths += ' ';
            row.cycle_lengths += std::to_string(length) + ':' + std::to_string(n);
        }
    }
    if (outcome.checked) row.check = outcome.faults.empty() ? "ok" : "failed";
    for (auto const& fault : outcome.faults) {
        std::cout << "check failed: " << row.workload << " under " << row.policy << ", "
                  << row.threads.value_or(0) << " threads, round " << row.round.value_or(0) << ": "
                  << fault << std::endl;
    }
}

std::string replay_name(std::filesystem::path const& directory) {
    auto const path = std::filesystem::weakly_canonical(directory);
    auto name = path.filename().string();
    if (name == "native") name = path.parent_path().filename().string() + "_native";
    for (char& c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    }
    constexpr std::size_t longest = 200;  // it becomes part of file names
    if (name.size() > longest) name.resize(longest);
    return "replay_" + (name.empty() ? "recording" : name);
}

replay_preparation::replay_preparation(replay_options const& replay,
                                       replay::recorded_program const& program, progress& bar)
    : replay_(replay),
      program_(program),
      name_(replay_name(replay.recording)),
      bar_(bar),
      work_ns_(work_of(program, replay.work)) {}

replay_request replay_preparation::request(std::uint64_t asked, result_row& row) {
    replay_request request;
    request.program = &program_;
    request.check = replay_.check;
    request.work_ns = &work_ns_;
    row.work = replay_.work.text();
    if (asked == traced_threads) {
        request.threads = std::max<std::uint64_t>(program_.threads.size(), 1);
        if (request.threads > 1) {
            find_order();
            request.order = &*order_;
            request.lives = &*lives_;
            row.order_edges = order_->edges_kept;
            row.parallel_width = order_->width_max;
        }
    } else if (asked > 1) {
        find_users();
        request.threads = asked;
        request.users = &*users_;
        request.disjoint = replay_.disjoint;
        row.regions = replay_.disjoint ? "disjoint" : "shared";
    }
    row.threads = request.threads;
    return request;
}

void replay_preparation::find_order() {
    if (order_) return;
    bar_.show(name_ + ": finding what depends on what");
    order_ = order_of(program_, record_footprints(program_), replay_.check);
    lives_ = lifetimes_of(program_);
    std::ostringstream text;
    text << std::fixed << std::setprecision(1) << "order: " << program_.items.size() << " items, "
         << order_->edges_kept << " edges kept (" << order_->edges_dropped
         << " implied by others), longest chain " << order_->levels << ", parallel width "
         << order_->width_max << " max, " << order_->width_mean << " mean";
    std::cout << text.str() << std::endl;
    spdlog::info("{}: {} threads, at most {} of them alive at once", name_, lives_->started,
                 lives_->live_max);
}

void replay_preparation::find_users() {
    if (users_) return;
    users_ = multiplied(program_);
    if (auto const text = users_->left_out(); !text.empty()) std::cout << text << std::endl;
}

}  // namespace manylock::stress

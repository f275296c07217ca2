// What of a configuration and of its outcome goes into which column of a row.
#pragma once

#include "options.hpp"
#include "progress.hpp"
#include "result.hpp"
#include "workloads/replay_order.hpp"
#include "workloads/replay_users.hpp"
#include "workloads/runner.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace manylock::stress {

/// The columns that say what was asked of a workload.
void fill_configuration(result_row& row, workload const& w);

/// The columns that say what came out. `on_space`: the workload is on an address space, whose objects can go
/// away. Prints what a check found.
void fill_outcome(result_row& row, row_outcome const& outcome, policy_facts const& facts,
                  bool on_space);

/// "replay_" and the recorded program's name: the directory's, or its parent's for .../NAME/native.
std::string replay_name(std::filesystem::path const& directory);

/// What has to be known of a program before it is replayed in one way or another; found once. The program and
/// the options must outlive it.
class replay_preparation {
public:
    replay_preparation(replay_options const& replay, replay::recorded_program const& program,
                       progress& bar);
    [[nodiscard]] std::string const& name() const noexcept { return name_; }
    /// The request, and the columns that say what it was. Valid as long as this.
    replay_request request(std::uint64_t asked, result_row& row);

private:
    void find_order();
    void find_users();

    replay_options const& replay_;
    replay::recorded_program const& program_;
    std::string name_;
    progress& bar_;
    std::vector<std::uint32_t> work_ns_;
    std::optional<replay::execution_order> order_;
    std::optional<lifetimes> lives_;
    std::optional<user_program> users_;
};

}  // namespace manylock::stress

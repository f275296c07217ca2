// The measured threads of a row on the virtual machine: crew (workloads/crew.hpp) in virtual time. A row ends at
// its last commit, whoever makes it, so a policy that starves some threads cannot look better for letting them
// finish alone. Before it, a tenth as many commits are not counted, and none until all threads have begun.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "../interrupt.hpp"
#include "../workloads/runner.hpp"
#include "timed.hpp"

namespace manylock::simulate {

class virtual_crew {
public:
    using time_point = timed::time_point;

    class member {
    public:
        [[nodiscard]] std::uint64_t index() const noexcept { return index_; }
        [[nodiscard]] bool measuring() const noexcept { return crew_->phase_ == phase::measure; }
        bool next() {
            machine::current()->in_order();  // whether the end has come depends on all
            return !stopping();
        }
        [[nodiscard]] bool stopping() const noexcept {
            // relaxed: a flag
            return crew_->phase_ == phase::stop ||
                   stress::interrupt_requested.load(std::memory_order_relaxed);
        }
        void committed(time_point start) { crew_->committed(start); }
        void restarted(stress::lost_attempt const& one) {
            if (measuring()) crew_->total_.restarted(one);
        }

    private:
        friend class virtual_crew;
        virtual_crew* crew_ = nullptr;
        std::uint64_t index_ = 0;
    };

    /// Requires: the request says how many commits.
    explicit virtual_crew(stress::row_request const& request);

    /// As crew::run. Called on a thread of the machine, which waits for the others.
    double run(std::function<void(member&)> const& work,
               std::function<void(bool begins)> const& measured);
    [[nodiscard]] stress::measurement const& total() const noexcept { return total_; }

private:
    enum class phase : std::uint8_t { warm_up, measure, stop };
    void committed(time_point start);

    std::uint64_t left_;  ///< commits in this phase
    std::uint64_t commits_;
    phase phase_ = phase::warm_up;
    std::uint64_t begin_ = 0;  ///< of this phase
    std::uint64_t end_ = 0;
    std::function<void(bool)> const* measured_ = nullptr;
    std::vector<member> members_;
    stress::measurement total_;
};

}  // namespace manylock::simulate

// What the domain of an address space counted, as a row. The space retries its transactions itself,
// so restarts are its domain's; an operation that came back counts as a commit, page faults
// included.
#pragma once

#include "lock_run.hpp"
#include "runner.hpp"
#include "stage.hpp"

#include <manylock/address_space/space.hpp>

namespace manylock::stress {

/// What the domain of a space counted while it was measured.
template <class Stage, class Domain>
class space_window {
public:
    explicit space_window(Domain& domain) : domain_(domain), counters_(domain) {}
    void mark(bool begins) {
        counters_.mark(begins);
        (begins ? tags_before_ : tags_after_) = Stage::restart_tags_of(domain_);
    }
    void report(row_outcome& row) const {
        auto& m = row.measured;
        for (std::size_t i = 0; i < restart_reason_count; ++i) {
            m.restarts[i] = counters_.restarts(static_cast<restart_reason>(i));
        }
        m.restarts_max_of_one_transaction = counters_.restarts_max();
        m.tagged = Stage::tags_restarts;
        m.tags = tags_after_ - tags_before_;
        row.lock_bytes = sizeof(typename Domain::lock_type);
        counters_.report(row);
    }

private:
    Domain& domain_;
    counter_window<Domain> counters_;
    restart_tags tags_before_;
    restart_tags tags_after_;
};

/// Runs `work(Stage::crew::member&)` on the request's threads against the space of `domain`.
template <class Stage, class Domain, class Work>
row_outcome measure_crew(row_request const& request, Domain& domain, Work work) {
    row_outcome row;
    space_window<Stage, Domain> window(domain);
    typename Stage::crew threads(request);
    row.seconds = threads.run(work, [&](bool begins) { window.mark(begins); });
    row.measured = threads.total();
    window.report(row);
    return row;
}

}  // namespace manylock::stress

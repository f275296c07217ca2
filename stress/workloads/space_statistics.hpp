// What the domain of an address space counted, as a row. The space retries its transactions itself,
// so restarts are its domain's; an operation that came back counts as a commit, page faults
// included.
#pragma once

#include "lock_run.hpp"
#include "runner.hpp"

#include <manylock/address_space/space.hpp>

namespace manylock::stress {

template <class Domain>
void take_restarts(row_outcome& row, counter_window<Domain> const& window) {
    for (std::size_t i = 0; i < restart_reason_count; ++i) {
        row.measured.restarts[i] = window.restarts(static_cast<restart_reason>(i));
    }
    row.measured.restarts_max_of_one_transaction = window.restarts_max();
    row.lock_bytes = sizeof(typename Domain::lock_type);
    window.report(row);
}

/// Runs `work(Stage::crew::member&)` on the request's threads against the space of `domain`.
template <class Stage, class Domain, class Work>
row_outcome measure_crew(row_request const& request, Domain& domain, Work work) {
    row_outcome row;
    counter_window<Domain> window(domain);
    typename Stage::crew threads(request);
    row.seconds = threads.run(work, [&](bool begins) { window.mark(begins); });
    row.measured = threads.total();
    take_restarts(row, window);
    return row;
}

}  // namespace manylock::stress

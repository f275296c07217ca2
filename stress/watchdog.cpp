#include "watchdog.hpp"

#include "atomic_file.hpp"
#include "workloads/watched.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <iomanip>
#include <manylock/graph/dot.hpp>
#include <map>
#include <memory>
#include <sstream>

namespace manylock::stress {
namespace {

using clock = std::chrono::steady_clock;

double seconds(clock::duration d) {
    return std::chrono::duration<double>(d).count();
}

/// One line a transaction that waits or is waited for.
void describe(std::ostream& out, graph::wait_for_graph const& g) {
    auto const found = graph::strong_components(g);
    out << "wait-for graph, policy " << g[boost::graph_bundle].policy << ", " << num_vertices(g)
        << " transactions:\n";
    for (auto const v : boost::make_iterator_range(vertices(g))) {
        auto const& t = g[v];
        if (t.kind == graph::vertex_kind::readers) {
            out << "  " << t.readers << " readers";
        } else {
            out << "  " << (t.single_reader ? "reader " : "transaction ") << t.number;
        }
        if (t.age.drawn()) out << ", stamp " << t.age.value;
        if (t.told_to_restart) out << ", told to restart";
        if (found.on_cycle(v)) out << ", on a cycle";
        out << ": holds";
        if (t.holds.empty()) out << " nothing that is known";
        for (auto const& h : t.holds)
            out << ' ' << graph::detail::text_of(h.lock) << " (" << name(h.held) << ')';
        if (t.wants) {
            out << (t.wants->upgrade ? "; upgrades " : "; wants ")
                << graph::detail::text_of(t.wants->lock) << " (" << name(t.wants->wanted) << ')';
        }
        out << '\n';
    }
}

/// Taken on a thread of its own: whoever waits for a latch that is never freed waits for ever.
std::shared_ptr<std::promise<std::vector<graph::wait_for_graph>>> begin_graphs() {
    auto const promised = std::make_shared<std::promise<std::vector<graph::wait_for_graph>>>();
    std::thread([promised] {
        try {
            promised->set_value(graphs_now());
        } catch (...) {
            promised->set_exception(std::current_exception());
        }
    }).detach();
    return promised;
}

struct progress_of_worker {
    std::uint64_t steps = 0;
    clock::time_point since;
};

stuck_report report(std::map<std::uint64_t, progress_of_worker> const& seen,
                    clock::duration graph_patience) {
    std::ostringstream text;
    std::ostringstream dot;
    text << std::fixed << std::setprecision(1) << "stuck: no transaction has ended for a while\n";
    auto const now = clock::now();
    for (auto const& w : workers_now()) {
        text << w.name << ": begun " << w.steps;
        if (auto const at = seen.find(w.id); at != seen.end())
            text << ", the last " << seconds(now - at->second.since) << " s ago at least";
        text << '\n';
    }
    auto const promised = begin_graphs();
    auto graphs = promised->get_future();
    if (graphs.wait_for(graph_patience) != std::future_status::ready) {
        text << "no wait-for graph: somebody holds a latch or a mutex that it needs\n";
        return {text.str(), {}};
    }
    try {
        for (auto const& g : graphs.get()) {
            describe(text, g);
            graph::write_dot(g, dot);
        }
    } catch (std::exception const& error) {
        text << "no wait-for graph: " << error.what() << '\n';
    }
    return {text.str(), dot.str()};
}

}  // namespace

watchdog::watchdog(duration patience, std::function<void(stuck_report const&)> on_stuck,
                   duration graph_patience)
    : patience_(patience),
      graph_patience_(graph_patience),
      on_stuck_(std::move(on_stuck)),
      thread_([this](std::stop_token const& stop) { watch(stop); }) {}

void watchdog::watch(std::stop_token const& stop) const {
    auto const poll = std::min<duration>(patience_ / 8, std::chrono::milliseconds(100));
    std::map<std::uint64_t, progress_of_worker> seen;
    auto last_progress = clock::now();
    while (!stop.stop_requested()) {
        std::this_thread::sleep_for(poll);
        auto const now = clock::now();
        std::map<std::uint64_t, progress_of_worker> current;
        for (auto const& w : workers_now()) {
            auto const before = seen.find(w.id);
            bool const stands = before != seen.end() && before->second.steps == w.steps;
            current[w.id] = {w.steps, stands ? before->second.since : now};
            if (!stands) last_progress = now;
        }
        // Also one that has ended has got on, and where nobody works nobody is stuck.
        if (current.size() < seen.size() || current.empty()) last_progress = now;
        seen = std::move(current);
        if (now - last_progress < patience_) continue;
        on_stuck_(report(seen, graph_patience_));
        return;
    }
}

void end_stuck(stuck_report const& report, std::string const& directory) {
    std::fputs(report.text.c_str(), stderr);
    if (!directory.empty()) {
        try {
            atomic_files files(directory);
            files.add("stuck.txt", report.text);
            files.add("stuck.dot", report.dot);
            files.commit();
        } catch (std::exception const& error) {
            std::fprintf(stderr, "%s\n", error.what());
        }
    } else {
        std::fputs(report.dot.c_str(), stderr);
    }
    std::fflush(nullptr);
    std::_Exit(1);
}

}  // namespace manylock::stress

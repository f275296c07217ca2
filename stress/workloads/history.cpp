#include "history.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/topological_sort.hpp>
#include <iterator>
#include <tuple>

namespace manylock::stress {
namespace {

using graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS>;
using vertex = boost::graph_traits<graph>::vertex_descriptor;

struct passage {
    access what;
    vertex transaction = 0;
};

/// One lock's passages, by version; the writer that made a version stands before its readers.
/// Adds the edges between them. Returns a sentence if the versions themselves are impossible.
std::optional<std::string> add_edges(std::vector<passage>::const_iterator from,
                                     std::vector<passage>::const_iterator end, graph& order) {
    std::optional<vertex> writer;
    std::uint64_t version_written = 0;
    std::vector<vertex> readers;
    for (auto p = from; p != end; ++p) {
        if (p->what.shared) {
            if (writer) boost::add_edge(*writer, p->transaction, order);
            readers.push_back(p->transaction);
            continue;
        }
        if (writer && p->what.version == version_written) {
            return "lock " + std::to_string(p->what.lock) +
                   " was given to two exclusive holders at once: both made "
                   "version " +
                   std::to_string(version_written);
        }
        if (writer) boost::add_edge(*writer, p->transaction, order);
        for (auto const reader : readers) boost::add_edge(reader, p->transaction, order);
        readers.clear();
        writer = p->transaction;
        version_written = p->what.version;
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> find_fault(std::vector<thread_history> const& threads) {
    std::vector<passage> passages;
    vertex transactions = 0;
    for (auto const& t : threads) {
        std::size_t from = 0;
        for (auto const end : t.ends()) {
            for (; from < end; ++from) passages.push_back({t.accesses()[from], transactions});
            ++transactions;
        }
    }
    std::sort(passages.begin(), passages.end(), [](passage const& a, passage const& b) {
        return std::tuple(a.what.lock, a.what.version, a.what.shared) <
               std::tuple(b.what.lock, b.what.version, b.what.shared);
    });
    graph order(transactions);
    for (auto from = passages.cbegin(); from != passages.cend();) {
        auto const end = std::find_if(from, passages.cend(), [&](passage const& p) {
            return p.what.lock != from->what.lock;
        });
        if (auto fault = add_edges(from, end, order)) return fault;
        from = end;
    }
    std::vector<vertex> sorted;
    sorted.reserve(transactions);
    try {
        boost::topological_sort(order, std::back_inserter(sorted));
    } catch (boost::not_a_dag const&) {
        return "the transactions are not serialisable: the orders in which they passed the locks "
               "form a cycle";
    }
    return std::nullopt;
}

}  // namespace manylock::stress

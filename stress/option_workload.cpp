#include "option_texts.hpp"

#include "input_error.hpp"

#include <algorithm>

namespace manylock::stress {

void add_workload(texts& given) {
    given.add("--locks", "N", "locks in all");
    given.add("--locks-per-transaction", "K", "locks a transaction takes");
    given.add("--read-percent", "R", "share of lock requests in shared mode, 0 to 100");
    given.add("--zipf", "T", "skew of workload zipf; 0 is uniform");
    given.add("--hot-position", "F", "where workload hotspot takes the hot lock: 0 first, 1 last");
    given.add("--hold-ns", "H", "busy work after each acquisition, in nanoseconds");
    given.add("--order", "O", "order of acquisition: random, ascending, fixed or reorder");
}

void pick_order(texts const& given, std::string const& preset, std::vector<workload>& workloads) {
    auto const text = given.find("--order");
    if (!text || preset != "hellstrom") return;
    // The preset holds both orders; asking for one picks it instead of bending both.
    std::erase_if(workloads,
                  [&](workload const& w) { return w.name != "hellstrom_" + std::string(*text); });
    if (workloads.empty()) {
        refuse("--order", *text,
               "is not an order of preset hellstrom, which has random and ascending");
    }
}

void refuse_useless(texts const& given, workload const& w) {
    auto const useless = [&](std::string const& option, std::string const& where) {
        if (given.find(option)) {
            throw input_error(option + " has no meaning for workload " + w.name +
                              "; it belongs to " + where);
        }
    };
    if (w.picks != choice::zipf && !(given.find("--zipf") == "0"))
        useless("--zipf", "workload zipf");
    if (w.picks != choice::hotspot) useless("--hot-position", "workload hotspot");
    if (on_address_space(w.picks)) {
        for (auto const* option :
             {"--locks", "--locks-per-transaction", "--read-percent", "--order"})
            useless(option, "the workloads on plain locks");
    }
    if (w.picks == choice::vma_mix) useless("--hold-ns", "every other workload");
    if (w.transfers)
        useless("--read-percent", "workloads other than bank, whose transfers write all they lock");
}

void adjust_workload(texts const& given, workload& w, bool preset) {
    if (auto const text = given.find("--threads"))
        w.threads = thread_list("--threads", *text, false);
    given.number("--hold-ns", w.hold_ns, 0, hold_ns_max);
    if (on_address_space(w.picks)) return;
    given.number("--locks", w.locks, 1, locks_max);
    bool const ring = w.picks == choice::ring;
    if (ring && !preset && !given.find("--locks-per-transaction")) {
        w.locks_per_transaction =
            std::max<std::uint64_t>(w.locks, 2) - 1;  // philosophers: n of n+1
    }
    given.number("--locks-per-transaction", w.locks_per_transaction, 1, locks_max);
    given.real("--read-percent", w.read_percent, 0, 100, "from 0 to 100");
    given.real("--zipf", w.zipf, 0, 10, "from 0 to 10");
    given.real("--hot-position", w.hot_position, 0, 1, "from 0 to 1");
    if (auto const text = given.find("--order")) {
        auto const sequence = find_order(*text);
        if (!sequence)
            refuse("--order", *text, "is not an order; the orders are " + joined(order_names()));
        w.sequence = *sequence;
    }
    if (w.locks_per_transaction > w.locks) {
        throw input_error("workload " + w.name + ": a transaction cannot take " +
                          std::to_string(w.locks_per_transaction) + " different locks of " +
                          std::to_string(w.locks) +
                          "; lower --locks-per-transaction or raise --locks");
    }
    if (w.transfers && w.locks_per_transaction < 2) {
        throw input_error("--locks-per-transaction: a transfer needs 2 accounts at least");
    }
    if (preset) w.hot_locks = std::min(w.hot_locks, w.locks);
}

void refuse_too_few_of_its_own(workload const& w) {
    if (w.picks != choice::own) return;
    auto threads = w.threads;
    for (auto const& shape : w.shapes) threads.push_back(shape.threads);
    auto const most = *std::max_element(threads.begin(), threads.end());
    if (most <= w.locks / w.locks_per_transaction) return;
    throw input_error("workload " + w.name + ": " + std::to_string(most) + " threads with " +
                      std::to_string(w.locks_per_transaction) + " locks each of their own need " +
                      std::to_string(most * w.locks_per_transaction) + " locks, and there are " +
                      std::to_string(w.locks) +
                      "; raise --locks, or lower --threads or --locks-per-transaction");
}

bool read_regions(texts const& given, std::vector<std::uint64_t> const& threads) {
    auto const text = given.find("--regions");
    if (!text) return false;
    if (*text != "shared" && *text != "disjoint") {
        refuse("--regions", *text, "is not a placement; the placements are shared and disjoint");
    }
    if (*std::max_element(threads.begin(), threads.end()) < 2) {
        throw input_error(
            "--regions has no meaning without several users; it belongs to --threads N from 2 on");
    }
    return *text == "disjoint";
}

work_choice read_work(texts const& given) {
    auto const text = given.find("--work").value_or("none");
    if (text == "none") return {};
    if (text == "traced") return {work_choice::kind::traced, 0};
    try {
        return {work_choice::kind::per_page, whole_number("--work", text, 1, work_ns_max)};
    } catch (input_error const& error) {
        throw input_error(error.what() + std::string(" and neither none nor traced"));
    }
}

}  // namespace manylock::stress

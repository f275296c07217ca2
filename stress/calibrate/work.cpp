// Probes of what the stress program itself computes around the engine.
#include "calibrate/probe.hpp"
#include "../histogram.hpp"
#include "../random.hpp"
#include "../workloads/picker.hpp"

#include <manylock/address_space/space.hpp>
#include <manylock/domain.hpp>
#include <manylock/policies/wound_wait.hpp>
#include <memory>

namespace manylock::stress {
namespace {

using policy = policies::wound_wait;

/// Begin, commit, and what a worker notes of it, without the two looks at the clock.
class transactions {
public:
    double round() {
        return per_call(20, 200, [this](std::size_t n) {
            for (std::size_t i = 0; i < n; ++i) {
                domain_.run([](auto& txn) { keep(txn.held()); });
                latency_.record(i);
            }
            keep(latency_.count());
        });
    }

private:
    domain<policy> domain_;
    histogram latency_;
};

/// 16 locks of many at a time, evenly.
class draws {
public:
    double round() {
        return per_call(20, 30,
                        [this](std::size_t n) {
                            for (std::size_t i = 0; i < n; ++i) keep(picks_.next().data());
                        }) /
               static_cast<double>(locks_each);
    }

private:
    static constexpr std::uint64_t locks_each = 16;
    static workload uniform() {
        auto w = *find_workload("uniform");
        w.locks_per_transaction = locks_each;
        return w;
    }
    picker picks_{uniform(), 0, 1, nullptr};
};

/// mprotect as vma_mix draws it, on one thread.
class protects {
public:
    protects() {
        for (std::uint64_t slot = 0; slot < slots; ++slot) {
            auto op = at(call::map, slot * slot_pages, slot_pages);
            op.prot = address_space::abi::prot_read |
                      (slot % 2 == 0 ? address_space::abi::prot_write : 0U);
            op.flags = address_space::abi::map_private | address_space::abi::map_anonymous |
                       address_space::abi::map_fixed;
            space_.apply(worker_, op);
        }
    }
    double round() {
        return per_call(10, 50, [this](std::size_t n) {
            for (std::size_t i = 0; i < n; ++i) protect();
        });
    }

private:
    using space_type = address_space::basic_address_space<policy>;
    using call = address_space::call;
    static constexpr address_space::address arena = 0x10'0000'0000;
    static constexpr std::uint64_t slots = 64;
    static constexpr std::uint64_t slot_pages = 16;

    static address_space::operation at(call what, std::uint64_t first, std::uint64_t pages) {
        address_space::operation op;
        op.what = what;
        op.start = arena + first * address_space::page_size;
        op.length = pages * address_space::page_size;
        return op;
    }
    void protect() {
        auto const first = random_.below(slot_pages);
        auto op = at(call::protect, random_.below(slots) * slot_pages + first,
                     1 + random_.below(slot_pages - first));
        op.prot = address_space::abi::prot_read |
                  (random_.percent(50) ? address_space::abi::prot_write : 0U);
        keep(space_.apply(worker_, op));
    }

    space_type space_;
    space_type::worker worker_;
    generator random_{1};
};

template <class Work>
std::function<double(round_values const&)> rounds_of() {
    return [work = std::make_shared<Work>()](round_values const&) { return work->round(); };
}

}  // namespace

void add_work_probes(probes& to) {
    to.all.push_back({"transaction", "an empty transaction and a line in the histogram",
                      rounds_of<transactions>()});
    to.all.push_back({"request", "one of 16 locks that are drawn evenly", rounds_of<draws>()});
    to.all.push_back({"operation", "mprotect as vma_mix draws it, alone", rounds_of<protects>()});
}

}  // namespace manylock::stress

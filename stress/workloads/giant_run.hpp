// Workload giant_vma: all threads but one fault all over one big VMA while that one protects and
// unprotects a page at its end, so that every fault meets the one lock that every update needs. With
// one thread nobody protects.
#pragma once

#include "../random.hpp"
#include "space_statistics.hpp"
#include "stage.hpp"

#include <cstdint>

namespace manylock::stress {

template <class Stage, class Policy>
class giant_run {
public:
    explicit giant_run(row_request const& request) : request_(request) {
        worker setup;
        auto all = on_pages(call::map, 0, pages);
        all.prot = address_space::abi::prot_read | address_space::abi::prot_write;
        all.flags = address_space::abi::map_private | address_space::abi::map_anonymous |
                    address_space::abi::map_fixed;
        space_.apply(setup, all);
        auto first_write = on_pages(call::fault, 0, 1);
        first_write.flags = address_space::fault_write;
        space_.apply(setup, first_write);
    }

    row_outcome run() {
        faults_.resize(request_.threads);
        auto row = measure_crew<Stage>(request_, space_.domain(), [this](member& me) { work(me); });
        row.page_faults.emplace();
        for (auto const& mine : faults_) row.page_faults->add(mine);
        if (request_.check) verify(row);
        return row;
    }

private:
    using space_type = typename Stage::template address_space<Policy>;
    using domain_type = typename space_type::domain_type;
    using worker = typename space_type::worker;
    using operation = address_space::operation;
    using member = typename Stage::crew::member;
    using call = address_space::call;

    static constexpr address_space::address start = 0x10'0000'0000;
    static constexpr std::uint64_t pages = std::uint64_t{1} << 18U;  // 1 GiB

    static operation on_pages(call what, std::uint64_t first, std::uint64_t count) {
        operation op;
        op.what = what;
        op.start = start + first * address_space::page_size;
        op.length = count * address_space::page_size;
        return op;
    }

    void work(member& me) {
        if (request_.threads > 1 && me.index() == 0)
            protect_end(me);
        else
            fault_all_over(me);
    }

    /// What is done while everything is locked.
    void hold() {
        Stage::think(own_work::operation, 1);
        Stage::work_for(request_.what.hold_ns, false);
    }

    void protect_end(member& me) {
        worker mine;
        auto op = on_pages(call::protect, pages - 1, 1);
        for (bool writable = false; me.next(); writable = !writable) {
            op.prot =
                address_space::abi::prot_read | (writable ? address_space::abi::prot_write : 0U);
            auto const begin = Stage::now();
            space_.apply(mine, op, [this] { hold(); });
            me.committed(begin);
        }
    }

    void fault_all_over(member& me) {
        generator random(derived_seed(request_.seed, me.index()));
        worker mine;
        fault_measurement measured;
        address_space::fault_counters warm_up;
        while (me.next()) {
            if (!me.measuring()) warm_up = mine.faults;
            auto op = on_pages(call::fault, random.below(pages), 1);
            auto const begin = Stage::now();
            space_.apply(mine, op, [this] { hold(); });
            if (me.measuring()) measured.latency.record(Stage::nanoseconds_since(begin));
            me.committed(begin);
        }
        measured.success = mine.faults.success - warm_up.success;
        measured.abort = mine.faults.abort - warm_up.abort;
        measured.retry = mine.faults.retry - warm_up.retry;
        measured.miss = mine.faults.miss - warm_up.miss;
        faults_[me.index()] = measured;
    }

    void verify(row_outcome& row) {
        row.checked = true;
        if (space_.vma_count() > 2) row.faults.emplace_back("the VMA was split more than once");
        if (auto broken = space_.broken_invariant(); !broken.empty())
            row.faults.push_back(std::move(broken));
    }

    row_request request_;
    space_type space_;
    typename Stage::domain_entry watched_{space_.domain()};
    std::vector<fault_measurement> faults_;
};

}  // namespace manylock::stress

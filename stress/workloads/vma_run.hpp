// Workload vma_mix: page faults against map, unmap, protect and remap on one address space. Most
// strike one arena of slots that all threads share; some map anywhere, so that all aim at one big
// gap.
#pragma once

#include "../random.hpp"
#include "space_statistics.hpp"
#include "stage.hpp"

#include <cstdint>
#include <deque>
#include <vector>

namespace manylock::stress {

template <class Stage, class Policy>
class vma_run {
public:
    explicit vma_run(row_request const& request)
        : request_(request), witness_(request.check ? pages : 0) {
        worker setup;
        for (std::uint64_t slot = 0; slot < slots; ++slot) {
            apply(setup, map_at(slot * slot_pages, slot_pages, slot % 2 == 0));
        }
    }

    row_outcome run() {
        auto row = measure_crew<Stage>(request_, space_.domain(), [this](member& me) { work(me); });
        if (request_.check) verify(row);
        return row;
    }

private:
    using space_type = typename Stage::template address_space<Policy>;
    using domain_type = typename space_type::domain_type;
    using worker = typename space_type::worker;
    using operation = address_space::operation;
    using member = typename Stage::crew::member;
    using address = address_space::address;
    using call = address_space::call;

    static constexpr address arena = 0x10'0000'0000;
    static constexpr std::uint64_t slots = 64;
    static constexpr std::uint64_t slot_pages = 16;
    static constexpr std::uint64_t pages = slots * slot_pages;
    static constexpr std::size_t own_mappings_max = 8;
    /// In percent of all operations; the rest are faults.
    static constexpr std::uint64_t share_map = 5;
    static constexpr std::uint64_t share_unmap = 3;
    static constexpr std::uint64_t share_protect = 5;
    static constexpr std::uint64_t share_remap = 2;
    static constexpr std::uint64_t share_anywhere = 5;

    struct range {
        std::uint64_t first = 0;
        std::uint64_t count = 0;
    };

    static operation on_pages(call what, range r) {
        operation op;
        op.what = what;
        op.start = arena + r.first * address_space::page_size;
        op.length = r.count * address_space::page_size;
        return op;
    }
    static operation map_at(std::uint64_t first, std::uint64_t count, bool writable) {
        auto op = on_pages(call::map, {first, count});
        op.prot = address_space::abi::prot_read | (writable ? address_space::abi::prot_write : 0U);
        op.flags = address_space::abi::map_private | address_space::abi::map_anonymous |
                   address_space::abi::map_fixed;
        return op;
    }
    /// Within one slot.
    static range draw_range(generator& random) {
        auto const slot = random.below(slots);
        auto const first = random.below(slot_pages);
        return {slot * slot_pages + first, 1 + random.below(slot_pages - first)};
    }

    void work(member& me) {
        generator random(derived_seed(request_.seed, me.index()));
        worker mine;
        std::deque<address> own;
        while (me.next()) {
            auto const start = Stage::now();
            one_operation(random, mine, own, me.index());
            me.committed(start);
        }
    }

    std::int64_t apply(worker& mine, operation const& op) {
        return space_.apply(mine, op, [] { Stage::think(own_work::operation, 1); });
    }

    void one_operation(generator& random, worker& mine, std::deque<address>& own,
                       std::uint64_t thread) {
        auto const dice = random.below(100);
        auto const r = draw_range(random);
        if (dice < share_map) {
            map(mine, r, random.percent(50), thread);
        } else if (dice < share_map + share_unmap) {
            apply(mine, on_pages(call::unmap, r));
        } else if (dice < share_map + share_unmap + share_protect) {
            auto op = on_pages(call::protect, r);
            op.prot = address_space::abi::prot_read |
                      (random.percent(50) ? address_space::abi::prot_write : 0U);
            apply(mine, op);
        } else if (dice < share_map + share_unmap + share_protect + share_remap) {
            auto op = on_pages(call::remap, r);
            op.new_length = op.length;
            op.flags = address_space::abi::mremap_maymove | address_space::abi::mremap_fixed;
            auto const target = random.below(slots) * slot_pages;
            op.new_start = arena + target * address_space::page_size;
            apply(mine, op);
        } else if (dice < share_map + share_unmap + share_protect + share_remap + share_anywhere) {
            map_anywhere(mine, own);
        } else {
            operation op;
            op.what = call::fault;
            op.start = arena + r.first * address_space::page_size;
            op.flags = random.percent(50) ? address_space::fault_write : 0U;
            apply(mine, op);
        }
    }

    /// With --check each page has a word that only its one holder may be found in.
    void map(worker& mine, range r, bool writable, std::uint64_t thread) {
        space_.apply(mine, map_at(r.first, r.count, writable), [&] {
            Stage::think(own_work::operation, 1);
            if (!request_.check) return;
            for (auto i = r.first; i < r.first + r.count; ++i) {
                witness_.entered(static_cast<std::uint32_t>(i), false, thread);
            }
            for (auto i = r.first; i < r.first + r.count; ++i) {
                witness_.left(static_cast<std::uint32_t>(i), false, thread);
            }
        });
    }

    void map_anywhere(worker& mine, std::deque<address>& own) {
        if (own.size() == own_mappings_max) {
            auto op = on_pages(call::unmap, {0, 4});
            op.start = own.front();
            own.pop_front();
            apply(mine, op);
            return;
        }
        auto op = map_at(0, 4, true);
        op.start = 0;
        op.flags &= ~std::uint32_t{address_space::abi::map_fixed};
        auto const where = apply(mine, op);
        if (where > 0) own.push_back(static_cast<address>(where));
    }

    void verify(row_outcome& row) {
        row.checked = true;
        if (witness_.broken())
            row.faults.emplace_back("two mmaps worked on one page at the same time");
        if (auto broken = space_.broken_invariant(); !broken.empty())
            row.faults.push_back(std::move(broken));
    }

    row_request request_;
    space_type space_;
    typename Stage::domain_entry watched_{space_.domain()};
    lock_witness witness_;
};

}  // namespace manylock::stress

// Goal:   the plans split, merge and bound exactly as the rules say.
// Method: random operations run through the plans and through an array of pages that knows no
//         intervals; results and VMAs must agree after every single one.
#include "naive_comparison.hpp"
#include "naive_model.hpp"
#include "random_operations.hpp"
#include "serial_space.hpp"

#include <doctest/doctest.h>

namespace {

using namespace manylock::address_space;

constexpr address base = 0x10000000;
constexpr std::size_t window_pages = 64;
constexpr std::size_t stack_page = 460;  // the guard gap reaches into the window's upper end
constexpr std::size_t all_pages = 480;

mm_globals small_globals() {
    mm_globals g;
    g.start_brk = base + 70 * page_size + 0x123;
    g.brk = g.start_brk;
    g.start_stack = base + stack_page * page_size + 8;
    g.mmap_floor = base;
    g.mmap_base = base + window_pages * page_size;
    return g;
}

operation add_stack() {
    operation op;
    op.what = call::map;
    op.start = base + stack_page * page_size;
    op.length = 4 * page_size;
    op.prot = abi::prot_read | abi::prot_write;
    op.flags = abi::map_private | abi::map_anonymous | abi::map_fixed | abi::map_growsdown;
    return op;
}

void run_seed(std::uint64_t seed, std::size_t steps) {
    serial_space space{small_globals()};
    naive_model model{base, all_pages, small_globals()};
    random_operations operations{seed, base, window_pages};
    REQUIRE(space.apply(add_stack()) == model.apply(add_stack(), 0));
    for (std::size_t step = 0; step < steps; ++step) {
        operation op = operations.next(space.globals());
        if (operations.below(50) == 0) {
            op = {};
            op.what = call::fault;
            op.start = base + (stack_page - 1 - operations.below(220)) * page_size;
            op.flags = fault_write;
        } else if (operations.below(60) == 0) {  // back to a short stack
            op = {};
            op.what = call::unmap;
            op.start = base + 100 * page_size;
            op.length = (stack_page - 100) * page_size;
        }
        std::int64_t const got = space.apply(op);
        std::int64_t const expected = model.apply(op, got);
        std::vector<vma> rows;
        for (auto const& [start, area] : space.vmas()) rows.push_back(area);
        bool const same = got == expected && canonical(rows) == canonical(model.rows()) &&
                          space.globals().brk == model.globals().brk;
        if (!same) {
            INFO("seed ", seed, " step ", step, ": ", describe(op), " gave ", got, ", expected ",
                 expected, "\nplans:\n", describe(rows), "naive:\n", describe(model.rows()));
            REQUIRE(same);
        }
    }
}

}  // namespace

TEST_SUITE("address_space/naive") {
    TEST_CASE("random operations leave the same VMAs as an array of pages") {
        for (std::uint64_t seed = 1; seed <= 12; ++seed) run_seed(seed, 4000);
    }
}

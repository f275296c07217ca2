// Goal:   the plans split, merge and bound exactly as the rules say.
// Method: random operations run through the plans and through an array of pages that knows no
//         intervals; results and VMAs must agree after every single one.
#include "naive_comparison.hpp"
#include "naive_model.hpp"
#include "random_operations.hpp"
#include "serial_space.hpp"
#include "small_space.hpp"

#include <doctest/doctest.h>

namespace {

using namespace manylock::address_space;
using namespace manylock::address_space::small;

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

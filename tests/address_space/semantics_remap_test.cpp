// Goal:   each rule of mremap and of page faults holds by itself, one case a rule.
// Method: a few operations on a serial space; the VMAs are written as text, one letter group each.
#include "semantics_space.hpp"

#include <doctest/doctest.h>

using namespace manylock::address_space;

TEST_SUITE("address_space/remap") {
    TEST_CASE("shrinking unmaps the tail and growing joins both sides") {
        space s;
        s.map(0, 4);
        CHECK(s.remap(0, 4, 2) == as_result(page(0)));
        CHECK(s.text() == "0+2:rw-p");
        s.map(4, 2);
        CHECK(s.remap(0, 2, 4) == as_result(page(0)));
        CHECK(s.text() == "0+6:rw-p");
    }
    TEST_CASE("no room to grow needs permission to move") {
        space s;
        s.map(0, 2);
        s.map(2, 2, ro);
        CHECK(s.remap(0, 2, 3) == -abi::enomem);
        CHECK(s.remap(0, 2, 3, abi::mremap_maymove) == as_result(page(897)));
        CHECK(s.text() == "2+2:r--p 897+3:rw-p");
    }
    TEST_CASE("moved memory keeps its page offset only if it was written to") {
        space s;
        s.map(0, 2);
        s.map(10, 2);
        s.fault(10);
        s.remap(0, 2, 2, 3, 20);
        s.remap(10, 2, 2, 3, 30);
        CHECK(s.vma_at(20).page_offset == page(20) / page_size);
        CHECK(s.vma_at(30).page_offset == page(10) / page_size);
        s.map(22, 1);
        s.map(32, 1);
        CHECK(s.text() == "20+3:rw-p 30+2:rw-p 32+1:rw-p");
    }
    TEST_CASE("a move of several VMAs keeps the holes between them and what lies under the holes") {
        space s;
        s.map(0, 2);
        s.map(3, 2, ro);
        s.map(10, 5, 0);
        CHECK(s.remap(0, 5, 5, 3, 10) == as_result(page(10)));
        CHECK(s.text() == "10+2:rw-p 12+1:---p 13+2:r--p");
    }
    TEST_CASE("a move that changes the size empties the whole destination first") {
        space s;
        s.map(0, 4);
        s.map(10, 6, ro);
        CHECK(s.remap(0, 4, 2, 3, 11) == as_result(page(11)));
        CHECK(s.text() == "10+1:r--p 11+2:rw-p 13+3:r--p");
        CHECK(s.remap(11, 2, 4, 3, 20) == as_result(page(20)));
        CHECK(s.text() == "10+1:r--p 13+3:r--p 20+4:rw-p");
    }
    TEST_CASE("a range that does not begin in a VMA or leaves it is refused") {
        space s;
        s.map(1, 2);
        s.map(3, 2, ro);
        CHECK(s.remap(0, 2, 2, 3, 10) == -abi::efault);
        CHECK(s.remap(1, 3, 5, abi::mremap_maymove) == -abi::efault);
        CHECK(s.remap(1, 4, 4, 3, 3) == -abi::einval);
        CHECK(s.remap(1, 2, 2, 2, 10) == -abi::einval);
        CHECK(s.remap(1, 2, 3, 7, 10) == -abi::einval);
        CHECK(s.text() == "1+2:rw-p 3+2:r--p");
    }
    TEST_CASE("a move to a place of its own needs room for four more VMAs") {
        space s;
        s.map(0, 2);
        s.globals().map_count_max = 4;
        CHECK(s.remap(0, 2, 2, 3, 10) == -abi::enomem);
        s.globals().map_count_max = 5;
        CHECK(s.remap(0, 2, 2, 3, 10) == as_result(page(10)));
    }
    TEST_CASE("a move that leaves the whole source leaves it without its anon_vma") {
        space s;
        s.map(0, 2);
        s.fault(0);
        CHECK(s.remap(0, 2, 2, 7, 20) == as_result(page(20)));
        CHECK(!s.vma_at(0).anon.set());
        CHECK(s.vma_at(20).anon.set());
        CHECK(s.vma_at(20).page_offset == page(0) / page_size);
    }
    TEST_CASE("a move that leaves the source unlocks all of it without a split") {
        space s;
        s.map(0, 4, rw, anonymous_private | abi::map_locked);
        CHECK(s.remap(0, 2, 2, 7, 20) == as_result(page(20)));
        CHECK(s.text() == "0+4:rw-p 20+2:rw-p");
        CHECK(!s.vma_at(0).has(vm_locked));
        CHECK(s.vma_at(20).has(vm_locked));
    }
    TEST_CASE("old length 0 duplicates shared memory only") {
        space s;
        s.map(0, 2, rw, abi::map_shared | abi::map_anonymous);
        s.map(4, 2);
        CHECK(s.remap(0, 0, 2, 3, 20) == as_result(page(20)));
        CHECK(s.remap(4, 0, 2, 3, 30) == -abi::einval);
        CHECK(s.text() == "0+2:rw-s 4+2:rw-p 20+2:rw-s");
    }
}

TEST_SUITE("address_space/fault") {
    TEST_CASE("faults are refused on holes and against the permissions") {
        space s;
        s.map(0, 1, ro);
        CHECK(s.fault(0, 0) == 0);
        CHECK(s.fault(0) == -abi::eacces);
        CHECK(s.fault(5, 0) == -abi::efault);
    }
    TEST_CASE("a fault below the stack moves its start and respects the guard gap") {
        space s;
        s.map(1990, 20, rw, anonymous_private | abi::map_growsdown);
        CHECK(s.fault(1985) == 0);
        CHECK(s.text() == "1985+25:rw-p");
        CHECK(s.rows().at(0).label == row_label::stack);
        s.map(1600, 100);
        CHECK(s.fault(1950) == -abi::enomem);
        s.protect(1600, 100, 0);
        CHECK(s.fault(1950) == 0);
    }
    TEST_CASE("a read in a huge-page area counts as a write where a huge page fits") {
        space s;
        s.map(0, 512);
        s.advise(0, 512, abi::madv_hugepage);
        CHECK(s.fault(3, 0) == 0);
        CHECK(s.vma_at(0).anon.set());
    }
}

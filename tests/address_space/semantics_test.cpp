// Goal:   each rule of the VMA set holds by itself, one case a rule.
// Method: a few operations on a serial space; the VMAs are written as text, one letter group each.
#include "semantics_space.hpp"

#include <doctest/doctest.h>

using namespace manylock::address_space;

TEST_SUITE("address_space/map") {
    TEST_CASE("neighbouring anonymous maps become one VMA") {
        space s;
        CHECK(s.map(0, 2) == as_result(page(0)));
        s.map(4, 2);
        CHECK(s.text() == "0+2:rw-p 4+2:rw-p");
        s.map(2, 2);
        CHECK(s.text() == "0+6:rw-p");
    }
    TEST_CASE("a fixed map replaces what it overlaps and splits the rest") {
        space s;
        s.map(0, 6);
        s.map(2, 2, ro);
        CHECK(s.text() == "0+2:rw-p 2+2:r--p 4+2:rw-p");
    }
    TEST_CASE("a map that may not replace fails on overlap and changes nothing") {
        space s;
        s.map(0, 6);
        CHECK(s.map(5, 4, ro, anonymous_private | abi::map_fixed_noreplace) == -abi::eexist);
        CHECK(s.text() == "0+6:rw-p");
    }
    TEST_CASE("flags that maps does not print still keep VMAs apart") {
        for (std::uint32_t flag : {+abi::map_noreserve, +abi::map_stack, +abi::map_locked}) {
            space s;
            s.map(0, 2);
            s.map(2, 2, rw, anonymous_private | flag);
            CHECK(s.text() == "0+2:rw-p 2+2:rw-p");
        }
    }
    TEST_CASE("file maps merge only over one open file and contiguous offsets") {
        space s;
        s.map(0, 2, ro, abi::map_private, file_of(1), 0);
        s.map(2, 2, ro, abi::map_private, file_of(1), 2);
        CHECK(s.text() == "0+4:r--p");
        s.map(4, 2, ro, abi::map_private, file_of(1), 7);
        s.map(6, 2, ro, abi::map_private, file_of(2), 9);
        CHECK(s.text() == "0+4:r--p 4+2:r--p 6+2:r--p");
    }
    TEST_CASE("shared anonymous maps never merge with each other") {
        space s;
        s.map(0, 2, rw, abi::map_shared | abi::map_anonymous);
        s.map(2, 2, rw, abi::map_shared | abi::map_anonymous);
        CHECK(s.text() == "0+2:rw-s 2+2:rw-s");
        CHECK(s.vma_at(2).page_offset == 0);
    }
    TEST_CASE("a shared map of a file opened read-only prints s but may never be written") {
        space s;
        backing file = file_of(1);
        file.read_only_file = true;
        s.map(0, 2, ro, abi::map_shared, file);
        CHECK(s.text() == "0+2:r--s");
        CHECK(s.protect(0, 2, rw) == -abi::eacces);
        CHECK(s.map(4, 1, rw, abi::map_shared, file) == -abi::eacces);
    }
    TEST_CASE("without an address the highest hole that fits is taken") {
        space s;
        operation op;
        op.what = call::map;
        op.length = 3 * page_size;
        op.prot = rw;
        op.flags = anonymous_private;
        CHECK(s.apply(op) == as_result(page(897)));
        CHECK(s.apply(op) == as_result(page(894)));
        CHECK(s.text() == "894+6:rw-p");
    }
    TEST_CASE("bad arguments are refused as Linux does") {
        space s;
        CHECK(s.map(0, 0) == -abi::einval);
        CHECK(s.map(0, 1, rw, abi::map_anonymous) == -abi::einval);
        CHECK(s.unmap(0, 0) == -abi::einval);
        CHECK(s.protect(0, 0, rw) == 0);
        CHECK(s.advise(0, 0, abi::madv_random) == 0);
        CHECK(s.advise(0, 1, 99) == -abi::einval);
        CHECK(s.remap(0, 1, 0) == -abi::einval);
    }
    TEST_CASE("where both neighbours fit but not each other the left one wins") {
        space s;
        s.map(0, 2);
        s.map(4, 2);
        s.fault(0);
        s.fault(4);
        s.map(2, 2);
        CHECK(s.text() == "0+4:rw-p 4+2:rw-p");
    }
    TEST_CASE("a special VMA merges with nothing") {
        space s;
        s.map(0, 2);
        vma special = s.vma_at(0);
        special.start = page(2);
        special.end = page(4);
        special.page_offset = page(2) / page_size;
        special.flags |= vm_dontexpand;
        s.place(special);
        s.advise(0, 4, abi::madv_random);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p");
    }
    TEST_CASE("beyond the limit on VMAs nothing is mapped and nothing replaced") {
        space s;
        s.globals().map_count_max = 1;
        s.map(0, 2);
        s.map(4, 2, ro);
        CHECK(s.map(0, 1, ro) == -abi::enomem);
        CHECK(s.map(8, 1, ro) == -abi::enomem);
        CHECK(s.text() == "0+2:rw-p 4+2:r--p");
    }
    TEST_CASE("punching a hole is refused at the limit on VMAs") {
        space s;
        s.globals().map_count_max = 1;
        s.map(0, 6);
        CHECK(s.unmap(2, 1) == -abi::enomem);
        CHECK(s.unmap(0, 1) == 0);
        CHECK(s.text() == "1+5:rw-p");
    }
}

TEST_SUITE("address_space/unmap") {
    TEST_CASE("unmapping splits at both ends and skips holes") {
        space s;
        s.map(0, 4);
        s.map(6, 4);
        CHECK(s.unmap(2, 6) == 0);
        CHECK(s.text() == "0+2:rw-p 8+2:rw-p");
        CHECK(s.unmap(100, 5) == 0);
    }
}

TEST_SUITE("address_space/protect") {
    TEST_CASE("a part gets its own VMA and merges back") {
        space s;
        s.map(0, 6);
        s.fault(0);
        CHECK(s.protect(2, 2, ro) == 0);
        CHECK(s.text() == "0+2:rw-p 2+2:r--p 4+2:rw-p");
        CHECK(s.protect(2, 2, rw) == 0);
        CHECK(s.text() == "0+6:rw-p");
    }
    TEST_CASE("an edge moves the boundary instead of making a VMA") {
        space s;
        s.map(0, 4);
        s.fault(0);
        s.protect(0, 2, ro);
        s.protect(2, 1, ro);
        CHECK(s.text() == "0+3:r--p 3+1:rw-p");
    }
    TEST_CASE("what lies before the first hole is changed and ENOMEM returned") {
        space s;
        s.map(0, 2);
        s.map(3, 2);
        CHECK(s.protect(0, 5, ro) == -abi::enomem);
        CHECK(s.text() == "0+2:r--p 3+2:rw-p");
    }
    TEST_CASE("what lies before the first refusal is changed and EACCES returned") {
        space s;
        backing file = file_of(1);
        file.read_only_file = true;
        s.map(0, 2, ro);
        s.map(2, 2, ro, abi::map_shared, file);
        s.map(4, 2, ro);
        CHECK(s.protect(0, 6, rw) == -abi::eacces);
        CHECK(s.text() == "0+2:rw-p 2+2:r--s 4+2:r--p");
    }
    TEST_CASE("at the limit on VMAs what lies before the first split is changed") {
        space s;
        s.map(0, 2);
        s.map(2, 4, ro | abi::prot_exec);
        s.fault(0);  // so that it stays accounted for and does not merge
        s.globals().map_count_max = 2;
        CHECK(s.protect(0, 4, 0) == -abi::enomem);
        CHECK(s.text() == "0+2:---p 2+4:r-xp");
    }
    TEST_CASE("a stack is protected from its start when asked to grow down") {
        space s;
        s.map(0, 4, rw, anonymous_private | abi::map_growsdown);
        s.map(8, 4);
        CHECK(s.protect(2, 2, ro | abi::prot_growsdown) == 0);
        CHECK(s.text() == "0+4:r--p 8+4:rw-p");
        CHECK(s.protect(9, 1, ro | abi::prot_growsdown) == -abi::einval);
    }
    TEST_CASE("an area once writable stays accounted for after a write and not before") {
        space s;
        s.map(0, 2);
        s.map(4, 2);
        s.fault(0);
        s.protect(0, 2, 0);
        s.protect(4, 2, 0);
        CHECK(s.vma_at(0).has(vm_account));
        CHECK(!s.vma_at(4).has(vm_account));
        s.map(2, 2, 0);
        CHECK(s.text() == "0+2:---p 2+4:---p");
    }
    TEST_CASE("making a private map writable accounts for it") {
        space s;
        s.map(0, 2, ro);
        s.protect(0, 1, rw);
        CHECK(s.vma_at(0).has(vm_account));
        CHECK(!s.vma_at(1).has(vm_account));
    }
}

TEST_SUITE("address_space/anon_vma") {
    TEST_CASE("two VMAs written to while apart never merge") {
        space s;
        s.map(0, 2);
        s.map(3, 2);
        s.fault(0);
        s.fault(3);
        s.map(2, 1);
        CHECK(s.text() == "0+3:rw-p 3+2:rw-p");
    }
    TEST_CASE("a read sets nothing, so the gap between still closes") {
        space s;
        s.map(0, 2);
        s.map(3, 2);
        s.fault(0);
        s.fault(3, 0);
        s.map(2, 1);
        CHECK(s.text() == "0+5:rw-p");
    }
    TEST_CASE("a first write takes over the anon_vma of a neighbour differing in access only") {
        space s;
        s.map(0, 4);
        s.protect(2, 2, ro | abi::prot_exec);  // unwritten, so it stays accounted
        s.fault(0);
        s.protect(2, 2, rw);
        CHECK(s.text() == "0+4:rw-p");
    }
    TEST_CASE("populating counts as writing") {
        space s;
        s.map(0, 2, rw, anonymous_private | abi::map_populate);
        CHECK(s.vma_at(0).anon.set());
        s.map(4, 2, rw, anonymous_private | abi::map_locked);
        CHECK(s.vma_at(4).anon.set());
        s.map(8, 2);
        s.advise(8, 1, abi::madv_populate_write);
        CHECK(s.vma_at(8).anon.set());
        s.map(12, 2, rw, abi::map_shared | abi::map_anonymous | abi::map_populate);
        CHECK(!s.vma_at(12).anon.set());
    }
    TEST_CASE("an anon_vma inherited by fork is not handed to memory that has none") {
        space s;
        s.place({.start = page(0),
                 .end = page(2),
                 .flags = vm_read | vm_write | vm_may_access | vm_account,
                 .page_offset = page(0) / page_size,
                 .anon = {5, true}});
        s.map(2, 2);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p");
        s.unmap(1, 1);
        s.map(1, 1);
        CHECK(s.text() == "0+1:rw-p 1+3:rw-p");
    }
    TEST_CASE("guard markers set an anon_vma and do not hinder merging") {
        space s;
        s.map(0, 2);
        s.advise(0, 1, abi::madv_guard_install);
        CHECK(s.vma_at(0).anon.set());
        s.map(2, 2);
        CHECK(s.text() == "0+4:rw-p");
        CHECK(s.vma_at(0).has(vm_maybe_guard));
    }
}

TEST_SUITE("address_space/advise") {
    TEST_CASE("advice that is a flag splits and merges") {
        space s;
        s.map(0, 6);
        CHECK(s.advise(2, 2, abi::madv_hugepage) == 0);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 4+2:rw-p");
        CHECK(s.advise(0, 6, abi::madv_hugepage) == 0);
        CHECK(s.text() == "0+6:rw-p");
        CHECK(s.advise(1, 1, abi::madv_dontneed) == 0);
        CHECK(s.text() == "0+6:rw-p");
    }
    TEST_CASE("holes are walked over and reported at the end") {
        space s;
        s.map(0, 2);
        s.map(3, 2);
        CHECK(s.advise(0, 5, abi::madv_dontfork) == -abi::enomem);
        CHECK(s.vma_at(0).has(vm_dontcopy));
        CHECK(s.vma_at(3).has(vm_dontcopy));
    }
    TEST_CASE("a refusal stops the walk") {
        space s;
        s.map(0, 2);
        s.map(2, 2, ro, abi::map_private, file_of(1));
        s.map(4, 2);
        CHECK(s.advise(0, 6, abi::madv_wipeonfork) == -abi::einval);
        CHECK(s.vma_at(0).has(vm_wipe_on_fork));
        CHECK(!s.vma_at(4).has(vm_wipe_on_fork));
    }
}

TEST_SUITE("address_space/lock") {
    TEST_CASE("locking stops at the first hole with the part before locked") {
        space s;
        s.map(0, 2);
        s.map(3, 2);
        CHECK(s.range(call::lock_range, 0, 5) == -abi::enomem);
        CHECK(s.vma_at(0).has(vm_locked));
        CHECK(!s.vma_at(0).anon.set());
        CHECK(!s.vma_at(3).has(vm_locked));
    }
    TEST_CASE("unlocking stops at the first hole with the part before unlocked") {
        space s;
        s.map(0, 2, rw, anonymous_private | abi::map_locked);
        s.map(3, 2, rw, anonymous_private | abi::map_locked);
        CHECK(s.range(call::unlock_range, 0, 5) == -abi::enomem);
        CHECK(!s.vma_at(0).has(vm_locked));
        CHECK(s.vma_at(3).has(vm_locked));
        CHECK(s.range(call::unlock_range, 2, 2) == -abi::enomem);
        CHECK(s.vma_at(3).has(vm_locked));
    }
    TEST_CASE("locking touches what may be written and stops touching where nothing may be read") {
        space s;
        s.map(0, 2);
        s.map(2, 2, 0);
        s.map(4, 2);
        CHECK(s.range(call::lock_range, 0, 6) == -abi::enomem);
        CHECK(s.vma_at(4).has(vm_locked));
        CHECK(s.vma_at(0).anon.set());
        CHECK(!s.vma_at(4).anon.set());
    }
    TEST_CASE("locking on fault touches nothing") {
        space s;
        s.map(0, 2);
        CHECK(s.range(call::lock_range, 0, 2, abi::mlock_onfault) == 0);
        CHECK(s.vma_at(0).has(vm_locked | vm_lock_on_fault));
        CHECK(!s.vma_at(0).anon.set());
        CHECK(s.range(call::lock_range, 0, 2, 2) == -abi::einval);
    }
    TEST_CASE("locking all stops neither at holes nor at what may not be read") {
        space s;
        s.map(0, 2);
        s.map(3, 2, 0);
        s.map(6, 2);
        CHECK(s.range(call::lock_all, 0, 0, abi::mcl_current) == 0);
        for (std::uint64_t const at : {0U, 3U, 6U}) CHECK(s.vma_at(at).has(vm_locked));
        CHECK(s.vma_at(6).anon.set());
        CHECK(s.range(call::lock_all, 0, 0, abi::mcl_onfault) == -abi::einval);
    }
    TEST_CASE("locking future memory reaches maps and the heap until the next call") {
        space s;
        s.map(0, 2);
        s.range(call::lock_all, 0, 0, abi::mcl_future);
        s.map(2, 2);
        s.set_break(page(1002));
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 1000+2:rw-p");
        CHECK(s.vma_at(1000).has(vm_locked));
        s.range(call::lock_all, 0, 0, abi::mcl_current);
        s.map(4, 2);
        CHECK(!s.vma_at(4).has(vm_locked));
        s.range(call::unlock_all, 0, 0);
        CHECK(!s.vma_at(1000).has(vm_locked));
    }
}

TEST_SUITE("address_space/break") {
    TEST_CASE("the heap grows and shrinks in pages and remembers bytes") {
        space s;
        CHECK(s.set_break(0) == as_result(page(1000)));
        CHECK(s.set_break(page(1002) + 1) == as_result(page(1002) + 1));
        CHECK(s.text() == "1000+3:rw-p");
        CHECK(s.rows().at(0).label == row_label::heap);
        CHECK(s.set_break(page(1000) + 9) == as_result(page(1000) + 9));
        CHECK(s.text() == "1000+1:rw-p");
    }
    TEST_CASE("a failed break returns the old one") {
        space s;
        s.map(1004, 1);
        CHECK(s.set_break(page(1004)) == as_result(page(1000)));
        CHECK(s.set_break(page(1003)) == as_result(page(1003)));
    }
    TEST_CASE("a break keeps the guard gap below a stack and one page below anything else") {
        space s;
        s.map(1300, 4, rw, anonymous_private | abi::map_growsdown);
        CHECK(s.set_break(page(1044)) == as_result(page(1000)));
        CHECK(s.set_break(page(1043)) == as_result(page(1043)));
        CHECK(s.set_break(page(999)) == as_result(page(1043)));
        CHECK(s.text() == "1000+43:rw-p 1300+4:rw-p");
    }
    TEST_CASE("beyond the limit on VMAs a break stays where it is") {
        space s;
        s.map(0, 1);
        s.map(2, 1);
        s.globals().map_count_max = 1;
        CHECK(s.set_break(page(1001)) == as_result(page(1000)));
        CHECK(s.text() == "0+1:rw-p 2+1:rw-p");
    }
    TEST_CASE("memory mapped against the heap prints as heap") {
        space s;
        s.set_break(page(1002));
        s.map(998, 2);
        CHECK(s.text() == "998+4:rw-p");
        CHECK(s.rows().at(0).label == row_label::heap);
    }
}

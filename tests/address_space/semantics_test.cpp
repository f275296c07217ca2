// Goal:   each rule of the VMA set holds by itself, one case a rule.
// Method: a few operations on a serial space; the VMAs are written as text, one letter group each.
#include "serial_space.hpp"

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace manylock::address_space;

constexpr address base = 0x40000000;
constexpr std::uint32_t rw = abi::prot_read | abi::prot_write;
constexpr std::uint32_t ro = abi::prot_read;
constexpr std::uint32_t anonymous_private = abi::map_private | abi::map_anonymous;

constexpr address page(std::uint64_t n) {
    return base + n * page_size;
}
constexpr std::int64_t as_result(address a) {
    return static_cast<std::int64_t>(a);
}

struct space : serial_space {
    space() : serial_space{initial()} {}

    static mm_globals initial() {
        mm_globals g;
        g.start_brk = g.brk = page(1000);
        g.start_stack = page(2000) + 16;
        g.mmap_base = page(900);
        return g;
    }
    std::int64_t map(std::uint64_t at, std::uint64_t pages, std::uint32_t prot = rw,
                     std::uint32_t flags = anonymous_private, backing file = {},
                     std::uint64_t offset = 0) {
        operation op;
        op.what = call::map;
        op.start = page(at);
        op.length = pages * page_size;
        op.prot = prot;
        op.flags = flags | abi::map_fixed;
        op.file = file;
        op.offset = offset * page_size;
        return apply(op);
    }
    std::int64_t range(call what, std::uint64_t at, std::uint64_t pages, std::uint32_t flags = 0) {
        operation op;
        op.what = what;
        op.start = page(at);
        op.length = pages * page_size;
        (what == call::protect ? op.prot : op.flags) = flags;
        return apply(op);
    }
    std::int64_t protect(std::uint64_t at, std::uint64_t pages, std::uint32_t prot) {
        return range(call::protect, at, pages, prot);
    }
    std::int64_t unmap(std::uint64_t at, std::uint64_t n) { return range(call::unmap, at, n); }
    std::int64_t advise(std::uint64_t at, std::uint64_t pages, std::int32_t advice) {
        operation op;
        op.what = call::advise;
        op.start = page(at);
        op.length = pages * page_size;
        op.advice = advice;
        return apply(op);
    }
    std::int64_t fault(std::uint64_t at, std::uint32_t flags = fault_write) {
        operation op;
        op.start = page(at) + 5;
        op.flags = flags;
        return apply(op);
    }
    std::int64_t remap(std::uint64_t at, std::uint64_t old_pages, std::uint64_t new_pages,
                       std::uint32_t flags = 0, std::uint64_t to = 0) {
        operation op;
        op.what = call::remap;
        op.start = page(at);
        op.length = old_pages * page_size;
        op.new_length = new_pages * page_size;
        op.flags = flags;
        op.new_start = page(to);
        return apply(op);
    }
    std::int64_t set_break(address to) {
        operation op;
        op.what = call::set_break;
        op.start = to;
        return apply(op);
    }
    /// "0+4:rw-p 4+1:r--p": start page, pages and permissions of each VMA.
    [[nodiscard]] std::string text() const {
        std::string all;
        for (maps_row const& row : rows()) {
            if (!all.empty()) all += ' ';
            all += std::to_string((row.start - base) / page_size) + "+" +
                   std::to_string((row.end - row.start) / page_size) + ":" +
                   std::string(row.permissions.data(), 4);
        }
        return all;
    }
    [[nodiscard]] vma const& vma_at(std::uint64_t n) const { return vmas().at(page(n)); }
};

backing file_of(std::uint64_t open_file) {
    backing b;
    b.open_file = open_file;
    b.inode = 77;
    return b;
}

}  // namespace

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
    TEST_CASE("memory mapped against the heap prints as heap") {
        space s;
        s.set_break(page(1002));
        s.map(998, 2);
        CHECK(s.text() == "998+4:rw-p");
        CHECK(s.rows().at(0).label == row_label::heap);
    }
}

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

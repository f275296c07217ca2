// Goal:   each rule of seals, names, NUMA policies and remap_file_pages holds by itself.
// Method: a few operations on a serial space. The cases on seals, policies and remap_file_pages were
//         made with the same calls on Linux 6.18.44, and what /proc/self/maps showed is expected.
#include "semantics_space.hpp"

#include <doctest/doctest.h>

using namespace manylock::address_space;

namespace {

std::int64_t seal(space& s, std::uint64_t at, std::uint64_t pages) {
    return s.range(call::seal, at, pages);
}
std::int64_t policy(space& s, std::uint64_t at, std::uint64_t pages, std::uint32_t number) {
    return s.range(call::set_policy, at, pages, number);
}
/// [0,4) rw, then [4,6) r--, sealed.
struct half_sealed : space {
    half_sealed() {
        map(0, 4);
        map(4, 2, ro);
        seal(*this, 4, 2);
    }
};

}  // namespace

TEST_SUITE("address_space/seal") {
    TEST_CASE("a seal splits and merges like any flag") {
        space s;
        s.map(0, 6);
        CHECK(seal(s, 0, 2) == 0);
        CHECK(s.text() == "0+2:rw-p 2+4:rw-p");
        CHECK(seal(s, 4, 2) == 0);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 4+2:rw-p");
        CHECK(seal(s, 1, 4) == 0);
        CHECK(s.text() == "0+6:rw-p");
    }
    TEST_CASE("a hole is refused before anything is sealed") {
        space s;
        s.map(0, 2);
        s.map(3, 2);
        CHECK(seal(s, 0, 5) == -abi::enomem);
        CHECK(!s.vma_at(0).has(vm_sealed));
        CHECK(seal(s, 50, 1) == -abi::enomem);
        CHECK(seal(s, 0, 0) == 0);
        CHECK(s.range(call::seal, 0, 1, 1) == -abi::einval);
    }
    TEST_CASE("unmapping what is sealed unmaps nothing but leaves the split at the start") {
        half_sealed s;
        CHECK(s.unmap(2, 4) == -abi::eperm);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 4+2:r--p");
        CHECK(s.unmap(0, 5) == -abi::eperm);
        CHECK(s.unmap(5, 1) == -abi::eperm);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 4+2:r--p");
    }
    TEST_CASE("a fixed map over what is sealed maps nothing but leaves the split at the start") {
        half_sealed s;
        CHECK(s.map(2, 3, ro) == -abi::eperm);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 4+2:r--p");
    }
    TEST_CASE("a recorded refusal of a fixed map is a seal's only where one is") {
        operation op;
        op.what = call::map;
        op.start = page(2);
        op.length = 3 * page_size;
        op.prot = ro;
        op.flags = anonymous_private | abi::map_fixed;
        op.result = -abi::eperm;
        half_sealed s;
        CHECK(s.apply(op) == -abi::eperm);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 4+2:r--p");
        op.length = 2 * page_size;
        half_sealed t;
        CHECK(t.apply(op) == -abi::eperm);
        CHECK(t.text() == "0+4:rw-p 4+2:r--p");
    }
    TEST_CASE("protecting changes what lies before a seal and refuses even what changes nothing") {
        half_sealed s;
        CHECK(s.protect(0, 6, 0) == -abi::eperm);
        CHECK(s.text() == "0+4:---p 4+2:r--p");
        CHECK(s.protect(4, 2, ro) == -abi::eperm);
    }
    TEST_CASE("advice that throws pages away is refused where they could not be written") {
        for (std::int32_t const advice :
             {+abi::madv_dontneed, +abi::madv_free, +abi::madv_dontneed_locked, +abi::madv_dontfork,
              +abi::madv_wipeonfork, +abi::madv_guard_install}) {
            CAPTURE(advice);
            half_sealed s;
            CHECK(s.advise(4, 2, advice) == -abi::eperm);
            CHECK(s.advise(0, 6, advice) == -abi::eperm);
            s.map(10, 2);
            seal(s, 10, 2);
            CHECK(s.advise(10, 2, advice) == 0);
        }
        for (std::int32_t const advice :
             {+abi::madv_normal, +abi::madv_random, +abi::madv_hugepage, +abi::madv_cold}) {
            half_sealed s;
            CHECK(s.advise(4, 2, advice) == 0);
        }
        space s;
        s.map(0, 2, ro, abi::map_private, file_of(1));
        seal(s, 0, 2);
        CHECK(s.advise(0, 2, abi::madv_dontneed) == 0);
        CHECK(s.advise(0, 2, abi::madv_dontfork) == 0);
    }
    TEST_CASE("advice changes what lies before a seal") {
        half_sealed s;
        CHECK(s.advise(0, 6, abi::madv_dontfork) == -abi::eperm);
        CHECK(s.vma_at(0).has(vm_dontcopy));
    }
    TEST_CASE("what is sealed neither moves nor grows nor shrinks nor is moved onto") {
        space s;
        s.map(0, 4);
        seal(s, 0, 4);
        s.map(20, 4, ro);
        CHECK(s.remap(0, 4, 4) == -abi::eperm);
        CHECK(s.remap(0, 4, 2) == -abi::eperm);
        CHECK(s.remap(0, 4, 6, abi::mremap_maymove) == -abi::eperm);
        CHECK(s.remap(0, 4, 4, 3, 10) == -abi::eperm);
        CHECK(s.remap(0, 4, 4, 7, 10) == -abi::eperm);
        CHECK(s.remap(20, 4, 4, 3, 0) == -abi::eperm);
        CHECK(s.remap(20, 4, 3, 3, 0) == -abi::eperm);
        CHECK(s.text() == "0+4:rw-p 20+4:r--p");
    }
    TEST_CASE("a tail that reaches what is sealed stays, split off") {
        half_sealed s;
        CHECK(s.remap(0, 6, 2) == -abi::eperm);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 4+2:r--p");
    }
    TEST_CASE("a move of several VMAs stops at a seal with the first ones moved") {
        space s;
        s.map(0, 2);
        s.map(2, 2, ro);
        s.map(10, 2, ro | abi::prot_exec);
        s.map(12, 2, abi::prot_exec);
        seal(s, 12, 2);
        CHECK(s.remap(0, 4, 4, 3, 10) == -abi::eperm);
        CHECK(s.text() == "2+2:r--p 10+2:rw-p 12+2:--xp");
        half_sealed t;
        CHECK(t.remap(0, 6, 6, 3, 10) == -abi::eperm);
        CHECK(t.text() == "4+2:r--p 10+4:rw-p");
    }
    TEST_CASE("a break does not go back over a seal") {
        space s;
        s.set_break(page(1004));
        seal(s, 1002, 2);
        CHECK(s.set_break(page(1001)) == as_result(page(1004)));
        CHECK(s.text() == "1000+1:rw-p 1001+1:rw-p 1002+2:rw-p");
    }
}

TEST_SUITE("address_space/name") {
    TEST_CASE(
        "a name splits and merges and is printed where the memory is neither heap nor stack") {
        space s;
        s.map(0, 6);
        CHECK(s.name(2, 2, 7) == 0);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 4+2:rw-p");
        CHECK(s.rows().at(1).label == row_label::anon_name);
        CHECK(s.rows().at(1).path == 7);
        CHECK(s.rows().at(0).label == row_label::none);
        CHECK(s.name(0, 6, 7) == 0);
        CHECK(s.text() == "0+6:rw-p");
        CHECK(s.name(0, 6, 0) == 0);
        CHECK(s.rows().at(0).label == row_label::none);
        s.set_break(page(1002));
        CHECK(s.name(1000, 2, 7) == 0);
        CHECK(s.rows().at(1).label == row_label::heap);
    }
    TEST_CASE("a new map does not join named memory and the heap does not grow into its name") {
        space s;
        s.map(0, 2);
        s.name(0, 2, 7);
        s.map(2, 2);
        s.set_break(page(1002));
        s.name(1000, 2, 7);
        s.set_break(page(1004));
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 1000+2:rw-p 1002+2:rw-p");
    }
    TEST_CASE("naming walks over holes and stops at a file") {
        space s;
        s.map(0, 2);
        s.map(3, 2);
        s.map(5, 2, ro, abi::map_private, file_of(1));
        s.map(7, 2, rw, abi::map_shared | abi::map_anonymous);
        CHECK(s.name(0, 4, 7) == -abi::enomem);
        CHECK(s.vma_at(0).name == 7);
        CHECK(s.vma_at(3).name == 7);
        CHECK(s.name(0, 9, 8) == -abi::ebadf);
        CHECK(s.vma_at(0).name == 8);
        CHECK(s.vma_at(3).name == 8);
        CHECK(s.vma_at(7).name == 0);
        CHECK(s.name(7, 2, 8) == 0);
        CHECK(s.rows().back().label == row_label::anon_shmem_name);
    }
    TEST_CASE("a name that the kernel did not take changes nothing") {
        space s;
        s.map(0, 2);
        CHECK(s.name(0, 2, 7, -abi::einval) == -abi::einval);
        CHECK(s.vma_at(0).name == 0);
    }
    TEST_CASE("at the limit on VMAs naming says EAGAIN") {
        space s;
        s.map(0, 4);
        s.globals().map_count_max = 1;
        CHECK(s.name(1, 1, 7) == -abi::eagain);
        CHECK(s.text() == "0+4:rw-p");
    }
    TEST_CASE("a name moves along and does not hinder sharing an anon_vma") {
        space s;
        s.map(0, 2);
        s.name(0, 2, 7);
        s.remap(0, 2, 2, 3, 20);
        CHECK(s.vma_at(20).name == 7);
        s.map(22, 2);
        s.fault(20);
        s.fault(22);
        CHECK(s.text() == "20+2:rw-p 22+2:rw-p");
        s.name(20, 2, 0);
        CHECK(s.text() == "20+4:rw-p");
    }
}

TEST_SUITE("address_space/policy") {
    TEST_CASE("a policy splits and merges") {
        space s;
        s.map(0, 6);
        CHECK(policy(s, 2, 2, 1) == 0);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p 4+2:rw-p");
        CHECK(policy(s, 0, 2, 1) == 0);
        CHECK(policy(s, 4, 2, 2) == 0);
        CHECK(s.text() == "0+4:rw-p 4+2:rw-p");
        CHECK(policy(s, 4, 2, 1) == 0);
        CHECK(s.text() == "0+6:rw-p");
    }
    TEST_CASE("a hole is refused before anything is changed but the default bears holes") {
        space s;
        s.map(0, 2);
        s.map(3, 2);
        for (std::uint64_t const at : {1U, 2U, 4U}) CHECK(policy(s, at, 3, 1) == -abi::efault);
        CHECK(s.text() == "0+2:rw-p 3+2:rw-p");
        CHECK(policy(s, 0, 2, 1) == 0);
        CHECK(policy(s, 3, 2, 1) == 0);
        CHECK(policy(s, 0, 5, 0) == 0);
        s.map(2, 1);
        CHECK(s.text() == "0+5:rw-p");
        CHECK(policy(s, 20, 2, 0) == -abi::efault);
        CHECK(policy(s, 20, 0, 1) == 0);
    }
    TEST_CASE("a new map does not join memory of another policy and a moved one keeps its own") {
        space s;
        s.map(0, 4);
        policy(s, 0, 2, 1);
        s.remap(0, 2, 2, 3, 10);
        s.map(12, 2);
        CHECK(s.text() == "2+2:rw-p 10+2:rw-p 12+2:rw-p");
    }
    TEST_CASE("memory of another policy does not share an anon_vma") {
        space s;
        s.map(0, 4);
        policy(s, 0, 2, 1);
        s.fault(0);
        s.fault(2);
        policy(s, 0, 2, 0);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p");
    }
    TEST_CASE("a seal does not keep a policy from being set") {
        space s;
        s.map(0, 4);
        seal(s, 0, 4);
        CHECK(policy(s, 0, 2, 1) == 0);
        CHECK(s.text() == "0+2:rw-p 2+2:rw-p");
    }
}

TEST_SUITE("address_space/remap_file") {
    TEST_CASE("another part of the file appears and may merge") {
        space s;
        s.map(0, 4, rw, abi::map_shared, file_of(1));
        CHECK(s.remap_file(1, 1, 3) == 0);
        CHECK(s.text() == "0+1:rw-s 1+1:rw-s 2+2:rw-s");
        CHECK(s.vma_at(1).page_offset == 3);
        CHECK(s.remap_file(1, 1, 1) == 0);
        CHECK(s.text() == "0+4:rw-s");
    }
    TEST_CASE("the range may span VMAs of the same file and flags") {
        space s;
        s.map(0, 2, rw, abi::map_shared, file_of(1));
        s.map(2, 2, rw, abi::map_shared, file_of(1), 20);
        CHECK(s.remap_file(0, 4, 30) == 0);
        CHECK(s.text() == "0+4:rw-s");
        CHECK(s.remap_file(2, 3, 30) == -abi::einval);
        s.protect(2, 2, ro);
        CHECK(s.remap_file(0, 4, 10) == -abi::einval);
        CHECK(s.text() == "0+2:rw-s 2+2:r--s");
    }
    TEST_CASE("only shared mappings that may be written are taken") {
        space s;
        backing file = file_of(1);
        s.map(0, 2, rw, abi::map_private, file);
        s.map(4, 2);
        file.read_only_file = true;
        s.map(8, 2, ro, abi::map_shared, file);
        s.map(12, 2, rw, abi::map_shared | abi::map_anonymous);
        for (std::uint64_t const at : {0U, 4U, 8U, 20U})
            CHECK(s.remap_file(at, 1, 1) == -abi::einval);
        CHECK(s.remap_file(12, 1, 1) == 0);
        CHECK(s.remap_file(12, 0, 1) == -abi::einval);
        CHECK(s.remap_file(12, 1, std::uint64_t{1} << 51U) == -abi::eoverflow);
        CHECK(s.remap_file(12, 1, ~std::uint64_t{0}) == -abi::einval);
        CHECK(s.text() == "0+2:rw-p 4+2:rw-p 8+2:r--s 12+1:rw-s 13+1:rw-s");
    }
    TEST_CASE("advice is lost and a lock is kept and a seal refuses") {
        space s;
        s.map(0, 4, rw, abi::map_shared, file_of(1));
        s.advise(0, 4, abi::madv_random);
        CHECK(s.remap_file(0, 4, 0) == 0);
        CHECK(!s.vma_at(0).has(vm_rand_read));
        s.range(call::lock_range, 0, 4);
        CHECK(s.remap_file(0, 2, 8) == 0);
        CHECK(s.vma_at(0).has(vm_locked));
        seal(s, 0, 2);
        CHECK(s.remap_file(0, 2, 0) == -abi::eperm);
        CHECK(s.vma_at(0).page_offset == 8);
    }
}

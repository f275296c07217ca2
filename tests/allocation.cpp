#include "allocation.hpp"

#include <cstdlib>
#include <new>

namespace manylock::test {
namespace {
thread_local std::uint64_t count = 0;
}

std::uint64_t allocations() noexcept {
    return count;
}

}  // namespace manylock::test

#if MANYLOCK_COUNTS_ALLOCATIONS
void* operator new(std::size_t size) {
    ++manylock::test::count;
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
#endif

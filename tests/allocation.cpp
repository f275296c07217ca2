#include "allocation.hpp"

#include <cstdlib>
#include <new>

namespace manylock::test {
namespace {
thread_local std::uint64_t count = 0;
thread_local std::uint64_t fails_at = 0;
}  // namespace

std::uint64_t allocations() noexcept {
    return count;
}

void fail_allocation(std::uint64_t n) noexcept {
    fails_at = n == 0 ? 0 : count + n;
}

bool allocation_failed() noexcept {
    return fails_at != 0 && count >= fails_at;
}

}  // namespace manylock::test

#if MANYLOCK_COUNTS_ALLOCATIONS
void* operator new(std::size_t size) {
    using namespace manylock::test;
    if (++count == fails_at) throw std::bad_alloc{};
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc{};
}
void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
    using namespace manylock::test;
    return ++count == fails_at ? nullptr : std::malloc(size == 0 ? 1 : size);
}
// Control blocks are aligned to cache lines.
void* operator new(std::size_t size, std::align_val_t alignment) {
    using namespace manylock::test;
    if (++count == fails_at) throw std::bad_alloc{};
    auto const step = static_cast<std::size_t>(alignment);
    if (void* const memory = std::aligned_alloc(step, (size + step - 1) / step * step))
        return memory;
    throw std::bad_alloc{};
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
#endif

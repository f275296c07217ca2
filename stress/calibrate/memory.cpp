// Probes of caches and memory.
#include "calibrate/probe.hpp"
#include "../random.hpp"

#include <sys/mman.h>
#include <memory>
#include <new>
#include <numeric>
#include <thread>

namespace manylock::stress {
namespace {

using platform::native;

constexpr std::size_t line_bytes = 64;
constexpr std::size_t batches = 20;

/// A cache line that names another.
struct alignas(line_bytes) line {
    native::atomic<line*> next{nullptr};
};

/// Lines in a circle in random order, so that each load has to wait for the one before and nothing can tell
/// which comes next.
void link(line* lines, std::size_t count) {
    std::vector<std::uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0U);
    generator random(1);
    for (std::size_t i = count - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
    for (std::size_t i = 0; i < count; ++i) {
        // relaxed: one thread
        lines[order[i]].next.store(lines + order[(i + 1) % count], std::memory_order_relaxed);
    }
}

line* chase(line* at, std::size_t loads) noexcept {
    for (std::size_t i = 0; i < loads; ++i) {
        at = at->next.load(std::memory_order_relaxed);  // relaxed: one thread
    }
    keep(at);
    return at;
}

double hit_round() {
    constexpr std::size_t lines = 32;
    constexpr std::size_t loads = 2'000;
    std::vector<line> ring(lines);
    link(ring.data(), lines);
    auto* at = chase(ring.data(), lines);
    return per_call(batches, loads, [&](std::size_t n) { at = chase(at, n); });
}

double atomic_hit_round() {
    alignas(line_bytes) native::atomic<std::uint64_t> word{0};
    std::uint64_t seen = 0;
    return per_call(batches, 1'000, [&](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            // acquire on success, as a lock is taken; relaxed: nobody else is there
            if (word.compare_exchange_strong(seen, seen + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
                ++seen;
            }
        }
    });
}

double fence_round() {
    return per_call(batches, 1'000, [](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            native::fence();
            asm volatile("" ::: "memory");  // or a compiler makes one fence of them
        }
    });
}

/// More than caches hold, on huge pages where the kernel gives them, so that it is memory that is measured and
/// not the walk through page tables.
class large_memory {
public:
    static constexpr std::size_t bytes = std::size_t{256} << 20U;

    large_memory() {
        constexpr std::size_t huge_page = std::size_t{2} << 20U;
        mapped_ = ::mmap(nullptr, bytes + huge_page, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped_ == MAP_FAILED) throw std::bad_alloc();
        size_ = bytes + huge_page;
        void* start = mapped_;
        auto room = size_;
        start = std::align(huge_page, bytes, start, room);
        ::madvise(start, bytes, MADV_HUGEPAGE);
        auto const count = bytes / line_bytes;
        auto* const lines = static_cast<line*>(start);
        for (std::size_t i = 0; i < count; ++i) new (lines + i) line;
        link(lines, count);
        at_ = lines;
    }
    ~large_memory() { ::munmap(mapped_, size_); }
    large_memory(large_memory const&) = delete;
    large_memory& operator=(large_memory const&) = delete;

    /// Goes on where it stopped: no line is met twice before all have been.
    double round() {
        return per_call(batches, 500, [this](std::size_t n) { at_ = chase(at_, n); });
    }

private:
    void* mapped_ = nullptr;
    std::size_t size_ = 0;
    line* at_ = nullptr;
};

/// Two threads hand one line to and fro by plain stores and loads. A quarter of a round trip: each way the line
/// moves twice, to the writer, whose store has to take it from the reader, and to the reader.
double transfer_round(processor_pair const& between) {
    constexpr std::size_t trips = 100;
    struct alignas(2 * line_bytes) {  // pairs of lines are fetched together by some processors
        native::atomic<std::uint64_t> word{0};
    } turn;
    auto const away = [&turn](std::uint64_t awaited) {
        // acquire; pairs with the other side's release. No pause: it would be measured.
        while (turn.word.load(std::memory_order_acquire) != awaited) {
        }
    };
    constexpr std::uint64_t all = (batches + 1) * trips;
    pinned const here(between.first);
    std::jthread const partner([&] {
        pinned const there(between.second);
        for (std::uint64_t i = 0; i < all; ++i) {
            away(2 * i + 1);
            turn.word.store(2 * i + 2, std::memory_order_release);  // release; pairs with away
        }
    });
    std::uint64_t i = 0;
    auto const trip = [&](std::size_t n) {
        for (auto const end = i + n; i < end; ++i) {
            turn.word.store(2 * i + 1, std::memory_order_release);  // release; pairs with away
            away(2 * i + 2);
        }
    };
    trip(trips);  // until the partner is there
    return per_call(batches, trips, trip) / 4;
}

std::string of(processor_pair const& pair) {
    return "processors " + std::to_string(pair.first) + " and " + std::to_string(pair.second);
}

}  // namespace

void add_memory_probes(probes& to, std::vector<processor> const& on) {
    to.all.push_back({"hit", "a chain of dependent loads within 2 KiB",
                      [](round_values const&) { return hit_round(); }});
    to.all.push_back({"atomic_hit", "compare-exchange on a line of its own",
                      [](round_values const&) { return atomic_hit_round(); }});
    to.all.push_back({"fence", "sequentially consistent fences in a row",
                      [](round_values const&) { return fence_round(); }});
    try {
        auto const memory = std::make_shared<large_memory>();
        to.all.push_back({"memory", "a chain of dependent loads through 256 MiB",
                          [memory](round_values const&) { return memory->round(); }});
    } catch (std::bad_alloc const&) {
        to.left_out.emplace_back("memory: there are no 256 MiB to load from");
    }
    if (auto const pair = neighbours(on)) {
        to.all.push_back({"transfer", "a quarter of a round trip of one line, " + of(*pair),
                          [p = *pair](round_values const&) { return transfer_round(p); }});
    } else {
        to.left_out.emplace_back(
            "transfer: this process has no two cores of one socket to hand a line between");
    }
    if (auto const pair = strangers(on)) {
        to.all.push_back({"transfer_remote", "a quarter of a round trip of one line, " + of(*pair),
                          [p = *pair](round_values const&) { return transfer_round(p); }});
    } else {
        to.left_out.emplace_back(
            "transfer_remote: all processors of this process are in one socket");
    }
}

}  // namespace manylock::stress

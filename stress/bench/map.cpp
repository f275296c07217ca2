// What the address space's map costs beside what one would take otherwise: std::map under a
// std::shared_mutex, and Boost.ICL's interval_map under one. All three hold the same VMAs.
//
//   lookup        the VMA at a random address
//   insert_erase  a VMA into a gap and out again
//   split_merge   a VMA is cut in two with different flags and made one again, as mprotect does twice
//   gap_search    the highest gap of 8 pages; the VMAs lie a page apart, one such gap is in the middle
//   bytes         of one VMA and its share of the map, as the allocator counts them (column bytes)
//
// Changes take the writer's lock and free what they remove as each map has to: ours after a grace
// period, by liburcu. Compare medians of interleaved repetitions:
//   manylock-map-bench --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true
#include <algorithm>
#include <boost/icl/interval_map.hpp>
#include <cstdint>
#include <malloc.h>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <vector>

#include <benchmark/benchmark.h>

#include <manylock/address_space/map/region_map.hpp>
#include <manylock/domain.hpp>
#include <manylock/platform/native_rcu.hpp>
#include <manylock/policies/no_wait.hpp>

namespace {

using namespace manylock::address_space;

constexpr std::uint64_t vma_pages = 4;
constexpr std::uint64_t stride = (vma_pages + 1) * page_size;
constexpr std::uint64_t wanted_gap = 8 * page_size;
constexpr address base = 0x10'0000'0000;

vma area_at(std::uint64_t slot, std::uint64_t slots, vma_flags flags = vm_read) {
    vma area;
    area.start = base + slot * stride + (slot >= slots / 2 ? wanted_gap : 0);
    area.end = area.start + vma_pages * page_size;
    area.flags = flags;
    area.page_offset = area.start / page_size;
    return area;
}

/// The address space's own map, changed as updates change it.
class range_b_tree {
public:
    using domain = manylock::domain<manylock::policies::no_wait, manylock::options{},
                                    manylock::platform::native_rcu>;
    static constexpr char const* name = "manylock";

    void insert(vma const& area) {
        auto* const fresh = stock_.regions.make(area);
        map_type::edit edit{map_, stock_, 1};
        edit.insert(*fresh);
    }
    void erase(vma const& area) {
        region<domain>* r = nullptr;
        {
            map_type::edit edit{map_, stock_, 0};
            r = map_.floor(area.start);
            edit.unlink(*r);
        }
        stock_.regions.retire(r);
    }
    [[nodiscard]] vma_flags find(address a) const {
        domain::read_section const section;
        auto const* const r = map_.floor(a);
        return r != nullptr && r->contains(a) ? r->area.flags : 0;
    }
    void split(vma const& area, address at, vma_flags high_flags) {
        vma low = area;
        low.end = at;
        vma high = area;
        high.start = at;
        high.page_offset = area.offset_at(at);
        high.flags = high_flags;
        auto* const fresh = stock_.regions.make(high);
        map_type::edit edit{map_, stock_, 1};
        edit.become(*map_.floor(area.start), low);
        edit.insert(*fresh);
    }
    void merge(vma const& whole, address at) {
        region<domain>* gone = nullptr;
        {
            map_type::edit edit{map_, stock_, 0};
            gone = map_.floor(at);
            edit.unlink(*gone);
            edit.become(*map_.floor(whole.start), whole);
        }
        stock_.regions.retire(gone);
    }
    [[nodiscard]] address gap(std::uint64_t length, address low, address high) const {
        domain::read_section const section;
        return map_.highest_gap(length, low, high);
    }

private:
    using map_type = region_map<domain>;
    map_type map_;
    map_type::stock stock_{map_};
};

class std_map {
public:
    static constexpr char const* name = "std_map";

    void insert(vma const& area) {
        std::unique_lock const guard{mutex_};
        map_.emplace(area.start, area);
    }
    void erase(vma const& area) {
        std::unique_lock const guard{mutex_};
        map_.erase(area.start);
    }
    [[nodiscard]] vma_flags find(address a) const {
        std::shared_lock const guard{mutex_};
        auto const after = map_.upper_bound(a);
        if (after == map_.begin()) return 0;
        vma const& area = std::prev(after)->second;
        return area.contains(a) ? area.flags : 0;
    }
    void split(vma const& area, address at, vma_flags high_flags) {
        std::unique_lock const guard{mutex_};
        auto const low = map_.find(area.start);
        vma high = low->second;
        high.start = at;
        high.page_offset = area.offset_at(at);
        high.flags = high_flags;
        low->second.end = at;
        map_.emplace_hint(std::next(low), at, high);
    }
    void merge(vma const& whole, address at) {
        std::unique_lock const guard{mutex_};
        map_.erase(at);
        map_.find(whole.start)->second = whole;
    }
    [[nodiscard]] address gap(std::uint64_t length, address low, address high) const {
        std::shared_lock const guard{mutex_};
        for (auto at = map_.rbegin(); at != map_.rend(); ++at) {
            if (high >= at->second.end && high - at->second.end >= length) return high - length;
            high = std::min(high, at->first);
        }
        return high >= low && high - low >= length ? high - length : 0;
    }

private:
    mutable std::shared_mutex mutex_;
    std::map<address, vma> map_;
};

/// Joins and splits intervals by itself, by the equality of what they carry.
class boost_icl {
public:
    static constexpr char const* name = "boost_icl";

    void insert(vma const& area) {
        std::unique_lock const guard{mutex_};
        map_.set({interval(area.start, area.end), content(area)});
    }
    void erase(vma const& area) {
        std::unique_lock const guard{mutex_};
        map_.erase(interval(area.start, area.end));
    }
    [[nodiscard]] vma_flags find(address a) const {
        std::shared_lock const guard{mutex_};
        auto const found = map_.find(a);
        return found == map_.end() ? 0 : found->second.flags;
    }
    void split(vma const& area, address at, vma_flags high_flags) {
        std::unique_lock const guard{mutex_};
        auto high = content(area);
        high.flags = high_flags;
        map_.set({interval(at, area.end), high});
    }
    void merge(vma const& whole, address at) {
        std::unique_lock const guard{mutex_};
        map_.set({interval(at, whole.end), content(whole)});
    }
    [[nodiscard]] address gap(std::uint64_t length, address low, address high) const {
        std::shared_lock const guard{mutex_};
        for (auto at = map_.rbegin(); at != map_.rend(); ++at) {
            address const end = at->first.upper();
            if (high >= end && high - end >= length) return high - length;
            high = std::min(high, at->first.lower());
        }
        return high >= low && high - low >= length ? high - length : 0;
    }

private:
    /// What a VMA has apart from its bounds: the page offset as the one of address 0.
    struct rest {
        vma_flags flags = 0;
        std::uint64_t offset_of_0 = 0;
        anon_identity anon{};
        backing file{};
        friend bool operator==(rest const&, rest const&) = default;
    };
    static rest content(vma const& area) {
        return {area.flags, area.page_offset - area.start / page_size, area.anon, area.file};
    }
    static boost::icl::interval<address>::interval_type interval(address start, address end) {
        return boost::icl::interval<address>::right_open(start, end);
    }

    mutable std::shared_mutex mutex_;
    boost::icl::interval_map<address, rest, boost::icl::partial_enricher> map_;
};

/// Filled in a random order, as a program's life leaves a map, not in the best one for anybody.
template <class Map>
std::unique_ptr<Map> filled(std::uint64_t slots, std::uint64_t* bytes = nullptr) {
    std::vector<std::uint64_t> order(slots);
    for (std::uint64_t i = 0; i < slots; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), std::mt19937_64{20230904});
    auto const before = mallinfo2();
    auto map = std::make_unique<Map>();
    for (std::uint64_t const slot : order) map->insert(area_at(slot, slots));
    auto const after = mallinfo2();
    if (bytes != nullptr)
        *bytes = (after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / slots;
    return map;
}

/// Built once for each size: a million VMAs take a while.
template <class Map>
Map& shared(std::uint64_t slots) {
    static std::map<std::uint64_t, std::unique_ptr<Map>> built;
    auto& map = built[slots];
    if (!map) map = filled<Map>(slots);
    return *map;
}

/// The same draws for every map.
std::vector<std::uint64_t> draws(std::uint64_t slots) {
    std::mt19937_64 random{slots};
    std::vector<std::uint64_t> all(std::size_t{1} << 16U);
    for (auto& slot : all) slot = random() % slots;
    return all;
}

template <class Map>
void lookup(benchmark::State& state) {
    auto const slots = static_cast<std::uint64_t>(state.range(0));
    Map const& map = shared<Map>(slots);
    auto const drawn = draws(slots);
    std::size_t i = 0;
    for (auto _ : state) {
        vma_flags const flags =
            map.find(area_at(drawn[i++ % drawn.size()], slots).start + page_size);
        if (flags != vm_read) return state.SkipWithError("a VMA was not found");
    }
}

template <class Map>
void insert_erase(benchmark::State& state) {
    auto const slots = static_cast<std::uint64_t>(state.range(0));
    Map& map = shared<Map>(slots);
    auto const drawn = draws(slots);
    std::size_t i = 0;
    for (auto _ : state) {
        vma area = area_at(drawn[i++ % drawn.size()], slots, vm_read | vm_write);
        area.start = area.end;  // the page between it and the next
        area.end += page_size;
        map.insert(area);
        map.erase(area);
    }
}

template <class Map>
void split_merge(benchmark::State& state) {
    auto const slots = static_cast<std::uint64_t>(state.range(0));
    Map& map = shared<Map>(slots);
    auto const drawn = draws(slots);
    std::size_t i = 0;
    for (auto _ : state) {
        vma const area = area_at(drawn[i++ % drawn.size()], slots);
        address const at = area.start + 2 * page_size;
        map.split(area, at, vm_read | vm_write);
        map.merge(area, at);
    }
}

template <class Map>
void gap_search(benchmark::State& state) {
    auto const slots = static_cast<std::uint64_t>(state.range(0));
    Map const& map = shared<Map>(slots);
    address const high = area_at(slots - 1, slots).end;
    address const expected = area_at(slots / 2, slots).start - wanted_gap;
    for (auto _ : state) {
        if (map.gap(wanted_gap, base, high) != expected)
            return state.SkipWithError("another gap than the one there is");
    }
}

template <class Map>
void bytes(benchmark::State& state) {
    auto const slots = static_cast<std::uint64_t>(state.range(0));
    std::uint64_t each = 0;
    for (auto _ : state) benchmark::DoNotOptimize(filled<Map>(slots, &each));
    state.counters["bytes"] = static_cast<double>(each);
}

template <class Map>
void register_all() {
    using run = void (*)(benchmark::State&);
    struct entry {
        char const* name;
        run what;
    };
    for (entry const& e :
         {entry{"lookup", lookup<Map>}, entry{"insert_erase", insert_erase<Map>},
          entry{"split_merge", split_merge<Map>}, entry{"gap_search", gap_search<Map>}})
        benchmark::RegisterBenchmark((std::string{e.name} + "/" + Map::name).c_str(), e.what)
            ->Arg(100)
            ->Arg(10'000)
            ->Arg(1'000'000);
    benchmark::RegisterBenchmark((std::string{"bytes/"} + Map::name).c_str(), bytes<Map>)
        ->Arg(100)
        ->Arg(10'000)
        ->Arg(1'000'000)
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
}

}  // namespace

int main(int argc, char** argv) {
    register_all<range_b_tree>();
    register_all<std_map>();
    register_all<boost_icl>();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

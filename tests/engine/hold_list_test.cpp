// Goal:   INV-H of hold_list.hpp holds after every call, whatever is pushed, removed, found and drained.
// Method: random calls beside a map; the private fields are read against the entries.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>

#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

#include "allocation.hpp"

using namespace manylock;

namespace {

/// An explicit instantiation may name a private member: so the fields can be read without a friend.
template <auto Field, class Tag>
struct opens {
    friend constexpr auto field(Tag) { return Field; }
};
#define FIELD(config, name)                           \
    struct config##_##name {                          \
        friend constexpr auto field(config##_##name); \
    };                                                \
    template struct opens<&detail::hold_list<config>::name##_, config##_##name>
#define FIELDS(config)            \
    FIELD(config, gaps);          \
    FIELD(config, holes);         \
    FIELD(config, filling);       \
    FIELD(config, indexed);       \
    FIELD(config, index);         \
    FIELD(config, in_order);      \
    FIELD(config, only_appended); \
    FIELD(config, last_acquired)

using plain = detail::config<policies::no_wait, options{}, platform::native>;
using linked = detail::config<policies::wound_wait, options{}, platform::native>;
using published = detail::config<policies::cycle_detection, options{}, platform::native>;
using ranked = detail::config<policies::lock_ordering, options{}, platform::native>;
FIELDS(plain);
FIELDS(linked);
FIELDS(published);
FIELDS(ranked);

/// The fields of a list, by name.
template <class Config>
struct fields;
#define FIELDS_OF(config)                                                                   \
    template <>                                                                             \
    struct fields<config> {                                                                 \
        detail::hold_list<config> const& list;                                              \
        auto const& gaps() const { return list.*field(config##_gaps{}); }                   \
        auto const& holes() const { return list.*field(config##_holes{}); }                 \
        auto const& filling() const { return list.*field(config##_filling{}); }             \
        auto const& indexed() const { return list.*field(config##_indexed{}); }             \
        auto const& index() const { return list.*field(config##_index{}); }                 \
        auto const& in_order() const { return list.*field(config##_in_order{}); }           \
        auto const& only_appended() const { return list.*field(config##_only_appended{}); } \
        auto const& last_acquired() const { return list.*field(config##_last_acquired{}); } \
    }
FIELDS_OF(plain);
FIELDS_OF(linked);
FIELDS_OF(published);
FIELDS_OF(ranked);

/// A list, and what is known of it without looking at its fields.
template <class Config>
struct subject {
    using list_type = detail::hold_list<Config>;
    using entry = typename list_type::entry;
    using lock_type = queued_lock<Config>;
    static constexpr std::uint32_t no_hole = ~std::uint32_t{0};

    struct known {
        mode held;
        std::uint64_t acquired;       ///< as the how-many-th
        std::set<lock_type*> before;  ///< what was held before
    };
    list_type list;
    std::map<lock_type*, known> model;
    std::map<entry const*, std::set<lock_type*>> before;  ///< of who was in an entry last
    std::uint64_t acquisitions = 0;
    entry const* latest = nullptr;  ///< the last acquired, if nothing was removed since
    bool filled_gap = false;        ///< since the list was empty at an end
    bool remembers = true;          ///< no allocation has failed since
    bool reserved = false;          ///< reserve() was the last call

    std::set<lock_type*> held() const {
        std::set<lock_type*> all;
        for (auto const& [lock, what] : model) all.insert(lock);
        return all;
    }
    void acquired(entry& e, lock_type* lock, mode m) {
        auto const so_far = held();
        before[&e] = so_far;
        model[lock] = {m, ++acquisitions, so_far};
        latest = &e;
        reserved = false;
    }
    void append(lock_type* lock, mode m) {
        auto& e = *list.first_free();
        list.append(e, entry::value_of(lock, m));
        acquired(e, lock, m);
    }
    void push(lock_type* lock, mode m) {
        auto& e = list.reserve();
        filled_gap = filled_gap || list.fills_hole();
        list.push(e, lock, m);
        acquired(e, lock, m);
    }
    void remove(entry& e, bool without_memory) {
        auto* const lock = e.lock();
        if (without_memory) test::fail_allocation(1);
        auto const* const told = list.remove(e);
        remembers = remembers && !(without_memory && test::allocation_failed());
        test::fail_allocation(0);
        model.erase(lock);
        // It may tell more: then it tells nothing wrong.
        if (told != nullptr) CHECK(before.at(told) == held());
        latest = nullptr;
        reserved = false;
    }
    void find(lock_type* lock, bool without_memory) {
        if (without_memory) test::fail_allocation(1);
        auto* const e = list.find(lock);
        test::fail_allocation(0);
        auto const is = model.find(lock);
        REQUIRE((e != nullptr) == (is != model.end()));
        if (e == nullptr) return;
        CHECK(e->lock() == lock);
        CHECK(e->held_mode() == is->second.held);
    }
    void drain() {
        auto last = ~std::uint32_t{0};
        list.drain([&](entry& e) {
            std::uint32_t at = 0;
            while (&list.at(at) != &e) ++at;
            CHECK(at < last);  // latest first
            last = at;
            CHECK(model.erase(e.lock()) == 1);
        });
        CHECK(model.empty());
        CHECK(list.size() == 0);
        CHECK(fields<Config>{list}.only_appended());
        latest = nullptr;
        filled_gap = false;
        remembers = true;
        reserved = false;
    }

    /// The invariant, sentence by sentence.
    void check() {
        fields<Config> const f{list};
        auto const n = list.size();
        auto const is_gap = [&](std::uint32_t i) { return list.at(i).read() == 0; };
        REQUIRE((n == 0 || !is_gap(n - 1)));
        for (auto const hole : f.holes()) {
            REQUIRE((hole >= n || is_gap(hole)));
            if (hole < n) REQUIRE(std::count(f.holes().begin(), f.holes().end(), hole) == 1);
        }
        std::uint32_t gaps = 0;
        std::uint32_t held = 0;
        std::uint64_t last = 0;
        bool in_order = true;
        for (std::uint32_t i = 0; i < n; ++i) {
            if (is_gap(i)) {
                ++gaps;
                bool const named =
                    std::find(f.holes().begin(), f.holes().end(), i) != f.holes().end();
                if (i >= list_type::first_chunk && remembers) REQUIRE(named);
                continue;
            }
            ++held;
            auto const& is = model.at(list.at(i).lock());
            in_order = in_order && is.acquired > last;
            last = is.acquired;
            auto const key = reinterpret_cast<std::uintptr_t>(list.at(i).lock());
            if (i < f.indexed()) REQUIRE(f.index().find(key) == i);
        }
        REQUIRE(f.gaps() == gaps);
        REQUIRE(held == model.size());
        REQUIRE(list.held() == held);
        REQUIRE(f.indexed() <= n);
        if (reserved && f.filling() != no_hole) {
            REQUIRE(!f.holes().empty());
            REQUIRE(f.filling() == f.holes().back());
            REQUIRE(f.filling() < n);
            REQUIRE(is_gap(f.filling()));
        }
        if (f.in_order()) REQUIRE(in_order);
        REQUIRE(f.in_order() == !filled_gap);
        if (f.only_appended()) {
            REQUIRE(gaps == 0);
            REQUIRE(f.holes().empty());
            REQUIRE(f.indexed() == 0);
            REQUIRE(f.in_order());
        }
        if (Config::needs.rank && n > 0) REQUIRE(f.last_acquired() == latest);
        if (!Config::needs.rank) REQUIRE(f.last_acquired() == nullptr);
    }
};

}  // namespace

TYPE_TO_STRING(plain);
TYPE_TO_STRING(linked);
TYPE_TO_STRING(published);
TYPE_TO_STRING(ranked);

TEST_CASE_TEMPLATE("INV-H: the fields of a hold list say what its entries are after every call",
                   Config, plain, linked, published, ranked) {
    constexpr std::size_t n = 160;
    auto const locks = std::make_unique<queued_lock<Config>[]>(n);
    bool saw_hole_filled = false;
    bool saw_index = false;
    bool saw_forgotten = false;
    for (unsigned seed = 0; seed < 30; ++seed) {
        std::mt19937 random{seed};
        subject<Config> s;
        unsigned const pool =
            seed % 3 == 0 ? 12 : n;  // some never leave the first entries for long
        for (int step = 0; step < 600; ++step) {
            auto* const lock = &locks[random() % pool];
            auto const m = random() % 2 == 0 ? mode::shared : mode::exclusive;
            bool const without_memory = test::counts_allocations && random() % 16 == 0;
            bool const grows = step / 150 % 2 == 0;
            switch (random() % 10) {
                case 0:
                    (void)s.list.reserve();
                    s.reserved = true;
                    break;
                case 1: s.find(lock, without_memory); break;
                case 2:
                    if (random() % 60 == 0) s.drain();
                    break;
                default:
                    if (bool const take = random() % 4 != 0; take == grows) {
                        if (s.model.contains(lock)) break;
                        if (random() % 2 == 0 && s.list.first_free() != nullptr) {
                            s.append(lock, m);
                        } else {
                            s.push(lock, m);
                        }
                    } else if (random() % 3 == 0 && s.list.size() > 0) {  // the last one: no gap
                        s.remove(s.list.at(s.list.size() - 1), without_memory);
                    } else if (auto* const e = s.list.find(lock); e != nullptr) {
                        s.remove(*e, without_memory);
                    }
            }
            s.check();
            saw_hole_filled = saw_hole_filled || s.filled_gap;
            saw_index = saw_index || fields<Config>{s.list}.indexed() > 0;
            saw_forgotten = saw_forgotten || !s.remembers;
        }
        s.drain();
        s.check();
    }
    CHECK(saw_hole_filled);
    CHECK(saw_index);
    CHECK((saw_forgotten || !test::counts_allocations));
}

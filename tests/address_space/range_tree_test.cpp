#include "range_tree_check.hpp"

#include <atomic>
#include <doctest/doctest.h>
#include <functional>
#include <manylock/platform/native_rcu.hpp>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace manylock::address_space {
namespace {

using platform = manylock::platform::native_rcu;

struct span {
    span(address s, address e) : start{s}, end{e} {}
    [[nodiscard]] address first() const noexcept { return start.load(platform::relaxed); }
    [[nodiscard]] address past() const noexcept { return end.load(platform::relaxed); }
    std::atomic<address> start;
    std::atomic<address> end;
};
using tree_type = range_tree<platform, span>;

/// A tree beside a std::map that is always right.
class twin {
public:
    ~twin() { free_dead(); }

    bool add(address start, address end) {
        auto const after = mirror_.lower_bound(start);
        if (after != mirror_.end() && after->first < end) return false;
        if (after != mirror_.begin() && std::prev(after)->second->past() > start) return false;
        auto fresh = std::make_unique<span>(start, end);
        stock_.fill(tree_.nodes_needed(1));
        tree_.insert(*fresh, stock_);
        mirror_.emplace(start, std::move(fresh));
        return true;
    }
    void drop(std::size_t nth) {
        auto const at = std::next(mirror_.begin(), static_cast<std::ptrdiff_t>(nth));
        tree_.erase(*at->second);
        mirror_.erase(at);
        free_dead();
    }
    /// New bounds for one range, inside what its neighbours leave.
    void reshape(std::size_t nth, std::mt19937_64& random) {
        auto at = std::next(mirror_.begin(), static_cast<std::ptrdiff_t>(nth));
        address const low = at == mirror_.begin() ? 0 : std::prev(at)->second->past();
        address const high = std::next(at) == mirror_.end() ? at->second->past() + 100
                                                            : std::next(at)->second->first();
        address const start = low + random() % (high - low);
        set_bounds(at, start, start + 1 + random() % (high - start));
    }
    /// The boundary between two neighbours that touch moves, as mprotect moves it.
    void shift(std::size_t nth, std::mt19937_64& random) {
        auto const low = std::next(mirror_.begin(), static_cast<std::ptrdiff_t>(nth));
        auto const high = std::next(low);
        if (high == mirror_.end() || low->second->past() != high->second->first()) return;
        address const from = low->second->first() + 1;
        address const to = high->second->past();
        address const border = from + random() % (to - from);
        set_bounds(low, low->second->first(), border);  // may overlap the next for a moment
        set_bounds(high, border, to);
    }

    [[nodiscard]] std::size_t size() const { return mirror_.size(); }
    void compare(std::mt19937_64& random, address limit) const {
        REQUIRE(range_tree_check::broken(tree_) == "");
        std::size_t n = 0;
        auto expected = mirror_.begin();
        tree_.each(0, [&](span const& s) {
            if (expected == mirror_.end() || expected->second.get() != &s) return false;
            ++expected;
            ++n;
            return true;
        });
        REQUIRE(n == mirror_.size());
        for (int i = 0; i < 8; ++i)
            compare_at(random() % limit, 1 + random() % 200, random() % limit);
    }

    tree_type tree_;

private:
    using mirror = std::map<address, std::unique_ptr<span>>;

    void set_bounds(mirror::iterator at, address start, address end) {
        tree_.move(*at->second, start, end);
        at->second->start.store(start, platform::relaxed);
        at->second->end.store(end, platform::relaxed);
        auto node = mirror_.extract(at);
        node.key() = start;
        mirror_.insert(std::move(node));
    }
    void free_dead() {
        for (auto* n = tree_.take_dead(); n != nullptr;)
            stock_.retire(std::exchange(n, n->previous));
    }
    void compare_at(address a, std::uint64_t length, address high) const {
        auto const after = mirror_.upper_bound(a);
        span const* const above = after == mirror_.end() ? nullptr : after->second.get();
        span const* const floor =
            after == mirror_.begin() ? nullptr : std::prev(after)->second.get();
        REQUIRE(tree_.floor(a) == floor);
        REQUIRE(tree_.above(a) == above);
        REQUIRE(tree_.first_above(a) == (floor != nullptr && floor->past() > a ? floor : above));
        REQUIRE(tree_.highest_gap(length, a / 2, high) == slow_gap(length, a / 2, high));
    }
    [[nodiscard]] address slow_gap(std::uint64_t length, address low, address high) const {
        for (auto at = mirror_.rbegin(); high > low; ++at) {
            address const bottom = at == mirror_.rend() ? low : std::max(low, at->second->past());
            if (high >= bottom && high - bottom >= length) return high - length;
            if (at == mirror_.rend()) break;
            high = std::min(high, at->second->first());
        }
        return range_node<platform>::no_key;
    }

    mirror mirror_;
    platform::recycler<range_node<platform>> nodes_;
    tree_type::stock stock_{nodes_};
};

TEST_CASE("T1 T2 T3 T4 M3: range tree: random changes answer as a std::map does") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        constexpr address limit = 40'000;
        // Each phase leans to growth or to shrinking, so that nodes split and join on all levels.
        twin both;
        for (int phase = 0; phase < 6; ++phase) {
            std::uint64_t const growth = phase % 2 == 0 ? 70 : 25;
            for (int i = 0; i < 1'200; ++i) {
                auto const dice = random() % 100;
                if (dice < growth || both.size() == 0) {
                    address const start = random() % limit;
                    both.add(start, start + 1 + random() % 12);
                } else if (dice < 90) {
                    both.drop(random() % both.size());
                } else if (dice < 95) {
                    both.reshape(random() % both.size(), random);
                } else {
                    both.shift(random() % both.size(), random);
                }
                if (i % 20 == 0) both.compare(random, limit + 100);
            }
        }
        while (both.size() > 0) {
            both.drop(random() % both.size());
            if (both.size() % 16 == 0) both.compare(random, limit + 100);
        }
    }
}

TEST_CASE("range tree: one-sided growth leaves full nodes") {
    for (bool const upwards : {true, false}) {
        twin both;
        constexpr address n = 4'000;
        for (address i = 0; i < n; ++i) {
            address const start = (upwards ? i : n - i) * 10;
            REQUIRE(both.add(start, start + 5));
        }
        std::mt19937_64 random(7);
        both.compare(random, n * 10);
        // 250 full leaves and the nodes above them; half-full ones would be 500.
        CHECK(both.tree_.nodes() <= 290);
    }
}

TEST_CASE("range tree: no address is too high to be looked up") {
    twin both;
    for (address i = 1; i < 40; ++i) REQUIRE(both.add(i * 10, i * 10 + 5));
    constexpr address last = ~address{0};
    CHECK(both.tree_.floor(last) == both.tree_.floor(1'000));
    CHECK(both.tree_.above(last) == nullptr);
    CHECK(both.tree_.first_above(last) == nullptr);
    both.tree_.each(last, [](span const&) {
        FAIL("there is none");
        return false;
    });
}

TEST_CASE("range tree: growth downwards above a full leaf shares nodes") {
    // A program and its heap fill leaves below; mappings come down from above.
    for (address const below : std::initializer_list<address>{15, 16, 17, 256, 257}) {
        twin both;
        for (address i = 0; i < below; ++i) REQUIRE(both.add(i * 10, i * 10 + 5));
        constexpr address mappings = 2'000;
        for (address i = mappings; i > 0; --i)
            REQUIRE(both.add(100'000 + i * 10, 100'000 + i * 10 + 5));
        CHECK(both.tree_.nodes() <= (below + mappings) / 6);
    }
}

constexpr address step = 10;  ///< in the tests below range i is [i * step, (i + 1) * step)

template <class Platform>
struct plain_span {
    explicit plain_span(address i) : start{i * step} {}
    [[nodiscard]] address first() const noexcept { return start; }
    [[nodiscard]] address past() const noexcept { return start + step; }
    address start;
};

/// A tree of the even ones among `n` ranges, which stay; the odd ones come and go.
template <class Platform>
class flicker {
public:
    using span_type = plain_span<Platform>;

    explicit flicker(address n) : in_(n, false) {
        for (address i = 0; i < n; ++i) spans_.push_back(std::make_unique<span_type>(i));
        for (address i = 0; i < n; i += 2) toggle(i);
    }
    ~flicker() { retire_dead(); }

    void toggle(address i) {
        if (in_[i]) {
            tree.erase(*spans_[i]);
            retire_dead();
        } else {
            stock_.fill(tree.nodes_needed(1));
            tree.insert(*spans_[i], stock_);
        }
        in_[i] = !in_[i];
    }
    [[nodiscard]] span_type const* of(address i) const { return spans_[i].get(); }

    range_tree<Platform, span_type> tree;

private:
    void retire_dead() {
        for (auto* n = tree.take_dead(); n != nullptr;)
            stock_.retire(std::exchange(n, n->previous));
    }

    manylock::platform::native_rcu::recycler<range_node<Platform>> nodes_;
    typename range_tree<Platform, span_type>::stock stock_{nodes_};
    std::vector<std::unique_ptr<span_type>> spans_;
    std::vector<bool> in_;
};

/// A platform on which a test can step in at a chosen load or store.
struct stepped : manylock::platform::native_rcu {
    static inline std::function<void()> at_load;
    static inline std::function<void()> at_store;
    static void call(std::function<void()>& hook) {
        if (!hook) return;
        auto const running = std::exchange(hook, nullptr);
        running();
        if (!hook) hook = running;
    }
    template <class T>
    struct atomic : std::atomic<T> {
        using std::atomic<T>::atomic;
        T load(std::memory_order order) const noexcept {
            call(at_load);
            return std::atomic<T>::load(order);
        }
        void store(T value, std::memory_order order) noexcept {
            std::atomic<T>::store(value, order);
            call(at_store);
        }
    };
};

TEST_CASE("range tree: a reader that meets a whole change still finds what stays") {
    // 17 ranges in a leaf and a half: each change splits, joins or shifts. The change happens at the
    // k-th load of a lookup, for every k.
    for (address const n : {address{40}, address{72}, address{600}}) {
        flicker<stepped> both(n);
        std::mt19937_64 random(n);
        std::uint64_t met = 0;
        for (unsigned round = 0; round < 600; ++round) {
            address const changed = random() % (n / 2) * 2 + 1;
            address const wanted = std::min(n - 1, changed + 1 - random() % 2 * 2) / 2 * 2;
            address const a = wanted * step + random() % step;
            for (unsigned k = round % 7; k < 130; k += 7) {
                unsigned loads = 0;
                stepped::at_load = [&] {
                    if (loads++ != k) return;
                    both.toggle(changed);
                    ++met;
                };
                stepped::read_section const section;
                auto const* const found = both.tree.floor(a);
                auto const* const next = both.tree.first_above(a);
                loads = 0;
                address const gap = both.tree.highest_gap(step, 0, n * step);
                stepped::at_load = nullptr;
                REQUIRE((gap == range_node<stepped>::no_key || gap + step <= n * step));
                REQUIRE(found == both.of(wanted));
                REQUIRE(next == both.of(wanted));
            }
        }
        CHECK(met > 1'000);
    }
}

TEST_CASE("range tree: a reader in the middle of a change gets a range or none") {
    constexpr address n = 600;
    flicker<stepped> both(n);
    std::mt19937_64 random(11);
    std::uint64_t looked = 0;
    std::uint64_t missed = 0;
    address a = 0;
    stepped::at_store = [&] {
        auto const* const found = both.tree.floor(a);
        ++looked;
        missed += found != both.of(a / step) ? 1U : 0U;
        if (found != nullptr) REQUIRE(found == both.of(found->first() / step));
        auto const* const above = both.tree.above(a);
        if (above != nullptr) REQUIRE(above == both.of(above->first() / step));
        address const gap = both.tree.highest_gap(step, 0, n * step);
        REQUIRE((gap == range_node<stepped>::no_key || gap < n * step));
    };
    for (int i = 0; i < 1'500; ++i) {
        address const changed = random() % (n / 2) * 2 + 1;
        a = (changed - 1) * step + random() % step;
        both.toggle(changed);
    }
    stepped::at_store = nullptr;
    CHECK(looked > 20'000);
    CHECK(missed * 2 < looked);
    CHECK(range_tree_check::broken(both.tree) == "");
}

TEST_CASE("range tree: one writer beside a reader") {
    constexpr address n = 2'000;
    flicker<platform> both(n);
    std::atomic<bool> stop{false};
    std::atomic<bool> reading{false};
    std::uint64_t wrong = 0;
    {
        std::jthread const reader([&] {
            std::mt19937_64 random(3);
            while (!stop.load(std::memory_order_relaxed)) {  // relaxed: a flag
                address const a = random() % (n * step);
                platform::read_section const section;
                auto const* const found = both.tree.floor(a);
                wrong += found != nullptr && found != both.of(found->first() / step) ? 1U : 0U;
                reading.store(true, std::memory_order_relaxed);  // relaxed: a flag
            }
        });
        while (!reading.load(std::memory_order_relaxed))
            std::this_thread::yield();  // relaxed: a flag
        std::mt19937_64 random(5);
        for (int i = 0; i < 30'000; ++i) both.toggle(random() % (n / 2) * 2 + 1);
        stop.store(true, std::memory_order_relaxed);  // relaxed: a flag
    }
    CHECK(wrong == 0);
    CHECK(range_tree_check::broken(both.tree) == "");
}

}  // namespace
}  // namespace manylock::address_space

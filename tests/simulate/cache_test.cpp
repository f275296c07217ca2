// Who has which line: forgetting, growing, and sets of very many cores.
#include <simulate/cache.hpp>

#include <array>
#include <doctest/doctest.h>
#include <memory>

namespace manylock::simulate {
namespace {

/// Addresses of lines that nothing lies in.
void const* line_at(std::uintptr_t number) {
    return reinterpret_cast<void const*>(number * 64);
}

bool has_alone(cache& c, std::uintptr_t line, unsigned core) {
    return c.has(c.line(line_at(line)), core, access::update);
}

}  // namespace

TEST_SUITE("simulate/cache") {
    TEST_CASE("addresses tell lines apart by 64 bytes") {
        cache c(2, 1);
        c.arrived(c.line(line_at(10)), 1, access::update);
        auto const* const within = static_cast<char const*>(line_at(10)) + 63;
        CHECK(c.has(c.line(within), 1, access::update));
        CHECK_FALSE(c.has(c.line(within + 1), 1, access::load));
        CHECK_FALSE(has_alone(c, 9, 1));
    }

    TEST_CASE("a line that was forgotten belongs to nobody") {
        cache c(3, 1);
        c.arrived(c.line(line_at(5)), 0, access::update);
        c.line(line_at(5)).free_at = 99;
        c.arrived(c.line(line_at(5)), 1, access::load);
        c.forget(line_at(5));
        auto& l = c.line(line_at(5));
        CHECK(l.owner == -1);
        CHECK(l.sharers == 0);
        CHECK(l.free_at == 0);
        CHECK(c.source_of(l, 1, access::load) == cache::source::memory);
        c.forget(line_at(6));  // never touched: nothing happens
        // The set that was given back comes out empty.
        c.arrived(l, 2, access::update);
        c.arrived(c.line(line_at(5)), 0, access::load);
        CHECK_FALSE(c.has(c.line(line_at(5)), 1, access::load));
    }

    TEST_CASE("a line that a transfer is under way for is kept") {
        cache c(2, 1);
        c.arrived(c.line(line_at(5)), 0, access::update);
        c.line(line_at(5)).under_way = 1;
        c.forget(line_at(5));
        CHECK(has_alone(c, 5, 0));
        c.line(line_at(5)).under_way = 0;
        c.forget(line_at(5));
        CHECK_FALSE(has_alone(c, 5, 0));
    }

    TEST_CASE("it grows with the lines that live and not with those that were") {
        constexpr std::uintptr_t n = 20'000;
        cache c(7, 1);
        for (std::uintptr_t i = 1; i <= n; ++i) {
            c.arrived(c.line(line_at(i)), static_cast<unsigned>(i % 7), access::update);
            if (i % 3 == 0) c.forget(line_at(i));
        }
        std::size_t wrong = 0;
        for (std::uintptr_t i = 1; i <= n; ++i) {
            auto const& l = c.line(line_at(i));
            auto const owner = i % 3 == 0 ? -1 : static_cast<std::int32_t>(i % 7);
            wrong += l.owner != owner ? 1 : 0;
        }
        CHECK(wrong == 0);
        // Lines that come and go, many times what there is room for, do not push out those that stay.
        cache d(2, 1);
        d.arrived(d.line(line_at(1)), 1, access::update);
        for (std::uintptr_t i = 2; i < 5 * n; ++i) {
            d.arrived(d.line(line_at(i)), 0, access::update);
            d.forget(line_at(i));
        }
        CHECK(has_alone(d, 1, 1));
        CHECK(d.line(line_at(2)).owner == -1);
    }

    TEST_CASE("sets of sharers of many cores") {
        for (unsigned const cores : {1U, 63U, 64U, 65U, 130U, 1024U, 4096U}) {
            CAPTURE(cores);
            cache c(cores, 1);
            auto& l = c.line(line_at(3));
            c.arrived(l, 0, access::load);  // from memory: alone
            CHECK(c.has(l, 0, access::update));
            for (unsigned core = 0; core < cores; core += 2) c.arrived(l, core, access::load);
            std::size_t wrong = 0;
            for (unsigned core = 0; core < cores; ++core)
                wrong += c.has(l, core, access::load) != (core % 2 == 0) ? 1 : 0;
            CHECK(wrong == 0);
            if (cores == 1) continue;
            if (cores > 2) CHECK_FALSE(c.has(l, 0, access::update));
            c.arrived(l, cores - 1, access::store);
            wrong = 0;
            for (unsigned core = 0; core < cores; ++core)
                wrong += c.has(l, core, access::load) != (core == cores - 1) ? 1 : 0;
            CHECK(wrong == 0);
            CHECK(c.has(l, cores - 1, access::update));
        }
    }

    TEST_CASE("sets of several lines do not mix") {
        cache c(130, 1);
        for (std::uintptr_t i = 1; i < 40; ++i) c.arrived(c.line(line_at(i)), 0, access::update);
        for (std::uintptr_t i = 1; i < 40; ++i)
            c.arrived(c.line(line_at(i)), static_cast<unsigned>(i * 3), access::load);
        std::size_t wrong = 0;
        for (std::uintptr_t i = 1; i < 40; ++i) {
            for (unsigned core = 0; core < 130; ++core) {
                bool const has = core == 0 || core == i * 3;
                wrong += c.has(c.line(line_at(i)), core, access::load) != has ? 1 : 0;
            }
        }
        CHECK(wrong == 0);
    }

    TEST_CASE("where a line comes from") {
        using enum cache::source;
        cache c(100, 4);  // 25 cores each
        auto& l = c.line(line_at(3));
        CHECK(c.source_of(l, 5, access::store) == memory);
        CHECK(cache::queues(l, access::store));
        CHECK_FALSE(cache::queues(l, access::load));
        c.arrived(l, 24, access::update);
        CHECK(c.source_of(l, 0, access::load) == socket);
        CHECK(c.source_of(l, 25, access::load) == remote);
        CHECK(cache::queues(l, access::load));
        c.arrived(l, 99, access::load);
        CHECK(c.source_of(l, 75, access::load) == socket);
        CHECK(c.source_of(l, 75, access::store) == remote);
        CHECK(c.source_of(l, 50, access::load) == remote);
        CHECK_FALSE(cache::queues(l, access::load));
        CHECK(cache::queues(l, access::update));
        // One's own copy counts for nothing.
        CHECK(c.source_of(l, 99, access::update) == remote);
        CHECK(c.source_of(l, 24, access::update) == remote);
    }

    TEST_CASE("there are not more sockets than cores") {
        cache c(2, 64);
        auto& l = c.line(line_at(3));
        c.arrived(l, 0, access::update);
        CHECK(c.source_of(l, 1, access::load) == cache::source::remote);
        CHECK(c.source_of(l, 0, access::load) == cache::source::socket);
    }
}

}  // namespace manylock::simulate

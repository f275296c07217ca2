#include "replay/compare.hpp"
#include "temporary_program.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

namespace manylock::replay {
namespace {

maps_row row(address_space::address start, address_space::address end, std::string path = {}) {
    maps_row made;
    made.start = start;
    made.end = end;
    made.perms = {'r', 'w', '-', 'p'};
    made.path = std::move(path);
    return made;
}

std::string printed(std::vector<row_difference> const& differences) {
    std::ostringstream text;
    print_differences(text, differences);
    return text.str();
}

}  // namespace

TEST_CASE("equal lists have no differing row") {
    std::vector<maps_row> const rows{row(0x1000, 0x2000), row(0x2000, 0x4000, "[heap]")};
    CHECK(compare_rows(rows, rows).empty());
    CHECK(compare_rows({}, {}).empty());
}

TEST_CASE("a missing, an extra and a changed row are each printed") {
    auto changed = row(0x5000, 0x6000, "/a");
    changed.perms[1] = '-';
    changed.inode = 3;
    auto const differences = compare_rows({row(0x1000, 0x2000), row(0x5000, 0x6000, "/a")},
                                          {row(0x3000, 0x4000), changed});
    REQUIRE(differences.size() == 3);
    CHECK(differences[0].what == row_difference::kind::missing);
    CHECK(differences[1].what == row_difference::kind::extra);
    CHECK(differences[2].fields == "perms, inode");
    std::string const text = printed(differences);
    CHECK(text.find("missing   00001000-00002000 rw-p") != std::string::npos);
    CHECK(text.find("extra     00003000-00004000 rw-p") != std::string::npos);
    CHECK(text.find("(perms, inode)") != std::string::npos);
}

TEST_CASE("every field of a row is compared") {
    auto const base = row(0x1000, 0x2000, "/a");
    std::vector<std::string> fields;
    auto const compare_with = [&](auto change) {
        auto other = base;
        change(other);
        for (auto const& difference : compare_rows({base}, {other}))
            fields.push_back(difference.fields);
    };
    compare_with([](maps_row& r) { r.end = 0x3000; });
    compare_with([](maps_row& r) { r.perms[3] = 's'; });
    compare_with([](maps_row& r) { r.offset = 0x1000; });
    compare_with([](maps_row& r) { r.device_major = 1; });
    compare_with([](maps_row& r) { r.device_minor = 1; });
    compare_with([](maps_row& r) { r.inode = 1; });
    compare_with([](maps_row& r) { r.path = "/b"; });
    CHECK(fields ==
          std::vector<std::string>{"end", "perms", "offset", "dev", "dev", "inode", "path"});
}

TEST_CASE("a file unlinked while mapped is the same file, but only that way round") {
    auto const live = row(0x1000, 0x2000, "/tmp/a");
    auto const unlinked = row(0x1000, 0x2000, "/tmp/a (deleted)");
    CHECK(compare_rows({unlinked}, {live}).empty());
    CHECK(compare_rows({live}, {unlinked}).size() == 1);
}

TEST_CASE("rows are printed as the kernel prints them, and read back the same") {
    std::string const text =
        "558f3a3d7000-558f3a3d8000 r--p 00002000 fe:00 73383                      /usr/bin/a b\n"
        "7fbadb15c000-7fbadb160000 r--p 00000000 00:00 0                          [vvar]\n"
        "7fbadb170000-7fbadb171000 rw-p 00000000 00:00 0 \n"
        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";
    temporary_directory const files;
    files.write("some.maps", "# t_real=12.5..13.25 kind=exit tgid=7 tid=8 stable=True\n" + text);
    maps_file const read = read_maps(files.path() / "some.maps");
    std::string again;
    for (maps_row const& entry : read.rows) again += format_row(entry) + "\n";
    CHECK(again == text);
    CHECK(read.rows[0].path == "/usr/bin/a b");
    CHECK(read.header.begin_ns == 12'500'000'000);
    CHECK(read.header.end_ns == 13'250'000'000);
    CHECK(read.header.real_clock);
    CHECK(read.header.kind == "exit");
    CHECK(read.header.tgid == 7);
    CHECK(read.header.tid == 8);
}

}  // namespace manylock::replay

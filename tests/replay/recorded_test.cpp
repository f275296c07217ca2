// The shipped recordings load whole, and their calls, replayed page by page, end in the kernel's own
// maps. Where VMA boundaries lie is the address space's business and tested there.

#include "page_model.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>
#include <string>

namespace manylock::replay {
namespace {

std::filesystem::path recorded(std::string const& name) {
    return std::filesystem::path{MANYLOCK_SOURCE_DIR} / "stress/replay/recorded" / name;
}

void check_same_pages(std::vector<maps_row> const& expected, page_model const& model) {
    auto const differences = compare_rows(page_model::joined(expected), model.rows());
    std::ostringstream text;
    print_differences(text, differences);
    CHECK_MESSAGE(differences.empty(), text.str());
}

void check_pages(recorded_program const& program) {
    page_model model{program};
    std::size_t done = 0;
    for (checkpoint const& point : program.checkpoints) {
        model.replay(done, point.items_before);
        done = point.items_before;
        CAPTURE(point.name);
        check_same_pages(point.rows, model);
    }
    model.replay(done, program.items.size());
    check_same_pages(program.final_rows, model);
}

void check_nothing_lost(load_notes const& notes) {
    CHECK(notes.unknown_lines == 0);
    CHECK(notes.unfinished_calls == 0);
    CHECK(notes.calls_without_order == 0);
    CHECK(notes.maps_without_backing == 0);
    CHECK(notes.foreign_faults == 0);
    CHECK(notes.after_final == 0);
}

void check_order_within_threads(recorded_program const& program) {
    std::vector<std::uint32_t> last_line(program.threads.size(), 0);
    std::size_t out_of_order = 0;
    for (item const& entry : program.items) {
        if (entry.source == source_file::calls) {
            out_of_order += entry.line < last_line[entry.thread] ? 1U : 0U;
            last_line[entry.thread] = entry.line;
        }
    }
    CHECK(out_of_order == 0);
}

}  // namespace

TEST_CASE("the recorded python in strace form loads whole and reaches the kernel's pages") {
    recorded_program const program = load_program(recorded("python"));
    CHECK(program.form == trace_form::strace);
    CHECK(program.initial.size() == 13);
    CHECK(program.initial.front().has_flag("mr"));
    CHECK_FALSE(program.initial.front().has_flag("wr"));
    CHECK(program.threads.size() == 72);
    CHECK(program.items.size() == 101'432);
    CHECK(program.globals.start_brk == 0x558f3ec69000);
    check_nothing_lost(program.notes);
    check_order_within_threads(program);
    check_pages(program);
}

TEST_CASE("the recorded sqlite3 in native form reaches the kernel's pages at every checkpoint") {
    recorded_program const program = load_program(recorded("sqlite3"));
    CHECK(program.form == trace_form::native);
    CHECK(program.threads.size() == 49);
    CHECK(program.checkpoints.size() == 6);
    CHECK(program.items.size() == 21'920);
    check_nothing_lost(program.notes);
    check_order_within_threads(program);
    check_pages(program);
}

TEST_CASE("without faults a recording has its calls alone") {
    load_options options;
    options.with_faults = false;
    recorded_program const program = load_program(recorded("python"), options);
    CHECK(program.items.size() == 5'517);
    check_pages(program);
}

}  // namespace manylock::replay

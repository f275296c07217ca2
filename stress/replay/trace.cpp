#include "trace.hpp"

#include "reading.hpp"

#include <string>

namespace manylock::replay {
namespace {

namespace fs = std::filesystem;

std::string sentence(fs::path const& file, std::size_t line, std::string const& reason) {
    std::string text = file.string();
    if (line != 0) {
        text += ":" + std::to_string(line);
    }
    return text + ": " + reason;
}

}  // namespace

trace_error::trace_error(fs::path const& file, std::size_t line, std::string const& reason)
    : stress::input_error{sentence(file, line, reason)},
      file_{file},
      line_{line},
      reason_{reason} {}

string_table::string_table() {
    intern("");
}

std::uint32_t string_table::intern(std::string_view text) {
    auto const [at, added] =
        numbers_.try_emplace(std::string{text}, static_cast<std::uint32_t>(text_.size()));
    if (added) {
        text_.push_back(&at->first);
    }
    return at->second;
}

bool initial_vma::has_flag(std::string_view two_letters) const {
    for (std::size_t at = 0; at + 2 <= flags.size(); at += 3) {
        if (std::string_view{flags}.substr(at, 2) == two_letters) {
            return true;
        }
    }
    return false;
}

recorded_program load_program(fs::path const& directory, load_options const& options) {
    std::error_code error;
    if (!fs::is_directory(directory, error)) {
        throw trace_error{directory, 0,
                          "is not a directory; one that holds a recorded program was "
                          "expected"};
    }
    auto const strace = find_file(directory, "trace.strace");
    auto const native = find_file(directory, "events.tsv");
    if (!strace && !native) {
        throw trace_error{directory, 0,
                          "holds neither trace.strace nor events.tsv (plain, .gz or .xz)"};
    }
    if (strace && native) {
        throw trace_error{directory, 0,
                          "holds both trace.strace and events.tsv; they are two different runs and "
                          "belong into two directories"};
    }
    program_builder builder{directory, options};
    builder.program().form = strace ? trace_form::strace : trace_form::native;
    builder.read_snapshots();
    if (strace) {
        read_strace_form(builder, *strace);
    } else {
        read_native_form(builder, *native);
    }
    builder.read_faults();
    builder.read_checkpoints();
    return builder.finish();
}

}  // namespace manylock::replay

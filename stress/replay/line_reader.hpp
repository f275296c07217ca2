// Lines of a text file that may be plain, gzip or xz, told by its name, read as a stream.
// Whatever the file holds, at most one buffer and one line are in memory: a line longer than
// line_bytes_max, more than max_bytes of text, a NUL byte or a broken stream is a trace_error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::replay {

inline constexpr std::size_t line_bytes_max = std::size_t{1} << 20;

/// A stream of decompressed bytes.
class byte_source {
public:
    byte_source() = default;
    byte_source(byte_source const&) = delete;
    byte_source& operator=(byte_source const&) = delete;
    virtual ~byte_source() = default;
    /// 0 at a proper end; throws std::runtime_error with the reason otherwise.
    virtual std::size_t read(char* into, std::size_t bytes) = 0;
};

class line_reader {
public:
    line_reader(std::filesystem::path file, std::uint64_t max_bytes);

    /// False at the end. The line has no newline and stays valid until the next call.
    [[nodiscard]] bool next(std::string_view& line);

    [[nodiscard]] std::filesystem::path const& file() const noexcept { return file_; }
    [[nodiscard]] std::size_t line_number() const noexcept { return line_number_; }
    /// Throws a trace_error about the current line.
    [[noreturn]] void fail(std::string const& reason) const;

private:
    bool refill();
    void take(std::string_view piece);

    std::filesystem::path file_;
    std::unique_ptr<byte_source> source_;
    std::uint64_t max_bytes_;
    std::uint64_t bytes_read_ = 0;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::string line_;
    std::size_t line_number_ = 0;
};

/// `base`, `base.gz` or `base.xz` in `directory`, whichever is there first.
[[nodiscard]] std::optional<std::filesystem::path> find_file(std::filesystem::path const& directory,
                                                             std::string const& base);

}  // namespace manylock::replay

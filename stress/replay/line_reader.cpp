#include "line_reader.hpp"

#include "trace.hpp"

#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace manylock::replay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t buffer_bytes = std::size_t{1} << 16;
constexpr std::uint64_t xz_memory_bytes_max = std::uint64_t{256} << 20;

struct file_closer {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using file_handle = std::unique_ptr<std::FILE, file_closer>;

file_handle open_file(fs::path const& file) {
    file_handle handle{std::fopen(file.c_str(), "rb")};
    if (!handle) {
        throw std::runtime_error{std::string{"cannot be opened: "} + std::strerror(errno)};
    }
    return handle;
}

std::size_t read_file(std::FILE* file, void* into, std::size_t bytes) {
    std::size_t const got = std::fread(into, 1, bytes, file);
    if (got < bytes && std::ferror(file) != 0) {
        throw std::runtime_error{std::string{"cannot be read: "} + std::strerror(errno)};
    }
    return got;
}

class plain_source final : public byte_source {
public:
    explicit plain_source(fs::path const& file) : file_{open_file(file)} {}
    std::size_t read(char* into, std::size_t bytes) override {
        return read_file(file_.get(), into, bytes);
    }

private:
    file_handle file_;
};

// zlib's stream interface, not gzread: gzread hands a file that is no gzip through unchanged, and
// takes garbage after the last member for the end.
class gzip_source final : public byte_source {
public:
    explicit gzip_source(fs::path const& file) : file_{open_file(file)}, input_(buffer_bytes) {
        constexpr int gzip_only_window_bits = 15 + 16;
        if (inflateInit2(&stream_, gzip_only_window_bits) != Z_OK) {
            throw std::runtime_error{"zlib could not be initialised"};
        }
    }
    ~gzip_source() override { inflateEnd(&stream_); }

    std::size_t read(char* into, std::size_t bytes) override {
        stream_.next_out = reinterpret_cast<Bytef*>(into);
        stream_.avail_out = static_cast<uInt>(bytes);
        while (stream_.avail_out == bytes) {
            if (stream_.avail_in == 0 && !refill()) {
                if (!member_ended_) {
                    throw std::runtime_error{"is not a whole gzip file: it ends early"};
                }
                return 0;
            }
            if (member_ended_) {
                inflateReset(&stream_);
                member_ended_ = false;
            }
            int const status = inflate(&stream_, Z_NO_FLUSH);
            member_ended_ = status == Z_STREAM_END;
            if (status != Z_OK && status != Z_STREAM_END) {
                throw std::runtime_error{std::string{"is not a valid gzip file: "} +
                                         (stream_.msg != nullptr ? stream_.msg : "bad data")};
            }
        }
        return bytes - stream_.avail_out;
    }

private:
    bool refill() {
        std::size_t const got = read_file(file_.get(), input_.data(), input_.size());
        stream_.next_in = input_.data();
        stream_.avail_in = static_cast<uInt>(got);
        return got != 0;
    }

    file_handle file_;
    std::vector<Bytef> input_;
    z_stream stream_{};
    bool member_ended_ = false;
};

class xz_source final : public byte_source {
public:
    explicit xz_source(fs::path const& file) : file_{open_file(file)}, input_(buffer_bytes) {
        if (lzma_stream_decoder(&stream_, xz_memory_bytes_max, LZMA_CONCATENATED) != LZMA_OK) {
            throw std::runtime_error{"liblzma could not be initialised"};
        }
    }
    ~xz_source() override { lzma_end(&stream_); }

    std::size_t read(char* into, std::size_t bytes) override {
        if (ended_) {
            return 0;
        }
        stream_.next_out = reinterpret_cast<std::uint8_t*>(into);
        stream_.avail_out = bytes;
        while (stream_.avail_out == bytes) {
            if (stream_.avail_in == 0) {
                stream_.avail_in = read_file(file_.get(), input_.data(), input_.size());
                stream_.next_in = input_.data();
            }
            lzma_ret const status =
                lzma_code(&stream_, stream_.avail_in == 0 ? LZMA_FINISH : LZMA_RUN);
            if (status == LZMA_STREAM_END) {
                ended_ = true;
                break;
            }
            if (status == LZMA_MEMLIMIT_ERROR) {
                throw std::runtime_error{"asks for more than 256 MiB to be decompressed"};
            }
            if (status == LZMA_BUF_ERROR) {
                throw std::runtime_error{"is not a whole xz file: it ends early"};
            }
            if (status != LZMA_OK) {
                throw std::runtime_error{"is not a valid xz file"};
            }
        }
        return bytes - stream_.avail_out;
    }

private:
    file_handle file_;
    std::vector<std::uint8_t> input_;
    lzma_stream stream_ = LZMA_STREAM_INIT;
    bool ended_ = false;
};

std::unique_ptr<byte_source> open_source(fs::path const& file) {
    std::error_code error;
    fs::file_status const status = fs::status(file, error);
    if (status.type() == fs::file_type::not_found) {
        throw trace_error{file, 0, "no such file"};
    }
    if (error || status.type() != fs::file_type::regular) {
        throw trace_error{file, 0, "is not a regular file that can be read"};
    }
    try {
        if (file.extension() == ".gz") {
            return std::make_unique<gzip_source>(file);
        }
        if (file.extension() == ".xz") {
            return std::make_unique<xz_source>(file);
        }
        return std::make_unique<plain_source>(file);
    } catch (std::runtime_error const& error_) {
        throw trace_error{file, 0, error_.what()};
    }
}

}  // namespace

line_reader::line_reader(fs::path file, std::uint64_t max_bytes)
    : file_{std::move(file)},
      source_{open_source(file_)},
      max_bytes_{max_bytes},
      buffer_(buffer_bytes) {}

bool line_reader::refill() {
    try {
        end_ = source_->read(buffer_.data(), buffer_.size());
    } catch (trace_error const&) {
        throw;
    } catch (std::runtime_error const& error) {
        throw trace_error{file_, 0, error.what()};
    }
    begin_ = 0;
    bytes_read_ += end_;
    if (bytes_read_ > max_bytes_) {
        throw trace_error{file_, 0,
                          "holds more than " + std::to_string(max_bytes_) + " bytes of text"};
    }
    return end_ != 0;
}

void line_reader::take(std::string_view piece) {
    if (line_.size() + piece.size() > line_bytes_max) {
        fail("the line is longer than " + std::to_string(line_bytes_max) + " bytes");
    }
    line_.append(piece);
}

bool line_reader::next(std::string_view& line) {
    line_.clear();
    if (begin_ == end_ && !refill()) {
        return false;
    }
    ++line_number_;
    for (;;) {
        std::string_view const rest{buffer_.data() + begin_, end_ - begin_};
        std::size_t const newline = rest.find('\n');
        take(rest.substr(0, newline));
        if (newline != std::string_view::npos) {
            begin_ += newline + 1;
            break;
        }
        begin_ = end_;
        if (!refill()) {
            break;
        }
    }
    if (line_.find('\0') != std::string::npos) {
        fail("the line holds a NUL byte; a text file was expected");
    }
    line = line_;
    return true;
}

void line_reader::fail(std::string const& reason) const {
    throw trace_error{file_, line_number_, reason};
}

std::optional<fs::path> find_file(fs::path const& directory, std::string const& base) {
    constexpr std::array endings{"", ".gz", ".xz"};
    for (char const* const ending : endings) {
        fs::path candidate = directory / (base + ending);
        std::error_code error;
        if (fs::exists(candidate, error)) {
            return candidate;
        }
    }
    return std::nullopt;
}

}  // namespace manylock::replay

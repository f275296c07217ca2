// A recorded program written by a test into a directory of its own, which goes when the test ends.
#pragma once

#include <zlib.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace manylock::replay {

class temporary_directory {
public:
    temporary_directory() {
        std::string name = (std::filesystem::temp_directory_path() / "manylock-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) throw std::runtime_error{"mkdtemp failed"};
        path_ = name;
    }
    temporary_directory(temporary_directory const&) = delete;
    temporary_directory& operator=(temporary_directory const&) = delete;
    ~temporary_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }

    void write(std::string const& name, std::string_view text) const {
        std::ofstream out{path_ / name, std::ios::binary};
        out.write(text.data(), static_cast<std::streamsize>(text.size()));
    }

    void write_gzip(std::string const& name, std::string_view text) const {
        gzFile const out = gzopen((path_ / name).c_str(), "wb");
        gzwrite(out, text.data(), static_cast<unsigned>(text.size()));
        gzclose(out);
    }

    void remove(std::string const& name) const { std::filesystem::remove(path_ / name); }

    [[nodiscard]] std::string read(std::string const& name) const {
        std::ifstream in{path_ / name, std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

private:
    std::filesystem::path path_;
};

inline constexpr std::string_view initial_rows =
    "400000-401000 r-xp 00000000 fe:01 7                          /bin/tiny\n"
    "7f0000000000-7f0000002000 rw-p 00000000 00:00 0 \n"
    "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n";

/// A strace-form program of one process, 100, with its calls to be filled in. The snapshot is at
/// second 1000.
class strace_program : public temporary_directory {
public:
    explicit strace_program(std::string_view calls) {
        write("initial.maps",
              "# t_real=1000.000000 kind=exec tgid=100 tid=100\n" + std::string{initial_rows});
        write("final.maps",
              "# t_real=2000.000000 kind=exit tgid=100 tid=100\n" + std::string{initial_rows});
        write("trace.strace", calls);
    }
};

/// The native form of the same; the snapshot is at 5,000 ns of the monotonic clock.
class native_program : public temporary_directory {
public:
    explicit native_program(std::string_view calls) {
        write("initial.maps", "# t_mono_ns=5000 kind=exec tgid=100 tid=100 comm=tiny\n" +
                                  std::string{initial_rows});
        write("final.maps", "# t_mono_ns=9000000 kind=exit tgid=100 tid=100 comm=tiny\n" +
                                std::string{initial_rows});
        write("events.tsv", "# base_mono_ns=5000\n" + std::string{calls});
    }
};

}  // namespace manylock::replay

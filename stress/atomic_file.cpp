#include "atomic_file.hpp"

#include "input_error.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

namespace manylock::stress {
namespace {

namespace fs = std::filesystem;

class descriptor {
public:
    explicit descriptor(fs::path const& file)
        // Never through a link that somebody has laid there.
        : value_(
              (::unlink(file.c_str()),
               ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644))) {}
    ~descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    descriptor(descriptor const&) = delete;
    descriptor& operator=(descriptor const&) = delete;
    [[nodiscard]] int get() const noexcept { return value_; }

private:
    int value_;
};

[[noreturn]] void refuse(fs::path const& file) {
    throw input_error("cannot write " + file.string() + ": " + std::strerror(errno) +
                      "; give --out a directory that can be written");
}

void write_all(fs::path const& file, std::string_view content) {
    descriptor const out(file);
    if (out.get() < 0) refuse(file);
    while (!content.empty()) {
        auto const written = ::write(out.get(), content.data(), content.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            refuse(file);
        }
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    // Without this a crash of the machine could leave a renamed but empty file.
    if (::fsync(out.get()) != 0 && errno != EINVAL && errno != ENOSYS) refuse(file);
}

/// Where `file` is written: itself, or what it is a link to. Refuses whatever is no regular file.
fs::path place_of(fs::path const& file) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(file, error))) {
        if (error && error != std::errc::no_such_file_or_directory) {
            errno = error.value();
            refuse(file);
        }
        return file;
    }
    auto const target = fs::canonical(file, error);
    if (error || !fs::is_regular_file(target)) {
        throw input_error(file.string() +
                          (error ? " is a link to nothing" : " is no regular file") +
                          ", and nothing else is replaced; remove it, or name another place");
    }
    return target;
}

fs::path temporary_name(fs::path const& file) {
    auto name = file;
    name += ".tmp." + std::to_string(::getpid());
    return name;
}

}  // namespace

atomic_files::atomic_files(fs::path directory) : directory_(std::move(directory)) {
    std::error_code error;
    fs::create_directories(directory_, error);
    if (!fs::is_directory(directory_)) {
        throw input_error("cannot make the directory " + directory_.string() + ": " +
                          (error ? error.message() : "a file of that name is in the way") +
                          "; give --out a directory that can be written");
    }
    auto const probe = temporary_name(directory_ / "probe");
    try {
        write_all(probe, "");
    } catch (...) {
        fs::remove(probe, error);
        throw;
    }
    fs::remove(probe, error);
}

atomic_files::~atomic_files() {
    for (auto const& file : pending_) {
        std::error_code ignored;
        fs::remove(file.temporary, ignored);
        if (!file.old.empty()) fs::remove(file.old, ignored);
    }
}

void atomic_files::add(std::string const& name, std::string_view content) {
    auto const final = place_of(directory_ / name);
    pending_.push_back({temporary_name(final), final, {}});
    write_all(pending_.back().temporary, content);
}

void atomic_files::commit() {
    // What is there keeps a second name until all is in place, so that either all of it is new or nothing.
    for (auto& file : pending_) {
        (void)place_of(file.final);
        auto old = temporary_name(file.final);
        old += ".old";
        std::error_code error;
        if (::link(file.final.c_str(), old.c_str()) == 0) {
            file.old = std::move(old);
        } else if (errno != ENOENT) {  // a file system without second names: a copy does
            if (!fs::copy_file(file.final, old, error)) refuse(file.final);
            file.old = std::move(old);
        }
    }
    for (std::size_t i = 0; i < pending_.size(); ++i) {
        if (::rename(pending_[i].temporary.c_str(), pending_[i].final.c_str()) == 0) continue;
        auto const why = errno;
        while (i-- > 0) {
            std::error_code ignored;
            if (pending_[i].old.empty()) {
                fs::remove(pending_[i].final, ignored);
            } else {
                fs::rename(pending_[i].old, pending_[i].final, ignored);
            }
        }
        errno = why;
        refuse(directory_);
    }
    for (auto const& file : pending_) {
        std::error_code ignored;
        if (!file.old.empty()) fs::remove(file.old, ignored);
    }
    pending_.clear();
}

void write_file_atomically(fs::path const& file, std::string_view content) {
    atomic_files files(file.has_parent_path() ? file.parent_path() : fs::path("."));
    files.add(file.filename().string(), content);
    files.commit();
}

std::string read_whole_file(fs::path const& file, std::string_view what,
                            std::uintmax_t limit_bytes) {
    std::error_code error;
    auto const status = fs::status(file, error);
    auto const prefix = std::string(what) + " " + file.string();
    if (!fs::exists(status)) {
        throw input_error(prefix +
                          " does not exist; give a directory that a measuring command "
                          "wrote with --out");
    }
    if (!fs::is_regular_file(status)) throw input_error(prefix + " is not a regular file");
    auto const size = fs::file_size(file, error);
    if (error) throw input_error(prefix + " cannot be read: " + error.message());
    if (size > limit_bytes) {
        throw input_error(prefix + " is larger than " + std::to_string(limit_bytes >> 20) +
                          " MiB, which no measuring command writes");
    }
    std::ifstream in(file, std::ios::binary);
    std::ostringstream content;
    content << in.rdbuf();
    if (!in.is_open() || in.bad()) {
        throw input_error(prefix + " cannot be read: " + std::strerror(errno));
    }
    return std::move(content).str();
}

}  // namespace manylock::stress

#include "atomic_file.hpp"

#include "input_error.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
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
                      "; see to it that it can be, or name another place");
}

/// `shown` is the name in a complaint.
void write_all(fs::path const& file, std::string_view content, fs::path const& shown) {
    descriptor const out(file);
    if (out.get() < 0) refuse(shown);
    while (!content.empty()) {
        auto const written = ::write(out.get(), content.data(), content.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            refuse(shown);
        }
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    // Without this a crash of the machine could leave a renamed but empty file.
    if (::fsync(out.get()) != 0 && errno != EINVAL && errno != ENOSYS) refuse(shown);
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

}  // namespace

atomic_files::atomic_files(fs::path directory, std::vector<std::string> const& names)
    : directory_(std::move(directory)) {
    std::error_code error;
    fs::create_directories(directory_, error);
    std::error_code ignored;
    if (!fs::is_directory(directory_, ignored)) {
        throw input_error("cannot make the directory " + directory_.string() + ": " +
                          (error ? error.message() : "a file of that name is in the way") +
                          "; name one that can be written");
    }
    auto const probe = name_beside(directory_ / "probe");
    try {
        write_all(probe, "", directory_);
    } catch (...) {
        fs::remove(probe, ignored);
        throw;
    }
    fs::remove(probe, ignored);
    for (auto const& name : names) (void)place_of(directory_ / name);
}

atomic_files::~atomic_files() {
    for (auto const& c : changes_) {
        std::error_code ignored;
        fs::remove(c.fresh, ignored);
        if (!c.old.empty()) fs::remove(c.old, ignored);
    }
}

/// Short, so that the longest name there may be is not too long meanwhile.
fs::path atomic_files::name_beside(fs::path const& final) {
    return final.parent_path() / (".manylock-stress." + std::to_string(::getpid()) + '.' +
                                  std::to_string(names_++) + ".tmp");
}

void atomic_files::add(std::string const& name, std::string_view content) {
    auto const final = place_of(directory_ / name);
    std::erase_if(changes_, [&](change const& c) { return c.fresh.empty() && c.final == final; });
    changes_.push_back({.final = final, .fresh = name_beside(final), .old = {}});
    write_all(changes_.back().fresh, content, final);
}

void atomic_files::remove(std::string const& name) {
    std::error_code ignored;
    auto const final = directory_ / name;
    if (!fs::is_regular_file(fs::symlink_status(final, ignored))) return;
    if (std::none_of(changes_.begin(), changes_.end(),
                     [&](change const& c) { return c.final == final; }))
        changes_.push_back({.final = final, .fresh = {}, .old = {}});
}

/// What is there keeps a second name until all is in place, so that either all of it is new or nothing.
void atomic_files::keep_old(change& c) {
    if (!c.fresh.empty()) (void)place_of(c.final);
    auto old = name_beside(c.final);
    (void)::unlink(old.c_str());  // of an earlier process with our number, killed
    if (::link(c.final.c_str(), old.c_str()) != 0) {
        if (errno == ENOENT) return;
        std::error_code error;  // a file system without second names: a copy does
        if (!fs::copy_file(c.final, old, error)) refuse(c.final);
    }
    c.old = std::move(old);
}

void atomic_files::commit() {
    for (auto& c : changes_) keep_old(c);
    for (auto& c : changes_) {
        int const failed = c.fresh.empty() ? ::unlink(c.final.c_str())
                                           : ::rename(c.fresh.c_str(), c.final.c_str());
        if (failed != 0 && !(c.fresh.empty() && errno == ENOENT)) {
            auto const why = errno;
            roll_back();
            errno = why;
            refuse(c.final);
        }
        c.done = true;
    }
    for (auto const& c : changes_) {
        std::error_code ignored;
        if (!c.old.empty()) fs::remove(c.old, ignored);
    }
    changes_.clear();
}

void atomic_files::roll_back() {
    std::string lost;
    for (auto c = changes_.rbegin(); c != changes_.rend(); ++c) {
        if (!c->done) continue;
        std::error_code error;
        if (c->old.empty()) {
            fs::remove(c->final, error);
            continue;
        }
        fs::rename(c->old, c->final, error);
        if (error)
            lost += (lost.empty() ? "" : ", ") + c->old.string() + " was " + c->final.string();
        c->old.clear();  // put back, or all that there is of it
    }
    if (!lost.empty())
        throw input_error("some results could not be written, nor the old ones put back: " + lost +
                          "; rename them by hand");
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

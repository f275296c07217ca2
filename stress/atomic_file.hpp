// Result files appear whole or not at all: everything is written beside its place under a name of its own, flushed to
// the disk, and renamed only when all of it is complete. Nothing but a regular file is ever replaced.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::stress {

/// A set of files for one directory. What is not committed is removed by the destructor.
class atomic_files {
public:
    /// Makes `directory` if it is missing and proves that files can be made there and `names` replaced, so that a
    /// long run does not find out at its end. Throws input_error.
    explicit atomic_files(std::filesystem::path directory,
                          std::vector<std::string> const& names = {});
    ~atomic_files();
    atomic_files(atomic_files const&) = delete;
    atomic_files& operator=(atomic_files const&) = delete;

    /// Writes `content` beside its place. Throws input_error, also if something that is no regular file has the name;
    /// a link is followed.
    void add(std::string const& name, std::string_view content);
    /// Has commit() remove the regular file of that name, unless add() replaces it.
    void remove(std::string const& name);
    /// Moves all of them to their places, or none: then it throws input_error.
    void commit();

    [[nodiscard]] std::filesystem::path const& directory() const noexcept { return directory_; }

private:
    struct change {
        std::filesystem::path final;
        std::filesystem::path fresh;  ///< empty: the file goes
        std::filesystem::path old;    ///< another name of what is there now; empty: none
        bool done = false;
    };
    std::filesystem::path name_beside(std::filesystem::path const& final);
    void keep_old(change& c);
    void roll_back();

    std::filesystem::path directory_;
    std::vector<change> changes_;
    unsigned names_ = 0;
};

/// Writes one file in the same manner.
void write_file_atomically(std::filesystem::path const& file, std::string_view content);

/// Reads a whole regular file. Throws input_error naming it when it is missing, no regular file,
/// unreadable, or larger than `limit_bytes`.
std::string read_whole_file(std::filesystem::path const& file, std::string_view what,
                            std::uintmax_t limit_bytes);

}  // namespace manylock::stress

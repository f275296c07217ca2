// Result files appear whole or not at all: everything is written beside its place under a
// temporary name, flushed to the disk, and renamed only when all of them are complete.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::stress {

/// A set of files for one directory. What is not committed is removed by the destructor.
class atomic_files {
public:
    /// Makes `directory` if it is missing and proves that files can be made there, so that a long
    /// run does not find out at its end. Throws input_error.
    explicit atomic_files(std::filesystem::path directory);
    ~atomic_files();
    atomic_files(atomic_files const&) = delete;
    atomic_files& operator=(atomic_files const&) = delete;

    /// Writes `content` under a temporary name. Throws input_error, also if something that is no regular file has the name;
    /// a link is followed.
    void add(std::string const& name, std::string_view content);
    /// Renames all of them into place, or none.
    void commit();

    [[nodiscard]] std::filesystem::path const& directory() const noexcept { return directory_; }

private:
    struct pending {
        std::filesystem::path temporary;
        std::filesystem::path final;
        std::filesystem::path old;  ///< another name of what is to be replaced
    };

    std::filesystem::path directory_;
    std::vector<pending> pending_;
};

/// Writes one file in the same manner.
void write_file_atomically(std::filesystem::path const& file, std::string_view content);

/// Reads a whole regular file. Throws input_error naming it when it is missing, no regular file,
/// unreadable, or larger than `limit_bytes`.
std::string read_whole_file(std::filesystem::path const& file, std::string_view what,
                            std::uintmax_t limit_bytes);

}  // namespace manylock::stress

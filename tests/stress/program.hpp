// Runs the built manylock-stress as a child process, and keeps what it wrote.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <spawn.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char** environ;

namespace manylock::stress::testing {

/// A directory of its own, removed with everything in it.
class temporary_directory {
public:
    temporary_directory() {
        auto pattern = (std::filesystem::temp_directory_path() / "manylock-stress-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr)
            throw std::runtime_error("no temporary directory");
        path_ = pattern;
    }
    ~temporary_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    temporary_directory(temporary_directory const&) = delete;
    temporary_directory& operator=(temporary_directory const&) = delete;
    [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }
    [[nodiscard]] std::filesystem::path operator/(std::string const& name) const {
        return path_ / name;
    }

private:
    std::filesystem::path path_;
};

inline std::string file_text(std::filesystem::path const& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

inline void write_text(std::filesystem::path const& file, std::string const& text) {
    std::ofstream(file, std::ios::binary) << text;
}

inline std::string program_path() {
    if (auto const* const path = std::getenv("MANYLOCK_STRESS")) return path;
#ifdef MANYLOCK_STRESS_BINARY
    return MANYLOCK_STRESS_BINARY;
#else
    throw std::runtime_error("set MANYLOCK_STRESS to the manylock-stress to be tested");
#endif
}

struct finished {
    int status = -1;  ///< exit status; 128 + signal if one ended it
    std::string out;
    std::string err;
};

class child {
public:
    /// `environment` holds NAME=VALUE; null: this process's own. `whole`: the first argument is the
    /// program, instead of manylock-stress.
    child(std::vector<std::string> arguments, std::vector<std::string> const* environment = nullptr,
          bool whole = false) {
        if (!whole) arguments.insert(arguments.begin(), program_path());
        auto argv = pointers(arguments);
        std::vector<std::string> variables;
        if (environment != nullptr) variables = *environment;
        auto envp = pointers(variables);
        posix_spawn_file_actions_t files{};
        posix_spawn_file_actions_init(&files);
        auto const redirect = [&](int fd, std::filesystem::path const& file) {
            posix_spawn_file_actions_addopen(&files, fd, file.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                             0600);
        };
        redirect(1, output_ / "out");
        redirect(2, output_ / "err");
        int const error = ::posix_spawn(&pid_, argv.front(), &files, nullptr, argv.data(),
                                        environment != nullptr ? envp.data() : environ);
        posix_spawn_file_actions_destroy(&files);
        if (error != 0) throw std::runtime_error("cannot start " + arguments.front());
    }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// What it has printed so far.
    [[nodiscard]] std::string out_so_far() const { return file_text(output_ / "out"); }

    finished wait() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        finished result;
        result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        result.out = file_text(output_ / "out");
        result.err = file_text(output_ / "err");
        return result;
    }

private:
    static std::vector<char*> pointers(std::vector<std::string>& strings) {
        std::vector<char*> list;
        for (auto& s : strings) list.push_back(s.data());
        list.push_back(nullptr);
        return list;
    }

    temporary_directory output_;
    pid_t pid_ = -1;
};

inline finished run_program(std::vector<std::string> const& arguments) {
    return child(arguments).wait();
}

inline finished run_command(std::vector<std::string> const& command) {
    return child(command, nullptr, true).wait();
}

/// One line, ended by a newline, that starts with the program's name.
inline bool is_one_sentence(std::string const& text) {
    return text.starts_with("manylock-stress: ") && text.ends_with('\n') &&
           text.find('\n') == text.size() - 1 && text.size() > 30;
}

inline std::size_t entries(std::filesystem::path const& directory) {
    std::size_t n = 0;
    for (auto const& entry : std::filesystem::directory_iterator(directory)) {
        static_cast<void>(entry);
        ++n;
    }
    return n;
}

}  // namespace manylock::stress::testing

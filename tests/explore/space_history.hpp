// What the threads of a run did to an address space, and whether an array of pages could have done it: all operations
// that changed VMAs in the order of their commits, each with the result it had, none before one that had returned when it
// began; what only read, at some moment between its call and its return.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "space_script.hpp"

namespace explore {

class space_history {
public:
    struct entry {
        std::size_t thread;
        manylock::address_space::operation op;
        std::int64_t result;
        std::uint64_t commit_number;  ///< 0: it only read
        std::uint64_t called;
        std::uint64_t returned;
    };

    explicit space_history(space_script const& s) : script_{s} {}

    void add(entry e) { entries_.push_back(e); }
    /// The first thing that is wrong, or nothing. Call once, at the end, with what the space has then.
    [[nodiscard]] std::string check(std::vector<manylock::address_space::vma> const& rows,
                                    manylock::address_space::mm_globals const& globals);
    [[nodiscard]] bool has_unmapped(manylock::address_space::address page) const;
    /// What each operation returned, in the order in which they did.
    [[nodiscard]] std::string listing() const;
    /// The start of the highest free stretch of so many pages, after check(); 0 if there is none.
    [[nodiscard]] manylock::address_space::address highest_hole(std::size_t pages) const;

private:
    [[nodiscard]] std::string check_reads() const;
    [[nodiscard]] bool could_be(manylock::address_space::naive_model const& m,
                                entry const& e) const;
    [[nodiscard]] manylock::address_space::address highest_hole(
        manylock::address_space::naive_model const& m, std::size_t pages) const;

    space_script const& script_;
    std::vector<entry> entries_;
    std::vector<entry const*> commits_;
    std::vector<manylock::address_space::naive_model>
        after_;  ///< the first, then after each commit
};

}  // namespace explore

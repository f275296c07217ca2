// What the threads of an explored scenario do, as text that a failure can print and a person can type.
//
//   threads are separated by |, a thread's transactions by /, steps by nothing:
//     A       lock A exclusively        a     lock A in shared mode
//     ?A ?a   try                       ~A ~a with a deadline
//     -A      release A early           *A    detach A (held exclusively)
//     !       the body throws           ^     a restart is injected, at the first attempt
//     =a      alone in its transaction: single-object read of A
//   "AB|BA" is the classic; "aA|aA" two upgrades; "AB/A|BA" a thread with two transactions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <manylock/mode.hpp>

namespace explore {

enum class action : std::uint8_t {
    lock,
    try_lock,
    lock_until,
    release,
    detach,
    fail,
    inject,
    read
};

struct step {
    action what = action::lock;
    unsigned lock = 0;
    manylock::mode mode = manylock::mode::exclusive;
};
using transaction = std::vector<step>;
using thread = std::vector<transaction>;

struct script {
    std::vector<thread> threads;
    unsigned locks = 0;  ///< one more than the highest used

    [[nodiscard]] bool uses(action what) const;
    [[nodiscard]] bool uses_shared() const;
    /// Requests of the longest transaction.
    [[nodiscard]] unsigned longest() const;
    /// No transaction requests a lock while it holds another: no cycle can close.
    [[nodiscard]] bool requests_hold_nothing() const;
    /// Every transaction locks exclusively and in rising order.
    [[nodiscard]] bool in_order() const;
    [[nodiscard]] std::string text() const;
    /// Throws std::invalid_argument that says what is wrong where.
    [[nodiscard]] static script parse(std::string_view text);
};

/// What random_script may draw.
struct vocabulary {
    unsigned threads = 3;
    unsigned transactions = 2;  ///< a thread, at most
    unsigned steps = 3;         ///< a transaction, at most
    unsigned locks = 3;
    bool rare = false;  ///< tries, deadlines, early releases, exceptions, single reads
};
[[nodiscard]] script random_script(std::uint64_t seed, vocabulary const& v);

}  // namespace explore

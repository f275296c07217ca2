// A fiber: a stack of its own on which a function runs until it gives way. On Boost.Context, which does
// not know of three things that belong to a stack: the C++ runtime's state of exceptions in flight,
// AddressSanitizer's bounds of the stack, and that a fiber may be left behind for ever.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace manylock::simulate {

/// Not thread-safe; a fiber runs on the thread that resumes it.
class fiber {
public:
    /// `body` must not throw. It begins at the first resume().
    explicit fiber(std::function<void()> body);
    /// A fiber that has not ended is left behind: its stack is used again, nothing on it is destroyed.
    ~fiber();
    fiber(fiber const&) = delete;
    fiber& operator=(fiber const&) = delete;

    /// Runs it until it gives way or ends. Requires: !ended(); not called from inside a fiber.
    void resume();
    /// Called on the fiber: back to whoever resumed it.
    void give_way();
    /// Called on the fiber: runs `next`, which then has our resumer to go back to. Half the cost of going by
    /// way of the resumer. Requires: !next.ended(); `next` is another one.
    void switch_to(fiber& next);
    [[nodiscard]] bool ended() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace manylock::simulate

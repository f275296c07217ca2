#include "replay_users.hpp"

#include "replay_state.hpp"

#include <manylock/address_space/rules/abi.hpp>
#include <optional>

namespace manylock::stress {
namespace {

namespace space = address_space;
namespace abi = space::abi;
using space::call;

space::operation break_to(space::address old_end, space::address new_end) {
    space::operation op;
    if (new_end > old_end) {
        op.what = call::map;
        op.start = old_end;
        op.length = new_end - old_end;
        op.prot = abi::prot_read | abi::prot_write;
        op.flags = abi::map_private | abi::map_anonymous | abi::map_fixed;
        op.result = static_cast<std::int64_t>(old_end);
    } else {
        op.what = call::unmap;
        op.start = new_end;
        op.length = old_end - new_end;
    }
    return op;
}

bool beyond(space::address start, std::uint64_t length) {
    return start > space::address_limit || length > space::address_limit - start;
}

/// The operation as it has the same effect in a space without the 47-bit limit; nothing if it had
/// none.
std::optional<space::operation> within_limit(space::operation op) {
    switch (op.what) {
        case call::map:
            if (op.result < 0) return op;  // refused again, whatever the range
            if (beyond(static_cast<space::address>(op.result), op.length)) return std::nullopt;
            return op;
        case call::unmap:
        case call::seal:
        case call::remap_file:
            if (beyond(op.start, op.length)) return std::nullopt;
            return op;
        case call::remap: {
            bool const fixed = (op.flags & (abi::mremap_fixed | abi::mremap_dontunmap)) != 0;
            if (beyond(op.start, op.length) || op.new_length > space::address_limit ||
                (fixed && beyond(op.new_start, op.new_length)))
                return std::nullopt;
            return op;
        }
        case call::advise:
        case call::protect:
        case call::lock_range:
        case call::unlock_range:
        case call::set_name:
        case call::set_policy: {
            if (op.start >= space::address_limit) return std::nullopt;
            bool const wraps = op.start + space::page_ceil(op.length) < op.start;
            if (wraps) return std::nullopt;
            // These walk up to the hole that ends the half.
            if (beyond(op.start, op.length)) op.length = region_size - op.start;
            return op;
        }
        case call::fault:
        case call::grow_stack:
            if (op.start >= space::address_limit) return std::nullopt;
            return op;
        case call::set_break:
        case call::lock_all:
        case call::unlock_all: break;
    }
    return std::nullopt;
}

}  // namespace

std::string user_program::left_out() const {
    std::string text;
    auto const add = [&](std::uint64_t n, char const* what) {
        if (n == 0) return;
        text += (text.empty() ? "left out: " : ", ") + std::to_string(n) + what;
    };
    add(all_locked, " mlockall or munlockall");
    add(beyond_limit, " calls beyond the 47-bit half");
    add(idle_breaks, " brk that moved no page");
    return text;
}

user_program multiplied(replay::recorded_program const& program) {
    user_program users;
    users.final_globals = initial_globals(program);
    auto& brk = users.final_globals.brk;
    for (std::uint32_t i = 0; i < program.items.size(); ++i) {
        auto const& op = program.items[i].op;
        if (op.what == call::set_break) {
            bool const known = brk != 0;
            auto const old_end = space::page_ceil(brk);
            brk = static_cast<space::address>(op.result);
            auto const new_end = space::page_ceil(brk);
            if (old_end == new_end || !known)
                ++users.idle_breaks;
            else
                users.items.push_back({break_to(old_end, new_end), i});
        } else if (op.what == call::lock_all || op.what == call::unlock_all) {
            ++users.all_locked;
        } else if (auto const kept = within_limit(op)) {
            users.items.push_back({*kept, i});
        } else {
            ++users.beyond_limit;
        }
    }
    return users;
}

space::mm_globals globals_for_users(replay::recorded_program const& program, std::uint64_t users,
                                    bool disjoint) {
    auto globals = initial_globals(program);
    globals.map_count_max *= users;
    if (disjoint) globals.address_limit += (users - 1) * region_size;
    return globals;
}

space::operation shifted(space::operation op, space::address shift) {
    op.start += shift;
    op.new_start += shift;
    bool const address = (op.what == call::map || op.what == call::remap) && op.result > 0;
    if (address) op.result += static_cast<std::int64_t>(shift);
    return op;
}

space::vma shifted(space::vma area, space::address shift) {
    area.start += shift;
    area.end += shift;
    if (area.file.open_file == 0) area.page_offset += shift / space::page_size;
    return area;
}

}  // namespace manylock::stress

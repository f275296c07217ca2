// What each operation does to the set of VMAs, as a pure function on a draft. `run_plan` is the one
// entry; the outcome says what the caller gets (0, an address, -errno), including Linux's partial
// effects: mprotect and mlock stop at the first hole, madvise walks on over holes.
//
// An outcome other than `done` is no result: the runner provides what is asked for and plans anew
// on a fresh draft. An operation that the recording calls refused for a reason outside the model
// (file permissions, memory limits) is refused too.
#pragma once

#include <manylock/address_space/rules/plan_advise.hpp>
#include <manylock/address_space/rules/plan_attributes.hpp>
#include <manylock/address_space/rules/plan_map.hpp>
#include <manylock/address_space/rules/plan_protect.hpp>
#include <manylock/address_space/rules/plan_remap.hpp>
#include <manylock/address_space/rules/populate.hpp>

namespace manylock::address_space {

struct outcome {
    enum class kind : std::uint8_t {
        done,
        needs_more,  ///< add `draft::missing()` to the draft
        needs_hole   ///< choose `hole_length` free bytes (see `placed_at`)
    };
    std::int64_t result = 0;
    kind what = kind::done;
    std::uint64_t hole_length = 0;
};

/// Does an mmap leave its place to the address space?
[[nodiscard]] constexpr bool needs_place(operation const& op) noexcept {
    return op.what == call::map && !op.placed &&
           !(op.flags & (abi::map_fixed | abi::map_fixed_noreplace));
}

/// The operation once its place is chosen.
[[nodiscard]] constexpr operation placed_at(operation op, address place) noexcept {
    if (op.what == call::map) op.start = place;
    op.result = static_cast<std::int64_t>(place);
    op.placed = true;
    return op;
}

/// Runs `op` on the draft. `g` is a copy that the runner keeps only if the outcome is `done`.
[[nodiscard]] inline outcome run_plan(draft& d, operation const& op, mm_globals& g) {
    outcome out;
    switch (op.what) {
        case call::map:
            if (op.result < 0) {
                out.result = detail::refused_map(d, op);
            } else if (needs_place(op) &&
                       detail::check_map(op, page_ceil(op.length), d.limit()) == 0) {
                out.hole_length = page_ceil(op.length);
            } else if (op.placed) {
                out.result = detail::plan_map(d, placed_at(op, static_cast<address>(op.result)), g);
            } else {
                out.result = detail::plan_map(d, op, g);
            }
            break;
        case call::unmap: out.result = detail::plan_unmap(d, op); break;
        case call::protect: out.result = detail::plan_protect(d, op, g); break;
        case call::remap: out.result = detail::plan_remap(d, op, g, out.hole_length); break;
        case call::set_break: out.result = detail::plan_break(d, op, g); break;
        case call::advise: out.result = detail::plan_advise(d, op, g); break;
        case call::lock_range:
        case call::unlock_range: out.result = detail::plan_lock(d, op, g); break;
        case call::lock_all:
        case call::unlock_all: out.result = detail::plan_lock_all(d, op, g); break;
        case call::seal: out.result = detail::plan_seal(d, op); break;
        case call::set_name: out.result = detail::plan_name(d, op); break;
        case call::set_policy: out.result = detail::plan_policy(d, op); break;
        case call::remap_file: out.result = detail::plan_remap_file(d, op, g); break;
        case call::fault: out.result = detail::plan_fault(d, op, g); break;
        case call::grow_stack: out.result = detail::plan_grow(d, op, g); break;
    }
    if (!d.missing().empty()) {
        out.what = outcome::kind::needs_more;
    } else if (out.hole_length != 0) {
        out.what = outcome::kind::needs_hole;
    }
    return out;
}

}  // namespace manylock::address_space

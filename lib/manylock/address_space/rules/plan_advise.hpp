// madvise on a draft. Some advice is a flag of the VMA, so it splits and merges; the rest is about
// pages and leaves the set of VMAs alone. The walk goes on over holes and reports them at the end;
// a refusal ends it, and what lies before stays changed.
// Source: traces of Linux 6.18; Linux mm/madvise.c.
#pragma once

#include <manylock/address_space/rules/plan_protect.hpp>

namespace manylock::address_space::detail {

/// Does the advice change VMAs (their flags or their anon_vma)?
[[nodiscard]] constexpr bool advice_writes(std::int32_t advice) noexcept {
    switch (advice) {
        case abi::madv_normal:
        case abi::madv_random:
        case abi::madv_sequential:
        case abi::madv_dontfork:
        case abi::madv_dofork:
        case abi::madv_mergeable:
        case abi::madv_unmergeable:
        case abi::madv_hugepage:
        case abi::madv_nohugepage:
        case abi::madv_dontdump:
        case abi::madv_dodump:
        case abi::madv_wipeonfork:
        case abi::madv_keeponfork:
        case abi::madv_populate_write:
        case abi::madv_guard_install: return true;
        default: return false;
    }
}

[[nodiscard]] constexpr bool advice_known(std::int32_t advice) noexcept {
    return (advice >= abi::madv_normal && advice <= abi::madv_dontneed) ||
           (advice >= abi::madv_free && advice <= abi::madv_collapse) ||
           advice == abi::madv_guard_install || advice == abi::madv_guard_remove;
}

/// The flags after the advice; `error` where this VMA refuses it.
[[nodiscard]] inline vma_flags advised_flags(vma const& area, std::int32_t advice,
                                             std::int64_t& error) noexcept {
    vma_flags const f = area.flags;
    auto const refuse_if = [&](bool refused) {
        if (refused) error = abi::einval;
    };
    switch (advice) {
        case abi::madv_normal: return f & ~(vm_rand_read | vm_seq_read);
        case abi::madv_random: return (f & ~vm_seq_read) | vm_rand_read;
        case abi::madv_sequential: return (f & ~vm_rand_read) | vm_seq_read;
        case abi::madv_dontfork: return f | vm_dontcopy;
        case abi::madv_dofork: refuse_if((f & vm_special) != 0); return f & ~vm_dontcopy;
        case abi::madv_mergeable: {
            bool const eligible = !(f & (vm_shared | vm_may_share | vm_special));
            return eligible ? f | vm_mergeable : f;
        }
        case abi::madv_unmergeable: return f & ~vm_mergeable;
        case abi::madv_hugepage: return (f & ~vm_nohugepage) | vm_hugepage;
        case abi::madv_nohugepage: return (f & ~vm_hugepage) | vm_nohugepage;
        case abi::madv_dontdump: return f | vm_dontdump;
        case abi::madv_dodump: refuse_if((f & vm_special) != 0); return f & ~vm_dontdump;
        case abi::madv_wipeonfork:
            refuse_if(area.file.open_file != 0 || (f & vm_shared));
            return f | vm_wipe_on_fork;
        case abi::madv_keeponfork: return f & ~vm_wipe_on_fork;
        default: return f;
    }
}

/// Does a VMA refuse advice that is about its pages?
[[nodiscard]] constexpr std::int64_t page_advice_error(vma const& area,
                                                       std::int32_t advice) noexcept {
    vma_flags const f = area.flags;
    switch (advice) {
        case abi::madv_dontneed:
        case abi::madv_cold:
        case abi::madv_pageout: return f & (vm_locked | vm_pfnmap) ? abi::einval : 0;
        case abi::madv_free:
            return !area.anonymous() || (f & (vm_locked | vm_pfnmap)) ? abi::einval : 0;
        case abi::madv_remove:
            if ((f & vm_locked) || area.file.open_file == 0) return abi::einval;
            return (f & (vm_shared | vm_write)) != (vm_shared | vm_write) ? abi::eacces : 0;
        case abi::madv_guard_install: return f & (vm_special | vm_locked) ? abi::einval : 0;
        case abi::madv_guard_remove: return f & vm_special ? abi::einval : 0;
        default: return 0;
    }
}

/// Does sealing forbid the advice? It protects what advice throws away and no write could.
[[nodiscard]] constexpr bool seal_forbids(vma const& area, std::int32_t advice) noexcept {
    if (!(area.flags & vm_sealed) || !area.anonymous() || (area.flags & vm_write)) return false;
    switch (advice) {
        case abi::madv_free:
        case abi::madv_dontneed:
        case abi::madv_dontneed_locked:
        case abi::madv_remove:
        case abi::madv_dontfork:
        case abi::madv_wipeonfork:
        case abi::madv_guard_install: return true;
        default: return false;
    }
}

[[nodiscard]] inline step advise_part(draft& d, std::size_t i, interval piece, std::int32_t advice,
                                      std::uint64_t& next_id) {
    if (seal_forbids(d[i], advice)) return {i, abi::eperm};
    std::int64_t error = page_advice_error(d[i], advice);
    if (error) return {i, error};
    if (advice == abi::madv_guard_install) {
        if (d[i].anonymous() && !(d[i].flags & vm_shared)) prepare_anon(d, i, next_id);
        d[i].flags |= vm_maybe_guard;
        return {i, 0};
    }
    vma_flags const flags = advised_flags(d[i], advice, error);
    if (error || flags == d[i].flags) return {i, error};
    return change_flags(d, i, piece, flags);
}

/// MADV_POPULATE_*: unlike the rest it stops at the first hole.
[[nodiscard]] inline std::int64_t populate_by_advice(draft& d, interval range, bool write,
                                                     std::uint64_t& next_id) {
    for (address at = range.start; at < range.end;) {
        std::size_t const i = d.at(at);
        if (i == draft::none) return abi::enomem;
        if (d[i].flags & (vm_io | vm_pfnmap)) return abi::einval;
        if (!(d[i].flags & (write ? vm_write : vm_read))) return abi::einval;
        if (write && !(d[i].flags & vm_shared)) prepare_anon(d, i, next_id);
        at = d[i].end;
    }
    return 0;
}

[[nodiscard]] inline std::int64_t plan_advise(draft& d, operation const& op, mm_globals& g) {
    if (!advice_known(op.advice) || !page_aligned(op.start)) return fail(abi::einval);
    std::uint64_t const length = page_ceil(op.length);
    interval const range{op.start, op.start + length};
    if ((op.length && !length) || range.end < range.start) return fail(abi::einval);
    if (range.empty()) return 0;
    if (op.advice == abi::madv_populate_read || op.advice == abi::madv_populate_write)
        return fail(populate_by_advice(d, range, op.advice == abi::madv_populate_write, g.next_id));
    return fail(walk_over_holes(d, range, abi::enomem, [&](std::size_t i, interval piece) {
        return advise_part(d, i, piece, op.advice, g.next_id);
    }));
}

}  // namespace manylock::address_space::detail

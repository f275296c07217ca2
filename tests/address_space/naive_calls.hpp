// The longer operations of the array of pages: mbind, mlockall, brk, page faults, mremap. For
// naive_model.hpp only.
#pragma once

#include "naive_model.hpp"

namespace manylock::address_space {

inline std::int64_t naive_model::set_policy(operation const& op) {
    bool any = false;
    std::int64_t const holes = walk(op, op.flags == 0, [&](index, index) {
        any = true;
        return std::int64_t{0};
    });
    if (!any || (holes && op.flags != 0)) return -abi::efault;
    static_cast<void>(walk(op, true, [&](index s, index e) {
        if (pages_[s].policy != op.flags) set(s, e, &page::policy, op.flags);
        return std::int64_t{0};
    }));
    return 0;
}

inline std::int64_t naive_model::lock_all(operation const& op) {
    vma_flags wanted = 0;
    if (op.what == call::lock_all)
        wanted = op.flags & abi::mcl_onfault ? vm_locked | vm_lock_on_fault : vma_flags{vm_locked};
    g_.default_flags = op.flags & abi::mcl_future ? wanted : 0U;
    if (wanted && !(op.flags & abi::mcl_current)) return 0;
    for (index p = 1; p + 1 < pages_.size(); ++p) {
        if (!mapped(p)) continue;
        index const e = row_end(p);
        vma_flags const f = (pages_[p].flags & ~vm_lock_mask) | wanted;
        if (f != pages_[p].flags) set_flags(p, e, f);
        p = e - 1;
    }
    if (wanted) touch_range(1, pages_.size() - 1, false);
    return 0;
}

inline std::int64_t naive_model::set_break(address wanted) {
    auto const now = static_cast<std::int64_t>(g_.brk);
    if (wanted < g_.start_brk) return now;
    index const was = of(page_ceil(g_.brk));
    index const will = of(page_ceil(wanted));
    if (will < was) {
        if (empty(will, was)) return now;
        wipe(will, was);
    } else if (will > was) {
        if (!empty(was, will + 1)) return now;
        for (index p = will + 1; p < will + 257 && p < pages_.size(); ++p) {
            if (!mapped(p)) continue;
            if (pages_[p].flags & vm_growsdown) return now;
            break;
        }
        page first;
        first.flags = vm_read | vm_write | vm_may_access | vm_account | g_.default_flags;
        first.offset = at(was) / page_size;
        fill(was, will, first, false);
        if (g_.default_flags) touch_range(was, will, false);
    }
    g_.brk = wanted;
    return static_cast<std::int64_t>(wanted);
}

inline std::optional<std::int64_t> naive_model::read(operation const& op) const {
    if (op.what == call::advise) {
        bool const drops = op.advice == abi::madv_dontneed || op.advice == abi::madv_cold;
        if (!drops && op.advice != abi::madv_willneed) return {};
        return -walk(op, true, [&](index s, index) {
            return drops && (pages_[s].flags & vm_locked) ? abi::einval : 0;
        });
    }
    if (op.what != call::fault) return {};
    index const p = of(op.start);
    if (!mapped(p)) {
        index up = p;
        while (up < pages_.size() && !mapped(up)) ++up;
        if (up < pages_.size() && (pages_[up].flags & vm_growsdown)) return {};
        return -abi::efault;
    }
    page const& here = pages_[p];
    bool const write = op.flags & fault_write;
    if (!(here.flags & (write ? vma_flags{vm_write} : vm_access))) return -abi::eacces;
    if (write && !(here.flags & vm_shared) && here.anon == 0) return {};
    return 0;
}

inline std::int64_t naive_model::fault(operation const& op) {
    if (auto const result = read(op)) return *result;
    index const p = of(op.start);
    if (!mapped(p)) {
        index up = p;
        while (!mapped(up)) ++up;
        index down = p;
        while (down > 0 && !mapped(down)) --down;
        bool const blocked = mapped(down) && !(pages_[down].flags & vm_growsdown) &&
                             (pages_[down].flags & vm_access) && p - down - 1 < 256;
        if (blocked) return -abi::enomem;
        give_anon(up);
        page first = pages_[up];
        pages_[up].begins = false;
        first.offset -= up - p;
        for (index q = p; q < up; ++q, ++first.offset) {
            pages_[q] = first;
            pages_[q].begins = q == p;
        }
    }
    if (auto const result = read(op)) return *result;
    give_anon(p);
    return 0;
}

inline std::int64_t naive_model::move(index s, std::size_t old_count, std::size_t new_count,
                                      index t, bool keep) {
    page first = pages_[s];
    index const whole_begin = row_begin(s);
    index const whole_end = row_end(s);
    if (first.file.open_file == 0 && first.anon == 0) first.offset = at(t) / page_size;
    fill(t, t + new_count, first);
    if (!keep) {
        wipe(s, s + old_count);
        return 0;
    }
    bool const apart = row_begin(s) != row_begin(t);
    for (index p = row_begin(s), e = row_end(s); p < e; ++p) {
        pages_[p].flags &= ~vm_lock_mask;
        if (apart && whole_begin == s && whole_end == s + old_count) pages_[p].anon = 0;
    }
    return 0;
}

inline std::int64_t naive_model::remap(operation const& op, std::int64_t result) {
    bool const fixed = op.flags & abi::mremap_fixed;
    bool const keep = op.flags & abi::mremap_dontunmap;
    bool const may_move = op.flags & abi::mremap_maymove;
    index const s = of(op.start);
    std::size_t const olds = count(op.length);
    std::size_t const news = count(op.new_length);
    if (news == 0) return -abi::einval;
    if (fixed || keep) {
        index const t = of(op.new_start);
        bool const overlap = s + olds > t && t + news > s;
        if (!may_move || (keep && olds != news) || overlap) return -abi::einval;
    }
    if (fixed && olds == news) {
        // Piece by piece; holes between the pieces leave the destination alone.
        index const t = of(op.new_start);
        if (olds == 0 || !mapped(s)) return -abi::efault;
        for (index p = s; p < s + olds;) {
            if (!mapped(p)) {
                ++p;
                continue;
            }
            index const e = std::min(s + olds, row_end(p));
            wipe(t + (p - s), t + (e - s));
            move(p, e - p, e - p, t + (p - s), keep);
            p = e;
        }
        return static_cast<std::int64_t>(op.new_start);
    }
    if (!mapped(s)) return -abi::efault;
    if (!fixed && !keep && news <= olds) {
        if (news < olds) wipe(s + news, s + olds);
        return static_cast<std::int64_t>(op.start);
    }
    if (olds == 0 && !(pages_[s].flags & vm_may_share)) return -abi::einval;
    if (s + std::min(olds, news) > row_end(s)) return -abi::efault;
    bool const fills = news > olds && (pages_[s].flags & vm_locked);
    index target = s;
    if (fixed) {
        target = of(op.new_start);
        wipe(target, target + news);
        if (!mapped(s)) return -abi::efault;
        if (olds > news) wipe(s + news, s + olds);
        move(s, std::min(olds, news), news, target, keep);
    } else if (!keep && s + olds == row_end(s) && empty(s + olds, s + news)) {
        page first = pages_[s];
        first.offset += olds;
        fill(s + olds, s + news, first);
    } else {
        if (!may_move) return -abi::enomem;
        if (result < 0) return result;
        target = of(static_cast<address>(result));
        if (!empty(target, target + news)) return -abi::eexist;
        move(s, olds, news, target, keep);
    }
    if (fills) touch_range(target + olds, target + news, false);
    return static_cast<std::int64_t>(at(target));
}

}  // namespace manylock::address_space

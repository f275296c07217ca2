// A second, independent reading of the rules: an array of pages. Each page carries its attributes
// and whether a VMA begins at it. Cutting and joining are marks between pages, so nothing here can
// share an off-by-one with the interval arithmetic of the plans. Slow on purpose.
#pragma once

#include <manylock/address_space/rules/abi.hpp>
#include <manylock/address_space/rules/globals.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace manylock::address_space {

class naive_model {
public:
    struct page {
        bool mapped = false;
        bool begins = false;  ///< a VMA begins at this page
        vma_flags flags = 0;
        backing file{};
        std::uint64_t offset = 0;
        std::uint64_t anon = 0;
        std::uint32_t name = 0;
        std::uint32_t policy = 0;
    };

    naive_model(address base, std::size_t pages, mm_globals const& g)
        : base_{base}, pages_(pages + 2), g_{g} {}  // one page that stays unmapped at either end

    /// `result`: what the implementation under test returned; tells the place it chose.
    std::int64_t apply(operation const& op, std::int64_t result) {
        switch (op.what) {
            case call::map: return map(op, result);
            case call::unmap: return unmap(op);
            case call::protect: return protect(op);
            case call::remap: return remap(op, result);
            case call::set_break: return set_break(op.start);
            case call::advise: return advise(op);
            case call::lock_range:
            case call::unlock_range: return lock(op);
            case call::lock_all:
            case call::unlock_all: return lock_all(op);
            case call::set_name: return set_name(op);
            case call::set_policy: return set_policy(op);
            case call::seal:
            case call::remap_file: break;  // not drawn
            case call::fault: return fault(op);
            case call::grow_stack: return fault(op);
        }
        return 0;
    }

    /// The result of a fault or an advice that only reads; nothing where it changes a VMA.
    [[nodiscard]] std::optional<std::int64_t> read(operation const& op) const;

    [[nodiscard]] std::vector<vma> rows() const {
        std::vector<vma> all;
        for (std::size_t p = 1; p + 1 < pages_.size(); ++p) {
            page const& here = pages_[p];
            if (!here.mapped) continue;
            if (here.begins)
                all.push_back({at(p),
                               at(p),
                               here.flags,
                               here.offset,
                               {here.anon, false},
                               here.file,
                               here.name,
                               here.policy});
            all.back().end += page_size;
        }
        return all;
    }
    [[nodiscard]] mm_globals const& globals() const { return g_; }

private:
    using index = std::size_t;

    [[nodiscard]] address at(index p) const { return base_ + (p - 1) * page_size; }
    [[nodiscard]] index of(address a) const { return (a - base_) / page_size + 1; }
    [[nodiscard]] bool mapped(index p) const { return pages_[p].mapped; }

    [[nodiscard]] index row_begin(index p) const {
        while (!pages_[p].begins) --p;
        return p;
    }
    [[nodiscard]] index row_end(index p) const {
        do ++p;
        while (mapped(p) && !pages_[p].begins);
        return p;
    }
    void cut(index p) {
        if (mapped(p)) pages_[p].begins = true;
    }
    void spread(index p, std::uint64_t anon, vma_flags sticky) {
        for (index q = row_begin(p), end = row_end(p); q < end; ++q) {
            pages_[q].anon = anon;
            pages_[q].flags |= sticky;
        }
    }
    [[nodiscard]] bool may_join(index p) const {
        page const& low = pages_[p - 1];
        page const& high = pages_[p];
        return low.mapped && high.mapped &&
               (low.flags | vm_maybe_guard) == (high.flags | vm_maybe_guard) &&
               low.file == high.file && low.offset + 1 == high.offset && low.name == high.name &&
               low.policy == high.policy &&
               (low.anon == 0 || high.anon == 0 || low.anon == high.anon);
    }
    void join(index p) {
        std::uint64_t const anon = pages_[p - 1].anon ? pages_[p - 1].anon : pages_[p].anon;
        vma_flags const sticky = (pages_[p - 1].flags | pages_[p].flags) & vm_maybe_guard;
        pages_[p].begins = false;
        spread(p, anon, sticky);
    }
    /// The pages [s, e) are a VMA of their own: let it join what borders it.
    void settle(index s, index e, bool right_too = true) {
        bool const left = may_join(s);
        std::uint64_t const a = pages_[s - 1].anon;
        std::uint64_t const b = pages_[e].anon;
        bool const right = right_too && may_join(e) && (!left || a == 0 || b == 0 || a == b);
        if (left) join(s);
        if (right) join(e);
    }
    void wipe(index s, index e) {
        if (s == e) return;
        cut(s);
        cut(e);
        for (index p = s; p < e; ++p) pages_[p] = {};
    }
    void fill(index s, index e, page first, bool right_too = true) {
        for (index p = s; p < e; ++p) {
            first.mapped = true;
            first.begins = p == s;
            pages_[p] = first;
            ++first.offset;
        }
        settle(s, e, right_too);
    }
    template <class T>
    void set(index s, index e, T page::*attribute, T value) {
        cut(s);
        cut(e);
        for (index p = s; p < e; ++p) pages_[p].*attribute = value;
        settle(s, e);
    }
    void set_flags(index s, index e, vma_flags flags) { set(s, e, &page::flags, flags); }
    void give_anon(index p) {
        if (pages_[p].anon) return;
        index const s = row_begin(p);
        index const e = row_end(p);
        auto const alike = [&](index low, index high) {
            page const& a = pages_[low];
            page const& b = pages_[high];
            return a.mapped && b.mapped && ((a.flags ^ b.flags) & ~vm_access) == 0 &&
                   a.file == b.file && a.policy == b.policy && a.offset + 1 == b.offset;
        };
        std::uint64_t anon = 0;
        if (alike(s - 1, s)) anon = pages_[s - 1].anon;
        if (alike(e - 1, e) && pages_[e].anon) anon = pages_[e].anon;
        spread(p, anon ? anon : ++anon_drawn_, 0);
    }
    std::int64_t touch_range(index s, index e, bool stop) {
        for (index p = s; p < e; ++p) {
            page const& here = pages_[p];
            if (!here.mapped || (here.flags & vm_lock_on_fault)) continue;
            if (!(here.flags & vm_access)) {
                if (stop) return abi::enomem;
                continue;
            }
            if ((here.flags & vm_write) && !(here.flags & vm_shared)) give_anon(p);
        }
        return 0;
    }
    [[nodiscard]] bool empty(index s, index e) const {
        for (index p = s; p < e; ++p)
            if (p >= pages_.size() || mapped(p)) return false;
        return true;
    }
    static std::size_t count(std::uint64_t bytes) { return (bytes + page_size - 1) / page_size; }

    std::int64_t map(operation const& op, std::int64_t result) {
        bool const only_if_free = op.flags & abi::map_fixed_noreplace;
        bool const fixed = only_if_free || (op.flags & abi::map_fixed);
        if (op.length == 0) return -abi::einval;
        if (result < 0 && !fixed) return result;
        index const s = of(fixed ? op.start : static_cast<address>(result));
        index const e = s + count(op.length);
        if ((!fixed || only_if_free) && !empty(s, e)) return -abi::eexist;
        wipe(s, e);
        page first;
        first.flags = op.prot | vm_may_access | g_.default_flags;
        if (op.flags & abi::map_locked) first.flags |= vm_locked;
        if (op.flags & abi::map_noreserve) first.flags |= vm_noreserve;
        if (op.flags & abi::map_stack) first.flags |= vm_nohugepage;
        if (op.flags & abi::map_growsdown) first.flags |= vm_growsdown;
        bool const shared = op.flags & abi::map_shared;
        if (shared)
            first.flags |= vm_shared | vm_may_share;
        else if ((op.prot & abi::prot_write) && !(op.flags & abi::map_noreserve))
            first.flags |= vm_account;
        first.offset = at(s) / page_size;
        if (!(op.flags & abi::map_anonymous)) {
            first.file = op.file;
            first.offset = op.offset / page_size;
        } else if (shared) {
            first.file.open_file = fresh_file_bit | ++files_drawn_;
            first.file.shared_memory = true;
            first.offset = 0;
        }
        fill(s, e, first);
        if ((op.flags & abi::map_populate) || (first.flags & vm_locked)) touch_range(s, e, false);
        return static_cast<std::int64_t>(at(s));
    }
    std::int64_t unmap(operation const& op) {
        if (op.length == 0) return -abi::einval;
        wipe(of(op.start), of(op.start) + count(op.length));
        return 0;
    }
    /// Walks VMA by VMA; `holes`: go on over unmapped pages and report them at the end.
    std::int64_t walk(operation const& op, bool holes,
                      std::function<std::int64_t(index, index)> const& visit) const {
        index p = of(op.start);
        index const end = p + count(op.length);
        std::int64_t missed = 0;
        while (p < end) {
            if (!mapped(p)) {
                if (!holes) return abi::enomem;
                missed = abi::enomem;
                ++p;
                continue;
            }
            index const e = std::min(end, row_end(p));
            if (std::int64_t const error = visit(p, e)) return error;
            p = e;
        }
        return missed;
    }
    std::int64_t protect(operation const& op) {
        return -walk(op, false, [&](index s, index e) {
            page const before = pages_[s];
            vma_flags flags = (before.flags & ~vm_access) | op.prot;
            if (flags == before.flags) return std::int64_t{0};
            bool const shared = before.flags & vm_shared;
            if (op.prot & abi::prot_write) {
                if (!shared && !(before.flags & (vm_write | vm_noreserve))) flags |= vm_account;
            } else if (before.file.open_file == 0 && before.anon == 0) {
                flags &= ~vm_account;
            }
            set_flags(s, e, flags);
            bool const was_locked = (before.flags & vm_locked) && !(before.flags & vm_write);
            if (was_locked && (op.prot & abi::prot_write)) touch_range(s, e, false);
            return std::int64_t{0};
        });
    }
    std::int64_t advise(operation const& op) {
        if (auto const result = read(op)) return *result;
        if (op.advice == abi::madv_populate_write)
            return -walk(op, false, [&](index s, index) {
                if (!(pages_[s].flags & vm_write)) return abi::einval;
                if (!(pages_[s].flags & vm_shared)) give_anon(s);
                return std::int64_t{0};
            });
        return -walk(op, true, [&](index s, index e) -> std::int64_t {
            vma_flags f = pages_[s].flags;
            switch (op.advice) {
                case abi::madv_normal: f &= ~(vm_rand_read | vm_seq_read); break;
                case abi::madv_random: f = (f & ~vm_seq_read) | vm_rand_read; break;
                case abi::madv_dontfork: f |= vm_dontcopy; break;
                case abi::madv_dofork: f &= ~vm_dontcopy; break;
                case abi::madv_wipeonfork:
                    if (pages_[s].file.open_file) return abi::einval;
                    f |= vm_wipe_on_fork;
                    break;
                case abi::madv_guard_install:
                    if (f & vm_locked) return abi::einval;
                    if (!pages_[s].file.open_file) give_anon(s);
                    spread(s, pages_[s].anon, vm_maybe_guard);
                    return 0;
                default: break;
            }
            if (f != pages_[s].flags) set_flags(s, e, f);
            return 0;
        });
    }
    std::int64_t set_name(operation const& op) {
        return -walk(op, true, [&](index s, index e) -> std::int64_t {
            backing const& file = pages_[s].file;
            if (file.open_file && !file.shared_memory) return abi::ebadf;
            if (pages_[s].name != op.file.path) set(s, e, &page::name, op.file.path);
            return 0;
        });
    }
    std::int64_t set_policy(operation const& op);
    std::int64_t lock(operation const& op) {
        vma_flags wanted = 0;
        if (op.what == call::lock_range)
            wanted = op.flags ? vm_locked | vm_lock_on_fault : vma_flags{vm_locked};
        std::int64_t const error = walk(op, false, [&](index s, index e) {
            vma_flags const f = (pages_[s].flags & ~vm_lock_mask) | wanted;
            if (f != pages_[s].flags) set_flags(s, e, f);
            return std::int64_t{0};
        });
        if (error || !wanted) return -error;
        return -touch_range(of(op.start), of(op.start) + count(op.length), true);
    }
    std::int64_t lock_all(operation const& op);
    std::int64_t set_break(address wanted);
    std::int64_t fault(operation const& op);
    std::int64_t remap(operation const& op, std::int64_t result);
    std::int64_t move(index s, std::size_t old_count, std::size_t new_count, index t, bool keep);

    address base_;
    std::vector<page> pages_;
    mm_globals g_;
    std::uint64_t anon_drawn_ = 0;
    std::uint64_t files_drawn_ = 0;
};

}  // namespace manylock::address_space

#include "naive_calls.hpp"

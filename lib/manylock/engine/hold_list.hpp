// What a transaction holds. One structure serves as the release list (plain stores) and, where the policy
// asks for it, as the held-lock list that other transactions read (atomic stores; memory that is never
// freed before the domain dies). Entries have stable addresses, since a lock may link to them, and come
// in chunks that double: nothing is allocated in steady state, and looking a lock up is O(1) amortised. A
// chunk begins on a cache line and ends with one, so that who reads it waits for no neighbour's stores.
//
// INV-H Let n be the size. An entry below n is held, or a gap: 0. Between two calls of its transaction:
//   - entry n - 1 is held; what stands at n and beyond means nothing
//   - `gaps` is the number of gaps below n
//   - `holes` names every gap from first_chunk on, once, but those for which there was no memory; what
//     else it names is n or more, and reserve() drops it before n grows past it
//   - `filling` is no_hole, or the last of `holes`; from reserve() to the push that fills it, it is a gap
//   - `indexed` is at most n; by the index every lock held below `indexed` is found at its entry; what
//     else the index knows, find() refuses
//   - `in_order`: no gap was filled, so the held entries stand in the order of their acquisition
//   - `only_appended`: no gap, no hole, nothing indexed, and in_order
//   - `last_acquired`, where locks have ranks and n > 0: the hold acquired last; null if one was removed since
// drain() leaves n at 0 and only_appended true.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <manylock/engine/hold.hpp>
#include <manylock/engine/hold_index.hpp>

namespace manylock::detail {

/// Written by the transaction alone. A walker reads it only while the transaction waits, when it does
/// not change, and checks afterwards that the wait has not ended in between.
template <class Config>
class hold_list {
public:
    using entry = hold<Config>;
    using lock_type = queued_lock<Config>;
    using platform = typename Config::platform;
    static constexpr std::uint32_t first_chunk = 8;
    static constexpr std::uint32_t scan_limit = 16;

    hold_list() noexcept { chunks_[0].store(inline_.data(), platform::relaxed); }  // before sharing
    hold_list(hold_list const&) = delete;
    hold_list& operator=(hold_list const&) = delete;
    ~hold_list() {
        for (std::size_t k = 1; k < chunks_.size(); ++k) {
            free_chunk(chunks_[k].load(platform::relaxed), k);  // relaxed: nobody else is left
        }
    }

    /// Entries in use, holes of early releases included.
    [[nodiscard]] std::uint32_t size() const noexcept {
        return size_.load(platform::acquire);  // acquire; pairs with the release in push
    }
    [[nodiscard]] std::uint32_t held() const noexcept { return own_size() - gaps_; }

    /// The next of the first entries; null if all are in use. For the inlined fast path, with append.
    [[nodiscard]] entry* first_free() noexcept {
        auto const n = own_size();
        return n < first_chunk ? &inline_[n] : nullptr;
    }
    /// Requires: e is what first_free() returned last, or reserve() if it fills no hole. `value`: as entry::value_of.
    void append(entry& e, std::uintptr_t value) noexcept {
        e.set(value);
        if constexpr (Config::needs.rank) last_acquired_ = &e;
        size_.store(own_size() + 1, platform::release);  // release; pairs with size()
    }
    /// The entry that the next push will fill. May allocate (strong guarantee): call it before
    /// acquiring.
    [[nodiscard]] entry& reserve() {
        auto const n = own_size();
        filling_ = no_hole;
        if (n < first_chunk) [[likely]]
            return inline_[n];
        while (!holes_.empty()) {
            auto const i = holes_.back();
            if (i < n && at(i).read() == 0) {
                index_.make_room();
                filling_ = i;
                return at(i);
            }
            holes_.pop_back();  // trimmed in the meantime
        }
        auto const [chunk, offset] = locate(n);
        auto* entries = chunks_[chunk].load(platform::relaxed);  // relaxed: only we store it
        if (entries == nullptr) {
            entries = make_chunk(chunk);
            // relaxed: who reads the list goes by its size, which is published later
            chunks_[chunk].store(entries, platform::relaxed);
        }
        return entries[offset];
    }
    [[nodiscard]] bool fills_hole() const noexcept { return filling_ != no_hole; }
    /// Requires: e is what reserve() returned last.
    void push(entry& e, lock_type const* lock, mode m) noexcept {
        if (filling_ == no_hole) [[likely]]
            return append(e, entry::value_of(lock, m));
        only_appended_ = false;
        e.set(lock, m);
        if constexpr (Config::needs.rank) last_acquired_ = &e;
        --gaps_;
        if (filling_ < indexed_) index_.insert(reinterpret_cast<std::uintptr_t>(lock), filling_);
        holes_.pop_back();
        filling_ = no_hole;
        in_order_ = false;
    }
    /// Cannot fail: where there is no memory for the index, all entries are looked at.
    [[nodiscard]] entry* find(lock_type const* lock) noexcept {
        auto const n = own_size();
        if (n > scan_limit && index_up_to(n)) {
            auto const i = index_.find(reinterpret_cast<std::uintptr_t>(lock));
            if (i == hold_index::none || i >= n) return nullptr;
            auto& e = at(i);
            return e.lock() == lock ? &e : nullptr;
        }
        for (std::uint32_t i = n; i-- > 0;) {
            if (auto& e = at(i); e.lock() == lock) return &e;
        }
        return nullptr;
    }
    /// Forgets one entry, before the rest. O(1) amortised; a hole in the middle is filled again later.
    /// Returns the entry that tells what was held before it was acquired, if that is what is held now.
    entry const* remove(entry& e) noexcept {
        e.clear();
        only_appended_ = false;
        bool const latest = std::exchange(last_acquired_, nullptr) == &e;
        ++gaps_;
        auto n = own_size();
        for (; n > 0 && at(n - 1).read() == 0; --n) --gaps_;
        if (n < indexed_) indexed_ = n;  // what the index knows beyond n is checked when found
        if (n == own_size()) {
            remember_hole(e);
        } else {
            size_.store(n, platform::release);  // release: as in hold::clear
            if (n == 0) holes_.clear();
            if (in_order_ && gaps_ == 0) return &at(n);  // no hole below it either
        }
        return latest ? &e : nullptr;
    }
    /// Calls f(entry&) for all, latest first, then forgets them.
    template <class F>
    [[gnu::always_inline]] void drain(F f) noexcept {
        auto n = own_size();
        if (n > first_chunk) [[unlikely]]
            n = drain_chunks(f);
        while (n-- > 0) {
            if (auto& e = inline_[n]; e.read() != 0) [[likely]]
                f(e);
        }
        size_.store(0, platform::release);  // release: as in hold::clear
        if (!only_appended_) [[unlikely]]
            forget_order();
    }
    [[nodiscard]] entry const& at(std::uint32_t i) const noexcept {
        if (i < first_chunk) [[likely]]
            return inline_[i];
        auto const [chunk, offset] = locate(i);
        return chunks_[chunk].load(platform::relaxed)[offset];  // relaxed: as in reserve
    }
    [[nodiscard]] entry& at(std::uint32_t i) noexcept {
        return const_cast<entry&>(static_cast<hold_list const&>(*this).at(i));
    }

private:
    struct place {
        std::uint32_t chunk;
        std::uint32_t offset;
    };
    // Chunk k has 8 * 2^k entries and starts at 8 * (2^k - 1).
    [[nodiscard]] static constexpr place locate(std::uint32_t i) noexcept {
        auto const scaled = i / first_chunk + 1;
        auto const chunk = static_cast<std::uint32_t>(std::bit_width(scaled)) - 1;
        return {chunk, i - first_chunk * ((1U << chunk) - 1)};  // NOLINT: scaled is not 0
    }
    static constexpr std::align_val_t line{64};
    static_assert(first_chunk * sizeof(entry) % 64 == 0);
    [[nodiscard]] static entry* make_chunk(std::size_t k) {
        auto const length = std::size_t{first_chunk} << k;
        auto* const first = static_cast<entry*>(::operator new(length * sizeof(entry), line));
        std::uninitialized_value_construct_n(first, length);
        return first;
    }
    static void free_chunk(entry* first, std::size_t k) noexcept {
        if (first == nullptr) return;
        std::destroy_n(first, std::size_t{first_chunk} << k);
        ::operator delete(first, line);
    }
    template <class F>
    [[gnu::noinline]] std::uint32_t drain_chunks(F f) noexcept {
        for (auto i = own_size(); i > first_chunk;) {
            if (auto& e = at(--i); e.read() != 0) f(e);
        }
        return first_chunk;
    }
    [[gnu::noinline]] void forget_order() noexcept {
        only_appended_ = true;
        gaps_ = 0;
        in_order_ = true;
        holes_.clear();
        if (indexed_ > 0) {
            index_.clear();
            indexed_ = 0;
        }
    }
    [[nodiscard]] std::uint32_t own_size() const noexcept {
        return size_.load(platform::relaxed);  // relaxed: only we store it
    }
    /// Holes among the first entries are not worth remembering: there are few, and reserve() takes the
    /// next one while it is among them.
    void remember_hole(entry const& e) noexcept {
        for (std::uint32_t chunk = 1; chunk < chunks_.size(); ++chunk) {
            auto const* const first = chunks_[chunk].load(platform::relaxed);  // relaxed: ours
            if (first == nullptr) return;
            auto const length = first_chunk << chunk;
            if (std::less_equal<>{}(first, &e) && std::less<>{}(&e, first + length)) {
                try {
                    holes_.push_back(first_chunk * ((1U << chunk) - 1) +
                                     static_cast<std::uint32_t>(&e - first));
                } catch (...) {  // no memory: the hole stays until the end
                }
                return;
            }
        }
    }
    /// False: there is no memory for it.
    bool index_up_to(std::uint32_t n) noexcept {
        if (indexed_ == 0) index_.clear();
        only_appended_ = false;
        try {
            for (; indexed_ < n; ++indexed_) {
                if (auto const key = at(indexed_).read() & ~std::uintptr_t{3}; key != 0) {
                    index_.insert(key, indexed_);
                }
            }
            return true;
        } catch (...) {  // no memory
            return false;
        }
    }

    template <class T>
    using cell = typename entry::template cell<T>;
    cell<std::uint32_t> size_{};
    static constexpr std::uint32_t no_hole = ~std::uint32_t{0};
    std::uint32_t gaps_ = 0;           ///< entries below the size that were given back early
    std::uint32_t filling_ = no_hole;  ///< the hole that reserve() chose
    std::uint32_t indexed_ = 0;
    bool in_order_ = true;  ///< entries are in the order of acquisition: no hole was filled
    bool only_appended_ =
        true;  ///< no gap, nothing indexed, in order: the next transaction finds it as it should be
    entry const* last_acquired_ = nullptr;  ///< kept only where locks have ranks
    std::array<entry, first_chunk> inline_{};
    std::array<cell<entry*>, 26> chunks_{};
    hold_index index_;
    std::vector<std::uint32_t> holes_;
};

}  // namespace manylock::detail

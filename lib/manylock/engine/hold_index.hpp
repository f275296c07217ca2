// Finds a held lock by its address, for transactions that hold so many that scanning would be slow (E11).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace manylock::detail {

/// Open addressing, rebuilt when it grows. A slot counts only if it is of the current generation, so that clearing costs nothing.
class hold_index {
public:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    void clear() noexcept {
        used_ = 0;
        if (++generation_ != 0) return;
        for (auto& s : slots_) s = {};
        generation_ = 1;
    }
    /// Room for one more, so that the next insert does not allocate.
    void make_room() {
        if ((used_ + 1) * 2 > slots_.size()) grow();
    }
    void insert(std::uintptr_t key, std::uint32_t index) {
        make_room();
        place(key, index);
    }
    [[nodiscard]] std::uint32_t find(std::uintptr_t key) const noexcept {
        if (used_ == 0) return none;
        for (auto i = start(key); taken(slots_[i]); i = following(i)) {
            if (slots_[i].key == key) return slots_[i].index;
        }
        return none;
    }

private:
    struct slot {
        std::uintptr_t key = 0;
        std::uint32_t index = none;
        std::uint32_t generation = 0;
    };
    [[nodiscard]] bool taken(slot const& s) const noexcept { return s.generation == generation_; }
    [[nodiscard]] std::size_t start(std::uintptr_t key) const noexcept {
        return static_cast<std::size_t>((key >> 3) * 0x9e3779b97f4a7c15ULL >> 20) &
               (slots_.size() - 1);
    }
    [[nodiscard]] std::size_t following(std::size_t i) const noexcept {
        return (i + 1) & (slots_.size() - 1);
    }
    void place(std::uintptr_t key, std::uint32_t index) noexcept {
        auto i = start(key);
        while (taken(slots_[i]) && slots_[i].key != key) i = following(i);
        if (!taken(slots_[i])) ++used_;
        slots_[i] = {key, index, generation_};
    }
    void grow() {
        std::vector<slot> old(slots_.empty() ? 64 : slots_.size() * 2);
        old.swap(slots_);
        used_ = 0;
        for (auto const& s : old) {
            if (taken(s)) place(s.key, s.index);
        }
    }
    std::vector<slot> slots_;
    std::size_t used_ = 0;
    std::uint32_t generation_ = 1;
};

}  // namespace manylock::detail

// Draws the locks of one thread's transactions: which, in which order, in which mode. All memory is
// taken when the picker is made, and grows with the locks of a transaction, not with all there are;
// drawing allocates nothing.
#pragma once

#include "../random.hpp"
#include "catalogue.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace manylock::stress {

struct request {
    std::uint32_t lock = 0;
    bool shared = false;

    friend bool operator==(request const&, request const&) = default;
};

class picker {
public:
    /// `zipf` is shared by all threads; null unless the workload is one.
    picker(workload const& from, std::uint64_t thread, std::uint64_t seed,
           zipf_sampler const* zipf);

    /// The next transaction's locks, all different, in the order to be taken. Valid until the next
    /// call.
    std::span<request const> next();

    /// Order `reorder`: the lock that made the last transaction restart goes first from now on.
    void contended(std::uint32_t lock);

    [[nodiscard]] generator& random() noexcept { return random_; }

private:
    void draw();
    void draw_subset(std::uint32_t first, std::uint32_t end, std::size_t how_many);
    void draw_hotspot();
    void draw_weighted();
    void draw_neighbours(std::uint64_t first);
    [[nodiscard]] std::uint32_t weighted_lock();
    [[nodiscard]] bool picked(std::uint32_t lock) const;
    void add(std::uint32_t lock);

    /// A place of the hash table of what this draw has picked.
    struct mark {
        std::uint32_t lock = 0;
        std::uint32_t draw = 0;  ///< another than this one's: empty
    };
    /// The lock's mark, or the empty place where it belongs.
    [[nodiscard]] std::size_t place_of(std::uint32_t lock) const;

    workload from_;
    std::uint64_t thread_;
    generator random_;
    zipf_sampler const* zipf_;
    bool keeps_order_;
    std::vector<request> requests_;
    std::vector<std::uint32_t> shuffled_;  ///< for subsets too large to reject repeats one by one
    std::vector<mark> marks_;              ///< for transactions too long to look through
    std::uint32_t draw_number_ = 0;
};

}  // namespace manylock::stress

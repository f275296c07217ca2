// Our contestants: every policy takes the locks as they are drawn, in any order; and the one that orders locks once more,
// with the set told in advance.
#pragma once

#include "contest.hpp"
#include "table.hpp"

#include <manylock/domain.hpp>

namespace manylock::bench {

template <class Policy, bool SetInAdvance = false>
class ours : public on_table<typename domain<Policy>::lock_type> {
    using lock_type = typename domain<Policy>::lock_type;

public:
    using on_table<lock_type>::on_table;

    class session {
    public:
        session(ours& of, unsigned) noexcept : of_{of} {}
        template <class Work>
        std::uint64_t transact(std::span<request const> wanted, Work hold) {
            if constexpr (SetInAdvance) {
                return run(wanted, in_address_order{wanted}.all(), hold);
            } else {
                return run(wanted, wanted, hold);
            }
        }

    private:
        template <class Work>
        std::uint64_t run(std::span<request const> wanted, std::span<request const> order,
                          Work hold) {
            return of_.domain_.run([&](auto& txn) -> std::uint64_t {
                for (auto const& r : order) {
                    if (!txn.acquire(of_.all_[r].lock, r.shared ? mode::shared : mode::exclusive))
                        return 0;
                    hold();
                }
                update(of_.all_, wanted);
                return txn.attempt() - 1;
            });
        }
        ours& of_;
    };

private:
    domain<Policy> domain_;
};

}  // namespace manylock::bench

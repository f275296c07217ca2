// What one thread of control needs to work on an address space: its counters, its scratch memory
// and its stocks of identities and memory. Not for two threads at once; costs nothing shared. Does not
// outlive the space it last worked on.
#pragma once

#include <manylock/address_space/rules/footprint.hpp>
#include <manylock/address_space/map/region_map.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace manylock::address_space {

/// How page faults went, as Linux counts them.
struct fault_counters {
    std::uint64_t success =
        0;  ///< done under the VMA's read lock; Linux leaves out those after an abort
    std::uint64_t abort = 0;  ///< the VMA could not be locked, had moved, or was not there
    std::uint64_t retry = 0;  ///< needed a transaction: first private write, stack growth
    std::uint64_t miss = 0;   ///< the VMA was detached in between: looked up again
};

template <class Domain>
class worker {
public:
    using region_type = region<Domain>;

    worker() = default;
    worker(worker const&) = delete;
    worker& operator=(worker const&) = delete;

    fault_counters faults;
    /// Place of this worker's last operation among all that could change VMAs; conflicting ones took
    /// effect in this order. 0: it only read, or was a fault that needed no transaction.
    [[nodiscard]] std::uint64_t commit_number() const noexcept { return commit_number_; }

private:
    template <class Space>
    friend class update;
    template <class D>
    friend class space_on;

    /// A region this worker's transaction has locked, as it was when it was locked.
    struct held {
        region_type* where;
        address start;
        bool claim;
        bool kept;  ///< scratch of the commit: survives, perhaps as something else
    };
    /// Where an entry of the draft goes.
    struct destination {
        region_type* where;
        bool fresh;
        bool changed;
    };

    /// Memory for regions and nodes of `map`.
    typename region_map<Domain>::stock& stock_for(region_map<Domain>& map) {
        if (stock_of_ != &map) {
            next_id_ = last_id_ = 0;  // of another space
            stock_.emplace(map);
            stock_of_ = &map;
        }
        return *stock_;
    }

    draft plan_;
    std::vector<held> held_;
    std::vector<interval> wanted_;
    std::vector<interval> fills_;
    std::vector<destination> destinations_;
    std::vector<std::size_t> origins_;  ///< origin in the draft -> index in held_
    std::optional<typename region_map<Domain>::stock> stock_;
    region_map<Domain>* stock_of_ = nullptr;
    std::vector<region_type*> unpublished_;
    std::vector<region_type*> removed_;  ///< unlinked, detached; freed once unlocked
    region_type* last_asked_ = nullptr;  ///< only compared, unless the transaction holds its lock
    address last_rank_ = 0;
    std::uint64_t commit_number_ = 0;
    std::uint64_t next_id_ = 0;
    std::uint64_t last_id_ = 0;
};

}  // namespace manylock::address_space

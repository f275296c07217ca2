#include "contestants.hpp"
#include "ordered.hpp"

#include <memory>
#include <tbb/queuing_mutex.h>
#include <tbb/spin_mutex.h>

namespace manylock::bench {

namespace {

/// Each holder queues with a node of his own, which has to stay where it is until he leaves.
class queuing_in_order : public on_table<tbb::queuing_mutex> {
public:
    using on_table<tbb::queuing_mutex>::on_table;

    class session {
    public:
        session(queuing_in_order& of, unsigned)
            : all_{of.all_}, nodes_{std::make_unique<nodes>()} {}
        template <class Work>
        std::uint64_t transact(std::span<request const> wanted, Work hold) {
            in_address_order const order{wanted};
            std::size_t held = 0;
            for (auto const& r : order.all()) {
                (*nodes_)[held++].acquire(all_[r].lock);
                hold();
            }
            update(all_, wanted);
            while (held > 0) (*nodes_)[--held].release();
            return 0;
        }

    private:
        using nodes = std::array<tbb::queuing_mutex::scoped_lock, requests_max>;
        table<tbb::queuing_mutex>& all_;
        std::unique_ptr<nodes> nodes_;
    };
};

}  // namespace

void add_tbb(std::vector<contestant>& all) {
    all.push_back(enter<ordered<tbb::spin_mutex>>("tbb_spin_mutex", kind::spinning, false));
    all.push_back(enter<queuing_in_order>("tbb_queuing_mutex", kind::spinning, false));
}

}  // namespace manylock::bench

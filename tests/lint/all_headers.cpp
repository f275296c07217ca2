// What clang-tidy reads (tests/tidy): every header of library and policies, with every policy at work in it.
#include <manylock/address_space/space.hpp>
#include <manylock/domain.hpp>
#include <manylock/fwd.hpp>
#include <manylock/graph/wait_for_graph.hpp>
#include <manylock/guards.hpp>
#include <manylock/policies.hpp>

namespace {

template <class Policy, manylock::options Options>
void use() {
    using domain = manylock::domain<Policy, Options>;
    domain d;
    typename domain::lock_type a;
    d.run([&](auto& txn) {
        txn.lock_shared(a);
        txn.lock(a);
        txn.release(a);
        (void)txn.try_acquire(a);
    });
    d.read(a, [] {});
    auto const fallback = d.fall_back();
    manylock::lockable<domain> one{d, a};
    one.lock();
    one.unlock();
}
template <class Policy>
void use_all() {
    use<Policy, manylock::options{}>();
    use<Policy,
        manylock::options{.publish_holds = true, .distributed_readers = true, .events = true}>();
}

}  // namespace

int main() {
    use_all<manylock::policies::umbrella>();
    use_all<manylock::policies::wound_wait>();
    use_all<manylock::policies::wait_die>();
    use_all<manylock::policies::cycle_detection>();
    use_all<manylock::policies::lock_ordering>();
    use_all<manylock::policies::no_wait>();
}

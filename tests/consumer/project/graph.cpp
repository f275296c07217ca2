// The component graph alone brings what this needs.
#include <manylock/domain.hpp>
#include <manylock/graph/snapshot.hpp>
#include <manylock/policies.hpp>

int main() {
    manylock::domain<manylock::default_policy> idle;
    return num_vertices(manylock::graph::snapshot(idle)) == 0 ? 0 : 1;
}

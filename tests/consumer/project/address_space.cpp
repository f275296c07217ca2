// The component address_space brings liburcu; the policy comes from the component policies.
#include <manylock/address_space/space.hpp>
#include <manylock/policies.hpp>

using namespace manylock::address_space;

int main() {
    using space_type = basic_address_space<manylock::default_policy>;
    space_type space;
    space_type::worker me;
    operation map;
    map.what = call::map;
    map.start = 16 * page_size;
    map.length = page_size;
    map.prot = abi::prot_read;
    map.flags = abi::map_private | abi::map_anonymous | abi::map_fixed;
    bool const mapped = space.apply(me, map) == static_cast<std::int64_t>(map.start);
    return mapped && space.vma_count() == 1 ? 0 : 1;
}

// The list of policies that need Boost: selectable by name, but none of the registered ones. The same
// X-macro as manylock/policies/registry.hpp; each line's header is of the same name, in this folder.
MANYLOCK_REGISTER_POLICY(cycle_detection_bgl)

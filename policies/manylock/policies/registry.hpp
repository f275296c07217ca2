// The list of policies: one line each, in the order in which they are reported. A new policy is one
// header of the same name in this folder plus one line here; the build and the stress program read it.
// Used as an X-macro: define MANYLOCK_REGISTER_POLICY(name), include this file, undefine it.
MANYLOCK_REGISTER_POLICY(umbrella)
MANYLOCK_REGISTER_POLICY(wound_wait)
MANYLOCK_REGISTER_POLICY(wait_die)
MANYLOCK_REGISTER_POLICY(cycle_detection)
MANYLOCK_REGISTER_POLICY(lock_ordering)
MANYLOCK_REGISTER_POLICY(no_wait)

// Frees objects that are found by lock-free lookup, once no read section of native_rcu can know them.
// Under TSan, which does not see liburcu's ordering, they are kept until the end instead.
#pragma once

#include <mutex>
#include <vector>

#include <manylock/platform/native_rcu.hpp>

namespace manylock::platform {

/// What an object needs to be freed later: a member `free_link` of this type.
struct free_link {
    rcu_head head{};
};

template <class Object>
class deferred_free {
public:
    deferred_free() = default;
    deferred_free(deferred_free const&) = delete;
    deferred_free& operator=(deferred_free const&) = delete;
    /// Returns when everything retired has been freed. Requires: not in a read section.
    ~deferred_free() {
        for (Object* const object : kept_) delete object;
#ifndef MANYLOCK_TSAN
        urcu_memb_barrier();
#endif
    }

    /// Requires: nobody can find `object` any more; the caller has no use for it.
    void retire(Object* object) {
#ifdef MANYLOCK_TSAN
        std::lock_guard const guard{mutex_};
        kept_.push_back(object);
#else
        urcu_memb_call_rcu(&object->free_link.head, [](rcu_head* head) {
            delete caa_container_of(head, Object, free_link.head);
        });
#endif
    }

private:
    std::mutex mutex_;
    std::vector<Object*> kept_;
};

}  // namespace manylock::platform

// Which sanitizer watches this build, told alike by g++ and clang: MANYLOCK_TSAN, MANYLOCK_ASAN, or neither.
#pragma once

#if defined(__SANITIZE_THREAD__)
#define MANYLOCK_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define MANYLOCK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MANYLOCK_TSAN 1
#elif __has_feature(address_sanitizer)
#define MANYLOCK_ASAN 1
#endif
#endif

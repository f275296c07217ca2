// The model checker behind platform.hpp and explore.hpp. The only file that sees Relacy.
#include "explore.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

// Relacy redefines all of these. Its leak check is switched off with RL_GC: then freeing is no choice
// of the schedule, which would double the schedules of an exhaustive search with every vector. Use of
// freed atomics is found still. Leaks are the sanitizer builds' business.
#pragma push_macro("new")
#pragma push_macro("delete")
#pragma push_macro("malloc")
#pragma push_macro("calloc")
#pragma push_macro("realloc")
#pragma push_macro("free")
#pragma push_macro("assert")
#pragma push_macro("errno")
#pragma push_macro("memory_order_relaxed")
#pragma push_macro("memory_order_consume")
#pragma push_macro("memory_order_acquire")
#pragma push_macro("memory_order_release")
#pragma push_macro("memory_order_acq_rel")
#pragma push_macro("memory_order_seq_cst")
#define RL_GC
#include <relacy/relacy.hpp>
#pragma pop_macro("memory_order_seq_cst")
#pragma pop_macro("memory_order_acq_rel")
#pragma pop_macro("memory_order_release")
#pragma pop_macro("memory_order_acquire")
#pragma pop_macro("memory_order_consume")
#pragma pop_macro("memory_order_relaxed")
#pragma pop_macro("errno")
#pragma pop_macro("assert")
#pragma pop_macro("free")
#pragma pop_macro("realloc")
#pragma pop_macro("calloc")
#pragma pop_macro("malloc")
#pragma pop_macro("delete")
#pragma pop_macro("new")

// Relacy's are inline, and the whole program must use the same ones: so that all four exist as functions.
extern void* (*const volatile allocators[])(std::size_t);
extern void (*const volatile deallocators[])(void*) noexcept;
void* (*const volatile allocators[])(std::size_t){&operator new, &operator new[] };
void (*const volatile deallocators[])(void*) noexcept {&operator delete, &operator delete[] };

// Relacy lets a relaxed store continue the release sequence of an earlier store of its thread, as C++11
// did. C++20 does not: such a store publishes nothing but what a fence before it released.
namespace {
template <class Thread, class Word>
unsigned relaxed_store(Thread& thread, Word& word) {
    auto const index = static_cast<unsigned>(++word.current_index_ %
                                             static_cast<unsigned>(rl::atomic_history_size));
    auto& record = word.history_[index];
    record.busy_ = true;
    record.thread_id_ = thread.index_;
    record.seq_cst_ = false;
    record.acq_rel_timestamp_ = ++thread.own_acq_rel_order_;
    std::fill(std::begin(record.first_seen_order_), std::end(record.first_seen_order_),
              ~rl::timestamp_t{0});
    record.first_seen_order_[thread.index_] = thread.own_acq_rel_order_;
    std::copy(std::begin(thread.release_fence_order_), std::end(thread.release_fence_order_),
              std::begin(record.acq_rel_order_));
    return index;
}
}  // namespace
template <>
template <>
unsigned rl::thread_info<2>::atomic_store<rl::mo_relaxed, false>(rl::atomic_data* data) {
    return relaxed_store(*this, *static_cast<rl::atomic_data_impl<2>*>(data));
}
template <>
template <>
unsigned rl::thread_info<3>::atomic_store<rl::mo_relaxed, false>(rl::atomic_data* data) {
    return relaxed_store(*this, *static_cast<rl::atomic_data_impl<3>*>(data));
}

namespace manylock::model {

namespace {

char const* base_name(char const* path) noexcept {
    auto const* const slash = std::strrchr(path, '/');
    return slash != nullptr ? slash + 1 : path;
}
rl::debug_info info_of(where at) {
    return {at.function, base_name(at.file), at.line};
}

// --- the places where orders are spelt ---------------------------------------------------------------
// Fixed arrays: the checker's own allocator is in force while a schedule runs.

class site_table {
public:
    std::size_t find(operation what, order spelt, where at) noexcept {
        auto const key = reinterpret_cast<std::uintptr_t>(at.file) ^
                         (std::uintptr_t{at.line} << 20) ^
                         (static_cast<std::uintptr_t>(what) << 56);
        for (auto i = (key * 0x9e3779b97f4a7c15U) >> 52;; i = (i + 1) % slots_.size()) {
            auto& found = slots_[i];
            if (found.key == key) return found.index;
            if (found.key == 0) {
                found = {key, add(what, spelt, at)};
                return found.index;
            }
        }
    }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] site& operator[](std::size_t i) noexcept { return sites_[i]; }
    void forget_counts() noexcept {
        for (std::size_t i = 0; i < count_; ++i) sites_[i].executed = 0;
    }

private:
    struct slot {
        std::uintptr_t key = 0;
        std::size_t index = 0;
    };
    /// One place in a header is compiled in several units, with a file name of its own in each.
    std::size_t add(operation what, order spelt, where at) noexcept {
        for (std::size_t i = 0; i < count_; ++i) {
            if (sites_[i].what == what && sites_[i].at.line == at.line &&
                std::strcmp(sites_[i].at.file, at.file) == 0) {
                return i;
            }
        }
        if (count_ == sites_.size()) std::abort();
        sites_[count_] = {what, spelt, at, 0};
        return count_++;
    }
    std::array<slot, 4096> slots_{};
    std::array<site, 512> sites_{};
    std::size_t count_ = 0;
};

site_table known_sites;
weakening weaker;

/// The order to use where `spelt` is spelt.
order in_force(operation what, order spelt, where at) noexcept {
    auto const i = known_sites.find(what, spelt, at);
    ++known_sites[i].executed;
    return i == weaker.site ? weaker.to : spelt;
}

constexpr rl::memory_order to_relacy(order o) noexcept {
    switch (o) {
        case order::relaxed: return rl::mo_relaxed;
        case order::acquire: return rl::mo_acquire;
        case order::release: return rl::mo_release;
        case order::acq_rel: return rl::mo_acq_rel;
        case order::seq_cst: return rl::mo_seq_cst;
    }
    return rl::mo_seq_cst;
}

using relacy_plain = rl::var<std::uint64_t>;

/// Whoever uses an atomic must have been told of it by its maker: `made` is read with every operation.
struct relacy_word {
    explicit relacy_word(std::uint64_t initial) : word{initial}, made{1} {}
    rl::atomic<std::uint64_t> word;
    relacy_plain made;
};
template <class Word>
auto& usable(Word& w, rl::debug_info const& info) {
    (void)w.made(info).load();
    return w.word;
}

template <class T, class Storage>
T& as(Storage& storage) noexcept {
    static_assert(sizeof(T) <= sizeof(Storage) && alignof(T) <= 8);
    return *std::launder(reinterpret_cast<T*>(&storage));
}
template <class T, class Storage>
T const& as_const(Storage const& storage) noexcept {
    static_assert(sizeof(T) <= sizeof(Storage) && alignof(T) <= 8);
    return *std::launder(reinterpret_cast<T const*>(&storage));
}

// --- the running schedule ----------------------------------------------------------------------------

struct sleeper {
    void const* word = nullptr;
    rl::thread_id_t thread = 0;
};
struct state {
    description const* running = nullptr;
    scenario* threads = nullptr;
    manylock::platform::grace_period<platform>* grace = nullptr;
    std::array<sleeper, 4> asleep{};
    std::size_t asleep_count = 0;
    bool deadlines_have_passed = false;
    std::uint64_t limit = 0;
    std::uint64_t begun = 0;
};
state now_running;

void remove_sleeper(std::size_t i) noexcept {
    auto& s = now_running;
    for (--s.asleep_count; i < s.asleep_count; ++i) s.asleep[i] = s.asleep[i + 1];
}

template <rl::thread_id_t Threads>
struct suite : rl::test_suite<suite<Threads>, Threads> {
    void before() {
        auto& s = now_running;
        if (++s.begun > s.limit) {
            rl::ctx().rl_until("more schedules than expected", info_of(where::here()));
        }
        s.asleep_count = 0;
        s.deadlines_have_passed = false;
        s.threads = nullptr;
        s.grace = new manylock::platform::grace_period<platform>;
        s.threads = s.running->make().release();
    }
    void thread(unsigned number) { now_running.threads->thread(number); }
    void after() {
        auto& s = now_running;
        s.threads->at_end();
        delete s.threads;
        delete s.grace;
    }
};

template <rl::thread_id_t Threads>
rl::test_result_e run(rl::test_params& parameters, rl::ostringstream& state_of_search) {
    using suite_type = suite<Threads>;
    switch (now_running.running->how) {
        case search::sampled:
            return rl::run_test<suite_type, rl::random_scheduler<Threads>>(parameters,
                                                                           state_of_search, false);
        case search::bounded:
            return rl::run_test<suite_type, rl::context_bound_scheduler<Threads>>(
                parameters, state_of_search, false);
    }
    return rl::test_result_success;
}

}  // namespace

// --- atomics -----------------------------------------------------------------------------------------

atomic_word::atomic_word(std::uint64_t initial) {
    new (&storage_) relacy_word(initial);
}
atomic_word::~atomic_word() {
    std::destroy_at(&as<relacy_word>(storage_));
}

std::uint64_t atomic_word::load(order o, where at) const {
    auto const info = info_of(at);
    return usable(as_const<relacy_word>(storage_), info)
        .load(to_relacy(in_force(operation::load, o, at)), info);
}
void atomic_word::store(std::uint64_t value, order o, where at) {
    auto const info = info_of(at);
    usable(as<relacy_word>(storage_), info)
        .store(value, to_relacy(in_force(operation::store, o, at)), info);
}
std::uint64_t atomic_word::modify(change how, std::uint64_t operand, order o, where at) {
    auto const info = info_of(at);
    auto& word = usable(as<relacy_word>(storage_), info);
    auto const mo = to_relacy(in_force(operation::modify, o, at));
    switch (how) {
        case change::exchange: return word.exchange(operand, mo, info);
        case change::add: return word.fetch_add(operand, mo, info);
        case change::subtract: return word.fetch_sub(operand, mo, info);
        case change::bit_and: return word.fetch_and(operand, mo, info);
        case change::bit_or: return word.fetch_or(operand, mo, info);
    }
    return 0;
}
/// Relacy weakens the order of failure along with that of success, and we want them one by one: so
/// whether it succeeds is found out first, and then each outcome is run with its own order.
bool atomic_word::compare_exchange(std::uint64_t& expected, std::uint64_t desired, order success,
                                   order failure, bool weak, where at) {
    auto& context = rl::ctx();
    auto const info = info_of(at);
    auto& word = usable(as<relacy_word>(storage_), info);
    context.sched();
    rl::preemption_disabler const in_one_step{context};
    auto const on_success = to_relacy(in_force(operation::exchange, success, at));
    if (word.debug_value() != expected) {
        auto const on_failure = to_relacy(in_force(operation::failed_exchange, failure, at));
        return word.compare_exchange_strong(expected, desired, on_failure, info);
    }
    if (weak && context.is_random_sched() && context.rand(4, rl::sched_type_cas_fail) == 0) {
        auto const on_failure = to_relacy(in_force(operation::failed_exchange, failure, at));
        expected = word.load(on_failure, info);
        return false;
    }
    return word.compare_exchange_strong(expected, desired, on_success, info, rl::mo_relaxed, info);
}
std::uint64_t atomic_word::latest() const {
    return as_const<relacy_word>(storage_).word.debug_value();
}

plain_word::plain_word(std::uint64_t initial) {
    new (&storage_) relacy_plain(initial);
}
plain_word::~plain_word() {
    std::destroy_at(&as<relacy_plain>(storage_));
}
std::uint64_t plain_word::load(where at) const {
    return as_const<relacy_plain>(storage_)(info_of(at)).load();
}
void plain_word::store(std::uint64_t value, where at) {
    as<relacy_plain>(storage_)(info_of(at)).store(value);
}

mutex::mutex() {
    new (&storage_) rl::mutex;
}
mutex::~mutex() {
    std::destroy_at(&as<rl::mutex>(storage_));
}
void mutex::lock(where at) {
    as<rl::mutex>(storage_).lock(info_of(at));
}
void mutex::unlock(where at) {
    as<rl::mutex>(storage_).unlock(info_of(at));
}

void platform::fence(where at) {
    if (in_force(operation::fence, order::seq_cst, at) == order::seq_cst) {
        rl::atomic_thread_fence(rl::mo_seq_cst, info_of(at));
    }
}
void platform::yield(where at) {
    rl::ctx().yield(1, info_of(at));
}

auto platform::now() -> time_point {
    auto& s = now_running;
    if (s.threads != nullptr && s.running->clock_moves && !s.deadlines_have_passed) {
        s.deadlines_have_passed = any_below(4) == 0 && s.threads->time_may_pass();
    }
    return s.deadlines_have_passed ? 1000 : 1;
}

void platform::futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected,
                          time_point const* deadline, where at) {
    auto& context = rl::ctx();
    auto& s = now_running;
    context.sched();
    if (word.latest() != expected) return;
    s.asleep[s.asleep_count++] = {&word, context.current_thread()};
    auto const reason = context.park_current_thread(
        deadline != nullptr, s.running->wakes_spuriously, false, info_of(at));
    if (reason == rl::unpark_reason_normal) return;
    for (std::size_t i = 0; i < s.asleep_count; ++i) {
        if (s.asleep[i].thread == context.current_thread()) return remove_sleeper(i);
    }
}
void platform::futex_wake(atomic<std::uint32_t>& word, where at) {
    auto& context = rl::ctx();
    auto& s = now_running;
    context.sched();
    for (std::size_t i = 0; i < s.asleep_count; ++i) {
        if (s.asleep[i].word != &word) continue;
        auto const thread = s.asleep[i].thread;
        remove_sleeper(i);
        return context.unpark_thread(thread, false, info_of(at));
    }
}
auto platform::grace() noexcept -> manylock::platform::grace_period<platform>& {
    return *now_running.grace;
}

void expect(bool ok, char const* sentence, where at) {
    if (!ok) rl::ctx().fail_test(sentence, rl::test_result_user_assert_failed, info_of(at));
}
unsigned any_below(unsigned limit) {
    return rl::ctx().rand(limit, rl::sched_type_user);
}

// --- exploring ---------------------------------------------------------------------------------------

outcome explore(description const& what, std::uint64_t schedules, weakening weak, bool with_history,
                std::uint64_t first) {
    known_sites.forget_counts();
    weaker = weak;
    now_running = {};
    now_running.running = &what;
    now_running.limit = what.how == search::sampled ? ~std::uint64_t{0} : schedules;

    // Streams of the checker's own kind: they may grow while its allocator is in force.
    rl::ostringstream report;
    rl::ostringstream progress;
    rl::test_params parameters;
    parameters.iteration_count = first + schedules - 1;
    parameters.output_stream = &report;
    parameters.progress_stream = &progress;
    parameters.execution_depth_limit = 20000;
    parameters.context_bound = what.bound;
    parameters.search_type = what.how == search::sampled ? rl::random_scheduler_type
                                                         : rl::fair_context_bound_scheduler_type;
    if (what.how == search::sampled) parameters.initial_state = std::to_string(first).c_str();

    rl::ostringstream failing;
    auto const once = [&] {
        return what.threads == 2 ? run<2>(parameters, failing) : run<3>(parameters, failing);
    };
    auto const result = once();
    outcome out;
    out.schedules = now_running.begun;
    if (result == rl::test_result_until_condition_hit) {
        --out.schedules;
    } else if (result == rl::test_result_success) {
        out.complete = what.how != search::sampled;
    } else {
        out.failed = true;
        if (with_history) {
            parameters.initial_state = failing.str();
            parameters.collect_history = true;
            now_running.begun = 0;
            (void)once();
            out.report = report.str().c_str();
        }
        out.report = "schedule " + std::to_string(parameters.stop_iteration) + " of " + what.name +
                     ": " + rl::test_result_str(result) + '\n' + out.report;
    }
    weaker = {};
    return out;
}

std::vector<site> sites() {
    std::vector<site> all;
    for (std::size_t i = 0; i < known_sites.size(); ++i) all.push_back(known_sites[i]);
    return all;
}

char const* name(order o) noexcept {
    constexpr std::array names{"relaxed", "acquire", "release", "acq_rel", "seq_cst"};
    return names[static_cast<std::size_t>(o)];
}

std::vector<std::string> names_of(std::vector<site> const& all) {
    constexpr std::array operations{"load",     "store",           "modify",
                                    "exchange", "failed exchange", "fence"};
    auto const label = [&](site const& s) {
        // g++ names a template's arguments too
        std::string_view const function{s.at.function};
        return std::string{base_name(s.at.file)} + ':' +
               std::string{function.substr(0, function.find('<'))} + ' ' +
               operations[static_cast<std::size_t>(s.what)] + ' ' + name(s.spelt);
    };
    std::vector<std::string> names;
    for (auto const& s : all) {
        auto text = label(s);
        std::size_t of_this_kind = 0;
        std::size_t before = 0;
        for (auto const& other : all) {
            if (label(other) != text) continue;
            ++of_this_kind;
            if (other.at.line < s.at.line) ++before;
        }
        if (of_this_kind > 1) text += " #" + std::to_string(before + 1);
        names.push_back(text);
    }
    return names;
}

}  // namespace manylock::model

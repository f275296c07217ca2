#include "support.hpp"

#include <condition_variable>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>
#include <random>
#include <vector>

namespace conformance {

namespace {

/// Ends the program when a case takes too long: what never ends must not pass, nor take the others' reports
/// with it. MANYLOCK_CASE_SECONDS sets the limit.
class watchdog final : public doctest::IReporter {
public:
    explicit watchdog(doctest::ContextOptions const&) {}
    ~watchdog() override { stop(); }

    void test_case_start(doctest::TestCaseData const& started) override {
        std::lock_guard const guard{mutex_};
        name_ = started.m_name;
        deadline_ = std::chrono::steady_clock::now() + limit();
        if (!thread_.joinable()) {
            thread_ = std::jthread{[this](std::stop_token const& token) { watch(token); }};
        }
        changed_.notify_all();
    }
    void test_case_end(doctest::CurrentTestCaseStats const&) override {
        std::lock_guard const guard{mutex_};
        name_ = nullptr;
    }
    void test_run_end(doctest::TestRunStats const&) override { stop(); }
    void report_query(doctest::QueryData const&) override {}
    void test_run_start() override {}
    void test_case_reenter(doctest::TestCaseData const&) override {}
    void test_case_exception(doctest::TestCaseException const&) override {}
    void subcase_start(doctest::SubcaseSignature const&) override {}
    void subcase_end() override {}
    void log_assert(doctest::AssertData const&) override {}
    void log_message(doctest::MessageData const&) override {}
    void test_case_skipped(doctest::TestCaseData const&) override {}

private:
    static std::chrono::seconds limit() {
        auto const* const given = std::getenv("MANYLOCK_CASE_SECONDS");
        auto const seconds = given != nullptr ? std::strtoul(given, nullptr, 10) : 0;
        return std::chrono::seconds{seconds != 0 ? seconds : 100};
    }
    void stop() {
        thread_.request_stop();
        if (thread_.joinable()) thread_.join();
    }
    void watch(std::stop_token const& token) {
        std::unique_lock lock{mutex_};
        while (!token.stop_requested()) {
            // By the system's clock, since ThreadSanitizer does not know waits by the steady one.
            auto const left = std::chrono::ceil<std::chrono::milliseconds>(
                deadline_ - std::chrono::steady_clock::now());
            changed_.wait_until(lock, token, std::chrono::system_clock::now() + left,
                                [] { return false; });
            if (name_ == nullptr) {
                deadline_ = std::chrono::steady_clock::now() + limit();
            } else if (std::chrono::steady_clock::now() >= deadline_) {
                std::printf("HANG: %s has not ended after %lld s: a deadlock or a lost wake-up\n",
                            name_, static_cast<long long>(limit().count()));
                std::fflush(stdout);
                std::_Exit(1);  // whoever hangs cannot be joined
            }
        }
    }

    std::mutex mutex_;
    std::condition_variable_any changed_;
    char const* name_ = nullptr;  ///< of the running case
    std::chrono::steady_clock::time_point deadline_;
    std::jthread thread_;
};

struct named {
    std::string sentence;
};

/// Catches the misuse that is reported while it lives.
class catching {
public:
    catching()
        : former_{manylock::set_misuse_handler([](char const* s) {
              last = s;
              throw named{s};
          })} {
        last.clear();
    }
    ~catching() { manylock::set_misuse_handler(former_); }
    static inline std::string last;

private:
    manylock::misuse_handler former_;
};

}  // namespace

void detail::enroll(char const* theme, char const* policy, char const* sentence, void (*body)(),
                    char const* file, unsigned line) {
    // Once a program, and before its first case.
    static int const watched = doctest::registerReporter<watchdog>("watchdog", 0, false);
    (void)watched;
    doctest::detail::TestSuite suite;
    suite* theme;
    // What doctest's own macros for templates do; their lists of types would have to be written out.
    doctest::detail::regTest(doctest::detail::TestCase(body, file, line, suite, policy, 0) *
                             sentence);
}

struct job::state {
    std::function<void()> work;
    mutable std::mutex mutex;
    std::condition_variable changed;
    bool ended = false;
    std::exception_ptr failure;
};

job::job(std::function<void()> work) : state_{std::make_unique<state>()} {
    state_->work = std::move(work);
}
job::~job() = default;
void job::carry_out() {
    std::exception_ptr failure;
    try {
        state_->work();
    } catch (...) {
        failure = std::current_exception();
    }
    std::lock_guard const guard{state_->mutex};
    state_->failure = failure;
    state_->ended = true;
    state_->changed.notify_all();
}
bool job::ended() const {
    std::lock_guard const guard{state_->mutex};
    return state_->ended;
}
void job::wait() {
    std::unique_lock lock{state_->mutex};
    state_->changed.wait(lock, [this] { return state_->ended; });
    if (state_->failure) std::rethrow_exception(state_->failure);
}

struct actor::state {
    void loop(std::stop_token const& stop) {
        std::unique_lock lock{mutex};
        while (wake.wait(lock, stop, [this] { return !work.empty(); })) {
            auto next = std::move(work.front());
            work.pop_front();
            lock.unlock();
            next->carry_out();
            lock.lock();
        }
    }
    std::mutex mutex;
    std::condition_variable_any wake;
    std::deque<std::shared_ptr<job>> work;
    std::jthread thread{[this](std::stop_token const& stop) { loop(stop); }};
};

actor::actor() : state_{std::make_unique<state>()} {}
actor::~actor() {
    state_->thread.request_stop();
    state_->wake.notify_all();
}
std::shared_ptr<job> actor::add(std::function<void()> work) {
    auto next = std::make_shared<job>(std::move(work));
    {
        std::lock_guard const guard{state_->mutex};
        state_->work.push_back(next);
    }
    state_->wake.notify_all();
    return next;
}

struct crew::state {
    std::function<void(std::size_t)> body;
    std::vector<std::jthread> threads;
};
crew::crew(std::size_t n, std::function<void(std::size_t)> body)
    : state_{std::make_unique<state>()} {
    state_->body = std::move(body);
    for (std::size_t i = 0; i < n; ++i) {
        state_->threads.emplace_back([s = state_.get(), i] { s->body(i); });
    }
}
crew::~crew() {
    state_->threads.clear();
}

void together(std::size_t n, std::function<void(std::size_t)> const& body) {
    crew const running{n, body};
}

std::uint64_t seed() {
    auto const* const given = std::getenv("MANYLOCK_SEED");
    static auto const chosen =
        given != nullptr ? std::strtoull(given, nullptr, 0) : std::uint64_t{std::random_device{}()};
    MESSAGE("seed ", chosen);
    return chosen;
}

std::string misuse_of(std::function<void()> const& f) {
    catching const handler;
    try {
        f();
    } catch (named const& n) {
        return n.sentence;
    }
    return catching::last;  // from a destructor nothing is thrown
}

}  // namespace conformance

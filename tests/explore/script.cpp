#include "script.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>

namespace explore {

using manylock::mode;

namespace {

template <class F>
bool any_step(script const& s, F f) {
    for (auto const& t : s.threads) {
        for (auto const& txn : t) {
            if (std::any_of(txn.begin(), txn.end(), f)) return true;
        }
    }
    return false;
}

[[nodiscard]] bool requests(step const& s) {
    return s.what == action::lock || s.what == action::try_lock || s.what == action::lock_until ||
           s.what == action::read;
}

std::string text_of(step const& s) {
    auto const letter = std::string(
        1, static_cast<char>((s.mode == mode::exclusive ? 'A' : 'a') + static_cast<int>(s.lock)));
    switch (s.what) {
        case action::lock: return letter;
        case action::try_lock: return '?' + letter;
        case action::lock_until: return '~' + letter;
        case action::release: return '-' + letter;
        case action::detach: return '*' + letter;
        case action::read: return '=' + letter;
        case action::fail: return "!";
        case action::inject: return "^";
    }
    return "";
}

}  // namespace

bool script::uses(action what) const {
    return any_step(*this, [what](step const& s) { return s.what == what; });
}

bool script::uses_shared() const {
    return any_step(*this, [](step const& s) { return requests(s) && s.mode == mode::shared; });
}

unsigned script::longest() const {
    std::ptrdiff_t most = 0;
    for (auto const& t : threads) {
        for (auto const& txn : t)
            most = std::max(most, std::count_if(txn.begin(), txn.end(), requests));
    }
    return static_cast<unsigned>(most);
}

bool script::requests_hold_nothing() const {
    for (auto const& t : threads) {
        for (auto const& txn : t) {
            std::vector<unsigned> held;
            for (auto const& s : txn) {
                if (s.what == action::inject || s.what == action::detach) return false;
                if (s.what == action::release) std::erase(held, s.lock);
                if (!requests(s)) continue;
                if (!held.empty()) return false;
                held.push_back(s.lock);
            }
        }
    }
    return true;
}

bool script::in_order() const {
    for (auto const& t : threads) {
        for (auto const& txn : t) {
            for (std::size_t i = 0; i < txn.size(); ++i) {
                if (txn[i].what != action::lock || txn[i].mode != mode::exclusive) return false;
                if (i > 0 && txn[i].lock <= txn[i - 1].lock) return false;
            }
        }
    }
    return true;
}

std::string script::text() const {
    std::string all;
    for (std::size_t t = 0; t < threads.size(); ++t) {
        if (t > 0) all += '|';
        for (std::size_t i = 0; i < threads[t].size(); ++i) {
            if (i > 0) all += '/';
            for (auto const& s : threads[t][i]) all += text_of(s);
        }
    }
    return all;
}

script script::parse(std::string_view text) {
    script result;
    result.threads.emplace_back().emplace_back();
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto const refuse = [&](std::string const& expected) {
            throw std::invalid_argument{"script, character " + std::to_string(i + 1) +
                                        ": expected " + expected + ", as in AB|BA"};
        };
        step s;
        switch (text[i]) {
            case '|': result.threads.emplace_back().emplace_back(); continue;
            case '/': result.threads.back().emplace_back(); continue;
            case '!': s.what = action::fail; break;
            case '^': s.what = action::inject; break;
            case '?': s.what = action::try_lock; break;
            case '~': s.what = action::lock_until; break;
            case '-': s.what = action::release; break;
            case '*': s.what = action::detach; break;
            case '=': s.what = action::read; break;
            default: break;
        }
        if (s.what != action::fail && s.what != action::inject) {
            if (s.what != action::lock && ++i == text.size()) refuse("a lock's letter");
            auto const letter = text[i];
            if (letter >= 'A' && letter <= 'Z') {
                s.lock = static_cast<unsigned>(letter - 'A');
            } else if (letter >= 'a' && letter <= 'z') {
                s.lock = static_cast<unsigned>(letter - 'a');
                s.mode = mode::shared;
            } else {
                refuse("a lock's letter");
            }
            result.locks = std::max(result.locks, s.lock + 1);
        }
        result.threads.back().back().push_back(s);
    }
    if (result.locks == 0)
        throw std::invalid_argument{"script: expected at least one lock, as in AB|BA"};
    return result;
}

script random_script(std::uint64_t seed, vocabulary const& v) {
    std::mt19937_64 random{seed};
    auto const draw = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    script result;
    result.locks = v.locks;
    result.threads.resize(2 + draw(v.threads - 1));
    for (auto& t : result.threads) {
        t.resize(1 + draw(v.transactions));
        for (auto& txn : t) {
            if (v.rare && draw(6) == 0) {
                txn.push_back({action::read, draw(v.locks), mode::shared});
                continue;
            }
            auto const count = 2 + draw(v.steps - 1);
            std::vector<step> held;
            while (txn.size() < count) {
                step s{action::lock, draw(v.locks), draw(3) == 0 ? mode::shared : mode::exclusive};
                auto const rare = v.rare ? draw(12) : 12U;
                if (rare == 0) s.what = action::try_lock;
                if (rare == 1) s.what = action::lock_until;
                if (rare == 2 && !held.empty()) {
                    s = held.back();
                    s.what = action::release;
                    held.pop_back();
                }
                if (rare == 3 && !held.empty()) s = {action::fail, 0, mode::exclusive};
                if (s.what == action::lock) held.push_back(s);
                txn.push_back(s);
                if (s.what == action::fail) break;
            }
        }
    }
    return result;
}

}  // namespace explore

// Checked builds: the nodes that say what is open in a context (engine/checks.hpp). One set for a program and its shared
// libraries, so no templates, and no platform's own types: statistics, which nobody orders on.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace manylock {

namespace [[gnu::visibility("default")]] process_wide {

enum class scope_kind : unsigned char {
    transaction,  ///< of domain::run
    begun,        ///< by hand: checked when it begins, not followed
    read,
    fallback,
    hold  ///< of a lockable, exclusive
};

struct open_node {
    std::atomic<std::uint64_t> opened{0};  ///< odd while open
    std::atomic<bool> uncertain{false};  ///< somebody else may have closed another one in its place
    std::atomic<void const*> domain{nullptr};
    std::atomic<void const*> lock{nullptr};  ///< of a read
    int level = 0;
    scope_kind kind = scope_kind::transaction;
    open_node* next = nullptr;

    // relaxed, all of them: checks
    [[nodiscard]] std::uint64_t generation() const noexcept {
        return opened.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool is_open() const noexcept { return generation() % 2 != 0; }
    [[nodiscard]] bool is_certain() const noexcept {
        return !uncertain.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool is_of(void const* d) const noexcept {
        return domain.load(std::memory_order_relaxed) == d;
    }
    [[nodiscard]] bool is_read_of(void const* d, void const* l) const noexcept {
        return is_open() && lock.load(std::memory_order_relaxed) == l && is_of(d);
    }
    void open(void const* d, void const* l) noexcept {
        uncertain.store(false, std::memory_order_relaxed);
        domain.store(d, std::memory_order_relaxed);
        lock.store(l, std::memory_order_relaxed);
        opened.store(generation() + 1, std::memory_order_relaxed);
    }
    void close() noexcept { opened.store(generation() + 1, std::memory_order_relaxed); }
};

/// All nodes; they live as long as the process.
class open_nodes {
public:
    static open_nodes& all() {
        static auto& one = *new open_nodes;  // never destroyed: guards may outlive static objects
        return one;
    }
    open_node* take() {
        std::lock_guard const guard{mutex_};
        if (auto* const n = spare_; n != nullptr) {
            spare_ = n->next;
            n->next = nullptr;
            return n;
        }
        nodes_.push_back(std::make_unique<open_node>());
        return nodes_.back().get();
    }
    void take_back(open_node* first) noexcept {
        std::lock_guard const guard{mutex_};
        while (first != nullptr) {
            auto* const n = std::exchange(first, first->next);
            n->next = std::exchange(spare_, n);
        }
    }
    bool close_read(void const* domain, void const* lock) noexcept {
        std::lock_guard const guard{mutex_};
        open_node* found = nullptr;
        for (auto const& n : nodes_) {
            if (!n->is_read_of(domain, lock)) continue;
            if (found !=
                nullptr) {  // whose read it was is not known: neither is held against its context
                found->uncertain.store(true, std::memory_order_relaxed);  // relaxed: a check
                n->uncertain.store(true, std::memory_order_relaxed);      // relaxed: a check
            }
            found = n.get();
        }
        if (found != nullptr) found->close();
        return found != nullptr;
    }

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<open_node>> nodes_;
    open_node* spare_ = nullptr;
};

/// What is open in one context. Trivial, so that it serves to the end of its thread.
struct open_list {
    open_node* open = nullptr;
    open_node* spare = nullptr;
    bool kept = false;
};
/// Gives the list's spare nodes back when its context ends.
struct open_list_keeper {
    open_list* of = nullptr;
    ~open_list_keeper() {
        if (of != nullptr) open_nodes::all().take_back(std::exchange(of->spare, nullptr));
    }
};
/// Where a context's one lies tells it from others (engine/umbrella_share.hpp); not in checked builds only.
struct context_mark {
    char byte = 0;
};

}  // namespace process_wide

}  // namespace manylock

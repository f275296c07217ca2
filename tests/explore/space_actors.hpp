// A script for an address space carried out by the fibers of a world, under a policy.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <manylock/address_space/space.hpp>
#include <simulate/exploring_rcu.hpp>

#include "actors.hpp"
#include "space_history.hpp"
#include "space_script.hpp"

namespace explore {

template <class Policy, manylock::options Options = no_spinning>
using explored_space = manylock::address_space::space_on<
    manylock::domain<Policy, Options, manylock::simulate::exploring_rcu>>;

template <class Policy, manylock::options Options = no_spinning>
class space_actors final : public manylock::simulate::scenario {
public:
    using platform = manylock::simulate::exploring_rcu;
    using space_type = explored_space<Policy, Options>;
    using world = manylock::simulate::world;
    using operation = manylock::address_space::operation;

    explicit space_actors(space_script const& s)
        : script_{s}, history_{s}, doing_(s.threads.size()) {
        platform::begin_run();
        manylock::simulate::space_kernel::loads_are_points = s.loads_are_points;
        space_ = std::make_unique<space_type>(s.globals);
        for (std::size_t i = 0; i < s.threads.size(); ++i)
            workers_.push_back(std::make_unique<worker>());
        for (auto const& op : s.first) (void)space_->apply(*workers_.front(), op);
    }
    ~space_actors() override {
        if (!begun_ || ended_) {
            workers_.clear();
            return;
        }
        // Fibers were left behind in the middle of it: locks are held, and always will be.
        for (auto& w : workers_) (void)w.release();
        (void)space_.release();
    }

    [[nodiscard]] unsigned threads() const override {
        return static_cast<unsigned>(script_.threads.size());
    }
    void thread(unsigned number) override {
        begun_ = true;
        for (auto const& op : script_.threads[number]) {
            auto& mine = doing_[number];
            mine = {.op = &op};
            std::uint64_t const called = world::active().now();
            std::int64_t const result = space_->apply(*workers_[number], op, [&] { work(number); });
            mine = {};
            history_.add({number, op, result, workers_[number]->commit_number(), called,
                          world::active().now()});
            world::active().progress();
        }
    }
    void at_end() override {
        ended_ = true;
        // No two neighbours could be one VMA: the array of pages says so, and where it would be wrong to say.
        if (auto const wrong = space_->broken_invariant(false); !wrong.empty())
            return broken(wrong);
        if (auto const wrong = history_.check(space_->vmas(), space_->globals()); !wrong.empty())
            return broken(wrong);
        auto const stats = space_->domain().stats();
        if (Policy::needs.umbrella && stats.restarts() != 0)
            return broken("a restart, although the umbrella's holder waits for nobody's VMA");
        if (script_.nothing_goes && stats.restarts(manylock::restart_reason::stale) != 0)
            return broken("somebody was told that an object has gone, although none goes");
        check_gaps();
    }
    [[nodiscard]] bool waits_in_circle() const override { return false; }
    [[nodiscard]] std::string describe() const override {
        std::string all = history_.listing();
        for (std::size_t i = 0; i < doing_.size() && !ended_; ++i)
            all +=
                "  thread " + std::to_string(i) + ": " +
                (doing_[i].op != nullptr ? "in " + text_of(*doing_[i].op) : "ended or not begun") +
                '\n';
        return all;
    }

private:
    using worker = typename space_type::worker;
    struct doing {
        operation const* op = nullptr;
        bool working = false;  ///< all that it needs is locked
        bool worked = false;
    };

    /// What maps at a fixed place has the whole range for itself now; a fault, its page; what unmaps, all that is
    /// mapped there, which may be less than what comes before it commits.
    void work(unsigned number) {
        auto& mine = doing_[number];
        for (std::size_t i = 0; i < doing_.size(); ++i) {
            auto const& other = doing_[i];
            if (i == number || !other.working || !exclude(*mine.op, *other.op)) continue;
            if (end(*mine.op) > other.op->start && end(*other.op) > mine.op->start)
                broken(text_of(*mine.op) + " and " + text_of(*other.op) + " both work on a page");
        }
        if (script_.only_unmaps && mine.op->what == call::fault &&
            history_.has_unmapped(mine.op->start))
            broken(text_of(*mine.op) + " works on a page that has been unmapped");
        if (mine.worked && script_.nothing_goes)
            broken(text_of(*mine.op) +
                   " does its work twice, although its claims keep others away");
        mine.working = mine.worked = true;
        platform::step();
        mine.working = false;
    }
    using call = manylock::address_space::call;
    [[nodiscard]] bool exclude(operation const& a, operation const& b) const {
        auto const faults = [](operation const& op) { return op.what == call::fault; };
        auto const excludes_faults = [this](operation const& op) {
            return maps(op) || (script_.only_unmaps && op.what == call::unmap);
        };
        return (maps(a) && maps(b)) || (excludes_faults(a) && faults(b)) ||
               (excludes_faults(b) && faults(a));
    }
    [[nodiscard]] static bool maps(operation const& op) {
        return op.what == call::map && (op.flags & manylock::address_space::abi::map_fixed) != 0;
    }
    [[nodiscard]] static manylock::address_space::address end(operation const& op) {
        return op.start + (op.what == call::fault ? manylock::address_space::page_size : op.length);
    }
    /// What no VMA has can be mapped, from the top down: the map's gaps are the rest of its VMAs.
    void check_gaps() {
        using namespace manylock::address_space;
        operation op;
        op.what = call::map;
        op.flags = abi::map_private | abi::map_anonymous;
        for (std::size_t pages = script_.window; pages > 0; --pages) {
            address const expected = history_.highest_hole(pages);
            if (expected == 0) continue;
            op.length = pages * page_size;
            std::int64_t const got = space_->apply(*workers_.front(), op);
            if (got != static_cast<std::int64_t>(expected))
                broken("the highest gap of " + std::to_string(pages) + " pages is not found");
            break;
        }
    }

    space_script const& script_;
    space_history history_;
    std::unique_ptr<space_type> space_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::vector<doing> doing_;
    bool begun_ = false;
    bool ended_ = false;
};

}  // namespace explore

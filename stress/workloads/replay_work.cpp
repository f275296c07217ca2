#include "replay_work.hpp"

#include <algorithm>
#include <manylock/address_space/rules/vma.hpp>

namespace manylock::stress {
namespace {

namespace space = address_space;
using space::call;

class page_counter {
public:
    explicit page_counter(space::address brk) : brk_(brk) {}

    /// Pages of the range that the item is about.
    std::uint64_t operator()(space::operation const& op) {
        switch (op.what) {
            case call::set_break: {
                auto const old_end = space::page_ceil(brk_);
                brk_ = static_cast<space::address>(op.result);
                auto const new_end = space::page_ceil(brk_);
                return (std::max(old_end, new_end) - std::min(old_end, new_end)) / space::page_size;
            }
            case call::remap: return pages(std::max(op.length, op.new_length));
            case call::fault:
            case call::lock_all:
            case call::unlock_all: return 1;
            default: return pages(op.length);
        }
    }

private:
    static std::uint64_t pages(std::uint64_t length) {
        return length / space::page_size + (length % space::page_size != 0 ? 1 : 0);
    }

    space::address brk_;
};

}  // namespace

std::string work_choice::text() const {
    switch (what) {
        case kind::none: return "none";
        case kind::traced: return "traced";
        case kind::per_page: return std::to_string(ns_per_page);
    }
    return {};
}

std::vector<std::uint32_t> work_of(replay::recorded_program const& program,
                                   work_choice const& choice) {
    std::vector<std::uint32_t> work;
    if (choice.what == work_choice::kind::none) return work;
    work.reserve(program.items.size());
    page_counter count(program.globals.brk);
    for (auto const& item : program.items) {
        bool const fault = item.op.what == call::fault;
        auto const pages = count(item.op);
        std::uint64_t ns = fault ? fault_work_ns : item.work_ns;
        if (choice.what == work_choice::kind::per_page) {
            // No product of more pages than this is below the cap.
            ns = choice.ns_per_page * std::min(pages, work_ns_max);
        }
        if (item.op.result < 0) ns = 0;
        work.push_back(static_cast<std::uint32_t>(std::min(ns, work_ns_max)));
    }
    return work;
}

}  // namespace manylock::stress

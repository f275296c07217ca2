#include "virtual_crew.hpp"

#include "virtual_stage.hpp"

namespace manylock::simulate {

virtual_crew::virtual_crew(stress::row_request const& request)
    : left_(request.length.commits.value() / 10),
      commits_(*request.length.commits),
      members_(request.threads) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
        members_[i].crew_ = this;
        members_[i].index_ = i;
    }
}

double virtual_crew::run(std::function<void(member&)> const& work,
                         std::function<void(bool begins)> const& measured) {
    measured_ = &measured;
    auto& here = *machine::current();
    auto const start_measuring = [&] {
        phase_ = phase::measure;
        left_ = commits_;
        begin_ = here.now();
        scene::of_thread().mark(true);
        measured(true);
    };
    begin_ = here.now();
    if (left_ == 0) start_measuring();
    auto const start = here.now();
    std::vector<unsigned> threads;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        threads.push_back(here.spawn([this, &here, &work, start, i] {
            // A barrier lets them go one after the other: whoever opens it has to wake each.
            here.compute_until(start + i * here.cost().wake);
            work(members_[i]);
        }));
    }
    for (auto const t : threads) here.join(t);
    stress::throw_if_interrupted();
    return static_cast<double>(end_ - begin_) * 1e-9;
}

void virtual_crew::committed(time_point start) {
    auto& here = *machine::current();
    here.in_order();
    if (phase_ == phase::stop) return;
    if (phase_ == phase::measure) {
        auto const began = static_cast<std::uint64_t>(start.time_since_epoch().count());
        total_.committed(here.now() - began);
    }
    scene::of_thread().count_commit();
    if (left_ > 0) --left_;
    if (left_ > 0 ||
        (phase_ == phase::warm_up && here.now() < begin_ + members_.size() * here.cost().wake))
        return;
    // The phase first: reading the counters takes a mutex, so others may come by meanwhile.
    if (phase_ == phase::warm_up) {
        phase_ = phase::measure;
        left_ = commits_;
        begin_ = here.now();
        scene::of_thread().mark(true);
        (*measured_)(true);
    } else {
        phase_ = phase::stop;
        end_ = here.now();
        scene::of_thread().mark(false);
        (*measured_)(false);
    }
}

}  // namespace manylock::simulate

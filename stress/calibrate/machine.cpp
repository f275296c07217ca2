#include "calibrate/machine.hpp"

#include <cerrno>
#include <fstream>
#include <system_error>

namespace manylock::stress {
namespace {

long number_in(std::filesystem::path const& file, long otherwise) {
    std::ifstream in(file);
    long value = 0;
    return in >> value && value >= 0 ? value : otherwise;
}

template <class Fits>
std::optional<processor_pair> find_pair(std::vector<processor> const& among, Fits fits) {
    for (std::size_t i = 0; i < among.size(); ++i) {
        for (std::size_t j = i + 1; j < among.size(); ++j) {
            if (fits(among[i], among[j])) return processor_pair{among[i].number, among[j].number};
        }
    }
    return std::nullopt;
}

}  // namespace

std::vector<processor> read_processors(std::vector<unsigned> const& numbers,
                                       std::filesystem::path const& root) {
    std::vector<processor> all;
    for (auto const n : numbers) {
        auto const place = root / ("cpu" + std::to_string(n)) / "topology";
        all.push_back({n, number_in(place / "physical_package_id", 0),
                       number_in(place / "core_id", static_cast<long>(n))});
    }
    return all;
}

std::vector<processor> usable_processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<unsigned> numbers;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
        for (unsigned n = 0; n < CPU_SETSIZE; ++n) {
            if (CPU_ISSET(n, &set)) numbers.push_back(n);
        }
    }
    return read_processors(numbers, "/sys/devices/system/cpu");
}

std::optional<processor_pair> neighbours(std::vector<processor> const& among) {
    return find_pair(among, [](processor const& a, processor const& b) {
        return a.socket == b.socket && a.core != b.core;
    });
}

std::optional<processor_pair> strangers(std::vector<processor> const& among) {
    return find_pair(among,
                     [](processor const& a, processor const& b) { return a.socket != b.socket; });
}

pinned::pinned(unsigned number) {
    CPU_ZERO(&before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(number, &one);
    if (::sched_getaffinity(0, sizeof before_, &before_) != 0 ||
        ::sched_setaffinity(0, sizeof one, &one) != 0) {
        throw std::system_error(errno, std::generic_category(),
                                "cannot stay on processor " + std::to_string(number));
    }
}

pinned::~pinned() {
    ::sched_setaffinity(0, sizeof before_, &before_);
}

}  // namespace manylock::stress

#include "plot.hpp"

#include "../atomic_file.hpp"
#include "../interrupt.hpp"
#include "../input_error.hpp"

#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <span>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

extern char** environ;

namespace manylock::stress {
namespace {

namespace fs = std::filesystem;

struct named_colour {
    std::string_view name;
    std::string_view colour;
};

// After Okabe and Ito: told apart by colour-blind readers too. The umbrella, which the others are
// compared with, is the neutral one; a twin has the lighter tone of its policy.
constexpr std::array<named_colour, 7> policy_colours{{{"umbrella", "#4d4d4d"},
                                                      {"wound_wait", "#0072b2"},
                                                      {"wait_die", "#d55e00"},
                                                      {"cycle_detection", "#009e73"},
                                                      {"cycle_detection_bgl", "#7fd6bf"},
                                                      {"lock_ordering", "#cc79a7"},
                                                      {"no_wait", "#e69f00"}}};
constexpr std::array<std::string_view, 4> other_colours{"#56b4e9", "#8c564b", "#9467bd", "#bcbd22"};

/// A part of the restarts that bars are stacked of.
struct restart_part {
    std::string_view name;
    count result_row::*member;
    std::string_view colour;
};

constexpr std::array<restart_part, 7> reason_parts{{
    {"wounded", &result_row::restarts_wounded, "#0072b2"},
    {"died", &result_row::restarts_died, "#d55e00"},
    {"deadlock", &result_row::restarts_deadlock, "#009e73"},
    {"out_of_order", &result_row::restarts_out_of_order, "#cc79a7"},
    {"conflict", &result_row::restarts_conflict, "#e69f00"},
    {"injected", &result_row::restarts_injected, "#999999"},
    {"stale", &result_row::restarts_stale, "#8c564b"},
}};
static_assert([] {
    for (std::size_t i = 0; i < reason_parts.size(); ++i) {
        if (reason_parts[i].name != restart_reason_columns[i].name) return false;
    }
    return reason_parts.size() == restart_reason_columns.size();
}());

/// Whether a restart was needed.
constexpr std::array<restart_part, 2> need_parts{{
    {"closed a cycle", &result_row::restarts_cycle, "#009e73"},
    {"precaution", &result_row::restarts_precaution, "#e69f00"},
}};

/// Text in gnuplot's single quotes, where nothing but the quote itself has a meaning; it becomes
/// the typographic one.
std::string gnuplot_string(std::string_view text) {
    std::string result = "'";
    for (char const c : text) {
        if (c == '\'') {
            result += "\u2019";
        } else if (c != '\n' && c != '\r' && c != '\0') {
            result += c;
        }
    }
    return result + "'";
}

std::string number(double value) {
    std::ostringstream out;
    out.precision(9);
    out << value;
    return out.str();
}

std::string cut(std::string const& text, std::size_t length) {
    return text.size() <= length ? text : text.substr(0, length - 3) + "...";
}

std::string preamble(std::string const& title, std::string const& subtitle,
                     std::string const& origin) {
    return "reset\n"
           "set title " +
           gnuplot_string(title) + " . \"\\n\" . " + gnuplot_string(cut(subtitle, 92)) +
           " font ',15' offset 0,0.3\n"
           "set label 99 " +
           gnuplot_string(cut(origin, 150)) +
           " at screen 0.012,0.022 left font ',9' textcolor rgb '#707070'\n"
           "set border 3 linecolor rgb '#707070'\n"
           "set xtics scale 0\n"
           "set tics nomirror textcolor rgb '#303030'\n"
           "set grid ytics linecolor rgb '#dddddd' linetype 1 linewidth 1\n"
           "set bmargin at screen 0.16\n"
           "set rmargin at screen 0.77\n"
           "set lmargin at screen 0.115\n"
           "set tmargin at screen 0.85\n"
           "set key at screen 0.785,0.84 left top Left reverse samplen 2 spacing 1.25 noopaque\n";
}

using cell_value = std::optional<summary> (*)(cell const&);

struct line_graph {
    std::string suffix;
    std::string title;
    std::string y_label;
    double per_unit;  ///< the axis counts in these
    cell_value value;
    std::string metric;     ///< published under this name; empty: not drawn
    bool relative = false;  ///< each series divided by its value at the panel's smallest point
};

/// A line: its points, and how far the rounds lie apart there.
struct series {
    struct point {
        std::uint64_t at;
        summary value;
    };
    std::string name;
    std::string_view colour;
    std::vector<point> points;
};

/// Divides by the value at `at`; empty where there is none.
void make_relative(series& s, std::uint64_t at) {
    auto const base = std::find_if(s.points.begin(), s.points.end(),
                                   [&](series::point const& p) { return p.at == at; });
    auto const divisor = base == s.points.end() ? 0 : base->value.median;
    if (divisor <= 0) {
        s.points.clear();
        return;
    }
    for (auto& p : s.points) {
        p.value.median /= divisor;
        p.value.low /= divisor;
        p.value.high /= divisor;
    }
}

std::vector<series> series_of(panel const& of, line_graph const& g) {
    std::vector<series> all;
    for (auto const& policy : of.policies) {
        series s{policy, policy_colour(policy), {}};
        for (auto const at : of.points) {
            auto const* const c = of.find(policy, at);
            if (auto const value = c == nullptr ? std::nullopt : g.value(*c))
                s.points.push_back({at, *value});
        }
        if (g.relative) make_relative(s, of.points.front());
        all.push_back(std::move(s));
    }
    return all;
}

std::vector<series> published_series(panel const& of, line_graph const& g) {
    std::vector<series> all;
    for (auto const& p : of.published) {
        if (p.metric != g.metric) continue;
        auto at =
            std::find_if(all.begin(), all.end(), [&](series const& s) { return s.name == p.name; });
        if (at == all.end()) {
            all.push_back({p.name, policy_colour(p.policy.empty() ? p.name : p.policy), {}});
            at = all.end() - 1;
        }
        at->points.push_back({p.threads, {p.value, p.value, p.value, 1}});
    }
    if (g.relative) {
        for (auto& s : all) make_relative(s, of.points.front());
    }
    std::erase_if(all, [](series const& s) { return s.points.empty(); });
    return all;
}

bool has_data(panel const& of, cell_value value) {
    for (auto const& c : of.cells) {
        if (value(c)) return true;
    }
    return false;
}

/// Where the points stand: measured ones side by side, as far apart as they come; simulated ones by
/// their number, on a logarithmic scale if they range far.
class x_axis {
public:
    explicit x_axis(panel const& of) : of_(&of) {}

    void include(std::vector<series> const& all) {
        for (auto const& s : all) {
            for (auto const& p : s.points) {
                low_ = std::min(low_, p.at);
                high_ = std::max(high_, p.at);
            }
        }
    }
    [[nodiscard]] double position(std::uint64_t at) const {
        if (of_->simulated) return static_cast<double>(at);
        return static_cast<double>(std::find(of_->points.begin(), of_->points.end(), at) -
                                   of_->points.begin());
    }
    [[nodiscard]] std::string script() const {
        std::string tics;
        for (auto const at : of_->points) {
            tics += (tics.empty() ? "" : ", ") + gnuplot_string(std::to_string(at)) + ' ' +
                    number(position(at));
        }
        return "set xlabel " + gnuplot_string(axis_name(of_->axis)) + '\n' +
               (is_logarithmic() ? "set logscale x 2\n" : "") + "set xtics (" + tics +
               ")\nset xrange [" + range() + "]\n";
    }

private:
    static constexpr std::uint64_t far = 16;

    [[nodiscard]] bool is_logarithmic() const {
        return of_->simulated && low_ > 0 && high_ > far * low_;
    }
    [[nodiscard]] std::string range() const {
        if (!of_->simulated) return "-0.2:" + number(static_cast<double>(of_->points.size()) - 0.8);
        auto const low = static_cast<double>(low_);
        auto const high = static_cast<double>(high_);
        if (is_logarithmic()) return number(low / 1.15) + ':' + number(high * 1.15);
        auto const margin = (high - low) / 25;
        return number(low - margin) + ':' + number(high + margin);
    }

    panel const* of_;
    std::uint64_t low_ = of_->points.front();
    std::uint64_t high_ = of_->points.back();
};

std::string data_block(std::string const& name, series const& s, x_axis const& x, double per_unit) {
    auto data = name + " << EOD\n";
    for (auto const& p : s.points) {
        data += number(x.position(p.at)) + ' ' + number(p.value.median / per_unit) + ' ' +
                number(p.value.low / per_unit) + ' ' + number(p.value.high / per_unit) + '\n';
    }
    return data + "EOD\n";
}

/// A line per policy, with the range of the rounds as error bars; published ones dashed.
std::string lines_script(panel const& of, line_graph const& g) {
    std::string data;
    std::string plots;
    auto const ours = series_of(of, g);
    auto const published = published_series(of, g);
    x_axis x(of);
    x.include(published);
    for (std::size_t p = 0; p < ours.size(); ++p) {
        auto const& s = ours[p];
        auto const block = "$p" + std::to_string(p);
        data += data_block(block, s, x, g.per_unit);
        if (s.points.empty()) continue;
        auto const style = " linecolor rgb '" + std::string(s.colour) + "'";
        plots += plots.empty() ? "plot " : ", \\\n     ";
        plots += block +
                 " using 1:3:(0):($4-$3) with vectors heads size screen 0.005,90 linewidth 1" +
                 style + " notitle, \\\n     " + block +
                 " using 1:2 with linespoints linewidth 2.5 pointtype " +
                 std::to_string(5 + 2 * (p % 5)) + " pointsize 0.8" + style +
                 (s.name == "umbrella" ? " dashtype 2" : "") + " title " + gnuplot_string(s.name);
    }
    for (std::size_t p = 0; p < published.size(); ++p) {
        auto const& s = published[p];
        auto const block = "$published" + std::to_string(p);
        data += data_block(block, s, x, g.per_unit);
        plots += plots.empty() ? "plot " : ", \\\n     ";
        plots += block + " using 1:2 with linespoints dashtype (8,5) linewidth 1.5 pointtype " +
                 std::to_string(4 + 2 * (p % 5)) + " pointsize 0.8 linecolor rgb '" +
                 std::string(s.colour) + "' title " + gnuplot_string("published: " + s.name);
    }
    // The longer names want a wider key.
    auto const key = published.empty() ? std::string()
                                       : "set rmargin at screen 0.7\n"
                                         "set key at screen 0.715,0.84 left top Left reverse "
                                         "samplen 2 spacing 1.25 noopaque\n";
    return key + x.script() + "set ylabel " + gnuplot_string(g.y_label) +
           "\nset yrange [0:*]\nset format y '%g'\n" + data + plots + '\n';
}

std::string policy_tics(panel const& of) {
    std::string tics;
    for (std::size_t p = 0; p < of.policies.size(); ++p) {
        tics += (p == 0 ? "" : ", ") + gnuplot_string(of.policies[p]) + ' ' + std::to_string(p);
    }
    return "set xtics (" + tics + ") rotate by -22 font ',11'\nset xrange [-0.6:" +
           number(static_cast<double>(of.policies.size()) - 0.4) + "]\n";
}

/// One point only: a bar per policy, and what was published as a mark on its policy's.
std::string bars_script(panel const& of, line_graph const& g) {
    std::string data = "$bars << EOD\n";
    std::string marks;
    std::string plots;
    for (std::size_t p = 0; p < of.policies.size(); ++p) {
        auto const* const c = of.find(of.policies[p], of.points.back());
        auto const value = c == nullptr ? std::nullopt : g.value(*c);
        if (!value) continue;
        data += std::to_string(p) + ' ' + number(value->median / g.per_unit) + ' ' +
                number(value->low / g.per_unit) + ' ' + number(value->high / g.per_unit) + '\n';
        plots += plots.empty() ? "plot " : ", \\\n     ";
        plots += "$bars using ($1 == " + std::to_string(p) +
                 " ? $1 : NaN):2 with boxes fillstyle solid 0.9 noborder "
                 "linecolor rgb '" +
                 std::string(policy_colour(of.policies[p])) + "' notitle";
        for (auto const& point : of.published) {
            if (point.metric == g.metric && point.policy == of.policies[p] &&
                point.threads == of.points.back())
                marks += std::to_string(p) + ' ' + number(point.value / g.per_unit) + '\n';
        }
    }
    plots +=
        ", \\\n     $bars using 1:3:(0):($4-$3) with vectors heads size screen 0.006,90 linewidth "
        "1.5 linecolor rgb "
        "'#202020' notitle";
    data += "EOD\n";
    if (!marks.empty()) {
        data += "$published << EOD\n" + marks + "EOD\n";
        plots +=
            ", \\\n     $published using 1:2 with points pointtype 6 pointsize 1.4 linewidth 2 "
            "linecolor rgb '#202020' title 'published'";
    }
    return std::string(marks.empty() ? "set rmargin at screen 0.97\n" : "") +
           "set boxwidth 0.7\nset ylabel " + gnuplot_string(g.y_label) +
           "\nset yrange [0:*]\nset format y '%g'\n" + policy_tics(of) + data + plots + '\n';
}

/// Restarts per commit at one point, stacked of their parts, a bar per policy.
std::string stacked_script(panel const& of, std::uint64_t at, std::span<restart_part const> parts) {
    std::vector<restart_part> present;
    for (auto const& part : parts) {
        for (auto const& c : of.cells) {
            auto const value = c.at == at ? c.per_commit(part.member) : std::nullopt;
            if (!value || value->high <= 0) continue;
            present.push_back(part);
            break;
        }
    }
    std::string data = "$bars << EOD\n";
    for (std::size_t p = 0; p < of.policies.size(); ++p) {
        auto const* const c = of.find(of.policies[p], at);
        double low = 0;
        data += std::to_string(p);
        for (auto const& part : present) {
            auto const value = c == nullptr ? std::nullopt : c->per_commit(part.member);
            auto const high = low + (value ? value->median : 0);
            data += ' ' + number(low) + ' ' + number(high);
            low = high;
        }
        data += '\n';
    }
    std::string plots;
    for (std::size_t r = 0; r < present.size(); ++r) {
        auto const low = std::to_string(2 + 2 * r);
        auto const high = std::to_string(3 + 2 * r);
        plots += plots.empty() ? "plot " : ", \\\n     ";
        plots += "$bars using 1:" + low + ":($1-0.35):($1+0.35):" + low + ':' + high +
                 " with boxxyerror fillstyle solid 0.9 noborder linecolor rgb '" +
                 std::string(present[r].colour) + "' title " + gnuplot_string(present[r].name);
    }
    if (plots.empty()) {
        plots =
            "set label 1 'no restarts' at graph 0.5,0.5 center font ',15' textcolor rgb '#707070'\n"
            "set yrange [0:1]\nplot NaN notitle";
    } else {
        data += "EOD\n";
        return "set ylabel 'restarts per commit'\nset yrange [0:*]\nset format y '%g'\n" +
               policy_tics(of) + data + plots + '\n';
    }
    return "set ylabel 'restarts per commit'\n" + policy_tics(of) + plots + '\n';
}

/// Latency at one point: a line from p50 to max per policy with a mark at each quantile.
std::string latency_script(panel const& of, std::uint64_t at) {
    constexpr std::array<std::pair<char const*, count result_row::*>, 4> marks{
        {{"p50", &result_row::latency_ns_p50},
         {"p99", &result_row::latency_ns_p99},
         {"p99.9", &result_row::latency_ns_p999},
         {"max", &result_row::latency_ns_max}}};
    constexpr std::array<char const*, 4> shapes{"7", "5", "9", "13"};
    std::string data = "$latency << EOD\n";
    for (std::size_t p = 0; p < of.policies.size(); ++p) {
        auto const* const c = of.find(of.policies[p], at);
        if (c == nullptr || !c->of(marks[0].second)) continue;
        data += std::to_string(p);
        for (auto const& [name, member] : marks) {
            auto const value = c->of(member);
            data += ' ' + number(std::max(value ? value->median : 0.0, 1.0) / 1000);
        }
        data +=
            ' ' + std::string("0x") + std::string(policy_colour(of.policies[p]).substr(1)) + '\n';
    }
    std::string plots =
        "plot $latency using 1:2:2:5:6 with yerrorbars pointtype -1 linewidth 4 linecolor rgb "
        "variable notitle";
    for (std::size_t m = 0; m < marks.size(); ++m) {
        plots += ", \\\n     $latency using 1:" + std::to_string(2 + m) +
                 ":6 with points pointtype " + shapes[m] +
                 " pointsize 1.3 linewidth 1.5 linecolor rgb variable notitle, \\\n     NaN with "
                 "points pointtype " +
                 shapes[m] + " pointsize 1.3 linecolor rgb '#505050' title " +
                 gnuplot_string(marks[m].first);
    }
    return "set ylabel 'first attempt to commit (us)'\nset logscale y 10\nset format y '%.0s%c'\n"
           "set errorbars small\nset yrange [*:*]\n" +
           policy_tics(of) + data + "EOD\n" + plots + '\n';
}

class child_files {
public:
    child_files(fs::path const& directory, fs::path const& errors) {
        posix_spawn_file_actions_init(&actions_);
        posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str());
        posix_spawn_file_actions_addopen(&actions_, 2, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                         0600);
        posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    }
    ~child_files() { posix_spawn_file_actions_destroy(&actions_); }
    child_files(child_files const&) = delete;
    child_files& operator=(child_files const&) = delete;
    [[nodiscard]] posix_spawn_file_actions_t const* get() const noexcept { return &actions_; }

private:
    posix_spawn_file_actions_t actions_{};
};

void run_gnuplot(fs::path const& directory, char const* script) {
    auto const errors = fs::absolute(directory / "gnuplot.err");
    child_files const files(directory, errors);
    std::string program = "gnuplot";
    std::string argument = script;
    std::array<char*, 3> arguments{program.data(), argument.data(), nullptr};
    pid_t child = 0;
    if (int const error =
            ::posix_spawnp(&child, "gnuplot", files.get(), nullptr, arguments.data(), environ);
        error != 0) {
        throw input_error(
            error == ENOENT
                ? std::string("gnuplot is not installed, and it draws the graphs; install it "
                              "(Debian: apt-get install gnuplot-nox) and run report again")
                : std::string("gnuplot cannot be started: ") + std::strerror(error));
    }
    int status = 0;
    // Looked at again and again: a signal that comes just before a wait without end would not end it.
    constexpr auto between_looks = std::chrono::milliseconds(5);
    while (::waitpid(child, &status, WNOHANG) == 0) {
        // relaxed: a flag that guards no data
        if (interrupt_requested.load(std::memory_order_relaxed)) ::kill(child, SIGTERM);
        std::this_thread::sleep_for(between_looks);
    }
    throw_if_interrupted();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    auto message = read_whole_file(errors, "gnuplot's output", std::uintmax_t{1} << 20);
    message = message.substr(0, message.find_last_not_of(" \n") + 1);
    auto const last = message.find_last_of('\n');
    throw input_error("gnuplot failed to draw the graphs: " +
                      (last == std::string::npos ? message : message.substr(last + 1)));
}

}  // namespace

std::string_view policy_colour(std::string_view policy) {
    for (auto const& known : policy_colours) {
        if (known.name == policy) return known.colour;
    }
    // By name, so that a policy added later keeps its colour from graph to graph.
    std::size_t hash = 0;
    for (char const c : policy) hash = hash * 31 + static_cast<unsigned char>(c);
    return other_colours[hash % other_colours.size()];
}

namespace {

/// The column of that name; null if results have none.
count result_row::*count_column(std::string_view name) {
    for (auto const& c : columns) {
        if (c.name != name) continue;
        if (auto const* const member = std::get_if<count result_row::*>(&c.member)) return *member;
    }
    return nullptr;
}

std::optional<summary> wasted(cell const& c) {
    static auto const column = count_column("wasted_ns");
    return column == nullptr ? std::nullopt : c.per_commit(column);
}

std::optional<summary> rate_of(cell const& c) {
    return c.of(&result_row::commits_per_second);
}

/// What is drawn against the panel's axis, if there is data.
std::vector<line_graph> line_graphs(panel const& of) {
    std::vector<line_graph> graphs{
        {"restarts", "restarts per commit", "restarts per commit", 1,
         [](cell const& c) { return c.of(&result_row::restarts_per_commit); },
         "restarts_per_commit"},
        // Published heights are of other machines; the next graph has their shapes.
        {"throughput", "throughput", "thousand commits per second", 1000, rate_of, ""},
    };
    auto first = of;
    first.points.resize(1);
    line_graph relative{"relative",
                        "throughput relative to " + first.largest(),
                        "times that of " + first.largest(),
                        1,
                        rate_of,
                        "commits_per_second",
                        true};
    if (of.points.size() > 1 && !published_series(of, relative).empty())
        graphs.push_back(std::move(relative));
    graphs.push_back(
        {"wasted", "time of attempts that restarted", "microseconds per commit", 1000, wasted, ""});
    return graphs;
}

}  // namespace

std::vector<graph> make_graphs(panel const& of, std::string const& origin) {
    std::vector<graph> graphs;
    auto const most = of.points.back();
    auto const largest = of.largest();
    std::string const simulated = of.simulated ? ", simulated" : "";
    auto const at_most = (largest.empty() ? "" : " at " + largest) + simulated;
    auto const against = " against " + std::string(axis_name(of.axis)) + simulated;
    auto const note = of.checked ? of.description + " (--check)" : of.description;
    auto const add = [&](std::string const& suffix, std::string const& title,
                         std::string const& script) {
        if (std::find(graph_suffixes.begin(), graph_suffixes.end(), suffix) == graph_suffixes.end())
            throw std::logic_error("no graph is called " + suffix);
        graphs.push_back({of.slug + '-' + suffix, title, preamble(title, note, origin) + script});
    };
    for (auto const& g : line_graphs(of)) {
        if (!has_data(of, g.value)) continue;
        bool const lines = of.points.size() > 1;
        add(g.suffix, of.workload + ": " + g.title + (lines ? against : at_most),
            lines ? lines_script(of, g) : bars_script(of, g));
    }
    if (has_data(of, [](cell const& c) { return c.of(&result_row::restarts); })) {
        add("reasons", of.workload + ": restarts by reason" + at_most,
            stacked_script(of, most, reason_parts));
    }
    if (has_data(of, [](cell const& c) { return c.of(&result_row::restarts_precaution); })) {
        add("needed", of.workload + ": restarts that were needed, and not" + at_most,
            stacked_script(of, most, need_parts));
    }
    if (has_data(of, [](cell const& c) { return c.of(&result_row::latency_ns_p50); })) {
        add("latency", of.workload + ": latency, first attempt to commit" + at_most,
            latency_script(of, most));
    }
    return graphs;
}

void draw(std::vector<graph> const& graphs, fs::path const& directory) {
    std::string script =
        "set encoding utf8\nset terminal svg size 820,500 noenhanced font 'Helvetica,13' "
        "background '#ffffff'\n";
    for (auto const& g : graphs) {
        script +=
            "set output " + gnuplot_string(g.name + ".svg") + '\n' + g.script + "unset label\n";
    }
    script += "unset output\n";
    write_file_atomically(directory / "graphs.gp", script);
    run_gnuplot(directory, "graphs.gp");
}

}  // namespace manylock::stress

#include "plot.hpp"

#include "../atomic_file.hpp"
#include "../input_error.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <sstream>
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

constexpr std::array<named_colour, 7> reason_colours{{{"wounded", "#0072b2"},
                                                      {"died", "#d55e00"},
                                                      {"deadlock", "#009e73"},
                                                      {"out_of_order", "#cc79a7"},
                                                      {"conflict", "#e69f00"},
                                                      {"injected", "#999999"},
                                                      {"stale", "#8c564b"}}};

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
};

bool has_data(panel const& of, cell_value value) {
    for (auto const& c : of.cells) {
        if (value(c)) return true;
    }
    return false;
}

/// Against threads, a line per policy, with the range of the rounds as error bars.
std::string lines_script(panel const& of, line_graph const& g) {
    std::string data;
    std::string plots;
    for (std::size_t p = 0; p < of.policies.size(); ++p) {
        auto const& policy = of.policies[p];
        auto const block = "$p" + std::to_string(p);
        data += block + " << EOD\n";
        bool any = false;
        for (std::size_t t = 0; t < of.threads.size(); ++t) {
            auto const* const c = of.find(policy, of.threads[t]);
            auto const value = c == nullptr ? std::nullopt : g.value(*c);
            if (!value) continue;
            any = true;
            data += std::to_string(t) + ' ' + number(value->median / g.per_unit) + ' ' +
                    number(value->low / g.per_unit) + ' ' + number(value->high / g.per_unit) + '\n';
        }
        data += "EOD\n";
        if (!any) continue;
        auto const style = " linecolor rgb '" + std::string(policy_colour(policy)) + "'";
        plots += plots.empty() ? "plot " : ", \\\n     ";
        plots += block +
                 " using 1:3:(0):($4-$3) with vectors heads size screen 0.005,90 linewidth 1" +
                 style + " notitle, \\\n     " + block +
                 " using 1:2 with linespoints linewidth 2.5 pointtype " +
                 std::to_string(5 + 2 * (p % 5)) + " pointsize 0.8" + style +
                 (policy == "umbrella" ? " dashtype 2" : "") + " title " + gnuplot_string(policy);
    }
    std::string tics;
    for (std::size_t t = 0; t < of.threads.size(); ++t) {
        tics += (t == 0 ? "" : ", ") + gnuplot_string(std::to_string(of.threads[t])) + ' ' +
                std::to_string(t);
    }
    return "set xlabel 'threads'\nset ylabel " + gnuplot_string(g.y_label) + "\nset xtics (" +
           tics + ")\nset xrange [-0.2:" + number(static_cast<double>(of.threads.size()) - 0.8) +
           "]\nset yrange [0:*]\nset format y '%g'\n" + data + plots + '\n';
}

std::string policy_tics(panel const& of) {
    std::string tics;
    for (std::size_t p = 0; p < of.policies.size(); ++p) {
        tics += (p == 0 ? "" : ", ") + gnuplot_string(of.policies[p]) + ' ' + std::to_string(p);
    }
    return "set xtics (" + tics + ") rotate by -22 font ',11'\nset xrange [-0.6:" +
           number(static_cast<double>(of.policies.size()) - 0.4) + "]\n";
}

/// One thread count only: a bar per policy.
std::string bars_script(panel const& of, line_graph const& g) {
    std::string data = "$bars << EOD\n";
    std::string plots;
    for (std::size_t p = 0; p < of.policies.size(); ++p) {
        auto const* const c = of.find(of.policies[p], of.threads.back());
        auto const value = c == nullptr ? std::nullopt : g.value(*c);
        if (!value) continue;
        data += std::to_string(p) + ' ' + number(value->median / g.per_unit) + ' ' +
                number(value->low / g.per_unit) + ' ' + number(value->high / g.per_unit) + '\n';
        plots += plots.empty() ? "plot " : ", \\\n     ";
        plots += "$bars using ($1 == " + std::to_string(p) +
                 " ? $1 : NaN):2 with boxes fillstyle solid 0.9 noborder "
                 "linecolor rgb '" +
                 std::string(policy_colour(of.policies[p])) + "' notitle";
    }
    plots +=
        ", \\\n     $bars using 1:3:(0):($4-$3) with vectors heads size screen 0.006,90 linewidth "
        "1.5 linecolor rgb "
        "'#202020' notitle";
    return "set rmargin at screen 0.97\nset boxwidth 0.7\nset ylabel " + gnuplot_string(g.y_label) +
           "\nset yrange [0:*]\nset format y '%g'\n" + policy_tics(of) + data + "EOD\n" + plots +
           '\n';
}

/// Restarts per commit at one thread count, stacked by reason, a bar per policy.
std::string reasons_script(panel const& of, std::uint64_t threads) {
    std::vector<std::pair<std::string_view, count result_row::*>> present;
    for (auto const& reason : restart_reason_columns) {
        for (auto const& c : of.cells) {
            auto const value = c.threads == threads ? c.per_commit(reason.member) : std::nullopt;
            if (!value || value->high <= 0) continue;
            present.emplace_back(reason.name, reason.member);
            break;
        }
    }
    std::string data = "$bars << EOD\n";
    for (std::size_t p = 0; p < of.policies.size(); ++p) {
        auto const* const c = of.find(of.policies[p], threads);
        double low = 0;
        data += std::to_string(p);
        for (auto const& [name, member] : present) {
            auto const value = c == nullptr ? std::nullopt : c->per_commit(member);
            auto const high = low + (value ? value->median : 0);
            data += ' ' + number(low) + ' ' + number(high);
            low = high;
        }
        data += '\n';
    }
    std::string plots;
    for (std::size_t r = 0; r < present.size(); ++r) {
        std::string_view colour = "#999999";
        for (auto const& known : reason_colours) {
            if (known.name == present[r].first) colour = known.colour;
        }
        auto const low = std::to_string(2 + 2 * r);
        auto const high = std::to_string(3 + 2 * r);
        plots += plots.empty() ? "plot " : ", \\\n     ";
        plots += "$bars using 1:" + low + ":($1-0.35):($1+0.35):" + low + ':' + high +
                 " with boxxyerror fillstyle solid 0.9 noborder linecolor rgb '" +
                 std::string(colour) + "' title " + gnuplot_string(present[r].first);
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

/// Latency at one thread count: a line from p50 to max per policy with a mark at each quantile.
std::string latency_script(panel const& of, std::uint64_t threads) {
    constexpr std::array<std::pair<char const*, count result_row::*>, 4> marks{
        {{"p50", &result_row::latency_ns_p50},
         {"p99", &result_row::latency_ns_p99},
         {"p99.9", &result_row::latency_ns_p999},
         {"max", &result_row::latency_ns_max}}};
    constexpr std::array<char const*, 4> shapes{"7", "5", "9", "13"};
    std::string data = "$latency << EOD\n";
    for (std::size_t p = 0; p < of.policies.size(); ++p) {
        auto const* const c = of.find(of.policies[p], threads);
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
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
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

std::vector<graph> make_graphs(panel const& of, std::string const& origin) {
    std::vector<graph> graphs;
    auto const most = of.threads.back();
    auto const at_most = most == 0
                             ? std::string()
                             : " at " + std::to_string(most) + (most == 1 ? " thread" : " threads");
    auto const note = of.checked ? of.description + " (--check)" : of.description;
    std::array<line_graph, 2> const against_threads{{
        {"restarts", "restarts per commit", "restarts per commit", 1,
         [](cell const& c) { return c.of(&result_row::restarts_per_commit); }},
        {"throughput", "throughput", "thousand commits per second", 1000,
         [](cell const& c) { return c.of(&result_row::commits_per_second); }},
    }};
    for (auto const& g : against_threads) {
        if (!has_data(of, g.value)) continue;
        bool const lines = of.threads.size() > 1;
        auto const title = of.workload + ": " + g.title + (lines ? " against threads" : at_most);
        graphs.push_back(
            {of.slug + '-' + g.suffix, title,
             preamble(title, note, origin) + (lines ? lines_script(of, g) : bars_script(of, g))});
    }
    if (has_data(of, [](cell const& c) { return c.of(&result_row::restarts); })) {
        auto const title = of.workload + ": restarts by reason" + at_most;
        graphs.push_back({of.slug + "-reasons", title,
                          preamble(title, note, origin) + reasons_script(of, most)});
    }
    if (has_data(of, [](cell const& c) { return c.of(&result_row::latency_ns_p50); })) {
        auto const title = of.workload + ": latency, first attempt to commit" + at_most;
        graphs.push_back({of.slug + "-latency", title,
                          preamble(title, note, origin) + latency_script(of, most)});
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

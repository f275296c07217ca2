"""What the Python programs share that make the pages in scripts with pages.sh.

`from pages import experiment, number, out, table`: out is the folder of --out or --print, for which the program is run.
"""
import csv
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

out = pathlib.Path(sys.argv[1])
POLICIES = ["umbrella", "wound_wait", "wait_die", "cycle_detection", "lock_ordering", "no_wait"]


def stop(why):
    sys.exit(f"{os.environ['SCRIPT']}: {why}")


# --- what was measured -------------------------------------------------------------------------------

def load(path):
    """The rows of a .csv, or what stands in a .json; path is below OUT if it is not absolute."""
    try:
        with open(out / path, newline="") as file:
            return json.load(file) if path.endswith(".json") else list(csv.DictReader(file))
    except OSError as error:
        stop(f"{out / path}: {error.strerror}; measure first")


class experiment:
    """The rows of OUT/NAME of each name: one for each workload, policy and number of threads."""
    def __init__(self, *names):
        self.rows = [r for name in names for r in load(f"{name}/results.csv")]
        there = dict.fromkeys(r["policy"] for r in self.rows)
        self.policies = [p for p in POLICIES if p in there] + [p for p in there if p not in POLICIES]
    def threads(self, workload):
        return sorted({int(r["threads"]) for r in self.rows if r["workload"] == workload})
    def row(self, workload, policy, threads):
        found = [r for r in self.rows
                 if (r["workload"], r["policy"], r["threads"]) == (workload, policy, str(threads))]
        assert len(found) == 1, (workload, policy, threads, len(found))
        return found[0]
    def get(self, workload, policy, threads, column):
        return float(self.row(workload, policy, threads)[column] or 0)
    def rate(self, workload, policy, threads):
        return self.get(workload, policy, threads, "commits_per_second")
    def restarts(self, workload, policy, threads):
        return self.get(workload, policy, threads, "restarts_per_commit")
    def needed(self, workload, policy, threads):
        """Share of the restarts that a cycle would have needed; None without restarts."""
        r = self.row(workload, policy, threads)
        tagged = int(r["restarts_cycle"] or 0) + int(r["restarts_precaution"] or 0)
        return int(r["restarts_cycle"] or 0) / tagged if tagged else None


# --- how it looks ------------------------------------------------------------------------------------

def number(x):
    """Three digits, without an exponent."""
    if x == 0: return "0"
    if x >= 1000: return f"{round(x, 3 - len(str(int(x)))):,.0f}"
    if x >= 100: return f"{x:.0f}"
    text = f"{x:.3g}"
    return text if "e" not in text else f"{x:.2g}" if x > 1e-4 else f"{x:.6f}".rstrip("0")


def percent(share):
    return "-" if share is None else f"{share * 100:.0f} %" if share in (0, 1) or share >= 0.095 else f"{share * 100:.1f} %"


def table(head, lines, text=1, say=print):
    """The first `text` columns hold text, the others numbers. say: prints a line, or keeps it."""
    say("| " + " | ".join(head) + " |")
    say("|" + "|".join("---" if i < text else "--:" for i in range(len(head))) + "|")
    for line in lines: say("| " + " | ".join(map(str, line)) + " |")
    say("")


def gnuplot(lines):
    subprocess.run(["gnuplot"], input="\n".join(lines) + "\n", text=True, check=True)


def panels(svg, policies, ylabel, drawn, *settings, colours=("#000000", "#d62728", "#ff7f0e", "#1f77b4", "#2ca02c", "#9467bd")):
    """Two panels side by side over simulated cores, a line a policy. drawn: title, cores, value(policy, cores) of each."""
    script = ["set terminal svg size 900,360 font 'sans,11' background 'white'", f"set output '{out / svg}'", "set multiplot layout 1,2",
              "set grid ytics", "set xlabel 'cores (simulated)'", f"set ylabel '{ylabel}'", "set key top left", *settings]
    for title, cores, value in drawn:
        script.append(f"set title '{title}'")
        for i, policy in enumerate(policies):
            script += [f"$d{i} << EOD", *(f"{c} {value(policy, c)}" for c in cores), "EOD"]
        script.append("plot " + ", ".join(f"$d{i} with linespoints lw 2 pt {i + 4} lc rgb '{colours[i]}' title '{policy.replace('_', ' ')}'"
                                          for i, policy in enumerate(policies)))
    gnuplot(script)


def write_csv(name, head, rows):
    """Writes OUT/name, which load() reads."""
    with open(out / name, "w", newline="") as file:
        written = csv.writer(file, lineterminator="\n")
        written.writerow(head)
        written.writerows(rows)


def write(name, lines):
    """Writes a page beside OUT."""
    path = out.parent / name
    path.write_text("\n".join(lines).rstrip() + "\n")
    print(f"wrote {path}", file=sys.stderr)


# --- where it was measured ---------------------------------------------------------------------------

def first(pattern, text, otherwise="unknown"):
    found = re.search(pattern, text, re.M)
    return found.group(1).strip() if found else otherwise


def provenance(cache):
    """What was built, by its CMakeCache.txt, and the machine."""
    def said(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout
    built, processor = cache.read_text(), said("lscpu")
    version = said(first(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", built, "c++"), "--version").splitlines()
    return {"compiler": version[0] if version else "unknown", "flags": first(r"^CMAKE_CXX_FLAGS_RELEASE:\w+=(.*)$", built),
            "cpu": first(r"^Model name:(.*)$", processor), "cores": len(os.sched_getaffinity(0)),
            "caches": ", ".join(f"{c} " + first(rf"^{c} cache:(.*)$", processor) for c in ("L1d", "L2", "L3")),
            "kernel": platform.release()}

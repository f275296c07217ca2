#!/usr/bin/env python3
"""Checks of the sources that no compiler makes. Each rule is one function over one file.

    lint.py ROOT    checks the checkout at ROOT; prints one line a finding; exit 1 if there is one

A line that must break the rule `name` says why in a comment: `// lint: allow(name) reason`.
tests/lint/self_test.py feeds every rule a file that it has to refuse.
"""
import re
import sys
from pathlib import Path

HEADER_LINES_MAX = 350
X_MACRO_LISTS = {  # included more than once on purpose
    "policies/manylock/policies/registry.hpp",
    "policies/manylock/graph/registry.hpp",
}
FOLDERS = ("lib", "policies", "stress", "tests", "docs", ".ci")
TEXT_SUFFIXES = {".hpp", ".cpp", ".py", ".sh", ".cmake", ".in", ".md", ".txt", ".json", ""}
CODE_SUFFIXES = {".hpp", ".cpp"}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
# folder -> what its files must not include. Arrows point one way: stress -> policies -> lib.
STRESS_ONLY = r"spdlog/|CLI/|nlohmann/|zlib\.h|lzma\.h|(.*/)?(stress|workloads|replay|simulate|report)/"
FORBIDDEN_INCLUDES = {
    "lib/": re.compile(rf"manylock/(policies|graph)/|boost/|{STRESS_ONLY}"),
    "policies/manylock/policies/": re.compile(rf"manylock/graph/|boost/|{STRESS_ONLY}"),
    "policies/manylock/graph/": re.compile(STRESS_ONLY),
    # The rooms of the address space: rules know no lock, the map knows no transaction.
    "lib/manylock/address_space/rules/": re.compile(r"manylock/(?!address_space/rules/)"),
    "lib/manylock/address_space/map/": re.compile(
        r"manylock/(?!address_space/(rules|map)/|platform/)"),
}

PLATFORM_FOLDER = "lib/manylock/platform/"
PLATFORM_ONLY = re.compile(
    r"\bstd::(atomic\w*|j?thread|this_thread|\w*mutex|condition_variable\w*|(counting|binary)_semaphore"
    r"|latch|barrier|chrono::\w+_clock)\b|\bfutex|\bpthread_|\bclock_gettime\b|\brdtsc|\brcu_"
    # <mutex> is not here: its lock guards serve the platform's mutex too.
    r"|<(atomic|thread|shared_mutex|condition_variable|semaphore|latch|barrier|pthread\.h"
    r"|urcu[^>]*|linux/futex\.h)>"
)

MARKERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.$}*-])/(work|home|root|Users|mnt|opt)/\w|\.\./shared\b")
SLEEPS = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\b|(?<![\w.])sleep\s*\(")

ATOMIC_CALL = re.compile(
    r"(?:\.|->)\s*(load|store|exchange|compare_exchange_(?:weak|strong)|fetch_(?:add|sub|and|or|xor)"
    r"|test_and_set)\s*\("
)
ORDER = re.compile(r"\bmemory_order\w*|\b(relaxed|acquire|release|acq_rel|seq_cst|order)\b")


def without_comments(text):
    """Blanks comments, keeps the lines."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group())
    return re.sub(r"//[^\n]*|/\*.*?\*/", blank, text, flags=re.S)


def allowed(line, rule):
    return f"lint: allow({rule})" in line


class source:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        self.suffix = Path(path).suffix
        self.is_code = self.suffix in CODE_SUFFIXES
        self.code_text = without_comments(text) if self.is_code else text
        self.code_lines = self.code_text.splitlines()

    def matches(self, pattern, rule, lines=None):
        for number, line in enumerate(self.lines if lines is None else lines, 1):
            if (match := pattern.search(line)) and not allowed(self.lines[number - 1], rule):
                yield number, match.group().strip()


def one_way_includes(file):
    for folder, forbidden in FORBIDDEN_INCLUDES.items():
        if not (file.is_code and file.path.startswith(folder)):
            continue
        for number, line in enumerate(file.lines, 1):
            if (include := INCLUDE.match(line)) and forbidden.match(include.group(1)):
                yield number, f"{folder} must not include {include.group(1)}"


def platform_only(file):
    inside = file.path.startswith(("lib/", "policies/")) and not file.path.startswith(PLATFORM_FOLDER)
    if file.is_code and inside:
        for number, word in file.matches(PLATFORM_ONLY, "platform", file.code_lines):
            yield number, f"{word} belongs into {PLATFORM_FOLDER} only"


def header_shape(file):
    if file.suffix != ".hpp":
        return
    if len(file.lines) > HEADER_LINES_MAX:
        yield HEADER_LINES_MAX, f"{len(file.lines)} lines; a header has at most {HEADER_LINES_MAX}"
    once = any(line.strip() == "#pragma once" for line in file.lines)
    if not once and file.path not in X_MACRO_LISTS:
        yield 1, "no #pragma once"


def no_leftovers(file):
    if file.path.startswith("tests/lint/"):
        return
    for number, word in file.matches(MARKERS, "marker"):
        yield number, f"{word} is not for the repository"
    for number, path in file.matches(MACHINE_PATHS, "path"):
        yield number, f"{path}... is a path of one machine"


def no_sleeps(file):
    if file.is_code and file.path.startswith("tests/"):
        for number, call in file.matches(SLEEPS, "sleep", file.code_lines):
            yield number, f"{call}: wait for something observable instead"


def spelt_memory_orders(file):
    if not (file.is_code and file.path.startswith("lib/")):
        return
    for match in ATOMIC_CALL.finditer(file.code_text):
        depth, end = 1, match.end()
        while depth and end < len(file.code_text):
            depth += {"(": 1, ")": -1}.get(file.code_text[end], 0)
            end += 1
        number = file.code_text.count("\n", 0, match.start()) + 1
        arguments = file.code_text[match.end():end - 1]
        if not ORDER.search(arguments) and not allowed(file.lines[number - 1], "order"):
            yield number, f"{match.group(1)} does not spell its memory order"


RULES = {
    "includes": one_way_includes,
    "platform": platform_only,
    "header": header_shape,
    "leftovers": no_leftovers,
    "sleep": no_sleeps,
    "order": spelt_memory_orders,
}


def sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXT_SUFFIXES:
                yield path
    for path in sorted(root.glob("*")):
        if path.is_file() and path.suffix in TEXT_SUFFIXES:
            yield path


def findings(root):
    for path in sources(root):
        try:
            file = source(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue  # data, not text
        for name, rule in RULES.items():
            for number, sentence in rule(file):
                yield f"{file.path}:{number}: [{name}] {sentence}"


def main():
    if len(sys.argv) != 2 or not Path(sys.argv[1], "lib").is_dir():
        print("usage: lint.py ROOT, where ROOT is a checkout with a folder lib", file=sys.stderr)
        return 2
    found = list(findings(Path(sys.argv[1])))
    print("\n".join(found) if found else "nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Proves that every rule of lint.py bites: each bad file is refused, by its own rule only, and a
good tree passes."""
import subprocess
import sys
import tempfile
from pathlib import Path

LINT = Path(__file__).with_name("lint.py")
HEADER = "#pragma once\n"

# (rule, path, text)
BAD = [
    ("includes", "lib/manylock/a.hpp", HEADER + "#include <manylock/policies/wait_die.hpp>\n"),
    ("includes", "lib/manylock/a.hpp", HEADER + "#include <boost/graph/adjacency_list.hpp>\n"),
    ("includes", "lib/manylock/a.hpp", HEADER + "#include <spdlog/spdlog.h>\n"),
    ("includes", "policies/manylock/policies/a.hpp", HEADER + '#include "stress/result.hpp"\n'),
    ("includes", "policies/manylock/policies/a.hpp", HEADER + "#include <boost/config.hpp>\n"),
    ("includes", "policies/manylock/graph/a.hpp", HEADER + '#include "replay/trace.hpp"\n'),
    ("includes", "lib/manylock/address_space/rules/a.hpp", HEADER + "#include <manylock/domain.hpp>\n"),
    ("includes", "lib/manylock/address_space/rules/a.hpp", HEADER + "#include <manylock/address_space/update.hpp>\n"),
    ("includes", "lib/manylock/address_space/map/a.hpp", HEADER + "#include <manylock/address_space/space.hpp>\n"),
    ("platform", "lib/manylock/a.hpp", HEADER + "std::atomic<int> a;\n"),
    ("platform", "lib/manylock/a.hpp", HEADER + "std::mutex m;\n"),
    ("platform", "lib/manylock/a.hpp", HEADER + "#include <condition_variable>\n"),
    ("platform", "lib/manylock/a.hpp", HEADER + "auto now = std::chrono::steady_clock::now();\n"),
    ("platform", "policies/manylock/policies/a.hpp", HEADER + "std::thread t; // why not\n"),
    ("platform", "policies/manylock/graph/a.hpp", HEADER + "rcu_read_lock();\n"),
    ("header", "lib/manylock/a.hpp", "int a;\n"),
    ("header", "stress/a.hpp", HEADER + "// line\n" * 350),
    ("leftovers", "lib/manylock/a.hpp", HEADER + "// TODO: think\n"),
    ("leftovers", "docs/a.md", "Look into /home/someone/notes.\n"),
    ("leftovers", "stress/run", "cp ../shared/traces .\n"),
    ("sleep", "tests/unit/a.cpp", "std::this_thread::sleep_for(1ms);\n"),
    ("sleep", "tests/unit/a.cpp", "usleep(1);\n"),
    ("order", "lib/manylock/platform/a.hpp", HEADER + "a.store(1);\n"),
    ("order", "lib/manylock/platform/a.hpp", HEADER + "a->fetch_add(f(1),\n  2);\n"),
    ("order", "lib/manylock/a.hpp", HEADER + "return word_.load(); // acquire\n"),
]

GOOD = {
    "lib/manylock/platform/native.hpp": HEADER
    + "#include <atomic>\n#include <mutex>\nstd::atomic<int> a;\na.store(f(1), std::memory_order_release);\n",
    "lib/manylock/a.hpp": HEADER + "// std::atomic is not used here\nword_.load(Platform::acquire);\n"
    + "word_.load();  // lint: allow(order) a map, no atomic\n",
    "policies/manylock/graph/a.hpp": HEADER + "#include <boost/graph/adjacency_list.hpp>\n",
    "tests/unit/a.cpp": "std::mutex m; // tests see all\n",
    "stress/a.cpp": "std::this_thread::sleep_for(1ms);\n",
}


def lint(files):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        Path(folder, "lib").mkdir(exist_ok=True)
        result = subprocess.run([sys.executable, LINT, folder], capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr


def main():
    failures = []
    code, output = lint(GOOD)
    if code != 0:
        failures.append(f"a good tree is refused:\n{output}")
    for rule, path, text in BAD:
        code, output = lint({path: text})
        lines = output.splitlines()
        if code != 1 or len(lines) != 1 or f"[{rule}]" not in lines[0]:
            failures.append(f"{path} with {text!r} should break [{rule}] once, got:\n{output}")
    print("\n".join(failures) if failures else f"all {len(BAD)} bad files are refused")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Proves that names.py bites: a good tree passes, and each change that makes it bad is told in a line of its own."""
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = Path(__file__).with_name("names.py")

GOOD = {
    "README.md": "See `word.hpp`.\n",
    "docs/engine.md": "## Order of reading\n\n| `word.hpp` | 10 | bits |\n| `lock.hpp` | 10 | `lock::take` |\n\n"
    "Not on the way: `beside.hpp`.\n\n## More\n\n`lock::take`\n",
    "docs/architecture.md": "| rule |\n|---|\n| E1 mutual exclusion | x |\n",
    "docs/locking.md": "| INV-Q1 | order | x |\n",
    "docs/memory-order.md": "| L1 | `lock_it`, `try_` |\n",
    "docs/policies/p.md": "| W1 | no cycle | x |\n",
    "docs/decisions/0001-a.md": "Text says `gone::now`.\n\nCode: `lock::take`, `word.hpp`.\n",
    "lib/manylock/engine/word.hpp": "// The word.\n//\n// Guarantees  A1 one word\n"
    "//             A2 no more\n#pragma once\n",
    "lib/manylock/engine/lock.hpp": "#pragma once\n#include <manylock/engine/word.hpp>\n"
    "#include <manylock/engine/beside.hpp>\n    /// INV-P1 An edge.\nstruct lock { void take(), lock_it(); };\n",
    "lib/manylock/engine/beside.hpp": "#pragma once\n",
    "tests/a_test.cpp": 'TEST_CASE("E1 INV-Q1: a") {}\nTEST_CASE_TEMPLATE(\n    "W1: b", P, int) {}\n'
    'add("A1 A2: c", [] {});\n'
    'enter("INV-P1: d", [] {});\nTEST_CASE("ABBA: no label") {}\n',
}

# what is told, of which file, with which text in place of which
BAD = [
    ("no test case is named for E1", "tests/a_test.cpp", "E1 INV", "INV"),
    ("no test case is named for A2", "tests/a_test.cpp", "A1 A2", "A1"),
    ("no test case is named for INV-P1", "tests/a_test.cpp", "INV-P1: d", "d"),
    ("names W2, which no page or header defines", "tests/a_test.cpp", "W1: b", "W1 W2: b"),
    ("names L1, which no page or header defines", "tests/a_test.cpp", "ABBA", "L1"),
    ("names INV-Q1, which no page", "docs/locking.md", "INV-Q1", "order"),
    ("README.md: there is no words.hpp", "README.md", "word.hpp", "words.hpp"),
    ("0001-a.md: there is no old.hpp", "docs/decisions/0001-a.md", "word.hpp", "old.hpp"),
    ("0001-a.md: lock::gone is in no header", "docs/decisions/0001-a.md", "lock::take", "lock::gone"),
    ("engine.md: lock::took is in no header", "docs/engine.md", "\n`lock::take", "\n`lock::took"),
    ("memory-order.md: lock_this is in no source", "docs/memory-order.md", "lock_it", "lock_this"),
    ("word.hpp has 5 lines, not 100", "docs/engine.md", "`word.hpp` | 10", "`word.hpp` | 100"),
    ("is to be read before word.hpp", "docs/engine.md", "| `word.hpp` | 10 | bits |\n", ""),
    ("beside.hpp is neither on the way nor beside it", "docs/engine.md", "`beside.hpp`", "none"),
]


def told(change=None):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, text in GOOD.items():
            if change is not None and path == change[0]:
                assert change[1] in text, change
                text = text.replace(change[1], change[2], 1)
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        result = subprocess.run([sys.executable, NAMES, root], capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr


def main():
    failures = []
    code, output = told()
    if code != 0:
        failures.append(f"a good tree is refused: {output}")
    for sentence, *change in BAD:
        code, output = told(change)
        if code != 1 or sentence not in output:
            failures.append(f"not told: {sentence}\n{output}")
    print("\n".join(failures) if failures else f"{len(BAD)} findings are told")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

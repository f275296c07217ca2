#!/usr/bin/env python3
"""Keeps the names in documentation, sources and tests together.

    names.py ROOT    prints one line a finding; exit 1 if there is one

Rules     Each rule has a label: E4, W2, INV-Q3. A rule is defined by a row of docs/architecture.md, docs/locking.md
          or docs/policies/ that begins with the label, or in a header's banner; an invariant (INV-) in any comment
          that begins with it. The name of at least one test case begins with it ("E3 INV-E3: ..."), and no case
          names a label that is defined nowhere.
          Labels of docs/memory-order.md (L1, F1, ...) name orders, not rules: they are unique within a
          file only, and one test weakens every order of the sources (tests/model/orders_test.cpp). They
          are not looked for.
Headers   Each NAME.hpp that README.md, docs/*.md, docs/policies/ or docs/decisions/ mention exists.
Functions Each `x::y` behind "Code:" in a decision, and in docs/engine.md, is a word of the sources, and of a file
          that has x.
Words     Each name with an underscore that stands in code in the pages on the engine, which are
          architecture.md, engine.md, locking.md and memory-order.md, is a word of a source.
Reading   The table in docs/engine.md lists headers that include only what is listed before, or beside the way, and
          says about how long each is.
"""
import re
import sys
from pathlib import Path

RULE = r"(?:INV-[A-Z]+\d*|[A-Z]\d{1,2})"
ROW = re.compile(rf"^\| ({RULE})(?= )", re.M)
BANNER = re.compile(rf"^//(?: Guarantees)? +({RULE}) [A-Za-z]", re.M)
INVARIANT = re.compile(r"^\s*//+ +(INV-[A-Z]+\d*) [A-Z]", re.M)
CASE = re.compile(r'(?:TEST_CASE(?:_TEMPLATE(?:_DEFINE)?)?|\badd|\benter)\(\s*"((?:[^"\\]|\\.)*)"')
LABELS = re.compile(rf"^((?:{RULE} )*{RULE}): ")


def sources(root, *folders, kinds=(".hpp", ".cpp")):
    for folder in folders:
        yield from (p for p in sorted((root / folder).rglob("*")) if p.suffix in kinds)


def read(path):
    return path.read_text(encoding="utf-8")


def rules(root):
    """Label to where it is defined."""
    found = {}
    docs = root / "docs"
    for page in [docs / "architecture.md", docs / "locking.md", *sorted((docs / "policies").glob("*.md"))]:
        if page.exists():
            found.update(dict.fromkeys(ROW.findall(read(page)), page))
    for header in sources(root, "lib", "policies", "stress", "tests", kinds=(".hpp",)):
        text = read(header)
        found.update(dict.fromkeys(BANNER.findall(text.partition("#pragma once")[0]), header))
        found.update(dict.fromkeys(INVARIANT.findall(text), header))
    return found


def check_rules(root):
    defined = rules(root)
    tested = set()
    for source in sources(root, "tests"):
        for case in CASE.findall(read(source)):
            if not (labels := LABELS.match(case)):
                continue
            for label in labels[1].split():
                tested.add(label)
                if label not in defined:
                    yield f"{source.relative_to(root)}: '{case}' names {label}, which no page or header defines"
    for label in sorted(defined.keys() - tested):
        yield f"{defined[label].relative_to(root)}: no test case is named for {label}"


def pages(root):
    docs = root / "docs"
    return [root / "README.md", *sorted(docs.glob("*.md")), *sorted((docs / "policies").glob("*.md")),
            *sorted((docs / "decisions").glob("*.md"))]


def check_headers(root):
    there = {p.name for p in sources(root, "lib", "policies", "stress", "tests", kinds=(".hpp",))}
    for page in pages(root):
        for name in re.findall(r"\b\w+\.hpp\b", read(page)):
            if name not in there and name != "NAME.hpp":
                yield f"{page.relative_to(root)}: there is no {name}"


def check_functions(root):
    texts = [set(re.findall(r"\w+", read(p))) for p in sources(root, "lib", "policies")]
    named = [(root / "docs/engine.md", read(root / "docs/engine.md"))]
    for page in sorted((root / "docs/decisions").glob("*.md")):
        named.append((page, read(page).partition("\nCode:")[2]))
    for page, text in named:
        for owner, name in re.findall(r"`(?:\w+::)*(\w+)::(\w+)", text):
            if owner != "std" and not any(owner in words and name in words for words in texts):
                yield f"{page.relative_to(root)}: {owner}::{name} is in no header"


def check_words(root):
    words = set()
    for source in sources(root, "lib", "policies", "stress", "tests", kinds=(".hpp", ".cpp", ".py", ".txt", ".cmake")):
        words.update(re.findall(r"\w+", read(source)))
        words.add(source.stem)
    for name in ("architecture.md", "engine.md", "locking.md", "memory-order.md"):
        page = root / "docs" / name
        text = re.sub(r"^```.*?^```", "", read(page), flags=re.S | re.M)
        for code in re.findall(r"`([^`\n]+)`", text):
            for word in re.findall(r"\b[A-Za-z]\w*_\w*[A-Za-z0-9]\b", code):
                if word not in words:
                    yield f"{page.relative_to(root)}: {word} is in no source"


def check_reading(root):
    page = root / "docs/engine.md"
    text = read(page).partition("## Order of reading")[2].partition("\n## ")[0]
    beside = set(re.findall(r"\b(\w+\.hpp)", text.partition("Not on the way:")[2]))
    places = {p.name: p for p in sources(root, "lib/manylock", kinds=(".hpp",))}
    before = set()
    for name, lines in re.findall(r"^\| `(\w+\.hpp)` \| (\d+) \|", text, re.M):
        if name not in places:
            continue  # told by check_headers
        header = read(places[name])
        length = header.count("\n")
        if abs(length - int(lines)) > max(20, length // 5):
            yield f"{page.relative_to(root)}: {name} has {length} lines, not {lines}"
        before.add(name)
        for included in re.findall(r"#include <manylock/engine/(\w+\.hpp)>", header):
            if included not in before | beside:
                yield f"{page.relative_to(root)}: {name} is to be read before {included}, which it includes"
    for header in sorted((root / "lib/manylock/engine").glob("*.hpp")):
        if header.name not in before | beside:
            yield f"{page.relative_to(root)}: {header.name} is neither on the way nor beside it"


def main():
    if len(sys.argv) != 2 or not Path(sys.argv[1], "docs", "engine.md").is_file():
        print("usage: names.py ROOT, where ROOT is a checkout", file=sys.stderr)
        return 2
    root = Path(sys.argv[1])
    checks = (check_rules, check_headers, check_functions, check_words, check_reading)
    found = [finding for check in checks for finding in check(root)]
    print("\n".join(found) if found else "nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""Checks that every relative link in README.md and docs/ leads to a file, and every anchor to a heading.

    check_links.py ROOT    prints one line a broken link; exit 1 if there is one
"""
import re
import sys
from pathlib import Path

LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.S | re.M)


def anchors(page):
    """As GitHub makes them: lower case, punctuation dropped, spaces to hyphens."""
    headings = re.findall(r"^#+ +(.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def broken(root):
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path) if path else page
            if not file.exists():
                yield f"{page.relative_to(root)}: {target} does not exist"
            elif anchor and anchor not in anchors(file):
                yield f"{page.relative_to(root)}: {target} has no such heading"


def main():
    if len(sys.argv) != 2 or not Path(sys.argv[1], "README.md").is_file():
        print("usage: check_links.py ROOT, where ROOT is a checkout", file=sys.stderr)
        return 2
    found = list(broken(Path(sys.argv[1])))
    print("\n".join(found) if found else "nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

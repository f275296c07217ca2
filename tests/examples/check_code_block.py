"""Checks that the first ```cpp block of a page is, character by character, a file of the repository.

    check_code_block.py PAGE FILE    exit 1, naming the first line that differs, if it is not
"""
import re
import sys
from pathlib import Path


def main():
    if len(sys.argv) != 3:
        print("usage: check_code_block.py PAGE FILE", file=sys.stderr)
        return 2
    page, file = map(Path, sys.argv[1:])
    block = re.search(r"^```cpp\n(.*?)^```$", page.read_text(encoding="utf-8"), re.S | re.M)
    if not block:
        print(f"{page}: no code block; it needs one that starts with ```cpp", file=sys.stderr)
        return 1
    shown = block.group(1).splitlines()
    real = file.read_text(encoding="utf-8").splitlines()
    for number in range(max(len(shown), len(real))):
        left = shown[number] if number < len(shown) else "(nothing)"
        right = real[number] if number < len(real) else "(nothing)"
        if left != right:
            print(f"line {number + 1} differs\n  {page}: {left}\n  {file}: {right}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

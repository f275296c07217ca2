"""Compiles a file and looks at what the compiler says.

    first_error.py SENTENCE COMPILER ARGUMENT...

Passes if there is one error only and it contains SENTENCE; with an empty SENTENCE, if there is none.
"""
import subprocess
import sys


def main():
    sentence, command = sys.argv[1], sys.argv[2:]
    done = subprocess.run(command, capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if " error: " in line]
    refused = len(errors) == 1 and sentence in errors[0] and done.returncode != 0
    fine = not errors and done.returncode == 0
    if refused if sentence else fine:
        return 0
    print(f"expected: {sentence or 'no error'}\ngot {len(errors)} errors:\n{done.stderr}")
    return 1


if __name__ == "__main__":
    sys.exit(main())

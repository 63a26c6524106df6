"""Runs what the documentation tells the reader to type.

Every ```sh block that follows a line `<!-- run -->` in README.md and Docs/*.md is run from the root of
the checkout, each in its own bash with `set -euo pipefail`. `<!-- run: exit 2 -->` expects that exit
code. Prints `ok` or `FAIL` per block, then `N passed, N failed, N skipped`.
"""
import glob
import re
import subprocess
import sys

SECONDS = 180
MARK = re.compile(r"^<!-- run(?:: exit (\d+))? -->$")


def blocks(path):
    wanted, code, body, start = None, 0, None, 0
    for number, line in enumerate(open(path, encoding="utf-8").read().split("\n"), 1):
        mark = MARK.match(line.strip())
        if body is not None:
            if line.startswith("```"):
                yield start, code, "\n".join(body)
                body = None
            else:
                body.append(line)
        elif mark:
            wanted, code = number, int(mark.group(1) or 0)
        elif wanted and line.startswith("```sh"):
            body, start, wanted = [], number, None
        elif wanted and line.strip():
            raise SystemExit(f"{path}:{wanted}: `<!-- run -->` is not followed by a ```sh block")


def main():
    passed = failed = 0
    for path in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", *sorted(glob.glob("Docs/*.md"))]:
        for line, code, body in blocks(path):
            try:
                run = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", body], stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, text=True)
                found, output = run.returncode, run.stdout
            except subprocess.TimeoutExpired:
                found, output = f"none after {SECONDS} s", ""
            if found == code:
                passed += 1
                print(f"ok    {path}:{line}")
            else:
                failed += 1
                print(f"FAIL  {path}:{line}: exit {found}, expected {code}\n{body}\n{output[-2000:]}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())

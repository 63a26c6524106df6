"""Maps acceptance rows to the tests that prove them, by the tests' display names.

usage: acceptance.py            rewrites Docs/Acceptance.md
       acceptance.py --check    exits 1 when the page is not what the tests say
       acceptance.py --json     prints {row: [{kind, suite, function, test, file}]} for programs

A test names its rows at the start of its display name: @Test("M27 M28: what it shows"). A check of
Tests/Conformance, where other people's clients meet the local exchange, does the same without a colon:
check("M41 a limit order is placed", ...). The page shows it as `ccxt_whitebit: M41 a limit order is placed`.

The last column of the page is written by hand and kept: what a row still lacks. A row without a test
must say `not yet: what is missing` there. A row that gains its first test says `unreviewed` until
somebody has compared tests and promise, and either emptied the cell or written
`partly: what they do not show`.
"""
import ast
import glob
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "Docs", "Acceptance.md")
ROWS = [f"M{n}" for n in range(1, 143)] + [f"C{n}" for n in range(1, 22)] + [f"T{n}" for n in range(1, 16)]
NAME = re.compile(r'@Test\(\s*"((?:[^"\\]|\\.)*)"')
FUNCTION = re.compile(r"\bfunc\s+(`[^`]+`|\w+)")
SUITE = re.compile(r"^(?:@Suite[^\n]*?\s)?(?:final )?(?:struct|class|enum|actor|extension) (\w+)", re.M)
DEFAULT = "not yet: no test names it"


def tests():
    """Tests by row, in the order of files and lines."""
    found = {row: [] for row in ROWS}
    for path in sorted(glob.glob(os.path.join(ROOT, "Tests", "**", "*.swift"), recursive=True)):
        text = open(path, encoding="utf-8").read()
        suites = [(match.start(), match.group(1)) for match in SUITE.finditer(text)]
        for match in NAME.finditer(text):
            suite = next((name for at, name in reversed(suites) if at < match.start()), "")
            function = FUNCTION.search(text, match.end())
            for row in dict.fromkeys(re.findall(r"\b[MCT]\d+\b", match.group(1))):
                if row in found:
                    found[row].append({
                        "kind": "test", "suite": suite, "function": function.group(1).strip("`") if function else "",
                        "test": match.group(1), "file": os.path.relpath(path, ROOT)})
    for path in sorted(glob.glob(os.path.join(ROOT, "Tests", "Conformance", "*.py"))):
        script = os.path.splitext(os.path.basename(path))[0]
        for name in checks(open(path, encoding="utf-8").read()):
            for row in dict.fromkeys(re.match(r"(?:[MCT]\d+ )*", name).group().split()):
                if row in found:
                    found[row].append({
                        "kind": "check", "suite": script, "function": "", "test": f"{script}: {name}",
                        "file": os.path.relpath(path, ROOT)})
    return found


def checks(source):
    """The names of a conformance script's checks, in the order of its lines."""
    calls = [node for node in ast.walk(ast.parse(source))
             if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "check" and node.args
             and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)]
    return [call.args[0].value for call in sorted(calls, key=lambda call: call.lineno)]


def rows_of(page):
    """What each row promises and lacks, as the page says: {row: (promise, missing)}."""
    cells = ([cell.strip() for cell in line.split("|")] for line in page.split("\n"))
    return {row[1]: (row[2], row[4]) for row in cells if len(row) == 6 and row[1] in ROWS}


def rewritten(page, found):
    lines, problems, seen = [], [], []
    for line in page.split("\n"):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and cells[1] in found:
            row, promise, missing = cells[1], cells[2], cells[4]
            names = list(dict.fromkeys(test["test"] for test in found[row]))
            problems += [f"{row}: a display name holds “|”: {name}" for name in names if "|" in name]
            if not names and not missing.startswith("not yet: "):
                missing = DEFAULT
            if names and missing.startswith("not yet: "):
                missing = "unreviewed"
            line = f"| {row} | {promise} | {'<br>'.join(names)} | {missing} |"
            seen.append(row)
        lines.append(line)
    if seen != ROWS:
        problems.append(f"rows missing or out of order: {sorted(set(ROWS) ^ set(seen)) or 'order'}")
    text = "\n".join(lines)
    proved = sum(1 for row in ROWS if found[row])
    text = re.sub(r"\d+ of 178 rows have a test\.", f"{proved} of 178 rows have a test.", text)
    return text, problems


def main(arguments):
    found = tests()
    if arguments == ["--json"]:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return 0
    if arguments not in ([], ["--check"]):
        raise SystemExit(__doc__)
    page = open(PAGE, encoding="utf-8").read()
    text, problems = rewritten(page, found)
    for problem in problems:
        print(problem)
    if arguments == ["--check"]:
        if text != page:
            for old, new in zip(page.split("\n"), text.split("\n")):
                if old != new:
                    print(f"- {old}\n+ {new}")
            print("Docs/Acceptance.md is behind the tests: run python3 scripts/acceptance.py")
            return 1
    elif not problems:
        open(PAGE, "w", encoding="utf-8").write(text)
        print(f"{sum(1 for row in ROWS if found[row])} of {len(ROWS)} rows have a test")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

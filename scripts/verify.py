"""Proves acceptance rows on this machine.

usage: ./martlet verify [ROW…] [--json]

Runs the tests and the conformance checks that carry acceptance rows, and prints for each row what it
promises, whether it holds, and those tests with the seconds they took (a check's are its script's).
Without rows: all that have a test. A row holds in part when some of its tests could not be run here, and
says why. Ends with `N hold, N fail, N not yet`; exits 1 when a row fails, or
is named and no test carries it; 2 when there is no such row.

options:
  ROW                         of Docs/Acceptance.md, such as M102, C12 or T13
  --json                      one object on standard output, and nothing else there

example:
  ./martlet verify M103 T14
"""
import difflib
import json
import os
import re
import subprocess
import sys
import time

import acceptance
import swift_results

ROOT = acceptance.ROOT
LOGS = os.path.join(ROOT, ".build", "verify")
# Each step ends, whatever it meets. The same caps as in scripts/test.sh.
BUILD_SECONDS, TEST_SECONDS, CONFORMANCE_SECONDS = 1500, 1800, 600
DONE, FAILED, MISUSE, INTERRUPTED = 0, 1, 2, 130


def say(text):
    print(f"martlet: {text}", file=sys.stderr, flush=True)


def wanted(words):
    """The rows typed, in the order of the table; raises ValueError for a word that is none."""
    rows = []
    for word in words:
        row = word.upper()
        if row not in acceptance.ROWS:
            raise ValueError(
                f"no row “{word}”; did you mean {nearest(row)}? Rows are M1 to M142, C1 to C21 and T1 to T15")
        rows.append(row)
    return sorted(set(rows), key=acceptance.ROWS.index)


def nearest(word):
    """The row that a wrong word is most like: the same letter's nearest number, or the nearest spelling."""
    number = re.fullmatch(r"([MCT])0*(\d{1,9})", word)
    if number:
        alike = [int(row[1:]) for row in acceptance.ROWS if row[0] == number[1]]
        return number[1] + str(min(max(int(number[2]), min(alike)), max(alike)))
    close = difflib.get_close_matches(word, acceptance.ROWS, 1, 0)
    return close[0] if close else acceptance.ROWS[0]


class Outcome:
    """How one test or check went: `verdict` is ok, FAIL or skip; `note` says why it is not ok."""

    def __init__(self, verdict, note="", seconds=None):
        self.verdict, self.note, self.seconds = verdict, note, seconds


def run(command, seconds, log, **more):
    """The exit code, or None after a time-out; what was printed is in `log`."""
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT,
            start_new_session=True, **more)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            end(process)


def end(process):
    """Ends a process and what it has started; a server that a test left behind must not meet the next run."""
    for number in (15, 9):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        except PermissionError:
            break
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def ready(*functions):
    """The command that runs functions of scripts/ready.sh, one after the other."""
    return ["bash", "-c", f'root=$1; . "$root/scripts/ready.sh"; {" && ".join(functions)}', "_", ROOT]


def tail(log):
    """The last line of a log that says something, for a note."""
    lines = [line.strip() for line in open(log, encoding="utf-8", errors="replace") if line.strip()]
    errors = [line for line in lines if "error:" in line]
    return (errors or lines or ["it said nothing"])[0 if errors else -1][:300]


def shown(path):
    return os.path.relpath(path, ROOT)


def pattern(tests):
    """What `swift test --filter` must match, and little else."""
    names = {(test["suite"], test["function"]) for test in tests}
    return "|".join(
        sorted(r"[./]" + (re.escape(suite) + r"/(.*/)?" if suite else "") + re.escape(function) + r"\("
               for suite, function in names))


def run_tests(tests):
    """Outcomes of Swift tests by (file, function)."""
    keys = {(test["file"], test["function"]) for test in tests}
    if not keys:
        return {}
    log = os.path.join(LOGS, "build.log")
    say("building the tests")
    code = run(["swift", "build", "--build-tests", "--explicit-target-dependency-import-check", "error"], BUILD_SECONDS, log)
    if code != 0:
        note = f"the tests do not build: {tail(log)}; all of it in {shown(log)}"
        return {key: Outcome("FAIL", note) for key in keys}
    events, log = os.path.join(LOGS, "events.json"), os.path.join(LOGS, "test.log")
    if os.path.exists(events):
        os.remove(events)
    say(f"running {len(keys)} tests")
    # One at a time, so that a duration is that test's own.
    code = run(["swift", "test", "--skip-build", "--no-parallel", "--explicit-target-dependency-import-check", "error",
                "--event-stream-output-path", events, "--filter", pattern(tests)], TEST_SECONDS, log)
    told = swift_results.Run(events)
    return judged(keys, told, "a time-out" if code is None else f"exit {code}", shown(log))


def judged(keys, told, how, log):
    """Outcomes by (file, function) from what an event stream told."""
    outcomes, wrong = {}, ""
    if told.outside:
        wrong = f"outside any test: {told.outside[0]}"
    for test in told.tests.values():
        if test.verdict == "running":
            wrong = wrong or f"{test.name} did not come to its end"
    if not told.ended:
        wrong = f"the test process ended early ({how}{'; ' + wrong if wrong else ''}); see {log}"
    for test in told.tests.values():
        key = (test.file, test.function)
        if key not in keys:
            continue
        verdict = {"pass": "ok", "fail": "FAIL", "skip": "skip"}.get(test.verdict)
        if verdict is None:
            outcomes[key] = Outcome("FAIL", wrong or "did not run")
        else:
            outcomes[key] = Outcome(verdict, test.reason or "; ".join(test.issues), test.seconds)
    for key in keys - set(outcomes):
        outcomes[key] = Outcome("FAIL", wrong or f"swift test did not find it ({how}); see {log}")
    return outcomes


def run_checks(checks):
    """Outcomes of conformance checks by their name on the page."""
    outcomes, scripts = {}, sorted({check["suite"] for check in checks})
    if not scripts:
        return outcomes

    def all_of(names, outcome):
        return {check["test"]: outcome for check in checks if check["suite"] in names}

    log = os.path.join(LOGS, "release.log")
    say("making the release binary and its clients ready")
    if run(ready("refresh_release"), BUILD_SECONDS, log) != 0:
        return all_of(scripts, Outcome("FAIL", f"the release binary does not build: {tail(log)}; see {shown(log)}"))
    log = os.path.join(LOGS, "clients.log")
    if run(ready("make_venv"), CONFORMANCE_SECONDS, log) != 0:
        # In CI nothing may be missing; elsewhere somebody may be without a network.
        verdict = "FAIL" if os.environ.get("CI") == "true" else "skip"
        return all_of(scripts, Outcome(verdict, f"the Python clients could not be installed: {tail(log)}"))
    for script in scripts:
        say(f"running {script}")
        log, began = os.path.join(LOGS, f"{script}.log"), time.monotonic()
        code = run([os.path.join(ROOT, "Tests", "Conformance", f"{script}.sh")], CONFORMANCE_SECONDS, log)
        text = open(log, encoding="utf-8", errors="replace").read()
        how = "a time-out" if code is None else f"exit {code}"
        names = [check["test"] for check in checks if check["suite"] == script]
        outcomes.update(read_checks(script, names, text, f"{how}; see {shown(log)}", time.monotonic() - began))
    return outcomes


def read_checks(script, names, text, how, seconds):
    """Outcomes from a conformance script's lines `ok NAME`, `FAIL NAME: found`, `skip NAME: why`."""
    lines, outcomes = text.split("\n"), {}
    skipped = [line for line in lines if line.startswith("skip ")]
    for name in names:
        bare = name.removeprefix(f"{script}: ")
        if f"ok {bare}" in lines:
            outcomes[name] = Outcome("ok", seconds=seconds)
            continue
        line = next((line for line in lines if line.startswith((f"FAIL {bare}: ", f"skip {bare}: "))), None)
        if line:
            outcomes[name] = Outcome(line[:4], line[len(bare) + 7:][:300], seconds)
        elif skipped and not any(line.startswith(("ok ", "FAIL ")) for line in lines):
            outcomes[name] = Outcome("skip", skipped[0][5:])  # The whole script was skipped.
        else:
            outcomes[name] = Outcome("FAIL", f"the script did not come to it ({how})")
    return outcomes


def verdict_of(outcomes):
    """A row holds when its tests ran and nothing spoke against it, and in part when some could not be run."""
    verdicts = [outcome.verdict for outcome in outcomes]
    if not verdicts:
        return "not yet"
    if "FAIL" in verdicts or "ok" not in verdicts:
        return "fails"
    return "in part" if "skip" in verdicts else "holds"


def lines(row):
    """What a person reads about one row."""
    yield f"{row['row']:<5} {row['verdict']:<8} {row['promise']}"
    for test in row["tests"]:
        seconds = f"{test['seconds']:8.3f} s" if test["seconds"] is not None else " " * 10
        yield f"      {test['verdict']:<4} {seconds}  {test['name']}"
        if test["note"] and test["verdict"] != "ok":
            yield from (f"           {line}" for line in test["note"].split("\n"))
    if row["missing"]:
        yield f"      {row['missing']}"


def main(arguments):
    if "--help" in arguments or "-h" in arguments:
        print(__doc__.split("\n\n", 1)[1].rstrip())
        return DONE
    for word in arguments:
        if word.startswith("-") and word != "--json":
            print(f"martlet: verify: unknown option {word}; did you mean --json? See ./martlet verify --help", file=sys.stderr)
            return MISUSE
    try:
        named = wanted([word for word in arguments if word != "--json"])
    except ValueError as error:
        print(f"martlet: verify: {error}", file=sys.stderr)
        return MISUSE
    found = acceptance.tests()
    table = acceptance.rows_of(open(acceptance.PAGE, encoding="utf-8").read())
    rows = named or [row for row in acceptance.ROWS if found[row]]
    carried = [test for row in rows for test in found[row]]
    os.makedirs(LOGS, exist_ok=True)
    if carried:
        # On the terminal, not in a log: it says what it installs, and sudo may ask.
        code = subprocess.call(ready("require_swift", "require_packages build"), stdout=sys.stderr, cwd=ROOT)
        if code != 0:
            return code
    tests = run_tests([test for test in carried if test["kind"] == "test"])
    checks = run_checks([test for test in carried if test["kind"] == "check"])

    told = []
    for row in rows:
        promise, missing = table.get(row, ("", ""))
        pairs = [(test["test"], tests[test["file"], test["function"]] if test["kind"] == "test" else checks[test["test"]])
                 for test in found[row]]
        told.append({
            "row": row, "promise": promise, "verdict": verdict_of([outcome for _, outcome in pairs]), "missing": missing,
            "tests": [{"name": name, "verdict": outcome.verdict, "note": outcome.note,
                       "seconds": None if outcome.seconds is None else round(outcome.seconds, 3)}
                      for name, outcome in pairs]})
    holds, parts, fails = (sum(row["verdict"] == verdict for row in told) for verdict in ("holds", "in part", "fails"))
    # Without names the rows that no test carries are not listed, but they are counted.
    missing = [row for row in (named or acceptance.ROWS) if not found[row]]
    if "--json" in arguments:
        print(json.dumps({"hold": holds, "in_part": parts, "fail": fails, "not_yet": len(missing), "rows": told}, ensure_ascii=False))
    else:
        for row in told:
            print("\n".join(lines(row)))
        shown = f", {parts} in part because tests were skipped" if parts else ""
        print(f"{holds} hold{shown}, {fails} fail, {len(missing)} not yet")
    return FAILED if fails or (named and missing) else DONE


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

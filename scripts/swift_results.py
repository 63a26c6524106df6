"""Counts a Swift Testing event stream: usage: swift_results.py EVENTS EXIT_CODE

Prints failures and skips with their reasons, then `N passed, N failed, N skipped`, counted by test
function. A run that ended early (a trap, a time-out) counts as one failure more, with the tests that
were running named.
"""
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Test:
    """A test function and how it went: `verdict` is pass, fail, skip, running, or empty before its start."""

    def __init__(self, payload):
        place = payload.get("sourceLocation", {})
        path = place.get("filePath") or place.get("_filePath") or ""
        self.name = payload.get("displayName") or payload["name"]
        self.function = payload["name"].split("(")[0].strip("`")
        self.file = os.path.relpath(path, ROOT) if path else ""
        self.verdict, self.reason, self.issues, self.seconds = "", "", [], 0.0
        self.began, self.failed = None, False


class Run:
    """What an event stream tells: tests by id, issues outside any test, and whether the run came to its end."""

    def __init__(self, path):
        self.tests, self.outside, self.ended = {}, [], False
        try:
            lines = open(path, encoding="utf-8", errors="replace").read().split("\n")
        except FileNotFoundError:
            lines = []
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue  # The last line of a run that was killed may be cut.
            payload = record["payload"]
            if record["kind"] == "test":
                if payload.get("kind") == "function":
                    self.tests[payload["id"]] = Test(payload)
            else:
                self.add(payload)

    def add(self, event):
        kind, messages = event.get("kind"), [m["text"] for m in event.get("messages", [])]
        at = event.get("instant", {}).get("absolute")
        test = self.tests.get(event.get("testID"))
        if kind == "runEnded":
            self.ended = True
        is_failure = kind == "issueRecorded" and event.get("issue", {}).get("isFailure", True)
        if is_failure and test is None:
            self.outside.append(messages[0] if messages else "")
        if test is None:
            return
        if kind == "testStarted":
            test.verdict, test.began = "running", at
        elif is_failure:
            test.failed = True
            test.issues.append(" ".join(messages).rstrip())
        elif kind in ("testSkipped", "testCancelled"):
            # A test canceled on its way still ends; a skipped one does not.
            test.verdict, test.reason = "skip", messages[0] if messages else ""
        elif kind == "testEnded":
            if at is not None and test.began is not None:
                test.seconds = at - test.began
            test.verdict = "fail" if test.failed else "skip" if test.verdict == "skip" else "pass"


def main(path, code):
    run, counts = Run(path), {"pass": 0, "fail": 0, "skip": 0}
    for text in run.outside:
        counts["fail"] += 1
        print(f"FAIL  outside any test: {text}")
    for test in run.tests.values():
        if test.verdict in counts:
            counts[test.verdict] += 1
        for issue in test.issues:
            print(f"      {test.name}: {issue}")
        if test.verdict == "fail":
            print(f"FAIL  {test.name}")
        elif test.verdict == "skip":
            print(f"skip  {test.reason or test.name}")
    if not run.ended:
        counts["fail"] += 1
        print(f"FAIL  the test process ended early (exit {code})")
        for test in run.tests.values():
            if test.verdict == "running":
                print(f"      while running: {test.name}")
    elif code != 0 and counts["fail"] == 0:
        counts["fail"] += 1
        print(f"FAIL  swift test exited {code} without naming a failure")
    print(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
    return 1 if counts["fail"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))

"""Counts a Swift Testing event stream: usage: swift_results.py EVENTS EXIT_CODE

Prints failures and skips with their reasons, then `N passed, N failed, N skipped`, counted by test
function. A run that ended early (a trap, a time-out) counts as one failure more, with the tests that
were running named.
"""
import json
import sys


def main(path, code):
    tests, running, counts, ended = {}, {}, {"pass": 0, "fail": 0, "skip": 0}, False
    try:
        lines = open(path, encoding="utf-8").read().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # The last line of a run that was killed may be cut.
        payload = record["payload"]
        kind = payload.get("kind")
        if record["kind"] == "test":
            if kind == "function":
                tests[payload["id"]] = payload.get("displayName") or payload["name"]
            continue
        test = payload.get("testID")
        text = next((m["text"] for m in payload.get("messages", [])), "")
        if kind == "runEnded":
            ended = True
        is_failure = kind == "issueRecorded" and payload.get("issue", {}).get("isFailure", True)
        if test not in tests:
            if is_failure:
                counts["fail"] += 1
                print(f"FAIL  outside any test: {text}")
            continue
        if kind == "testStarted":
            running[test] = "pass"
        elif is_failure:
            running[test] = "fail"
            details = " ".join(m["text"] for m in payload["messages"][1:])
            print(f"      {tests[test]}: {text} {details}".rstrip())
        elif kind == "testCancelled":
            running[test] = "skip"
        elif kind == "testSkipped":
            counts["skip"] += 1
            print(f"skip  {text}")
        elif kind == "testEnded":
            verdict = running.pop(test, "pass")
            counts[verdict] += 1
            if verdict == "skip":
                print(f"skip  {text}")
            if verdict == "fail":
                print(f"FAIL  {tests[test]}")
    if not ended:
        counts["fail"] += 1
        print(f"FAIL  the test process ended early (exit {code})")
        for test in running:
            print(f"      while running: {tests[test]}")
    elif code != 0 and counts["fail"] == 0:
        counts["fail"] += 1
        print(f"FAIL  swift test exited {code} without naming a failure")
    print(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
    return 1 if counts["fail"] else 0


sys.exit(main(sys.argv[1], int(sys.argv[2])))

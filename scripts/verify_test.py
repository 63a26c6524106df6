"""Tests what verify.py concludes from what it is told; ends with `N passed, N failed, N skipped`."""
import contextlib
import io
import json
import os
import re
import sys
import tempfile
import unittest

import acceptance
import swift_results
import verify


def stream(*records):
    """A run read from an event stream of these records."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False, encoding="utf-8") as file:
        file.write("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records))
    try:
        return swift_results.Run(file.name)
    finally:
        os.remove(file.name)


def test(name, shown=None):
    place = {"filePath": os.path.join(acceptance.ROOT, "Tests", "A.swift"), "line": 1}
    return {"kind": "test", "payload": {
        "kind": "function", "id": name, "name": f"{name}()", "sourceLocation": place, **({"displayName": shown} if shown else {})}}


def event(kind, name=None, at=0.0, **more):
    messages = [{"symbol": "default", "text": f"{kind} {name}"}]
    return {"kind": "event", "payload": {
        "kind": kind, "instant": {"absolute": at}, "messages": messages, **({"testID": name} if name else {}), **more}}


def said(*arguments):
    """Exit code, standard output and standard error."""
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        code = verify.main(list(arguments))
    return code, out.getvalue(), error.getvalue()


class Rows(unittest.TestCase):
    def test_rows_come_in_the_order_of_the_table_and_once(self):
        self.assertEqual(verify.wanted(["T1", "m103", "C2", "M9", "M103"]), ["M9", "M103", "C2", "T1"])

    def test_an_unknown_row_names_the_nearest(self):
        for word, near in {"M143": "M142", "T0": "T1", "C99": "C21", "MM12": "M12", "M012": "M12"}.items():
            self.assertEqual(verify.nearest(word), near, word)
        code, out, error = said("M103", "M143")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("“M143”; did you mean M142?", error)

    def test_an_unknown_option_is_misuse(self):
        self.assertEqual(said("--jsn")[0], 2)

    def test_help_ends_with_an_example(self):
        code, out, _ = said("--help")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^usage: [\s\S]*\nexample:\n  ./martlet verify \S.*\n$")

    def test_a_row_that_no_test_carries_says_what_is_missing(self):
        table = acceptance.rows_of(open(acceptance.PAGE, encoding="utf-8").read())
        found = acceptance.tests()
        row = next((row for row in acceptance.ROWS if not found[row]), None)
        if row is None:
            self.skipTest("every row has a test")
        code, out, _ = said(row)
        self.assertEqual(code, 1)
        self.assertIn(f"{row:<5} not yet  {table[row][0]}\n      {table[row][1]}\n", out)
        self.assertTrue(out.endswith("0 hold, 0 fail, 1 not yet\n"))
        told = json.loads(said(row, "--json")[1])
        self.assertEqual((told["not_yet"], told["rows"][0]["verdict"]), (1, "not yet"))


class Tests(unittest.TestCase):
    keys = {("Tests/A.swift", "a"), ("Tests/A.swift", "b")}

    def outcome(self, *records, keys=keys):
        told = verify.judged(keys, stream(*records), "exit 1", "test.log")
        return {function: (outcome.verdict, outcome.note) for (_, function), outcome in told.items()}

    def test_a_pass_and_a_failure_with_its_reason(self):
        run = stream(
            test("a", "M1: shown"), test("b"), event("testStarted", "a", 1.0), event("testEnded", "a", 1.25),
            event("testStarted", "b"), event("issueRecorded", "b", issue={"isFailure": True}), event("testEnded", "b"),
            event("runEnded"))
        told = verify.judged(self.keys, run, "exit 1", "test.log")
        self.assertEqual(
            [(told["Tests/A.swift", name].verdict, told["Tests/A.swift", name].note) for name in "ab"],
            [("ok", ""), ("FAIL", "issueRecorded b")])
        self.assertEqual(told["Tests/A.swift", "a"].seconds, 0.25)

    def test_a_known_issue_is_no_failure(self):
        told = self.outcome(
            test("a"), event("testStarted", "a"), event("issueRecorded", "a", issue={"isFailure": False}),
            event("testEnded", "a"), event("runEnded"), keys={("Tests/A.swift", "a")})
        self.assertEqual(told["a"][0], "ok")

    def test_a_skip_keeps_its_reason(self):
        told = self.outcome(test("a"), event("testSkipped", "a"), event("runEnded"), keys={("Tests/A.swift", "a")})
        self.assertEqual(told["a"], ("skip", "testSkipped a"))

    def test_a_run_that_dies_fails_what_it_had_not_ended(self):
        told = self.outcome(
            test("a"), test("b"), event("testStarted", "a"), event("testEnded", "a"), event("testStarted", "b"), '{"kind":"ev')
        self.assertEqual(told["a"][0], "ok")
        self.assertEqual(told["b"][0], "FAIL")
        self.assertIn("ended early (exit 1; b() did not come to its end)", told["b"][1])

    def test_no_stream_at_all_fails_everything(self):
        self.assertEqual({verdict for verdict, _ in self.outcome().values()}, {"FAIL"})

    def test_a_test_that_the_run_did_not_find_fails(self):
        told = self.outcome(event("runEnded"))
        self.assertIn("did not find it", told["a"][1])

    def test_the_filter_matches_the_tests_and_no_namesake(self):
        matched = re.compile(verify.pattern([
            {"suite": "GridTests", "function": "levels"}, {"suite": "", "function": "free"},
            {"suite": "OddTests", "function": "with words in it"}]))
        for name in ("PathTests.GridTests/levels()/G.swift:1:2", "PathTests.GridTests/Inner/levels(of:)/G.swift:1:2",
                     "PathTests.free()/G.swift:1:2", "PathTests.OddTests/with words in it()/G.swift:1:2"):
            self.assertTrue(matched.search(name), name)
        for name in ("PathTests.OtherGridTests/levels()/G.swift:1:2", "PathTests.GridTests/levelsAgain()/G.swift:1:2"):
            self.assertFalse(matched.search(name), name)


class Checks(unittest.TestCase):
    names = ["ccxt: M1 placed", "ccxt: M2 canceled", "ccxt: M3 read"]

    def outcome(self, text):
        told = verify.read_checks("ccxt", self.names, text, "exit 1", 2.0)
        return [(told[name].verdict, told[name].note) for name in self.names]

    def test_lines_are_read_by_name(self):
        self.assertEqual(
            self.outcome("ok M1 placed\nFAIL M2 canceled: found None\nok M3 read\n2 passed, 1 failed, 0 skipped\n"),
            [("ok", ""), ("FAIL", "found None"), ("ok", "")])

    def test_a_script_that_dies_fails_what_it_had_not_come_to(self):
        self.assertEqual(
            [verdict for verdict, _ in self.outcome("ok M1 placed\nTraceback\n")], ["ok", "FAIL", "FAIL"])

    def test_a_script_that_skips_as_a_whole_says_why(self):
        self.assertEqual(self.outcome("skip the guide: its text is not here\n")[2], ("skip", "the guide: its text is not here"))

    def test_checks_are_found_in_a_script(self):
        source = 'checks.check("M2 b", 1)\nother("M9 no")\nchecks.check(name, 1)\nchecks.check("plain words", x, check("M3 c", 1))\n'
        self.assertEqual(acceptance.checks(source), ["M2 b", "plain words"])


class Verdicts(unittest.TestCase):
    def test_a_row_holds_when_something_showed_it_and_nothing_spoke_against_it(self):
        for verdicts, row in {("ok",): "holds", ("ok", "skip"): "in part", ("skip",): "fails", ("ok", "FAIL"): "fails",
                              ("ok", "skip", "FAIL"): "fails",
                              (): "not yet"}.items():
            self.assertEqual(verify.verdict_of([verify.Outcome(verdict) for verdict in verdicts]), row, verdicts)


class Counted(unittest.TextTestResult):
    def addSuccess(self, test):
        super().addSuccess(test)
        print(f"ok    {test._testMethodName}")


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stdout, resultclass=Counted, verbosity=0).run(
        unittest.defaultTestLoader.loadTestsFromModule(__import__("__main__")))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed, {len(result.skipped)} skipped")
    raise SystemExit(1 if failed else 0)

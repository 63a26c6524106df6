"""A real bot's journal of which a file of market records is damaged, cut, emptied or lost: every decision is still proven, every command goes on with
what can be read, says what is missing, and ends with 1."""
import glob
import json
import os
import re
import shutil
import tempfile

from demo_processes import run
from local_exchange import Checks, Exchange, flip, until
from operating import Bot
from remembering import NEAR, begin, change, finish

SEGMENT = 1 << 20


def cases(size):
    """What is done to a market file, and whether anything of it can still be read."""
    yield "a byte of its head changed", lambda path: flip(path, 1), False
    yield "a byte of its middle changed", lambda path: flip(path, size // 2), None
    yield "the last byte before its digest changed", lambda path: flip(path, size - 33), None
    yield "a byte of its digest changed", lambda path: flip(path, size - 1), True
    yield "cut in half", lambda path: os.truncate(path, size // 2), None
    yield "cut to its head", lambda path: os.truncate(path, 256), False
    yield "emptied", lambda path: os.truncate(path, 0), False
    yield "removed", os.unlink, False


def verified(journal):
    code, out, err = run("journal", "verify", "--json", journal)
    return code, json.loads(out) if out.startswith("{") else {}, err


def each(checks, folder, journal, whole, order, times):
    name = sorted(os.path.basename(path) for path in glob.glob(os.path.join(journal, "*.mjm")))[0]
    size = os.path.getsize(os.path.join(journal, name))
    for what, damage, is_read in cases(size):
        copy = shutil.copytree(journal, os.path.join(folder, "copy"))
        damage(os.path.join(copy, name))
        code, found, err = verified(copy)
        lost = found.get("unreadable", -1)
        checks.check(f"{what}: verify names the file, and says that every decision is proven: 1",
                     code == 1 and found.get("sound") is False and [row["file"] for row in found["damaged"]] == [name] and name in err
                     and "every decision is proven" in err and found["decisions"] == whole["decisions"] and found["head"] == whole["head"]
                     and found["standing"] == "reached" and found["records"] + lost == whole["records"] and found["gone"] == 0, (code, found, err))
        of = found["damaged"][0]["records"]
        checks.check(f"{what}: what proves itself is read", lost == 0 if is_read else lost == of if is_read is False else 0 < lost <= of, (lost, of))

        code, out, err = run("journal", "print", copy)
        gaps = [(int(first), int(last)) for first, last in re.findall(rf"^(\d+)-(\d+) \d+ market records, cannot be read: {name} is damaged or lost$", out, re.M)]
        checks.check(f"{what}: print goes on, with a line where records are missing: 1", code == 1 and name in err and sum(last - first + 1 for first, last in gaps) == lost
                     and len(out.splitlines()) - len(gaps) == found["records"] and "retention" not in out, (code, err, gaps[:3], lost))
        code, out, err = run("journal", "export", copy)
        rows = [json.loads(line)["sequence"] for line in out.splitlines()]
        checks.check(f"{what}: export goes on, and says how many are missing: 1", code == 1 and name in err and len(rows) == found["records"] == len(set(rows))
                     and rows == sorted(rows) and (lost == 0 or f"{lost} market records" in err), (code, err, len(rows)))
        for words in (["replay"], ["replay", "--verify"]):
            code, out, err = run(*words, copy)
            checks.check(f"{what}: {' '.join(words)} compares what it can and names the file: 1", code == 1 and name in err and "identical, bit for bit" in out
                         and ("cannot be read" in out and "in all that can be compared" in out) is (lost > 0), (code, out, err))
        code, out, err = run("explain", copy, order)
        checks.check(f"{what}: explain tells an order of that time, and names the file: 1", code == 1 and name in err
                     and all(word in out for word in ("strategy", "risk", "wire", "told", "order")), (code, out[-300:], err))
        early, late = times
        code, out, err = run("explain", copy, late)
        checks.check(f"{what}: a later time does not need it: 0", code == 0 and "last decisions" in out, (code, out[-300:], err))
        code, out, err = run("explain", copy, early)
        checks.check(f"{what}: of a time in it explain tells the bot's state, or that it cannot be known: 1",
                     code == 1 and name in err and ("last decisions" in out or "cannot be read" in err), (code, out[-300:], err))
        shutil.rmtree(copy)


def decisions(checks, folder, journal):
    """Of a damaged file of decisions nothing behind the damage is believed."""
    name = sorted(os.path.basename(path) for path in glob.glob(os.path.join(journal, "*.mjd")))[0]
    copy = shutil.copytree(journal, os.path.join(folder, "copy"))
    flip(os.path.join(copy, name), os.path.getsize(os.path.join(copy, name)) // 2)
    for words in (["journal", "verify"], ["journal", "print"], ["replay", "--verify"]):
        code, out, err = run(*words, copy)
        checks.check(f"a file of decisions with a byte changed: {' '.join(words)} names it, and that it is to be put back: 1",
                     code == 1 and name in err and "expected digest" in err and "put the file back" in err and "sound" not in out and "identical" not in out, (code, out[-200:], err))
    shutil.rmtree(copy)


def main():
    checks = Checks()
    with Exchange("--speed", "100", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        change(bot, ('spacing = "10"', NEAR), ("[journal]\n", f"[journal]\nsegment_bytes = {SEGMENT}\n"))
        begin(bot)
        parted = until(lambda: len(glob.glob(os.path.join(bot.journal, "*.mjm"))) >= 3, 120)
        checks.check("a bot trades until files of its journal are put away", parted and bot.status().get("state") == "trading", bot.status())
        code, last = finish(bot)
        checks.check("and ends in order: 0", code == 0 and last.get("reconciled") is True, (code, last))
        code, whole, err = verified(bot.journal)
        checks.check("its journal is sound", code == 0 and whole["sound"] and whole["damaged"] == [] and whole["unreadable"] == 0, (code, whole, err))
        lines = run("journal", "print", bot.journal)[1].splitlines()
        order = next(re.search(r"order (mt\w+) ", line)[1] for line in lines if re.search(r"order mt\w+ .*: open$", line))
        times = lines[300].split(" ")[1], lines[-50].split(" ")[1]
        each(checks, folder, bot.journal, whole, order, times)
        decisions(checks, folder, bot.journal)

        os.unlink(sorted(glob.glob(os.path.join(bot.journal, "*.mjm")))[0])
        said = begin(bot)
        checks.check("a bot goes on behind a market file that is lost", "goes on behind record" in said and until(bot.is_back, 30), (said, bot.status()))
        code, last = finish(bot)
        code_verify, found, _ = verified(bot.journal)
        checks.check("and ends with a ledger equal to the exchange's, its journal still naming the file", code == 0 and last.get("reconciled") is True
                     and code_verify == 1 and len(found["damaged"]) == 1 and found["standing"] == "reached", (code, last, found))
    checks.end()


if __name__ == "__main__":
    main()

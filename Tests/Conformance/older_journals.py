"""Journals that older builds really wrote (Fixtures/Journals): every command reads them or says in words what it cannot, and a bot goes on behind them."""
import ctypes
import ctypes.util
import json
import os
import re
import shutil
import tempfile

from another_build import records, write
from demo_processes import run
from local_exchange import Checks, Exchange, ROOT, flip, until
from operating import Bot, own
from remembering import begin, finish

OLDER = [("f8fad5c", "martlet 0.1.0 ca30be71b764", 3731, "bb881cb37bd49fe3e49496d03c3ca56f7ba451bf838954b3bb0fac00acb897cb"),
         ("9909418", "martlet 0.1.0 dcbaf1e35086", 3781, "3502952347e3a8d6f66e965bed627f06b0150231372b30e06425333e1cf8d80c")]
UNREADABLE = re.compile(r"cannot read|^\d+ \S+ kind \d|damaged", re.M)


def lay(folder, commit, name):
    """The journal of a commit as its build left it."""
    with open(os.path.join(ROOT, "Fixtures", "Journals", f"{commit}.mjl.zst"), "rb") as file:
        packed = file.read()
    zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    target = ctypes.create_string_buffer(16 << 20)
    count = zstd.ZSTD_decompress(target, ctypes.c_size_t(len(target)), packed, ctypes.c_size_t(len(packed)))
    place = os.path.join(folder, name)
    os.makedirs(place)
    with open(os.path.join(place, "00000001.mjl"), "wb") as file:
        file.write(target.raw[:count])
        file.truncate(16 << 20)
    return place


def reads(checks, journal, commit, build, count, head):
    code, out, err = run("journal", "verify", "--json", journal)
    found = json.loads(out)
    checks.check(f"{commit}: journal verify proves it whole", code == 0 and found["sound"] is True and found["records"] == found["decisions"] == count
                 and found["head"] == head and found["market"] == 0, (code, out, err))
    code, out, err = run("journal", "print", journal)
    lines = out.splitlines()
    checks.check(f"{commit}: print has a line a record, each of them read", code == 0 and len(lines) == count and not UNREADABLE.search(out),
                 (code, err, len(lines), UNREADABLE.findall(out)[:3]))
    code, out, err = run("journal", "export", journal)
    rows = [json.loads(line) for line in out.splitlines()]
    checks.check(f"{commit}: export has an object a record", code == 0 and [row["sequence"] for row in rows] == list(range(1, count + 1)) and not UNREADABLE.search(out),
                 (code, err, len(rows)))
    kinds = {"start", "input", "effect", "note", "nonce", "dead-man", "end"}
    checks.check(f"{commit}: with its configuration and its frames", kinds <= {row["kind"] for row in rows} and 'market = "DBTC_DUSDT"' in rows[0]["body"]
                 and sum(row["content"].startswith("frame") for row in rows) > 3000, rows[0])
    filled = next(re.search(r"order (mt\w+) .*: filled$", line)[1] for line in lines if re.search(r"order mt\w+ .*: filled$", line))
    code, out, err = run("explain", journal, filled)
    checks.check(f"{commit}: explain tells an order from its reason to its fill", code == 0 and out.rstrip().endswith("filled, 1 fill")
                 and all(word in out for word in ("cause", "strategy", "risk", "wire", "nonce", "told", "fill")), (code, out[-300:], err))
    return lines


def told(commit, build, code, out, err, strict):
    """Whether a replay gave what is promised of another build's journal: the same bits, or where the builds part, in words."""
    if build not in err:
        return False
    if "identical, bit for bit" in out:
        return code == 0 and "the builds differ" not in err
    return code == (1 if strict else 0) and "the builds differ" in err and re.search(r"record \d+", err) and "no failure of the journal" in err \
        and "folded" in err and "identical" not in out


def folds(checks, journal, commit, build, lines):
    for words in (["replay"], ["replay", "--verify"]):
        code, out, err = run(*words, journal)
        checks.check(f"{commit}: {' '.join(words)} gives the promised report", told(commit, build, code, out, err, "--verify" in words), (code, out, err))
    code, out, err = run("replay", "--until", "40", journal)
    checks.check(f"{commit}: the state before anything differs is shown", code == 0 and "after record 40" in out, (code, out[-200:], err))
    code, out, err = run("replay", "--until", "3000", journal)
    checks.check(f"{commit}: a later state is shown, or it is said that it cannot be: never another one in its place",
                 (code == 0 and "after record 3000:" in out) or (code == 1 and "record 3000 is not reached" in err and "the builds differ" in err), (code, out[-200:], err))
    code, out, err = run("explain", journal, lines[2999].split(" ")[1])
    checks.check(f"{commit}: and so with explain at that time", (code == 0 and "last input" in out) or (code == 1 and build in err and "the builds differ" in err), (code, out[-200:], err))


def damaged(checks, folder, commit, journal):
    copy = shutil.copytree(journal, os.path.join(folder, f"{commit}-damaged"))
    flip(os.path.join(copy, "00000001.mjl"), 600_001)
    for words in (["journal", "verify"], ["replay", "--verify"], ["journal", "export"]):
        code, out, err = run(*words, copy)
        checks.check(f"{commit}: with a byte changed {' '.join(words)} names the place: 1", code == 1 and "00000001.mjl at byte" in err and "expected" in err
                     and "sound" not in out and "no failure" not in err, (code, out[-200:], err))


def strange(checks, folder, journal, build):
    """A state in a form that this build does not know, as of a build far away: no fixture has one, so this one is changed and chained anew."""
    place = os.path.join(folder, "strange")
    os.mkdir(place)

    def change(row):
        kind, lane, flags, sequence, time, payload = row
        return kind, lane, flags, sequence, time, payload.replace(b"kernel-", b"kerneI-") if kind == 7 else payload

    source = os.path.join(journal, "00000001.mjl")
    write(os.path.join(place, "00000001.mjl"), map(change, records(source)), os.path.getsize(source))
    for words in (["replay", "--until", "3000"], ["replay", "--verify"]):
        code, out, err = run(*words, place)
        checks.check(f"a state that this build cannot read: {' '.join(words)} names record, build, what was expected and found: 1",
                     code == 1 and re.search(r"record \d+", err) and build in err and "expected" in err and "kerneI" in err and "identical" not in out, (code, out[-200:], err))
    code, out, err = run("journal", "verify", place)
    checks.check("and the journal itself is sound", code == 0 and "sound" in out, (code, out, err))


def goes_on(checks, exchange, commit):
    with tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        lay(folder, commit, "journal")
        said = begin(bot)
        checks.check(f"{commit}: a bot goes on behind it, says how, and trades", "behind record" in said and until(lambda: bot.is_trading(20), 30), (said, bot.status()))
        code, last = finish(bot)
        checks.check(f"{commit}: and ends with a ledger equal to the exchange's", code == 0 and last.get("reconciled") is True and not own(exchange), (code, last))
        code, out, err = run("journal", "verify", bot.journal)
        checks.check(f"{commit}: one journal of both builds is sound", code == 0 and "sound" in out, (code, out, err))
        code, out, err = run("replay", bot.journal)
        checks.check(f"{commit}: and replays, or tells where the builds differ", code == 0 and ("identical" in out or "the builds differ" in err), (code, out, err))


def main():
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        for commit, build, count, head in OLDER:
            journal = lay(folder, commit, commit)
            folds(checks, journal, commit, build, reads(checks, journal, commit, build, count, head))
            damaged(checks, folder, commit, journal)
        strange(checks, folder, os.path.join(folder, "9909418"), OLDER[1][1])
    with Exchange("--speed", "10", plain=False) as exchange:
        for commit, *_ in OLDER:
            goes_on(checks, exchange, commit)
    checks.end()


if __name__ == "__main__":
    main()

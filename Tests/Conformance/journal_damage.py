"""A bot's journal in which a byte was changed, while no process had it: before the last whole state, where the bot trades on and a person is
told, and behind it, where the bot does not start, unless the machine went down before it had brought that to disk."""
import glob
import os
import shutil
import tempfile
import time

from demo_processes import run
from local_exchange import Checks, Exchange, flip, until
from operating import Bot, own
from remembering import NEAR, begin, change, finish, kill

SEGMENT = 4 << 20
STATE = 7


def path(bot, number, kind="mjl"):
    return os.path.join(bot.journal, f"{number:08}.{kind}")


def newest(bot):
    """The segment that is written now: the one behind it is made ready, and begun by nobody."""
    for name in sorted(glob.glob(os.path.join(bot.journal, "*.mjl")), reverse=True):
        with open(name, "rb") as file:
            if file.read(3) == b"MJR":
                return int(os.path.basename(name)[:8])
    return 0


def records(name):
    """Kind, sequence and place of each record of a segment."""
    with open(name, "rb") as file:
        data = file.read()
    offset = 0
    while data[offset:offset + 3] == b"MJR":
        length = int.from_bytes(data[offset + 24:offset + 28], "little")
        yield int.from_bytes(data[offset + 4:offset + 6], "little"), int.from_bytes(data[offset + 8:offset + 16], "little"), offset
        offset += 64 + (length + 7) // 8 * 8


def before(checks, bot):
    """Of three files or more a byte of the second one is changed."""
    until(lambda: newest(bot) >= 3, 240)
    code, last = finish(bot)
    checks.check("a bot leaves a journal of several files", code == 0 and last.get("reconciled") is True and newest(bot) >= 3, (code, last, os.listdir(bot.journal)))
    whole = os.path.exists(path(bot, 2))
    if whole:
        rows = list(records(path(bot, 2)))
        sequence, offset = rows[len(rows) // 2][1:]
        name, place, words = path(bot, 2), offset + 40, ["00000002.mjl", str(sequence)]
    else:
        name, words = path(bot, 2, "mjd"), ["00000002.mjd"]
        place = os.path.getsize(name) // 2
    begin(bot)
    checks.check("a whole journal is proven behind a start without a word", until(bot.is_back, 30) and not time.sleep(3)
                 and not bot.told("journal-damaged") and bot.status().get("journal_warning") is None, bot.status())
    finish(bot)
    flip(name, place)
    said = begin(bot)
    told = until(lambda: bot.told("journal-damaged"), 30)
    checks.check("M140 a changed byte before the last state keeps no bot from trading", "goes on behind record" in said and until(bot.is_back, 30), (said, bot.status()))
    checks.check("M140 and is told to a person, with its file and record", told and all(word in told[0]["what"] for word in words)
                 and told[0]["severity"] == "critical", (told, words))
    warning = bot.status().get("journal_warning") or ""
    checks.check("M140 status says it as well", words[0] in warning, warning)
    placed = bot.placed()
    checks.check("M140 it is told once, and the bot trades on", until(lambda: bot.placed() > placed, 60) and len(bot.told("journal-damaged")) == 1,
                 (bot.placed(), bot.told("journal-damaged")))
    code, out, err = run("journal", "verify", bot.journal)
    checks.check("M140 journal verify finds the same", code == 1 and all(word in err for word in words), (code, out, err))
    flip(name, place)


def behind(checks, bot, exchange):
    """The machine ends between a new file and the state that is soon kept in it; then a byte behind the last state is changed."""
    for _ in range(12):
        number = newest(bot)
        until(lambda: newest(bot) > number, 240)
        kill(bot)
        number = newest(bot)
        last = [row for row in records(path(bot, number)) if row[0] == STATE]
        former = [row for row in records(path(bot, number - 1)) if row[0] == STATE] if os.path.exists(path(bot, number - 1)) else []
        if not last and former:
            break
        begin(bot)
        until(bot.is_back, 30)
    else:
        checks.check("a death between a new file and its first state was met", False, number)
        return
    name = path(bot, number - 1)
    row = next(row for row in records(name) if row[1] == former[-1][1] + 3)
    copy = os.path.join(bot.folder, "whole")
    shutil.copytree(bot.journal, copy)
    until(lambda: not own(exchange), 40)
    flip(name, row[2] + 36)
    for turn in range(2):
        words = begin(bot)
        code = bot.process.wait(timeout=20)
        bot.errors.close()
        checks.check(f"M140 a changed byte behind the last state: the bot does not start, names file and record, says what to do, sends nothing: 3 ({turn + 1})",
                     code == 3 and os.path.basename(name) in words and str(row[1]) in words and "--fresh" in words and "begins anew behind" not in words
                     and not own(exchange), (code, words))
    shutil.rmtree(bot.journal)
    shutil.copytree(copy, bot.journal)
    said = begin(bot)
    checks.check("M140 with the file put back it goes on", "goes on behind record" in said and until(bot.is_back, 30), said)
    kill(bot)
    # The way on where there is no copy, as the words say.
    shutil.rmtree(bot.journal)
    begin(bot, "--fresh")
    checks.check("M140 with the folder moved aside and --fresh it trades", until(lambda: bot.is_trading(20), 30), bot.status())
    code, last = finish(bot)
    checks.check("and it ends in order: 0", code == 0 and last.get("reconciled") is True, (code, last))


def unsynced(checks):
    """A byte changed in what no sync had brought to disk, before a person's halt: damage as long as the machine runs on, else what a power cut leaves."""
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        change(bot, ('spacing = "10"', NEAR), ("[journal]\n", '[journal]\nsync = "close"\n'))
        begin(bot)
        until(lambda: bot.is_trading(20), 30)
        time.sleep(4)
        code, _, err = bot.say("halt", "--reason", "a person's word")
        until(lambda: bot.status().get("state") == "halted" and not own(exchange), 20)
        kill(bot)
        name = path(bot, 1)
        rows = [row for row in records(name) if row[0]]
        with open(name, "rb") as file:
            whole = file.read()
        halt = next(row for row in reversed(rows) if b"a person's word" in whole[row[2]:row[2] + 400])
        # Behind the last state, and before the word.
        state = [row for row in rows if row[0] == STATE and row[1] < halt[1]][-1]
        row = next(row for row in rows if row[1] == max(state[1] + 3, halt[1] - 60))
        flip(name, row[2] + 36)
        with open(name, "rb") as file:
            flipped = file.read()
        verified, _, words = run("journal", "verify", bot.journal)
        checks.check("M140 with sync = close, a byte before a halt changed: verify names the record: 1", code == 0 and verified == 1 and f"record {row[1]}:" in words, (err, verified, words))
        for turn in range(2):
            words = begin(bot)
            code = bot.process.wait(timeout=20)
            bot.errors.close()
            with open(name, "rb") as file:
                same = file.read() == flipped
            checks.check(f"M140 kill -9 loses nothing that was written, so the bot does not start and leaves the file as it is: 3 ({turn + 1})",
                         code == 3 and same and str(row[1]) in words and "00000001.mjl" in words and not own(exchange)
                         and not glob.glob(os.path.join(bot.journal, "*.cut")), (code, same, words))
        with open(os.path.join(bot.journal, "boot"), "w") as file:
            file.write("00000000-0000-0000-0000-000000000000\n")
        left = len([other for other in rows if other[1] > row[1]])
        said = begin(bot)
        back = until(bot.is_back, 30)
        told = until(lambda: bot.told("journal-cut"), 20) or [{}]
        cut = os.path.join(bot.journal, "00000001.cut")
        checks.check("M140 behind a machine that went down it goes on with what proves itself, and says how much went",
                     back and f"goes on behind record {row[1] - 1} " in said and f"{left} whole-looking records" in said and "00000001.cut" in said, (said, left))
        checks.check("M140 that is an alert too, once", told[0].get("severity") == "critical" and f"{left} whole-looking records" in told[0].get("what", "")
                     and len(bot.told("journal-cut")) == 1, told)
        with open(cut, "rb") as file:
            kept = file.read().split(b"\n", 1)[1]
        checks.check("M140 and what went is kept, the person's word in it", kept == flipped[row[2]:].rstrip(b"\0") and b"a person's word" in kept, len(kept))
        _, out, _ = run("doctor", "--json", bot.path)
        checks.check("doctor names the file", "00000001.cut" in out, out)
        code, _ = finish(bot)
        verified, out, err = run("journal", "verify", bot.journal)
        checks.check("M140 verify proves what is there and names the file: 0", code == 0 and verified == 0 and "00000001.cut" in out, (code, verified, out, err))
        begin(bot)
        until(bot.is_back, 30)
        code, _ = finish(bot)
        checks.check("M140 the next start has nothing to tell", code == 0 and len(bot.told("journal-cut")) == 1, (code, bot.told("journal-cut")))


def main():
    checks = Checks()
    unsynced(checks)
    with Exchange("--speed", "100", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        change(bot, ('spacing = "10"', NEAR), ("[journal]\n", f"[journal]\nsegment_bytes = {SEGMENT}\n"))
        try:
            begin(bot)
            checks.check("it trades", until(lambda: bot.is_trading(20), 30), bot.status())
            before(checks, bot)
            behind(checks, bot, exchange)
        finally:
            if bot.process.poll() is None:
                kill(bot)
    checks.end()


if __name__ == "__main__":
    main()

"""A bot whose journal is cut, put back from an older copy, exchanged or removed: told by the head that is kept apart, and not gone on with."""
import glob
import json
import os
import shutil
import tempfile
import time

from demo_processes import run
from local_exchange import Checks, Exchange, until
from operating import Bot, own
from remembering import NEAR, begin, change, finish, kill


def verify(bot):
    code, out, err = run("journal", "verify", "--json", bot.journal)
    return code, json.loads(out) if out.startswith("{") else {}, err


def head_files(exchange):
    return glob.glob(os.path.join(exchange.state, "martlet", "journals", "*.head"))


def cut(journal, records):
    """Takes records off the journal's end, as somebody would who wants the last of what was done to be unknown."""
    ends = []  # Segment and offset behind each record.
    for path in sorted(glob.glob(os.path.join(journal, "*.mjl"))):
        with open(path, "rb") as file:
            data = file.read()
        offset = 0
        while data[offset:offset + 3] == b"MJR":
            length = int.from_bytes(data[offset + 24:offset + 28], "little")
            kind = int.from_bytes(data[offset + 4:offset + 6], "little")
            offset += 64 + (length + 7) // 8 * 8
            if kind:
                ends.append((path, offset))
    path, offset = ends[-1 - records]
    for later in glob.glob(os.path.join(journal, "*.mjl")):
        if later > path:
            os.unlink(later)
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.truncate(offset)
        file.truncate(size)
    return len(ends)


def refused(bot):
    """What a start says that does not come to trading, with its exit code; a supervisor starts again and again."""
    words = [begin(bot) for _ in range(2)]
    codes = bot.process.wait(timeout=20)
    bot.errors.close()
    return codes, words[-1]


def deaths(checks, bot, exchange):
    bot.start()
    path = head_files(exchange)
    mode = os.stat(os.path.join(exchange.state, "martlet", "journals", "key")).st_mode & 0o777 if path else None
    checks.check("M140 a head is kept for its journal, apart from it, and its key is the owner's alone", len(path) == 1 and mode == 0o600
                 and not path[0].startswith(bot.folder), (path, mode))
    stands = []
    for turn in range(10):
        time.sleep(0.05 + turn * 0.13)
        kill(bot)
        stands.append(verify(bot))
        bot.start(again=True)
    good = [code == 0 and found.get("standing") == "reached" and found["sound"] for code, found, _ in stands]
    checks.check("M140 after each of ten kill -9, whenever they come, the journal reaches the head that is kept apart", all(good), stands)
    code, found, err = verify(bot)
    checks.check("and so it does while the bot writes it", code == 0 and found.get("standing") == "reached", (code, found, err))


def tampering(checks, bot, exchange):
    before = os.path.join(bot.folder, "before")
    shutil.copytree(bot.journal, before)
    time.sleep(2)
    code, last = finish(bot)
    whole = os.path.join(bot.folder, "whole")
    shutil.copytree(bot.journal, whole)
    checks.check("it ends in order", code == 0 and last.get("reconciled") is True and verify(bot)[1].get("standing") == "reached", (code, last))

    records = cut(bot.journal, 5)
    code, found, err = verify(bot)
    checks.check("M140 a journal cut at the end of a record is told, with how many are missing: 1",
                 code == 1 and found.get("standing") == "cut" and found["missing"] == 5 and "at least 5 record(s) are missing" in err, (code, found, err, records))
    code, words = refused(bot)
    checks.check("M140 the bot does not start over it, says what is missing and what to do, and sends nothing: 3",
                 code == 3 and "at least 5 record(s) are missing" in words and "--fresh" in words and not own(exchange), (code, words))
    checks.check("and leaves the journal as it is", verify(bot)[1].get("missing") == 5, verify(bot))

    shutil.rmtree(bot.journal)
    shutil.copytree(before, bot.journal)
    code, found, err = verify(bot)
    checks.check("M140 an older copy of the folder that is put back is told: 1", code == 1 and found.get("standing") == "cut" and found["missing"] > 0,
                 (code, found, err))
    code, words = refused(bot)
    checks.check("M140 and is not gone on with: 3", code == 3 and "missing" in words, (code, words))

    shutil.rmtree(bot.journal)
    code, words = refused(bot)
    checks.check("M140 a journal that is gone, as from a disk that is not mounted, is told and not begun anew: 3", code == 3 and "gone" in words, (code, words))

    shutil.rmtree(bot.journal, True)
    shutil.copytree(whole, bot.journal)
    head = head_files(exchange)[0]
    with open(head) as file:
        text = file.read()
    with open(head, "w") as file:
        file.write(text.replace("sequence ", "sequence 1", 1))
    code, found, err = verify(bot)
    checks.check("M140 a head that somebody changed is told as forged: 1", code == 1 and found.get("standing") == "forged" and head in err, (code, found, err))
    code, words = refused(bot)
    checks.check("M140 and nothing is started on its word: 3", code == 3 and head in words, (code, words))
    with open(head, "w") as file:
        file.write(text)

    said = begin(bot)
    checks.check("with everything in its place it goes on", "goes on behind record" in said and until(bot.is_back, 30), said)
    finish(bot)
    os.rename(head, head + ".away")
    code, found, err = verify(bot)
    checks.check("a journal that no head is known of is sound, and is said not to be proven whole: 0", code == 0 and found.get("standing") == "unknown"
                 and "could not be told" in run("journal", "verify", bot.journal)[1], (code, found, err))
    os.rename(head + ".away", head)


def fresh(checks, bot, exchange):
    cut(bot.journal, 3)
    said = begin(bot, "--fresh")
    checks.check("M140 --fresh is the way on, says what is wrong, and trades", "cut" in said and "begins anew" in said and until(lambda: bot.is_trading(20), 30), said)
    code, last = finish(bot)
    code_, found, err = verify(bot)
    checks.check("it ends in order, and its journal reaches its head again", code == 0 and last.get("reconciled") is True and code_ == 0
                 and found.get("standing") == "reached", (code, last, code_, found, err))
    kept = run("journal", "print", bot.journal, "--contains", "the journal before is")[1]
    checks.check("and keeps that it was cut", "cut: it ends with record" in kept, kept)
    code, out, err = run("replay", "--verify", bot.journal)
    checks.check("and replays bit for bit", code == 0 and "identical" in out, (code, out[-300:], err))


def demo(checks):
    """The two commands of the README, and a third."""
    code, out, err = run("demo", "--for", "6s", "--port", "0", "--json")
    journal = json.loads(out.strip().splitlines()[-1])["journal"] if code == 0 else ""
    latest = os.path.join(os.path.dirname(os.path.dirname(journal)), "latest", "journal")
    code, out, err = run("journal", "verify", "--json", latest)
    checks.check("M140 a demo's journal reaches its head, which its own folder keeps: 0", code == 0 and json.loads(out)["standing"] == "reached", (code, out, err))
    cut(journal, 4)
    code, out, err = run("journal", "verify", "--json", latest)
    found = json.loads(out)
    checks.check("M140 one that is cut at the end of a record is told, with how many are missing: 1", code == 1 and found["standing"] == "cut"
                 and found["missing"] == 4 and found["sound"] is False, (code, out, err))
    shutil.rmtree(os.path.dirname(journal))


def main():
    checks = Checks()
    demo(checks)
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        change(bot, ('spacing = "10"', NEAR))
        try:
            deaths(checks, bot, exchange)
            # Its end is what the next part begins with: as a process whose output is read.
            kill(bot)
            begin(bot)
            until(bot.is_back, 30)
            tampering(checks, bot, exchange)
            fresh(checks, bot, exchange)
        finally:
            if bot.process.poll() is None:
                kill(bot)
    checks.end()


if __name__ == "__main__":
    main()

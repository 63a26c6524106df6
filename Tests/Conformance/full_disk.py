"""A bot whose journal's disk fills up, is read-only for a while, or breaks while it trades: it stops placing, takes its orders off,
says so, and goes on when there is room, or ends while its journal can still tell of the end."""
import glob
import json
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from audit import Journal, finished, fills, judge
from demo_processes import run
from local_exchange import Checks, Exchange, until
from operating import Bot, own
from remembering import NEAR, begin, change, finish

# On a small disk files are an eighth of it; what is free is taken by another file.
DISK, SEGMENT = 16 << 20, 2 << 20
KEPT = 1 << 20  # Of market frames.
OTHERS = 4 << 20


def mount(*words):
    return subprocess.run(["mount", *words], capture_output=True, text=True).returncode == 0


class Disk:
    """A small file system of its own."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path, exist_ok=True)
        self.is_there = mount("-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", path)
        self.filler = os.path.join(path, "filler")
        self.is_filled = False
        self.thread = None

    def _fill(self):
        # Whatever gets free is taken at once, as a log that runs wild does.
        with open(self.filler, "ab", buffering=0) as file:
            while self.is_filled:
                try:
                    file.write(bytes(1 << 16))
                except OSError:
                    try:
                        file.write(bytes(1 << 12))
                    except OSError:
                        time.sleep(0.02)

    def fill(self):
        self.is_filled = True
        self.thread = threading.Thread(target=self._fill)
        self.thread.start()
        until(lambda: shutil.disk_usage(self.path).free < 1 << 12, 10)

    def grow(self, size):
        return mount("-o", f"remount,size={size}", self.path)

    def free(self):
        self.is_filled = False
        self.thread.join()
        os.unlink(self.filler)

    def close(self):
        if self.is_filled:
            self.free()
        subprocess.run(["umount", "-l", self.path], capture_output=True)


class StoredBot(Bot):
    """A bot with its journal on a disk of its own and the rest elsewhere, and the exchange's rows of it."""

    def __init__(self, folder, exchange):
        super().__init__(folder, exchange)
        change(self, ('spacing = "10"', NEAR), ("[journal]\n", f"[journal]\nkeep_market_bytes = {KEPT}\n"))
        self.disk = Disk(self.journal)

    def is_holding(self):
        return self.status().get("state") == "holding"

    def said(self):
        with open(os.path.join(self.folder, "errors")) as file:
            return file.read()


def held(checks, bot, exchange, name, seconds=120):
    """It holds: nothing is placed and nothing rests, and everything else goes on."""
    holding = until(bot.is_holding, seconds)
    told = bot.told("journal-room")
    checks.check(f"{name}: it holds, and says why and what to do", holding and told and "room" in (bot.status().get("hold_reason") or "")
                 and "journal has no room" in bot.say("status")[1], (bot.status().get("state"), told, bot.said()[-500:]))
    off = until(lambda: not own(exchange), 10)
    placed = bot.placed()
    frames = bot.status().get("counts", {}).get("frames", 0)
    time.sleep(2)
    status = bot.status()
    checks.check(f"{name}: its orders are off the book, and none is placed", off and not own(exchange) and bot.placed() == placed, (off, own(exchange)[:2], placed))
    checks.check(f"{name}: it still follows the market, and the kill-switch stays armed", status.get("counts", {}).get("frames", 0) > frames
                 and (status.get("dead_man_left_ms") or 0) > 0, status)
    return told[-1] if told else {}


def trades_again(checks, bot, name):
    back = until(lambda: bot.is_trading(20), 15)
    checks.check(f"{name}: with room again it trades by itself, and says so", back and until(lambda: bot.told("journal-room", "cleared"), 5), (bot.status(), bot.said()[-500:]))


def sound(checks, bot, name):
    code, out, err = run("journal", "verify", bot.journal)
    checks.check(f"{name}: the journal is sound and reaches its head", code == 0 and "reaches the head" in out, (code, out, err))
    code, out, err = run("replay", "--verify", bot.journal)
    checks.check(f"{name}: and replays bit for bit", code == 0 and "identical" in out, (code, out[-300:], err))


def full(checks, bot, exchange):
    bot.disk.fill()
    alert = held(checks, bot, exchange, "a disk that another file fills")
    checks.check("a disk that another file fills: the alert names the file that could not be made, and that the disk is full",
                 "disk is full" in alert.get("what", "") and ".mjl" in alert.get("what", ""), alert)
    code, _, err = bot.say("resume")
    checks.check("no operator's word ends the hold", bot.is_holding() and not own(exchange), (code, err))
    bot.disk.free()
    trades_again(checks, bot, "a disk that another file fills")


def read_only(checks, bot, exchange):
    # Files that are open stay open, and no other can be made: what a file system does that found an error.
    done = mount("--bind", bot.journal, bot.journal) and mount("-o", "remount,bind,ro", bot.journal)
    if not done:
        return checks.skip("a disk that becomes read-only", "a read-only mount needs the right to mount")
    alert = held(checks, bot, exchange, "a disk that becomes read-only")
    checks.check("a disk that becomes read-only: the alert says so", "read-only" in alert.get("what", ""), alert)
    subprocess.run(["umount", "-l", bot.journal], check=True)
    trades_again(checks, bot, "a disk that becomes read-only")


def packing_refused(checks, bot, refused):
    """A full file that cannot be packed is told, and nothing else comes of it. Files are packed once two newer ones are full."""
    name = "a file that cannot be packed"
    told = until(lambda: bot.told("journal-packing"), 120)
    checks.check(f"{name}: the alert says which, and why", told and "/00000001.mj" in told[0]["what"] and ("read-only" in told[0]["what"]
                 or "Is a directory" in told[0]["what"]) and told[0]["severity"] == "warning", (told, bot.said()[-500:]))
    # Tried again, if at first the disk was still the one that nobody may write to.
    said = until(lambda: "00000001.mjd.new: open failed: Is a directory" in (bot.status().get("journal_warning") or ""), 30)
    placed, status, words = bot.placed(), bot.status(), bot.say("status")[1]
    checks.check(f"{name}: status says it", said and "journal   full files are not packed" in words, (status, words))
    checks.check(f"{name}: it goes on trading", bot.is_trading(20) and until(lambda: bot.placed() > placed, 30), bot.status())
    checks.check(f"{name}: it is told once, and the file stays whole", len(bot.told("journal-packing")) == 1 and os.path.exists(os.path.join(bot.journal, "00000001.mjl"))
                 and not os.path.exists(os.path.join(bot.journal, "00000001.mjd")), (bot.told("journal-packing"), os.listdir(bot.journal)))
    os.rmdir(refused)
    done = until(lambda: bot.told("journal-packing", "cleared"), 30)
    checks.check(f"{name}: once it can be it is, and the alert ends", done and os.path.exists(os.path.join(bot.journal, "00000001.mjd"))
                 and not os.path.exists(os.path.join(bot.journal, "00000001.mjl")) and bot.status().get("journal_warning") is None,
                 (done, os.listdir(bot.journal), bot.status().get("journal_warning")))


def to_the_end(checks, bot, exchange):
    bot.disk.fill()
    until(bot.is_holding, 120)
    code = until(lambda: bot.process.poll() is not None and bot.process.returncode, 240)
    out = bot.process.stdout.read().strip().splitlines()
    bot.errors.close()
    last = json.loads(out[-1]) if out and out[-1].startswith("{") else {}
    checks.check("a disk that stays full: it ends in order before the last file is full, with a ledger equal to the exchange's: 1",
                 code == 1 and last.get("reconciled") is True and not own(exchange), (code, last, bot.said()[-600:]))
    checks.check("a disk that stays full: and says that nothing is lost", "nothing is lost" in bot.said() and "no room for another file" in bot.said(), bot.said()[-600:])
    sound(checks, bot, "a disk that stays full")
    said = begin(bot)
    code = until(lambda: bot.process.poll() is not None and bot.process.returncode, 60)
    checks.check("a disk that stays full: started again it places nothing and ends: 1", code == 1 and not own(exchange), (code, said, bot.said()[-600:]))
    bot.errors.close()
    bot.disk.free()
    said = begin(bot)
    checks.check("a disk that stayed full: with room again the next start goes on and trades", "goes on behind record" in said and until(bot.is_back, 30),
                 (said, bot.status()))


def fills_by_itself(checks, exchange):
    """A bot that is set for a large disk, on a small one, in a market as busy as a hundred: its own journal fills it."""
    name = "a disk that the journal itself fills"
    with tempfile.TemporaryDirectory() as folder:
        bot = StoredBot(folder, exchange)
        change(bot, (f"keep_market_bytes = {KEPT}\n", ""))
        try:
            said = begin(bot)
            checks.check(f"{name}: before, it trades", until(lambda: bot.is_trading(20), 30), bot.said())
            said = bot.said()
            checks.check(f"{name}: the start says with figures that there is too little room for what is to be kept",
                         f"{DISK} bytes for a journal that may take" in said and f"keep_market_bytes = {4 << 30}" in said and f"6 files of {SEGMENT} bytes" in said
                         and "set [journal] keep_market_bytes to" in said, said)
            code, out, err = run("doctor", bot.path)
            checks.check(f"{name}: and so does doctor", "retention" in out + err and "for a journal that may take" in out + err, (code, out, err))
            # What else is there, so that it does not take minutes.
            with open(bot.disk.filler, "wb") as file:
                file.write(bytes(OTHERS))
            code = until(lambda: bot.process.poll() is not None and bot.process.returncode, 240)
            out = bot.process.stdout.read().strip().splitlines()
            bot.errors.close()
            last = json.loads(out[-1]) if out and out[-1].startswith("{") else {}
            checks.check(f"{name}: it holds, takes its orders off and ends in order, with a ledger equal to the exchange's: 1",
                         code == 1 and bot.told("journal-room") and last.get("reconciled") is True and not own(exchange), (code, last, bot.said()[-600:]))
            checks.check(f"{name}: nothing is lost", "nothing is lost" in bot.said(), bot.said()[-600:])
            sound(checks, bot, name)
            files = os.listdir(bot.journal)
            checks.check(f"{name}: what it put away is there, decisions and frames", sum(file.endswith(".mjd") for file in files) > 3
                         and any(file.endswith(".mjm") for file in files), sorted(files))
            grown = bot.disk.grow(4 * DISK)
            said = begin(bot)
            checks.check(f"{name}: on a larger one the next start goes on and trades", grown and "goes on behind record" in said and until(bot.is_back, 30), (said, bot.status()))
            code, last = finish(bot)
            checks.check(f"{name}: and ends in order: 0", code == 0 and last.get("reconciled") is True, (code, last))
            sound(checks, bot, f"{name}, grown")
        finally:
            if bot.process and bot.process.poll() is None:
                bot.process.kill()
                bot.process.wait()
            bot.disk.close()


def full_at_the_start(checks, exchange):
    with tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        change(bot, (bot.journal, os.path.join(folder, "small", "journal")))
        bot.disk = Disk(os.path.join(folder, "small"))
        try:
            bot.disk.fill()
            code, out, err = run("run", bot.path, "--json")
            checks.check("on a disk that is full already a first run ends at once, with the file and the bytes it needs: 1",
                         code == 1 and "disk is full" in err and str(SEGMENT) in err and not own(exchange), (code, out, err))
        finally:
            bot.disk.close()


def broken(checks, bot, exchange, folder):
    compiler = shutil.which("clang") or shutil.which("cc")
    if not compiler:
        return checks.skip("a disk that breaks", "no C compiler is on PATH; the Swift toolchain brings clang")
    fault, library = os.path.join(folder, "fault"), os.path.join(folder, "disk_fault.so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "disk_fault.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Werror", "-Wall", "-o", library, source], check=True)
    with open(fault, "wb") as file:
        file.write(bytes(1))
    page = mmap.mmap(os.open(fault, os.O_RDWR), 1)
    os.environ.update(LD_PRELOAD=library, DISK_FAULT=fault)
    begin(bot)
    for name in ("LD_PRELOAD", "DISK_FAULT"):
        del os.environ[name]
    checks.check("a disk that breaks: before, it trades", until(lambda: bot.is_trading(20), 30), bot.status())
    page[0] = 1
    code = until(lambda: bot.process.poll() is not None and bot.process.returncode, 30)
    out = bot.process.stdout.read().strip().splitlines()
    bot.errors.close()
    last = json.loads(out[-1]) if out and out[-1].startswith("{") else {}
    said, told = bot.said(), bot.told("journal")
    checks.check("a disk that breaks: it takes every order off, ends, and its ledger is the exchange's: 1",
                 code == 1 and not own(exchange) and last.get("reconciled") is True, (code, last, said[-600:]))
    checks.check("a disk that breaks: the alert and the last words say up to which record the disk has it, and what may be lost",
                 told and "fdatasync failed" in told[-1]["what"] and "are on disk" in told[-1]["what"] and "journal: " in said and "may not outlive" in said,
                 (told, said[-600:]))
    checks.check("a disk that breaks: it halted for that reason", bot.told("halted") and "could not be brought to disk" in bot.told("halted")[-1]["what"], bot.told("halted"))
    # The head told nothing that the disk was not known to have.
    sound(checks, bot, "a disk that breaks")


def main():
    checks = Checks()
    # A file is full after some 20 s: a hold lasts for as long as the file that is being written has room.
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = StoredBot(folder, exchange)
        if not bot.disk.is_there:
            checks.skip("a journal on a small disk", "mounting one needs the right to mount")
            return checks.end()
        try:
            begin(bot)
            checks.check("a bot trades with its journal on a disk of 16 MB", until(lambda: bot.is_trading(20), 30), bot.said())
            sizes = {os.path.getsize(path) for path in glob.glob(os.path.join(bot.journal, "*.mjl"))}
            checks.check("its files are an eighth of that, and the start says so", sizes == {SEGMENT} and f"{DISK} bytes: the journal's files are {SEGMENT} bytes there" in bot.said()
                         and "may take" not in bot.said(), (sizes, bot.said()))
            # A folder where the first packed file is to be written: not even root can write it.
            refused = os.path.join(bot.journal, "00000001.mjd.new")
            os.mkdir(refused)
            full(checks, bot, exchange)
            read_only(checks, bot, exchange)
            packing_refused(checks, bot, refused)
            to_the_end(checks, bot, exchange)
            code, last = finish(bot)
            checks.check("it ends in order: 0", code == 0 and last.get("reconciled") is True, (code, last))
            broken(checks, bot, exchange, folder)
            begin(bot)
            checks.check("a disk that broke: the next start goes on, and trades", until(lambda: bot.is_trading(20), 30), (bot.status(), bot.said()[-500:]))
            code, last = finish(bot)
            checks.check("and ends in order: 0", code == 0 and last.get("reconciled") is True, (code, last))
            judge(checks, "through all of it", Journal(bot.journal), finished(exchange), fills(exchange))
            sound(checks, bot, "through all of it")
            full_at_the_start(checks, exchange)
        finally:
            if bot.process and bot.process.poll() is None:
                bot.process.kill()
                bot.process.wait()
            bot.disk.close()
    with Exchange("--speed", "60", plain=False) as exchange:
        fills_by_itself(checks, exchange)
    checks.end()


if __name__ == "__main__":
    if os.geteuid() != 0 and "MARTLET_UNSHARED" not in os.environ:
        # As root of a space of its own, where that is to be had.
        apart = ["unshare", "--user", "--map-root-user", "--mount"]
        if shutil.which("unshare") and subprocess.run([*apart, "true"], capture_output=True).returncode == 0:
            os.environ["MARTLET_UNSHARED"] = "1"
            os.execvp(apart[0], [*apart, sys.executable, *sys.argv])
    main()

"""A bot trades over TLS for as long as it is told, while its network fails, its exchange stands still and it is killed, all drawn
from a seed. In the end nothing is lost, nothing is double, and its memory is what it was."""
import argparse
import collections
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from decimal import Decimal

from demo_processes import MARTLET, orders
from fault_proxy import FaultProxy
from local_exchange import Checks, Exchange, ROOT, until
from outages import TIMEOUT, Bot

# Longer than any two of these in a row, so that the kill-switch never ends what a living bot has resting.
FAULTS = {"cut": 30, "corrupt": 12, "stall": 12, "drip": 10, "half-open": 8, "refuse": 12, "burst": 6, "still": 10}
SAMPLE = 5.0
# The exchange remembers so many finished orders of an account, and as many fills, and forgets the oldest; each takes some 400 bytes.
HISTORY, RECORD = 10_000, 0.7


class Process:
    """Memory and file descriptors of a process, over its life."""

    def __init__(self, name, pid):
        self.name, self.pid, self.rss, self.files, self.kept = name, pid, [], [], []

    def sample(self, kept=0):
        """`kept` is how many finished orders and fills it remembers by right."""
        try:
            with open(f"/proc/{self.pid}/statm") as file:
                self.rss.append(int(file.read().split()[1]) * 4)
            self.files.append(len(os.listdir(f"/proc/{self.pid}/fd")))
            self.kept.append(kept)
        except (OSError, IndexError):
            pass  # It has just ended.

    def growth(self):
        """Mean KiB of the last quarter less that of the second, the same of open files and of what it remembers, and the KiB of the
        second quarter; None for a short life."""
        if len(self.rss) < 60:
            return None
        quarter = len(self.rss) // 4

        def mean(values, at):
            return statistics.fmean(values[at * quarter:(at + 1) * quarter])

        return *(mean(values, 3) - mean(values, 1) for values in (self.rss, self.files, self.kept)), mean(self.rss, 1)


class Watch:
    """Looks on from beside, past the proxy: is the kill-switch armed whenever orders of the bot rest, and is memory flat."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.processes = [Process("exchange", exchange.process.pid)]
        self.unguarded = 0.0
        self.asked = 0
        # Moments at which a kill-switch ran out over orders that rested, and the least time that was ever left of one.
        self.fired, self.least = [], None
        # By the exchange's numbers: client order ids, and of fills the same. It forgets the oldest in time.
        self.orders, self.fills = {}, {}
        # By client order id, how much was filled.
        self.filled = {}
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=work) for work in (self._guard, self._sample, self._collect)]
        for thread in self.threads:
            thread.start()

    def _guard(self):
        ends = None  # When the timer that was last seen over resting orders would run out.
        while not self.is_over.wait(0.5):
            try:
                # The list first: what is armed only afterwards does not count.
                resting = [row for row in orders(self.exchange) if row["clientOrderId"].startswith("mt")]
                timers = self.exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"})
                if ends and not timers and time.time() >= ends:
                    self.fired.append(ends)
                ends = max(int(timer["cancellationTime"]) for timer in timers) if resting and timers else None
                if ends:
                    self.least = min(ends - time.time(), self.least or TIMEOUT)
                if resting:
                    again = [row for row in orders(self.exchange) if row["clientOrderId"].startswith("mt")] if not timers else []
                    both = {row["clientOrderId"] for row in resting} & {row["clientOrderId"] for row in again}
                    self.unguarded += 0.5 if both else 0
            except (OSError, TypeError, KeyError):
                continue  # The exchange stands still, as it was told to.
            self.asked += 1

    def _sample(self):
        while not self.is_over.wait(SAMPLE):
            self.processes[0].sample(min(len(self.orders), HISTORY) + min(len(self.fills), HISTORY))
            for process in self.processes[1:][-1:]:
                process.sample()

    def _collect(self):
        while not self.is_over.wait(20):
            try:
                self.collect()
            except (OSError, TypeError, KeyError):
                continue

    def collect(self):
        """Reads back what is finished since the last time."""
        for path, kept, number in (("order/history", self.orders, "orderId"), ("executed-history", self.fills, "id")):
            offset, is_new = 0, True
            while is_new:
                answer = self.exchange.post(f"/api/v4/trade-account/{path}", {"market": "DBTC_DUSDT", "limit": 100, "offset": offset})
                page = answer if isinstance(answer, list) else answer.get("DBTC_DUSDT", [])
                fresh = {row.get(number, row.get("id")): row["clientOrderId"] for row in page if row.get("clientOrderId", "").startswith("mt")}
                # One page more than seems needed: what ended meanwhile pushed the rest down.
                is_new = len(page) == 100 and not fresh.keys() <= kept.keys()
                kept.update(fresh)
                for row in page if kept is self.orders else []:
                    self.filled[row.get("clientOrderId", "")] = Decimal(row["dealStock"])
                offset += 90

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        self.collect()


class Lives:
    """The bot, life after life, on one journal."""

    def __init__(self, exchange, proxy, folder, watch):
        self.bot = Bot(exchange, proxy, folder)
        self.path = self.bot.process.args[2]
        self.watch = watch
        self.count = 0
        self.errors = []
        self._follow()

    def _follow(self):
        self.count += 1
        self.watch.processes.append(Process(f"bot, life {self.count}", self.bot.process.pid))
        threading.Thread(target=self._drain, args=(self.bot.process,), daemon=True).start()

    def _drain(self, process):
        # What nobody reads would fill the pipe and hold the bot up.
        for line in process.stderr:
            self.errors = (self.errors + [line.rstrip()])[-50:]

    def begin(self):
        self.bot.process = subprocess.Popen([MARTLET, "run", self.path, "--json"], stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True, cwd=ROOT)
        self._follow()

    def kill(self):
        self.bot.process.kill()
        self.bot.process.wait()

    def stop(self):
        """Its exit code and its last line."""
        self.bot.process.send_signal(signal.SIGTERM)
        out = self.bot.process.stdout.read()
        return self.bot.process.wait(timeout=90), out.strip().splitlines()[-1:]


class Trouble:
    """What happens, drawn from the seed."""

    def __init__(self, seed, exchange, proxy, lives):
        self.random = random.Random(seed)
        self.exchange, self.proxy, self.lives = exchange, proxy, lives
        self.counts = collections.Counter()
        self.stops = []

    def fault(self):
        name = self.random.choices(list(FAULTS), list(FAULTS.values()))[0]
        self.counts[name] += 1
        seconds = self.random.uniform(1, 8)
        if name == "cut":
            self.proxy.cut()
        elif name == "corrupt":
            self.proxy.corrupt()
        elif name == "stall":
            self.proxy.stall(seconds)
        elif name == "drip":
            self.proxy.drip = (self.random.choice([64, 200, 1000]), 0.0005)
            time.sleep(seconds)
            self.proxy.drip = None
        elif name == "half-open":
            self.proxy.half_open()
        elif name == "refuse":
            self.proxy.refuse(seconds)
        elif name == "burst":
            for _ in range(self.random.randint(3, 15)):
                self.proxy.cut()
                time.sleep(self.random.uniform(0.02, 1))
        elif name == "still":
            self.exchange.process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            self.exchange.process.send_signal(signal.SIGCONT)

    def death(self):
        if self.random.random() < 0.7:
            self.counts["kill -9"] += 1
            self.lives.kill()
        else:
            self.counts["stop"] += 1
            code, _ = self.lives.stop()
            self.stops.append(code)
        time.sleep(self.random.uniform(0, 5))
        self.lives.begin()


def booked(journal):
    """Trade numbers that the journal's lives booked, each a fill that moved a position; by client order id how much was filled and
    the state, as it last knew them; where its ledger was not the exchange's; and the replies of an exchange that was asked too often."""
    process = subprocess.Popen([MARTLET, "journal", "print", journal], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    found, last, known, adjusted, refused = [], None, {}, [], []
    for line in process.stdout:
        order = re.search(r"note +\[\d+\] order (\S+) .* filled (\S+): (\S+)", line)
        if order:
            known[order.group(1)] = Decimal(order.group(2)), order.group(3)
        fill = re.search(r"note +\[\d+\] fill (\d+) of (\S+):", line)
        if fill:
            last = int(fill.group(1))
        elif last is not None and re.search(r"note +\[\d+\] position ", line):
            found.append(last)
            last = None
        elif " note " in line:
            last = None
        if "taken over" in line or "ledger of" in line:
            adjusted.append(line.strip())
        if re.search(r"input +reply \d+ HTTP 429\b", line):
            refused.append(line.strip()[:300])
    process.wait()
    return found, known, adjusted, refused


def soak(checks, minutes, seed, life):
    with Exchange("--speed", "10", plain=False) as exchange, FaultProxy(exchange.port) as proxy, tempfile.TemporaryDirectory() as folder:
        watch = Watch(exchange)
        lives = Lives(exchange, proxy, folder, watch)
        trouble = Trouble(seed, exchange, proxy, lives)
        checks.check("a bot trades over TLS through a proxy", until(lives.bot.is_trading, 20), lives.errors)
        began = time.monotonic()
        end = began + 60 * minutes
        # Deaths are far apart, so that there is a life to measure; a short run has one all the same.
        death = began + min(trouble.random.expovariate(1 / life), 20 * minutes)
        backs, said = [], began
        while time.monotonic() < end:
            time.sleep(min(trouble.random.uniform(2, 25), max(0, end - time.monotonic())))
            if time.monotonic() > death:
                trouble.death()
                death = time.monotonic() + max(min(60, life), trouble.random.expovariate(1 / life))
            else:
                trouble.fault()
            moment = time.monotonic()
            if trouble.random.random() < 0.6:
                # Some troubles are noticed late, and some not at all.
                is_felt = until(lambda: not lives.bot.is_trading(), 1)
                if until(lives.bot.is_trading, 120):
                    backs += [time.monotonic() - moment] if is_felt else []
                else:
                    checks.check("it trades again within 120 s", False, (dict(trouble.counts), lives.bot.state(), lives.errors[-5:]))
            if time.monotonic() - said > 300:
                said = time.monotonic()
                print(f"     {int(said - began)} s: {dict(trouble.counts)}", flush=True)

        def states():
            return {order["state"] for order in lives.bot.state().get("orders", [])}

        settled = until(lambda: lives.bot.is_trading() and states() == {"open"}, 90)
        checks.check("healed, it trades and no order is in doubt", settled, (states(), lives.bot.state().get("state"), lives.errors[-5:]))
        time.sleep(2)
        code, last = lives.stop()
        watch.end()
        checks.check("it stops, and its ledger is the exchange's to the last digit", code == 0 and '"reconciled":true' in "".join(last),
                     (code, last, lives.errors[-5:]))
        checks.check("so it was at each stop before", all(code == 0 for code in trouble.stops), trouble.stops)
        rows = watch.orders
        ids = collections.Counter(rows.values())
        checks.check("no order was sent twice", len(ids) == len(rows) and rows, [name for name, count in ids.items() if count > 1][:5])
        left = orders(exchange)
        checks.check("none is left, and each has its end", left == [], left)
        fills = watch.fills
        known, ends, adjusted, refused = booked(lives.bot.journal)
        checks.check("no fill was booked twice", len(known) == len(set(known)), [number for number, count in collections.Counter(known).items() if count > 1][:5])
        checks.check("no balance had to be taken over from the exchange", not adjusted, adjusted[:5])
        checks.check("the exchange never said that it was asked too often: no reply was HTTP 429", not refused, (len(refused), refused[:3]))
        checks.check("no fill was booked that the exchange does not have", set(known) <= set(fills), sorted(set(known) - set(fills))[:5])
        unseen = set(fills) - set(known)
        checks.check("every fill was booked, those while no bot lived too", not unseen, (len(unseen), sorted(unseen)[:5]))
        checks.tell(f"{len(ends)} orders in its journal: {dict(collections.Counter(state for _, state in ends.values()))}")
        open_ends = [(name, end) for name, end in ends.items() if end[1] not in ("filled", "canceled", "rejected")]
        checks.check("and every order has its end in the journal", not open_ends, open_ends[:5])
        other = [(name, end, watch.filled.get(name)) for name, end in ends.items()
                 if end[0] != watch.filled.get(name, 0)]
        checks.check("and each was filled as the exchange says", not other and watch.filled, other[:5])
        for words in (["journal", "verify"], ["replay", "--verify"]):
            done = subprocess.run([MARTLET, *words, lives.bot.journal], capture_output=True, text=True, cwd=ROOT)
            checks.check(f"{' '.join(words)} holds over all {'lives' if lives.count > 1 else 'of it'}", done.returncode == 0, done.stdout[-300:] + done.stderr[-300:])
        checks.check(f"the kill-switch was armed whenever orders rested", watch.asked > 10 and watch.unguarded == 0, f"{watch.unguarded} s not")
        checks.check("and never ran out over them", not watch.fired, watch.fired)
        checks.tell(f"the least that was ever left of it: {watch.least:.1f} s of {TIMEOUT} s")
        for process in watch.processes:
            growth = process.growth()
            if growth is None:
                continue
            memory, files, kept, before = growth
            checks.tell(f"{process.name}: {before / 1024:.1f} MB, {memory / 1024:+.2f} MB and {files:+.1f} files from the second quarter to the last")
            if kept:
                checks.tell(f"{process.name}: {kept:+.0f} finished orders and fills of those that it remembers by right")
            checks.check(f"{process.name.split(',')[0]} keeps its memory", memory < max(4096, 0.05 * before) + RECORD * kept, (memory, kept))
            checks.check(f"{process.name.split(',')[0]} keeps no files", files < 8, files)
        checks.tell(f"seed {seed}, {minutes} minutes, {len(rows)} orders, {len(fills)} fills, {lives.count} lives: {dict(trouble.counts)}")
        checks.tell(f"without protection {watch.unguarded} s of {watch.asked / 2:.0f} looked at; trading again after "
                    f"{statistics.median(backs):.1f} s in the middle and {max(backs):.1f} s at most" if backs else "never waited for")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--life", type=float, default=1200, help="seconds between two deaths, in the mean")
    given = parser.parse_args()
    checks = Checks()
    print(f"     seed {given.seed}", flush=True)
    soak(checks, given.minutes, given.seed, given.life)
    checks.end()


if __name__ == "__main__":
    main()

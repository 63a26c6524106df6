"""One bot is killed again and again in mid-trade and begins again at once, on one exchange whose market is busy, over TLS through a relay:
by chance while it starts, trades, is reloaded or stops, or at the very byte that places, cancels, arms, answers or tells of a fill.

The venue gives a key ten tokens for streams a minute, so two hundred deaths take half an hour; the gate has twenty."""
import argparse
import collections
import os
import random
import re
import signal
import statistics
import subprocess
import tempfile
import time

import audit
from demo_processes import MARTLET, orders, run
from local_exchange import Checks, Exchange, ROOT, until
from outages import Bot, Guard
from relay import Reader, Relay, is_stream
from soak import Process
from steady import grids

MARKETS = ("DBTC_DUSDT", "DETH_DUSDT", "DLTC_DUSDT")
LEVELS, FEWER = 20, 14
# Deaths by what is done meanwhile, with how often; those of the wire by direction, what passes then, and whether on a stream.
CHANCE = {"starting": 20, "trading": 25, "reloaded": 15, "stopping": 10}
WIRE = {"placing": (15, "sent", (b"/order/bulk", b"/order/new"), False), "canceling": (10, "sent", (b"/order/cancel",), False),
        "arming": (6, "sent", (b"/order/kill-switch",), False), "answered": (10, "received", (b'"clientOrderId"',), False),
        "filled": (15, "received", (b"deals_update", b"ordersExecuted_update"), True), "told": (8, "received", (b"ordersPending_update",), True)}


class Trap(Relay):
    """A relay that kills a process when a chosen thing passes; what killed it goes on or is lost with it."""

    def __init__(self, upstream, ca):
        super().__init__(upstream, ca, kept=("sent",))
        self.passes = self._look
        self.armed = None

    def arm(self, process, name, draws):
        _, kind, needles, is_pushed = WIRE[name]
        self.armed = (process, kind, needles, is_pushed, draws.random() < 0.5, draws.choice((0, 0, 0.0005, 0.005)))

    def _look(self, record, kind, data):
        armed = self.armed
        if armed is None or armed[1] != kind or is_stream(record) != armed[3] or not any(needle in data for needle in armed[2]):
            return True
        self.armed = None
        process, _, _, _, goes_on, later = armed
        time.sleep(later)
        process.kill()
        return goes_on


def placed(relay):
    """Client order ids in the order in which they went over the wire; one that was sent twice is there twice."""
    found = []
    for record in relay.copy():
        if is_stream({"opening": record["sent"][0][1]} if record["sent"] else {"opening": b""}):
            continue
        sent = Reader(record["sent"])
        while (head := sent.head()) is not None:
            fields = {name.lower(): value for name, value in head[1]}
            if (body := sent.take(int(fields.get("content-length", 0)))) is None:
                break
            if head[0].split()[1] in ("/api/v4/order/bulk", "/api/v4/order/new"):
                found += re.findall(rb'"clientOrderId":"([^"]+)"', body)
    return [name.decode() for name in found]


class Deaths:
    """One bot, life after life."""

    def __init__(self, exchange, relay, folder, draws):
        def change(text):
            text = grids(MARKETS, LEVELS)(text)
            return text.replace("[journal]\n", '[journal]\nsegment_bytes = 4194304\nsync = "behind 10ms"\n')

        self.relay, self.draws, self.folder = relay, draws, folder
        self.bot = Bot(exchange, relay, folder, change=change, ca=relay.ca, errors=open(os.path.join(folder, "errors"), "w"))
        self.path, self.levels = self.bot.words[-2], LEVELS
        self.counts, self.began, self.ends, self.failed, self.memory = collections.Counter(), [], [], [], []

    def is_trading(self):
        return self.bot.is_trading()

    def reload(self):
        """Tells it to have another number of levels; it cancels or places at once."""
        with open(self.path) as file:
            text = file.read()
        other = FEWER if self.levels == LEVELS else LEVELS
        with open(self.path, "w") as file:
            file.write(text.replace(f"levels = {self.levels}", f"levels = {other}"))
        self.levels = other
        return subprocess.Popen([MARTLET, "reload", "--bot", os.path.join(self.folder, "bot")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)

    def die(self):
        """One life's end and the next one's beginning."""
        names = {**CHANCE, **{name: row[0] for name, row in WIRE.items()}}
        name = self.draws.choices(list(names), list(names.values()))[0]
        process, began, word = self.bot.process, time.monotonic(), None
        if name == "starting":
            time.sleep(self.draws.uniform(0, 0.6))
        else:
            # It may wait for a token, a minute at most.
            if until(lambda: self.is_trading() or process.poll() is not None, 90) and process.poll() is None:
                self.began.append(time.monotonic() - began)
                self.memory.append(self._memory(process.pid))
            else:
                self.failed.append((name, process.poll(), self.bot.state().get("state"), self.bot.state().get("halt_reason")))
            time.sleep(self.draws.uniform(0, 1))
            if name in WIRE:
                self.relay.arm(process, name, self.draws)
                if name == "canceling" or self.draws.random() < 0.3:
                    word = self.reload()
                until(lambda: process.poll() is not None, 8)
                is_sprung, self.relay.armed = self.relay.armed is None, None
                self.counts["by the wire" if is_sprung else "not in time"] += 1
            elif name == "trading":
                time.sleep(self.draws.uniform(0, 2))
            elif name == "reloaded":
                word = self.reload()
                time.sleep(self.draws.uniform(0, 0.12))
            else:
                process.send_signal(signal.SIGTERM)
                time.sleep(self.draws.uniform(0, 0.08))
        self.counts[name] += 1
        process.kill()
        out, _ = process.communicate()
        if process.returncode != -signal.SIGKILL:
            # It was told to stop and did, before it could be killed.
            self.counts["stopped in time"] += 1
            if name != "stopping" or process.returncode != 0 or '"reconciled":true' not in out:
                self.ends.append((name, process.returncode, out[-300:]))
        self.bot.begin()
        if word:
            word.wait()

    @staticmethod
    def _memory(pid):
        with open(f"/proc/{pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))


def crashes(checks, count, seed):
    draws = random.Random(seed)
    more = [word for market in MARKETS[1:] for word in ("--market", market)]
    balances = [f"{market.split('_')[0]}=100" for market in MARKETS[1:]]
    with Exchange("--speed", "10", *more, plain=False, balances=balances) as exchange, tempfile.TemporaryDirectory() as folder:
        time.sleep(3)  # Until the recording has begun, and its prices are those around which orders rest.
        relay = Trap(exchange.port, exchange.ca)
        lives = Deaths(exchange, relay, folder, draws)
        bot = lives.bot
        begun = until(bot.is_trading, 20)
        checks.check("a bot trades in busy markets over TLS through a relay that reads", begun, bot.state())
        guard, collector = Guard(exchange, MARKETS), audit.Collector(exchange, MARKETS)
        guard.may_end = True
        gauge = Process("exchange", exchange.process.pid)
        began = said = time.monotonic()
        for number in range(count):
            lives.die()
            gauge.sample()
            if time.monotonic() - said > 60:
                said = time.monotonic()
                print(f"     {number + 1} deaths in {said - began:.0f} s: {dict(lives.counts)}", flush=True)

        def settled():
            state = bot.state()
            return bot.is_trading() and {order["state"] for order in state.get("orders", [])} == {"open"}

        whole = until(settled, 120)
        took = time.monotonic() - began
        checks.check("M71 after each kill -9 it reconciles and trades again, and in the end no order is in doubt", whole and not lives.failed and not lives.ends,
                     (bot.state().get("state"), bot.state().get("halt_reason"), lives.failed[:3], lives.ends[:3]))
        time.sleep(2)
        files = len([name for name in os.listdir(bot.journal) if name.split(".")[0].isdigit()])
        guard.end()
        code, last, _ = bot.end(90)
        collector.end()
        with open(os.path.join(folder, "errors")) as file:
            said = file.read()
        checks.check("M7 its ledger is the exchange's to the last digit after so many deaths", code == 0 and last.get("reconciled") is True, (code, last, said[-500:]))
        checks.check("none is left after so many deaths", not any(orders(exchange, market) for market in MARKETS), [orders(exchange, market)[:2] for market in MARKETS])
        anew = [line for line in said.splitlines() if "begins anew" in line]
        checks.check("M71 each life goes on where the one before it died: none begins anew", not anew, anew[:3])
        sent = placed(relay)
        again = [name for name, times in collections.Counter(sent).items() if times > 1]
        checks.check("M44 no order went over the wire twice in all its lives", len(sent) >= 2 * LEVELS and not again, (len(sent), again[:5]))
        rows = list(collector.orders.values())
        known = {row["clientOrderId"] for row in rows}
        checks.check("M44 and the exchange has none that did not", known and known <= set(sent), sorted(known - set(sent))[:5])
        journal = audit.Journal(bot.journal)
        audit.judge(checks, "over so many deaths", journal, rows, collector.fills)
        checks.check("M62 every order that went over the wire has its one end in the journal, those whose reply was lost too",
                     all(len(journal.ends[name]) == 1 for name in sent), [(name, journal.ends[name]) for name in sent if len(journal.ends[name]) != 1][:3])
        checks.check("M96 M98 no balance had to be taken over, and nothing halted it, through so many deaths", not journal.adjusted and not journal.halts, (journal.adjusted[:3], journal.halts[:3]))
        guard.judge(checks, bot, "over so many deaths", rows)
        for words in (["journal", "verify"], ["replay", "--verify"]):
            code, out, err = run(*words, bot.journal, timeout=600)
            checks.check(f"{' '.join(words)} holds over so many deaths", code == 0, (out[-300:], err[-300:]))
        growth = gauge.growth()
        if growth:
            checks.check("the exchange keeps its memory over so many deaths", growth[0] < max(4096, 0.05 * growth[3]) + 0.7 * (len(rows) + len(collector.fills)), growth)
        part = max(1, len(lives.memory) // 4)
        quarters = [statistics.median(lives.memory[number * part:(number + 1) * part] or [0]) for number in range(4)]
        # What a life remembers by right, its last orders and fills, is full after four thousand; it was seen to take 28 MB then.
        checks.check("a life takes no more memory than a state that is full needs", quarters[3] < 36 * 1024, quarters)
        checks.tell(f"seed {seed}: {count} deaths in {took:.0f} s, {dict(lives.counts)}; {len(journal.refused)} tokens had to be asked for again, as ten were given within a minute")
        checks.tell(f"trading {statistics.median(lives.began):.2f} s after a death in the middle, {max(lives.began):.1f} s at most; {len(rows)} orders, {len(collector.fills)} fills, "
                    f"{journal.count} records in {files} files; a life's own memory by quarters of the run {', '.join(f'{value / 1024:.1f}' for value in quarters)} MB")
        relay.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--deaths", type=int, default=200 if os.environ.get("MARTLET_LONG") == "1" else 20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args()
    checks = Checks()
    print(f"     seed {given.seed}", flush=True)
    crashes(checks, given.deaths, given.seed)
    checks.end()


if __name__ == "__main__":
    main()

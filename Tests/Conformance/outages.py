"""A bot trades over TLS through a network that fails in every way a network can; after each failure it trades again,
and in the end its ledger is the exchange's."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from decimal import Decimal

from audit import Journal, fills, finished, judge
from demo_processes import MARTLET, configure, orders, run
from fault_proxy import FaultProxy
from local_exchange import Checks, Exchange, ROOT, until

TIMEOUT = 60


class Bot:
    """A bot as a process of its own, its way to the exchange through a proxy. `before` goes before its command; `ca` is what it trusts,
    the exchange's own certificate unless the proxy shows another."""

    def __init__(self, exchange, proxy, folder, before=(), change=lambda text: text, ca=None, errors=subprocess.PIPE):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.page = free.getsockname()[1]
        path = configure(folder, exchange, more=f"[dashboard]\nport = {self.page}\n")
        text = open(path).read().replace(f":{exchange.port}", f":{proxy.port}")
        if ca or exchange.ca:
            text = text.replace("key = ", f'ca = "{ca or exchange.ca}"\nkey = ', 1)
        text = re.sub(r'timeout = .*\nrefresh = .*\ngrace = .*', f'timeout = "{TIMEOUT}s"\nrefresh = "20s"\ngrace = "40s"', text)
        with open(path, "w") as file:
            file.write(change(text))
        self.journal = os.path.join(folder, "bot-journal")
        self.words, self.errors = [*before, MARTLET, "run", path, "--json"], errors
        self.environment = {**os.environ, "XDG_STATE_HOME": exchange.state}
        self.begin()

    def begin(self):
        """Its first life, or another after a death."""
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=ROOT, env=self.environment)

    def state(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/state", timeout=5) as answer:
                return json.load(answer) or {}
        except OSError:
            return {}

    def is_trading(self):
        state = self.state()
        return state.get("state") == "trading" and state.get("book_trusted") is True

    def notices(self, seconds=30):
        """Whether it stops trading, which it must before it can be back."""
        return until(lambda: not self.is_trading(), seconds)

    def frames(self):
        return self.state().get("counts", {}).get("frames", 0)

    def end(self, limit=60):
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=limit)
        lines = out.strip().splitlines()
        return self.process.returncode, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}, err


class Guard:
    """Asks the exchange, past the proxy, whether the kill-switch is armed whenever orders of the bot rest, and whether it ever fired."""

    def __init__(self, exchange, markets=("DBTC_DUSDT",), timeout=TIMEOUT, every=0.5):
        """`timeout` is the kill-switch's as its bot was told, `every` how long it waits between two looks."""
        self.exchange, self.markets, self.timeout, self.every = exchange, markets, timeout, every
        self.may_end = False  # Whether a bot may stop in order meanwhile, and take its timers off.
        self.unguarded = []
        self.asked = self.seen = 0
        self.oldest = 0.0
        # When it was seen to have fired, and what the network was kept from doing meanwhile: from, until.
        self.fired, self.outages = [], []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self):
        started = {}
        while not self.is_over.wait(self.every):
            for market in self.markets:
                # What came to rest only after the question for timers may have been armed after it as well.
                asked_at = time.time()
                timers = self.exchange.post("/api/v4/order/kill-switch/status", {"market": market})
                resting = [row for row in orders(self.exchange, market) if row["clientOrderId"].startswith("mt")]
                if self.is_over.is_set():
                    return  # It ends meanwhile, and takes its timer off.
                if not isinstance(timers, list):
                    continue  # The exchange stood still, and the question was too old when it was read.
                self.seen += bool(resting)
                if not timers and (bare := sum(row["timestamp"] < asked_at for row in resting)):
                    self.unguarded.append(bare)
                before, now = started.get(market), timers[0]["startTime"] if timers else None
                if before is not None and (now is None and not self.may_end or now is not None and now - before > self.timeout):
                    self.fired.append(time.monotonic())
                if before is not None and now is not None:
                    self.oldest = max(self.oldest, now - before)
                started[market] = now
            self.asked += 1

    @contextlib.contextmanager
    def outage(self):
        """Around a time for which the network is kept from working."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.outages.append((began, time.monotonic()))

    def faults(self):
        """When it fired, other than in an outage longer than its time: that is what it is for."""
        return [moment for moment in self.fired
                if not any(ended - began > self.timeout and began < moment < ended + self.every + 1 for began, ended in self.outages)]

    def end(self):
        self.is_over.set()
        self.thread.join()

    def judge(self, checks, bot, name, history):
        """Its verdict, once the bot has ended; `history` is all orders of the account."""
        checks.check(f"{name}: the kill-switch was armed each time that orders were seen to rest", self.seen > 10 and not self.unguarded, (self.seen, self.unguarded))
        excused = len(self.fired) > len(self.faults())
        taken = [] if excused else taken_off(history, bot.journal)
        checks.check(f"{name}: it never fired while the bot lived, and took off none of its orders", not self.faults() and not taken, (self.faults(), taken[:5]))
        longest = max((ended - began for began, ended in self.outages), default=0)
        checks.tell(f"without protection {self.every * len(self.unguarded):.1f} s of {self.every * self.asked:.0f} looked at; {self.oldest:.0f} s between two refreshes "
                    f"at most, of {self.timeout}; fired {len(self.fired)} times" + (f", in an outage of {longest:.0f} s" if excused else ""))


def taken_off(rows, journal):
    """Client order ids that the exchange ended unfilled and unasked, as its kill-switch does: the journal has no wish for it."""
    _, out, _ = run("journal", "print", journal, "--contains", "] cancel mt")
    wished = {line.rsplit(" ", 1)[1] for line in out.splitlines()}
    return [row["clientOrderId"] for row in rows
            if row["clientOrderId"].startswith("mt") and "CANCELED" in row.get("status", "") and row["clientOrderId"] not in wished]


def history(exchange):
    """Every order the exchange has ever had of this account, finished or not."""
    rows, offset = [], 0
    while True:
        found = exchange.post("/api/v4/trade-account/order/history", {"market": "DBTC_DUSDT", "limit": 100, "offset": offset})
        page = found.get("DBTC_DUSDT", []) if isinstance(found, dict) else []
        rows += page
        if len(page) < 100:
            return rows + orders(exchange)
        offset += 100


def outages(checks):
    with Exchange("--speed", "10", plain=False) as exchange, FaultProxy(exchange.port) as proxy, tempfile.TemporaryDirectory() as folder:
        bot = Bot(exchange, proxy, folder)
        checks.check("a bot trades over TLS through a proxy", until(bot.is_trading, 20), bot.state())
        guard = Guard(exchange)

        def after(name, limit, began=None):
            moment = began or time.monotonic()
            back = until(bot.is_trading, limit)
            checks.check(f"{name}: it trades again", back, bot.state())
            checks.tell(f"{time.monotonic() - moment:.1f} s later")

        proxy.cut()
        began = time.monotonic()
        checks.check("a cut is noticed at once", bot.notices(2), bot.state())
        after("every connection cut", 10, began)

        proxy.corrupt()
        began = time.monotonic()
        checks.check("changed bytes are noticed, as TLS is broken by them", bot.notices(15), bot.state())
        after("bytes changed on their way", 20, began)

        before = bot.frames()
        proxy.stall(5)
        checks.check("a stall of 5 s is sat out", until(lambda: bot.is_trading() and bot.frames() > before + 20, 10), bot.state())

        proxy.drip = (64, 0.0005)
        before = bot.frames()
        checks.check("frames that drip in by 64 bytes are read", until(lambda: bot.frames() > before + 5, 20), bot.state())
        proxy.drip = None
        after("a dripping line", 40)

        well = time.monotonic()
        until(lambda: not bot.is_trading() or time.monotonic() - well > 11, 20)
        accepted, began = proxy.accepted, time.time()
        proxy.cut()
        # It has noticed, as it comes again; what its page says of later is true.
        until(lambda: proxy.accepted > accepted, 10)
        coming = time.time()
        took = until(lambda: bot.is_trading() and max(0, bot.state()["now_ms"] / 1000 - coming) and time.time() - began, 10)
        checks.check("M93 a stream that was well for ten seconds is back within one", took and took < 1, took)

        proxy.half_open()
        began = time.monotonic()
        checks.check("M91 M101 connections that died without a word are noticed by their silence", bot.notices(25), bot.state())
        after("half-open connections", 45, began)

        proxy.refuse(5)
        after("no connection to be had for 5 s", 30)

        # How long a hundred take hangs on chance: four to eight minutes, as the venue has ten tokens for streams a minute.
        rounds = 100 if os.environ.get("MARTLET_LONG") == "1" else 25
        cuts = 0
        with guard.outage():
            for _ in range(rounds):
                accepted = proxy.accepted
                proxy.cut()
                # As soon as it is on its way back it is cut again.
                if not until(lambda: proxy.accepted > accepted, 70):
                    break
                cuts += 1
        checks.check("M94 cut 25 times in a row (100 with --long), each time as soon as it comes again, it comes again each time", cuts == rounds, cuts)
        after("so many cuts in a row", 60)

        def states():
            return {order["state"] for order in bot.state()["orders"]}

        settled = until(lambda: bot.is_trading() and states() == {"open"}, 30)
        checks.check("no order is left in doubt", settled, states())
        guard.end()
        code, last, err = bot.end()
        guard.judge(checks, bot, "through all this", history(exchange))
        checks.check("M7 M96 its ledger is the exchange's to the last digit",
                     code == 0 and last.get("reconciled") is True and last.get("fills", 0) > 0, (code, last, err[-500:]))
        judge(checks, "through all this", Journal(bot.journal), finished(exchange), fills(exchange))
        ids = [row["clientOrderId"] for row in history(exchange) if row["clientOrderId"].startswith("mt")]
        checks.check("T10 none of its orders was sent twice", len(ids) >= 20 and len(set(ids)) == len(ids), len(ids) - len(set(ids)))
        checks.tell(f"{len(ids)} orders, {last.get('fills')} fills")
        checks.check("and none is left", orders(exchange) == [], orders(exchange))
        code, out, err = run("journal", "verify", bot.journal)
        checks.check("its journal is sound", code == 0, (code, out, err))
        code, out, err = run("replay", "--verify", bot.journal)
        checks.check("and replays bit for bit, outages and all", code == 0, (code, out, err))


def stops(checks):
    """A bot that holds a stop is cut off, and told of a stop that the price has passed."""
    with Exchange("--speed", "10", plain=False) as exchange, FaultProxy(exchange.port) as proxy, tempfile.TemporaryDirectory() as folder:
        alerts_at = os.path.join(folder, "alerts.jsonl")
        stop = 'amount = "0.001"\ntrailing_stop = "20000"'
        bot = Bot(exchange, proxy, folder, change=lambda text: text.replace('amount = "0.001"', stop)
                  + f'[alerts]\nfile = "{alerts_at}"\nstop_inert = "2s"\n')
        path = bot.words[bot.words.index("run") + 1]

        def told(code, event):
            try:
                with open(alerts_at) as file:
                    return [row for row in map(json.loads, file) if row["code"] == code and row["event"] == event]
            except OSError:
                return []

        def held(state=None):
            return ((state or bot.state()).get("stops") or [{}])[0]

        def word(*words):
            return run(*words, "--bot", os.path.join(folder, "bot"))

        checks.check("a bot trades with its stop armed", until(lambda: bot.is_trading() and held().get("state") == "armed", 20), bot.state())
        before = held()
        began = time.monotonic()
        proxy.refuse(5)
        raised = until(lambda: told("stop-inert", "raised"), 10)
        checks.check("M64 a stop that nobody looks with is told while that lasts", raised and len(told("stop-inert", "raised")) == 1, raised)
        checks.check("and the status says so", until(lambda: held().get("state") == "inert" and held()["inert_ms"] > 0, 3), bot.state())
        checks.check("it is armed again behind the cut", until(lambda: bot.is_trading() and held().get("state") == "armed", 40), bot.state())
        took = time.monotonic() - began
        after = held()
        lost = (after["unprotected_ms"] - before["unprotected_ms"]) / 1000
        # From the last book before the cut, which came at most a second before it.
        checks.check("M64 the status says for how long nobody looked", 4 < lost < took + 1.5 and after["losses"] == before["losses"] + 1, (lost, took, after))
        cleared = until(lambda: told("stop-inert", "cleared"), 5)
        seconds = cleared and re.search(r"unprotected for ([0-9.]+) s", cleared[-1]["what"])
        checks.check("M64 and so does the alert's end", seconds and abs(float(seconds[1]) - lost) < 0.01, (cleared, lost))
        _, out, _ = word("status")
        checks.check("a person reads it in status", f"unprotected for {int(lost)} s in all" in out and "armed again 1 time" in out, out)

        # The price is past whatever is put there now.
        # Of more than one fill, so that another one meanwhile leaves something for the stop to trade back.
        until(lambda: abs(Decimal(bot.state().get("position", "0"))) > Decimal("0.0015"), 40)
        position = until(lambda: Decimal(bot.state().get("position", "0")), 20)
        wanted = 'stop_price = "200000"' if position and position > 0 else 'stop_price_above = "1"'
        text = open(path).read()
        with open(path, "w") as file:
            file.write(text.replace('trailing_stop = "20000"', wanted))
        code, out, err = word("reload")
        checks.check("a stop is set while the bot trades", code == 0, (code, out, err))
        done = until(lambda: held().get("state") == "done", 20)
        state = bot.state()
        checks.check("M64 it fires at once: halted, for its own reason", done and state["state"] == "halted" and state["halt_reason"] == "the price passed a stop", state)
        checks.check("with none of its orders left", not [row for row in orders(exchange) if row["clientOrderId"].startswith("mt")], orders(exchange))
        checks.check("and with what its fills had brought traded back", abs(Decimal(state["position"])) < Decimal("0.0001"), (position, state["position"]))
        code, out, err = word("rearm", "--yes")
        checks.check("rearmed under its stop it halts again at once, and says so", code == 1 and "halted again at once" in err, (code, out, err))
        checks.check("with nothing placed", held().get("state") == "done" and orders(exchange) == [], orders(exchange))
        code, last, err = bot.end()
        checks.check("its ledger is the exchange's to the last digit", code == 0 and last.get("reconciled") is True, (code, last, err[-500:]))
        _, out, _ = run("journal", "print", bot.journal, "--contains", "trades back what it protects")
        sale = out.splitlines()[-1:]
        _, notes, _ = run("journal", "print", bot.journal, "--contains", "approved mt")
        ids = [line.split(" approved ")[1].split()[0] for line in notes.splitlines()]
        code, out, err = run("explain", bot.journal, ids[-1])
        checks.check("explain tells of its order which stop it was for, and what price had passed it",
                     code == 0 and sale and "stop of DBTC_DUSDT at" in out and "where the price was" in out, (code, out[-800:], sale))
        code, out, err = run("replay", "--verify", bot.journal)
        checks.check("and the journal replays bit for bit", code == 0, (code, out, err))


def main():
    checks = Checks()
    stops(checks)
    outages(checks)
    checks.end()


if __name__ == "__main__":
    main()

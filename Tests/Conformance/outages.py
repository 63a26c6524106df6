"""A bot trades over TLS through a network that fails in every way a network can; after each failure it trades again,
and in the end its ledger is the exchange's."""
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

from demo_processes import MARTLET, configure, orders, run
from fault_proxy import FaultProxy
from local_exchange import Checks, Exchange, ROOT, until

TIMEOUT = 60


class Bot:
    """A bot as a process of its own, its way to the exchange through a proxy. `before` goes before its command."""

    def __init__(self, exchange, proxy, folder, before=(), change=lambda text: text):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.page = free.getsockname()[1]
        path = configure(folder, exchange, more=f"[dashboard]\nport = {self.page}\n")
        text = open(path).read().replace(f":{exchange.port}", f":{proxy.port}")
        if exchange.ca:
            text = text.replace("key = ", f'ca = "{exchange.ca}"\nkey = ', 1)
        text = re.sub(r'timeout = .*\nrefresh = .*\ngrace = .*', f'timeout = "{TIMEOUT}s"\nrefresh = "20s"\ngrace = "40s"', text)
        with open(path, "w") as file:
            file.write(change(text))
        self.journal = os.path.join(folder, "bot-journal")
        self.process = subprocess.Popen([*before, MARTLET, "run", path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)

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

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=60)
        lines = out.strip().splitlines()
        return self.process.returncode, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}, err


class Guard:
    """Asks the exchange, past the proxy, whether the kill-switch is armed whenever orders of the bot rest."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.unguarded = []
        self.asked = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self):
        while not self.is_over.wait(0.5):
            # The list first: what is armed only afterwards does not count.
            timers = self.exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"})
            resting = [row for row in orders(self.exchange) if row["clientOrderId"].startswith("mt")]
            self.asked += 1
            if resting and not timers:
                self.unguarded.append(len(resting))

    def end(self):
        self.is_over.set()
        self.thread.join()


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
            checks.check(f"{name}: trading again {time.monotonic() - moment:.1f} s later", back, bot.state())

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

        rounds = 100
        began = time.monotonic()
        lost = 0
        for _ in range(rounds):
            accepted = proxy.accepted
            proxy.cut()
            # As soon as it is on its way back it is cut again.
            if not until(lambda: proxy.accepted > accepted, 40):
                lost += 1
            if time.monotonic() - began > 60:
                break
        cuts = _ + 1
        after(f"M94 {cuts} cuts one after the other", 60)
        checks.check("and after each it came again", lost == 0, lost)

        def states():
            return {order["state"] for order in bot.state()["orders"]}

        settled = until(lambda: bot.is_trading() and states() == {"open"}, 30)
        checks.check("no order is left in doubt", settled, states())
        guard.end()
        checks.check(f"the kill-switch was armed each of the {guard.asked} times that orders were seen to rest",
                     guard.asked > 20 and not guard.unguarded, guard.unguarded)
        code, last, err = bot.end()
        checks.check(f"M7 M96 its ledger is the exchange's to the last digit after {last.get('fills')} fills",
                     code == 0 and last.get("reconciled") is True and last.get("fills", 0) > 0, (code, last, err[-500:]))
        ids = [row["clientOrderId"] for row in history(exchange) if row["clientOrderId"].startswith("mt")]
        checks.check(f"T10 none of its {len(ids)} orders was sent twice", len(ids) >= 20 and len(set(ids)) == len(ids), len(ids) - len(set(ids)))
        checks.check("and none is left", orders(exchange) == [], orders(exchange))
        code, out, err = run("journal", "verify", bot.journal)
        checks.check("its journal is sound", code == 0, (code, out, err))
        code, out, err = run("replay", "--verify", bot.journal)
        checks.check("and replays bit for bit, outages and all", code == 0, (code, out, err))


def main():
    checks = Checks()
    outages(checks)
    checks.end()


if __name__ == "__main__":
    main()

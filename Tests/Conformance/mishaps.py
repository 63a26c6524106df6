"""What befalls a bot from beside its connections: an exchange that is away, or comes back and has forgotten everything, a name that nobody knows
any more, a clock that is set, and a bot that stands still."""
import collections
import mmap
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

import audit
from demo_processes import orders, run
from fault_proxy import FaultProxy
from local_exchange import Checks, Exchange, ROOT, until
from outages import TIMEOUT, Bot, Guard, history
from relay import Relay, events

WAITS = re.compile(r"waits \d+ s, until this machine's clock, which was set back")


def own(exchange):
    return [row for row in orders(exchange) if row["clientOrderId"].startswith("mt")]


def fills(bot):
    return bot.state().get("counts", {}).get("fills", 0)


def sound(checks, name, bot):
    for words in (["journal", "verify"], ["replay", "--verify"]):
        code, out, err = run(*words, bot.journal)
        checks.check(f"{' '.join(words)} holds {name}", code == 0, (out[-300:], err[-300:]))


def judged(checks, name, bot, exchange):
    """The exchange's own lists against the journal of a bot that has ended."""
    audit.judge(checks, name, audit.Journal(bot.journal), audit.finished(exchange), audit.fills(exchange))


def absent_exchange(checks):
    """The exchange is away in mid-trade, as between its end and its next beginning: connections break, no other is to be had, nothing
    is answered. What it knew it knows when it is back."""
    away = 6
    with Exchange("--speed", "10", plain=False) as exchange, FaultProxy(exchange.port) as proxy, tempfile.TemporaryDirectory() as folder:
        bot = Bot(exchange, proxy, folder)
        checks.check("a bot trades on an exchange that will be away", until(lambda: bot.is_trading() and fills(bot) > 3, 40), bot.state())
        guard = Guard(exchange)
        before = fills(bot)
        with guard.outage():
            exchange.process.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            proxy.is_refusing = True
            proxy.cut()
            noticed = bot.notices(3)
            time.sleep(max(0, began + away - time.monotonic()))
            exchange.process.send_signal(signal.SIGCONT)
            proxy.is_refusing = False
        back = until(bot.is_trading, 40)
        took = time.monotonic() - began
        traded = until(lambda: fills(bot) > before + 2, 40)
        checks.check("an exchange that is away is noticed at once; when it is back, all known to it, the bot trades on", noticed and back and traded,
                     (noticed, back, traded, bot.state()))
        checks.tell(f"trading again {took:.1f} s later, of which it was away for {away}")
        settled = until(lambda: {order["state"] for order in bot.state().get("orders", [])} == {"open"}, 30)
        checks.check("no order is left in doubt after an exchange was away", settled, bot.state())
        until(lambda: guard.seen > 10, 20)
        guard.end()
        code, last, err = bot.end()
        checks.check("M7 its ledger is the exchange's to the last digit after the exchange was away", code == 0 and last.get("reconciled") is True, (code, last, err[-300:]))
        guard.judge(checks, bot, "an exchange that was away", history(exchange))
        judged(checks, "an exchange that was away", bot, exchange)
        sound(checks, "over an exchange that was away", bot)


def forgetful_exchange(checks):
    """The exchange dies in mid-trade and another begins on its port: no order, no fill, the first balances, no kill-switch."""
    with tempfile.TemporaryDirectory() as folder:
        with Exchange("--speed", "10", plain=False) as exchange:
            port = exchange.port
            relay = Relay(port, exchange.ca)
            bot = Bot(exchange, relay, folder, ca=relay.ca)
            checks.check("a bot trades", until(lambda: bot.is_trading() and fills(bot) > 3, 40), bot.state())
            before = fills(bot)
            names = {row["clientOrderId"] for row in history(exchange)}
            exchange.process.kill()
        time.sleep(1)
        with Exchange("--speed", "10", plain=False, listen=f"127.0.0.1:{port}") as exchange:
            relay.trust(exchange.ca)
            guard = Guard(exchange)
            began = time.monotonic()

            def proven():
                return not {order["id"] for order in bot.state().get("orders", [])} & names

            gone = until(proven, 60)
            checks.check("of an exchange that has forgotten them, orders are asked for until they are known to be gone", gone and bot.process.poll() is None,
                         (bot.state(), bot.process.poll()))
            checks.tell(f"known {time.monotonic() - began:.1f} s later")
            again = until(lambda: len(own(exchange)) >= 10 and bot.is_trading() or bot.state().get("state") == "halted", 60)
            traded = until(lambda: fills(bot) > before + 2, 40)
            checks.tell(f"{len(own(exchange))} orders, {fills(bot) - before} fills on the new one; {bot.state().get('state')} {bot.state().get('halt_reason') or ''}")
            checks.check("then it trades on what there is, or has halted and says why", again and (traded or bot.state().get("halt_reason")), bot.state())
            until(lambda: guard.seen > 10, 20)
            guard.end()
            fresh = [row["clientOrderId"] for row in history(exchange) if row["clientOrderId"].startswith("mt")]
            code, last, err = bot.end()
            guard.judge(checks, bot, "an exchange that forgot", history(exchange))
            checks.check("no order was sent twice, nor one of before again", len(fresh) == len(set(fresh)) and not set(fresh) & names,
                         [name for name, count in collections.Counter(fresh).items() if count > 1][:5])
            checks.check("at its stop it does not call these ledgers equal, and nothing of its own is left", code != 0 and last.get("reconciled") is not True
                         and own(exchange) == [], (code, last, err[-300:], own(exchange)))
            sound(checks, "over an exchange that forgot", bot)
            relay.close()


def lost_name(checks):
    """The bot's own view of the machine's host names, which loses the exchange's."""
    names = ("a name that is not known any more keeps it from trading, and it goes on trying", "when the name is known again it trades again",
             "no order is left in doubt after a lost name", "M7 its ledger is the exchange's to the last digit after a lost name")
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True) if shutil.which("unshare") else None
    if probe is None or probe.returncode != 0:
        for name in names:
            checks.skip(name, f"needs the right to a mount namespace: {probe.stderr.strip() if probe else 'no unshare'}")
        return
    with Exchange("--speed", "10", plain=False) as exchange, FaultProxy(exchange.port) as proxy, tempfile.TemporaryDirectory() as folder:
        hosts, resolver = os.path.join(folder, "hosts"), os.path.join(folder, "resolv.conf")

        def know(text):
            with open(hosts, "w") as file:  # In place: the bot has this file, not its name.
                file.write(text)

        know("127.0.0.1 localhost\n")
        with open(resolver, "w") as file:
            file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        mount = f"mount --bind {hosts} /etc/hosts && mount --bind {resolver} /etc/resolv.conf && exec \"$@\""
        bot = Bot(exchange, proxy, folder, ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh"],
                  lambda text: text.replace(f"//127.0.0.1:{proxy.port}", f"//localhost:{proxy.port}"))
        checks.check("a bot trades by the exchange's name", until(bot.is_trading, 20), bot.state())
        guard = Guard(exchange)
        with guard.outage():
            know("")
            proxy.cut()
            began = time.monotonic()
            bot.notices(5)
            tried = until(bot.is_trading, 8)
            checks.check(names[0], not tried and bot.process.poll() is None, (bot.state(), bot.process.poll()))
            know("127.0.0.1 localhost\n")
        back = until(bot.is_trading, 60)
        checks.check(names[1], back, bot.state())
        checks.tell(f"trading again {time.monotonic() - began:.1f} s later, of which it could not for 8")
        settled = until(lambda: {order["state"] for order in bot.state().get("orders", [])} == {"open"}, 30)
        checks.check(names[2], settled, bot.state())
        guard.end()
        code, last, err = bot.end()
        checks.check(names[3], code == 0 and last.get("reconciled") is True, (code, last, err[-300:]))
        guard.judge(checks, bot, "a lost name", history(exchange))
        judged(checks, "a lost name", bot, exchange)
        sound(checks, "over a lost name", bot)


def set_clock(checks):
    """The bot's own calendar is set by ten seconds, to and fro, while it lives and between its lives; what only counts on stays as it is."""
    compiler = shutil.which("clang") or shutil.which("cc")
    if not compiler:
        return checks.skip("a calendar that is set", "no C compiler is on PATH; the Swift toolchain brings clang")
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        clock, library = os.path.join(folder, "clock"), os.path.join(folder, "clock_step.so")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Werror", "-Wall", "-o", library,
                        os.path.join(os.path.dirname(os.path.abspath(__file__)), "clock_step.c")], check=True)
        with open(clock, "wb") as file:
            file.write(bytes(8))
        page = mmap.mmap(os.open(clock, os.O_RDWR), 8)

        def step(seconds):
            page[:8] = seconds.to_bytes(8, "little", signed=True)
            time.sleep(1)  # It looks twice a second, and two steps between two looks are one.

        bot = Bot(exchange, exchange, folder, ["env", f"LD_PRELOAD={library}", f"CLOCK_STEP={clock}"])
        checks.check("a bot trades by a calendar that can be set", until(lambda: bot.is_trading() and fills(bot) > 0, 40), bot.state())
        guard = Guard(exchange)
        control = os.path.join(folder, "bot")
        taken, untold, placed, stuck, unhalted = [0], [], [], [], []

        def told(code):
            texts = [alert["text"] for alert in bot.state().get("alerts", []) if code in alert["text"]]
            return bool(texts) and texts[-1].startswith(code) and "cleared" not in texts[-1]

        def ever():
            return {row["clientOrderId"] for row in history(exchange) if row["clientOrderId"].startswith("mt")}

        def trades(limit=30):
            before, count = bot.frames(), fills(bot)
            return until(lambda: bot.is_trading() and bot.frames() > before + 20 and fills(bot) > count, limit)

        for seconds in (1, 0):
            step(seconds)
            taken.append(seconds)
            if not trades() or told("clock-skew"):
                stuck.append((seconds, bot.state().get("state")))
        small = not stuck and told("calendar-set")
        for seconds in (10, -10, 10):
            step(seconds)
            taken.append(seconds)
            if not until(lambda: bot.state().get("state") == "holding", 5) or not told("clock-skew"):
                untold.append((seconds, bot.state().get("state"), bot.state().get("alerts")))
            time.sleep(1)
            before = ever()
            time.sleep(4)
            placed += [(seconds, name) for name in ever() - before]
            if len(taken) > 5:
                code, _, err = run("halt", "--reason", "the test says so", "--bot", control)
                if code != 0 or not until(lambda: own(exchange) == [] and bot.state().get("state") == "halted", 10):
                    unhalted.append((code, err, len(own(exchange)), bot.state().get("state")))
                run("rearm", "--yes", "--bot", control)
                time.sleep(2)
                placed += [(seconds, name) for name in ever() - before]
            step(0)
            taken.append(0)
            if not trades():
                stuck.append((seconds, bot.state().get("state"), bot.state().get("halt_reason")))
        checks.check("M34 C3 its calendar set ten seconds on or back under it is told within seconds, and no new order leaves", not untold and not placed, (untold, placed))
        checks.check("M34 C3 set right again it trades on by itself", not stuck, stuck)
        checks.check("M34 C3 cancels go out while its calendar is wrong: a halt takes every order off", not unhalted, unhalted)
        checks.check("M34 C3 its calendar set by one second, within half of the tolerance, is told, and it trades on", small, (stuck, bot.state().get("alerts")))
        _, out, _ = run("journal", "print", bot.journal, "--contains", "ahead of our clock, set by")
        found = [round(int(line.split("set by ")[1].split()[0]) / 1000) for line in out.splitlines()]
        steps = [after - before for before, after in zip(taken, taken[1:])]
        checks.check("M34 every step is in its journal with its size", found == steps, (found, steps))
        settled = until(lambda: {order["state"] for order in bot.state().get("orders", [])} == {"open"}, 30)
        guard.end()
        code, last, err = bot.end()
        checks.check("M7 its ledger is the exchange's to the last digit after it lived on a calendar that was set", settled and code == 0 and last.get("reconciled") is True,
                     (settled, code, last, err[-300:]))
        guard.judge(checks, bot, "a calendar that was set in a life", history(exchange))
        judged(checks, "a calendar that was set in a life", bot, exchange)
        bot.begin()
        checks.check("it trades again, by a calendar that is right", until(lambda: bot.is_trading() and fills(bot) > 0, 60), bot.state())
        guard = Guard(exchange)
        stuck = []
        # It dies on one calendar and begins on the other. On a wrong one it places nothing until it is right.
        held, said = [], []
        for seconds in (10, 0, -10):
            bot.process.kill()
            said.append(bot.process.communicate()[1])
            step(seconds)
            before = {order.get("clientOrderId") for order in own(exchange)}
            bot.process = subprocess.Popen(bot.process.args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
            if seconds:
                told = until(lambda: any("clock" in alert.get("text", "") for alert in bot.state().get("alerts", [])), 30)
                time.sleep(4)
                after = {order.get("clientOrderId") for order in own(exchange)}
                if not told or bot.is_trading() or after - before:
                    held.append((seconds, told, bot.state().get("state"), len(after - before)))
            if seconds == -10:
                step(0)
            if seconds != 10 and not until(lambda: bot.is_trading() and fills(bot) > 0, 60):
                stuck.append(("begun at", seconds, bot.process.poll(), bot.state().get("state"), bot.state().get("halt_reason")))
        checks.check("M34 C3 begun on a calendar ten seconds off it says so and places nothing; set right, it trades by itself", not held, held)
        settled = until(lambda: {order["state"] for order in bot.state().get("orders", [])} == {"open"}, 30)
        guard.end()
        checks.check("M29 M30 C21 dead on one calendar and begun on another, it trades", not stuck and bot.process.poll() is None, (stuck, bot.process.poll()))
        code, last, err = bot.end()
        said = [*said, err][1:]
        waited = [bool(WAITS.search(text)) for text in said]
        checks.check("M34 begun on a calendar behind its last record it says that it waits, and goes on: nothing begins anew",
                     waited == [False, True, True] and all("goes on behind record" in text and "begins anew" not in text for text in said), said)
        _, out, _ = run("journal", "print", bot.journal, "--contains", "nonce    request")
        nonces = [int(line.rsplit(" ", 1)[1]) for line in out.splitlines()]
        checks.check("M29 C21 its nonces rise through every step, and none is used twice", len(nonces) > 20 and nonces == sorted(set(nonces)), len(nonces))
        _, out, _ = run("journal", "print", bot.journal, "--contains", " HTTP 4")
        checks.check("M29 C21 the exchange refuses none of its requests for it", settled and "nonce" not in out.lower(), out[:500])
        guard.judge(checks, bot, "a calendar that was set between lives", history(exchange))
        judged(checks, "a calendar that was set between lives", bot, exchange)
        checks.check("M7 its ledger is the exchange's to the last digit after its calendar was set", code == 0 and last.get("reconciled") is True, (code, last, err[-300:]))
        sound(checks, "over a calendar that was set", bot)


def stopped_bot(checks):
    """The whole bot stands still, for less time than the kill-switch waits, then for more; behind that it finds what was told meanwhile,
    old and in order, and that its orders are gone."""
    timeout = 16
    is_long = os.environ.get("MARTLET_LONG") == "1"
    draws = random.Random(71)
    spans = [6, 24, *([draws.uniform(*draws.choice(((0.5, 10), (18, 40)))) for _ in range(10)] if is_long else [])]

    def change(text):
        return text.replace(f'"{TIMEOUT}s"', f'"{timeout}s"').replace('"20s"', '"5s"').replace('"40s"', '"10s"').replace('spacing = "10"', 'spacing = "4"')

    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        relay = Relay(exchange.port, exchange.ca)
        bot = Bot(exchange, relay, folder, change=change, ca=relay.ca)
        checks.check("a bot trades that will be stopped", until(lambda: bot.is_trading() and fills(bot) > 3, 40), bot.state())
        guard = Guard(exchange, timeout=timeout)
        stale, left, backs, kept = [], [], [], []
        for span in spans:
            before, count = {row["clientOrderId"] for row in own(exchange)}, fills(bot)
            with guard.outage():
                bot.process.send_signal(signal.SIGSTOP)
                began = time.monotonic()
                if span > timeout + 2:
                    # It may have been refreshed in its last moment.
                    if not until(lambda: own(exchange) == [], timeout + 2):
                        left.append((span, len(own(exchange))))
                time.sleep(max(0, began + span - time.monotonic()))
                resting = {row["clientOrderId"] for row in own(exchange)}
                moved = time.time()
                bot.process.send_signal(signal.SIGCONT)
                frames = bot.frames()
                back = until(lambda: bot.is_trading() and bot.frames() > frames + 20 and {order["state"] for order in bot.state().get("orders", [])} == {"open"}
                             and fills(bot) > count, 60)
            backs.append((round(span, 1), round(time.time() - moved, 1), bool(back)))
            if span < timeout - 6:
                # Those that are gone were filled: none was taken off.
                ended = {row["clientOrderId"]: row["status"] for row in audit.finished(exchange)}
                kept += [(span, name, ended.get(name)) for name in before - resting if ended.get(name) != "FILLED"]

            def first():
                """When it placed, armed and asked for its book first since it goes on."""
                found = [(moment, kind, event) for moment, kind, event in events(relay) if moment > moved]
                return (next((moment for moment, kind, event in found if kind == "request" and ("/order/bulk" in event["line"] or "/order/new" in event["line"])), None),
                        next((moment for moment, kind, event in found if kind == "request" and event["line"].split()[1] == "/api/v4/order/kill-switch"), None),
                        next((moment for moment, kind, event in found if kind == "frame" and event["method"] == "depth_subscribe"), None))

            # It may have looked well before it had noticed anything.
            if span > timeout + 2:
                until(lambda: all(first()), 30)
            placed, armed, booked = first()
            if span > timeout + 2 and not (placed and armed and booked and armed < placed and booked < placed):
                stale.append((span, placed, armed, booked))
        checks.check("M71 stopped for longer than the kill-switch waits, its orders are taken off in time", not left, left)
        checks.check("M71 when it goes on it places nothing before the kill-switch is armed anew and its book is read anew", not stale, stale)
        checks.check("M71 stopped for less, none of its orders is taken off", not kept, kept[:3])
        checks.check("M71 each time it is well again: it fills, and no order is in doubt", all(back for _, _, back in backs), (backs, bot.state()))
        checks.tell(f"seconds stopped, and until it had filled again: {[row[:2] for row in backs]}")
        guard.end()
        code, last, err = bot.end()
        checks.check("M7 M71 its ledger is the exchange's to the last digit after it stood still", code == 0 and last.get("reconciled") is True, (code, last, err[-300:]))
        guard.judge(checks, bot, "a bot that stood still", history(exchange))
        judged(checks, "a bot that stood still", bot, exchange)
        sound(checks, "over a bot that stood still", bot)
        relay.close()


def main():
    checks = Checks()
    absent_exchange(checks)
    forgetful_exchange(checks)
    lost_name(checks)
    set_clock(checks)
    stopped_bot(checks)
    checks.end()


if __name__ == "__main__":
    main()

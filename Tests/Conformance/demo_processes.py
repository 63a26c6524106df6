"""The demo as a user runs it: two processes, real sockets, real files, and the death of one of them."""
import collections
import glob
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from decimal import Decimal

from local_exchange import Checks, Exchange, KEY, MARTLET, ROOT, SECRET, flip, until

CONFIGURATION = """
[bot]
name = "{name}"
valuation = "DUSDT"
profile = "demo"

[venue.whitebit]
endpoint = "custom"
rest = "{rest}"
websocket = "{ws}/ws"
key = "file:{folder}/key"

[dead_man]
timeout = "16s"
refresh = "5s"
grace = "10s"

[[strategy]]
kind = "grid"
market = "DBTC_DUSDT"
levels = {levels}
spacing = "{spacing}"
amount = "{amount}"

[journal]
folder = "{folder}/{name}-journal"
{more}
"""


def configure(folder, exchange, name="bot", levels=10, spacing="10", amount="0.001", more=""):
    with open(os.path.join(folder, "key"), "w") as file:
        file.write(f"{KEY}:{SECRET}\n")
    os.chmod(os.path.join(folder, "key"), 0o600)
    path = os.path.join(folder, name + ".toml")
    with open(path, "w") as file:
        file.write(CONFIGURATION.format(rest=exchange.rest, ws=exchange.ws, folder=folder, name=name, levels=levels,
                                        spacing=spacing, amount=amount, more=more))
    return path


def run(*words, timeout=90):
    done = subprocess.run([MARTLET, *words], capture_output=True, text=True, timeout=timeout, cwd=ROOT)
    return done.returncode, done.stdout, done.stderr


def orders(exchange, market="DBTC_DUSDT"):
    rows = exchange.post("/api/v4/orders", {"market": market, "limit": 100})
    return rows if isinstance(rows, list) else []


def whole_demo(checks):
    code, out, err = run("demo", "--for", "20s", "--port", "0", "--json")
    last = json.loads(out.strip().splitlines()[-1]) if out.strip() else {}
    checks.check("the demo exits 0 with fills and a ledger equal to the exchange's",
                 code == 0 and last.get("fills", 0) > 0 and last.get("reconciled") is True, (code, out[-500:], err[-500:]))
    journal = last.get("journal", "")
    with open(os.path.join(os.path.dirname(journal), "bot.toml"), "rb") as file:
        venue = tomllib.load(file)["venue"]["whitebit"]
    checks.check("it ran over TLS, by the certificate that its exchange made", venue["rest"].startswith("https://") and venue["websocket"].startswith("wss://")
                 and open(venue["ca"]).read().startswith("-----BEGIN CERTIFICATE-----"), venue)
    code, out, err = run("journal", "verify", journal)
    checks.check("its journal verifies", code == 0 and "sound" in out, (code, out, err))
    code, out, err = run("replay", "--verify", "--json", journal)
    checks.check("its journal replays bit for bit", code == 0 and json.loads(out)["identical"] is True, (code, out, err))
    explained(checks, journal)
    first = glob.glob(os.path.join(journal, "*.mjl"))
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(journal, os.path.join(folder, "journal"))
        flip(sorted(glob.glob(os.path.join(copy, "*.mjl")))[0], 5000)
        code, out, err = run("journal", "verify", copy)
        checks.check("a flipped bit is found and named", code == 1 and ".mjl" in err, (code, out, err))
    secrets = re.findall(r":([a-z0-9]{32})", open(os.path.join(os.path.dirname(journal), "key")).read())
    held = b"".join(open(path, "rb").read() for path in first)
    checks.check("M39 no secret is in its journal", secrets and secrets[0].encode() not in held)


def explained(checks, journal):
    """Every order of a journal is explained from its reason to its end, and so is any moment."""
    lines = run("journal", "print", journal)[1].splitlines()
    orders = re.findall(r"approved (mt\w+) by verdict (\d+)", "\n".join(lines))
    booked = collections.Counter(re.findall(r"note +\[\d+\] fill \d+ of (mt\w+):", "\n".join(lines)))
    wrong, answering = [], 0
    for order, verdict in orders:
        code, out, err = run("explain", journal, order)
        parts = [line.split()[0] for line in out.splitlines()[1:-1]]
        numbers = [int(line.split()[1]) for line in out.splitlines()[1:-1]]
        kinds = [line.split()[0] for line in lines if int(line.split()[0]) in numbers]
        end = out.splitlines()[-1] if out else ""
        whole = (code == 0 and {"cause", "strategy", "risk", "wire", "nonce", "order"} <= set(parts) and {"reply", "told"} & set(parts)
                 and parts.index("strategy") < parts.index("risk") < parts.index("wire") and f"approved by verdict {verdict}" in out
                 and len(kinds) == len(set(numbers)) and re.match(rf"(filled|canceled), {booked[order]} fill", end))
        answering += parts[:1] == ["cause"] and " fill " in out.split("strategy")[0]
        if not whole:
            wrong.append((order, parts, end, err))
    checks.check("M10 each order is explained: cause, intent, verdict, request and nonce, what came back, fills, end", orders and not wrong, wrong[:2])
    checks.check("M10 an order that answers a fill names that fill as its cause", answering >= 3, answering)
    moment = lines[len(lines) // 2].split()[1]
    code, out, err = run("explain", journal, moment)
    checks.check("M10 a moment is explained: how the bot stood, the last input, its last decisions",
                 code == 0 and out.startswith("state at ") and "last input:" in out and len(re.findall(r"approved mt", out)) >= 3, (code, out[:400], err))
    code, out, err = run("explain", journal, lines[3].split()[1])
    checks.check("and one before it could trade says what held it back", code == 0 and "not ready" in out and "held back: the book" in out, (code, out, err))
    code, _, err = run("explain", journal, "mtNOSUCHORDER")
    checks.check("an order that no record names is told: 1", code == 1 and "no record names" in err, (code, err))
    code, _, err = run("explain", journal, "1000000000")
    checks.check("and a time before the journal: 1", code == 1 and "begins after" in err, (code, err))
    for day, is_one in [("2026-02-31", False), ("2100-02-29", False), ("2026-04-31", False), ("2028-02-29", True), ("2026-12-31", True)]:
        code, _, err = run("explain", journal, f"{day}T00:00:00Z")
        checks.check(f"explain: {day} is {'a day' if is_one else 'none, and said to be: 2'}", (code == 2 and "day of the calendar" in err and day in err) != is_one
                     and (code in (0, 1)) == is_one, (code, err))
    code, _, err = run("explain", journal, "yesterday at noon")
    checks.check("what is neither is refused, with how to say it: 2", code == 2 and "2026-11-21T11:31:53Z" in err, (code, err))


def killed_bot(checks):
    with Exchange("--speed", "1") as exchange, tempfile.TemporaryDirectory() as folder:
        # Somebody's own order, which no bot may touch.
        manual = exchange.post("/api/v4/order/new", {"market": "DBTC_DUSDT", "side": "buy", "amount": "0.001", "price": "30000",
                                                     "clientOrderId": "my-own-order"})
        bot = subprocess.Popen([MARTLET, "run", configure(folder, exchange), "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        placed = until(lambda: len(orders(exchange)) >= 20, 15)
        checks.check("M102 the bot places its grid beside an order that is not its own", placed and manual.get("orderId"), manual)
        began = time.monotonic()
        bot.send_signal(signal.SIGKILL)
        bot.wait()
        free = until(lambda: [row["clientOrderId"] for row in orders(exchange) if row["clientOrderId"].startswith("mt")] == [], 25)
        took = time.monotonic() - began
        checks.check("M71 after kill -9 the exchange's book is free of its orders within the kill-switch time", free and took <= 17, took)
        checks.tell(f"{took:.1f} s of 16 s")
        code, out, err = run("journal", "verify", os.path.join(folder, "bot-journal"))
        checks.check("the killed bot's journal is sound up to its last record", code == 0, (code, out, err))
        code, out, err = run("replay", "--verify", os.path.join(folder, "bot-journal"))
        checks.check("and replays as far as it goes", code == 0, (code, out, err))


def killed_in_a_demo(checks):
    demo = subprocess.Popen([MARTLET, "demo", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        # The first line of the pipe's status with the whole grid in it.
        placed = any("orders=20" in line for line in demo.stdout)
        members = open(f"/proc/{demo.pid}/task/{demo.pid}/children").read().split()
        bot = next(int(member) for member in members if b"\0run\0" in open(f"/proc/{member}/cmdline", "rb").read())
        shown = any(b":" in word and len(word) > 30 for member in members for word in open(f"/proc/{member}/cmdline", "rb").read().split(b"\0") if b"/" not in word)
        checks.check("M39 no secret is among the words of a demo's processes", placed and not shown, members)
        began = time.monotonic()
        os.kill(bot, signal.SIGKILL)
        out, err = demo.communicate(timeout=90)
    except BaseException:
        demo.kill()
        raise
    took = time.monotonic() - began
    checks.check("M71 kill -9 of a demo's bot: its exchange goes on until the kill-switch has taken the orders off, within its 60 s",
                 demo.returncode == 1 and "orders rest; the exchange's kill-switch takes them off in" in err and "none of its orders rests any more" in err and 5 < took < 62,
                 (demo.returncode, took, err))
    checks.tell(f"{took:.1f} s of 60 s")


def interrupted_early(checks):
    """Ctrl-C at any moment of a demo's beginning."""
    ends = []
    for number in range(10):
        demo = subprocess.Popen([MARTLET, "demo", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True)
        time.sleep(0.02 + 0.012 * number)
        os.killpg(demo.pid, signal.SIGINT)
        out, err = demo.communicate(timeout=30)
        ends.append((demo.returncode, err))
    # Before the first instructions of a program a signal is the system's to act on.
    wrong = [end for end in ends if end[0] not in (130, -2) or "killed" in end[1] or "ready" in end[1]]
    checks.check("Ctrl-C in the first tenths of a second of a demo is Ctrl-C", not wrong and any(code == 130 for code, _ in ends), wrong)


def another_name(checks):
    """One market's kill-switch cannot guard two bots: whoever comes second is turned away."""
    with Exchange("--speed", "1") as exchange, tempfile.TemporaryDirectory() as folder:
        path = configure(folder, exchange)
        first = subprocess.Popen([MARTLET, "run", path, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        placed = until(lambda: len(orders(exchange)) >= 20, 15)
        began = time.monotonic()
        first.kill()
        first.wait()
        code, out, err = run("run", configure(folder, exchange, name="second"), "--for", "3s")
        checks.check("T5 T12 a bot of another name does not start over a killed one's orders, and says whose they are",
                     placed and code == 3 and re.search(r"(19|20) orders of another Martlet bot", err) and "kill-switch" in err, (code, err))
        timers = exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"})
        checks.check("and has left the timer alone that guards them", len(timers) == 1, timers)
        free = until(lambda: orders(exchange) == [], 25)
        checks.check("M71 so that they are gone in time", free and time.monotonic() - began <= 17, time.monotonic() - began)
        code, out, err = run("run", configure(folder, exchange, name="second"), "--for", "3s")
        checks.check("and then it may start", code == 0, (code, err))


def stopped_bot(checks):
    with Exchange("--speed", "1") as exchange, tempfile.TemporaryDirectory() as folder:
        exchange.post("/api/v4/order/new", {"market": "DBTC_DUSDT", "side": "buy", "amount": "0.001", "price": "30000",
                                            "clientOrderId": "my-own-order"})
        bot = subprocess.Popen([MARTLET, "run", configure(folder, exchange), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        until(lambda: len(orders(exchange)) >= 20, 15)
        timers = exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"})
        checks.check("M66 M74 the kill-switch is armed while orders rest", timers and timers[0]["cancellationTime"] - timers[0]["startTime"] == 16, timers)
        bot.send_signal(signal.SIGTERM)
        out, err = bot.communicate(timeout=30)
        checks.check("SIGTERM ends it with everything canceled and reconciled", bot.returncode == 0 and json.loads(out.strip().splitlines()[-1])["reconciled"] is True, (bot.returncode, out, err))
        left = [row["clientOrderId"] for row in orders(exchange)]
        checks.check("T12 an order that is not its own still rests", left == ["my-own-order"], left)
        timers = exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"})
        checks.check("M72 the kill-switch is disarmed at the end", timers == [], timers)


def polled_bot(checks):
    with Exchange("--speed", "10") as exchange, tempfile.TemporaryDirectory() as folder:
        path = configure(folder, exchange, levels=5, spacing="5")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace('endpoint = "custom"', 'endpoint = "custom"\nfeed = "rest"'))
        bot = subprocess.Popen([MARTLET, "run", path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        placed = until(lambda: len(orders(exchange)) >= 10, 15)
        fills = until(lambda: len(exchange.post("/api/v4/trade-account/executed-history", {"market": "DBTC_DUSDT"})) > 3, 40)
        bot.send_signal(signal.SIGTERM)
        out, err = bot.communicate(timeout=30)
        last = json.loads(out.strip().splitlines()[-1]) if out.strip() else {}
        checks.check("M2 polled over REST the same bot trades, and its ledger is the exchange's",
                     placed and fills and bot.returncode == 0 and last.get("fills", 0) > 3 and last.get("reconciled") is True, (bot.returncode, out[-300:], err[-300:]))
        held = b"".join(open(path, "rb").read() for path in glob.glob(os.path.join(folder, "bot-journal", "*.mjl")))
        checks.check("M2 its books came from REST alone", b"/api/v4/public/orderbook/DBTC_DUSDT" in held and b"depth_subscribe" not in held)
        code, out, err = run("replay", "--verify", "--json", os.path.join(folder, "bot-journal"))
        checks.check("M2 and its journal replays bit for bit", code == 0 and json.loads(out)["identical"] is True, (code, out, err))


def refusals(checks):
    with Exchange() as exchange, tempfile.TemporaryDirectory() as folder:
        good = open(configure(folder, exchange)).read()

        def ends(name, text, code, *words):
            path = os.path.join(folder, "case.toml")
            with open(path, "w") as file:
                file.write(text)
            found, out, err = run("run", path, "--for", "8s", "--json", timeout=40)
            checks.check(name, found == code and all(word in err for word in words) and "Fatal" not in err, (found, err[-400:]))

        ends("an unknown key is an error that names the nearest one", good.replace("levels", "levles"), 2, "levles", "levels")
        ends("a wrong type says what was expected and found", good.replace("levels = 10", 'levels = "ten"'), 2, "levels", "integer")
        ends("a real venue is refused by a safety rule", re.sub(r"(rest|websocket) = .*\n", "", good.replace('"custom"', '"global"')), 3, "endpoint")
        ends("another host is refused by a safety rule", re.sub(r"http://127.0.0.1:\d+", "http://192.0.2.1:80", good), 3)
        ends("M108 the demo profile refuses another market", good.replace("DBTC_DUSDT", "BTC_USDT"), 3, "DBTC_DUSDT")
        ends("a missing key file says so", good.replace("/key", "/no-key"), 2, "no-key")
        os.chmod(os.path.join(folder, "key"), 0o640)
        ends("a key file that others may read is refused, with the command to run", good, 2, "chmod 600")
        os.chmod(os.path.join(folder, "key"), 0o600)
        ends("a file of certificates that is not there is named, with its line", good.replace("key = ", 'ca = "no-ca.pem"\nkey = '), 2, "case.toml:", "no-ca.pem")
        ends("a valuation that is not what the market is quoted in is refused", good.replace('valuation = "DUSDT"', 'valuation = "EUR"'), 2, "valuation", "EUR", "DUSDT")
        local = re.sub(r"(rest|websocket|endpoint) = .*\n", "", good)
        ends("without an exchange it is told how to start one", local, 2, "./martlet exchange", "8481")
        nowhere = re.sub(r"(http|ws)://127.0.0.1:\d+", r"\1://127.0.0.1:9", good).replace("bot-journal", "nowhere")
        ends("an exchange that is not there is told of, and ends the run with 1 when its time is over", nowhere, 1, "connect")
        ends("M70 a refresh that could come too late is refused", good.replace('refresh = "5s"', 'refresh = "15s"'), 2, "refresh")


def unfit(checks):
    """What only the venue's own rules can say against a configuration: told before anything is armed, in a moment."""
    with Exchange() as exchange, tempfile.TemporaryDirectory() as folder:
        good = open(configure(folder, exchange)).read()
        number = 0

        def found(text, secret=SECRET):
            nonlocal number
            number += 1
            path = os.path.join(folder, f"unfit-{number}.toml")
            with open(path, "w") as file:
                file.write(text.replace("bot-journal", f"journal-{number}"))
            with open(os.path.join(folder, "key"), "w") as file:
                file.write(f"{KEY}:{secret}\n")
            began = time.monotonic()
            code, out, err = run("run", path, timeout=30)
            return code, time.monotonic() - began, err

        def tells(result, *words):
            code, took, err = result
            return code == 2 and took < 5 and all(word in err for word in words) and "Fatal" not in err

        result = found(good.replace('profile = "demo"', "").replace("DBTC_DUSDT", "DBTC_DUSD"))
        checks.check("M13 an unknown market ends a run at once, with its line and the nearest that the exchange lists",
                     tells(result, "unfit-1.toml:20", "strategy[0].market", '"DBTC_DUSD"', 'did you mean "DBTC_DUSDT"?'), result)
        result = found(good.replace('"0.001"', '"0.000005"'))
        checks.check("M13 M51 an amount under the market's least ends a run at once, with that least",
                     tells(result, "unfit-2.toml:23", "strategy[0].amount", "0.000005", "at least 0.00001"), result)
        result = found(good.replace('"0.001"', '"0.00005"'))
        checks.check("M13 M51 an amount worth less than the market's least value ends a run at once, with the amount that would do",
                     tells(result, "strategy[0].amount", "worth 3.0", "at least 5 DUSDT", "an amount of at least 0.00008"), result)
        result = found(good.replace('spacing = "10"', 'spacing = "0.005"'))
        checks.check("M13 a spacing between two ticks ends a run at once, with the tick", tells(result, "strategy[0].spacing", "0.005", "the tick, 0.01"), result)
        result = found(good, secret="another-" + SECRET)
        checks.check("a key that the exchange refuses ends a run at once, and its secret is not told",
                     tells(result, "venue.whitebit.key", "refused") and SECRET not in result[2], result)
        timers = exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"})
        checks.check("and none of them has touched the kill-switch", timers == [], timers)


def restarts(checks):
    """One folder, one run after another: in order, behind a living one, behind a killed one."""
    with Exchange("--speed", "10") as exchange, tempfile.TemporaryDirectory() as folder:
        # So near the market that fills come each second, and some in the second that the next run begins in.
        path, journal = configure(folder, exchange, spacing="2"), os.path.join(folder, "bot-journal")
        code, out, err = run("run", path, "--for", "2s", "--json")
        checks.check("a first run says nothing of earlier ones", code == 0 and "behind record" not in err, (code, err))
        ends = [run("run", path, "--for", "1100ms", "--json") for _ in range(3)]
        checks.check("M7 the next runs go on in the same journal and say so, and each one's ledger has its own fills alone",
                     all(code == 0 and "goes on behind record" in err for code, _, err in ends), ends)
        bot = subprocess.Popen([MARTLET, "run", path, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        until(lambda: len(orders(exchange)) >= 20, 15)
        code, out, err = run("run", path, "--for", "2s", "--json")
        checks.check("M38 beside a living run a second one on its journal is refused, with its process and what to do",
                     code == 3 and f"process {bot.pid}" in err and "stop it" in err and len(orders(exchange)) >= 10, (code, err))
        # Everything else is another's: folder, configuration, journal, name, and the folder it is started from.
        with tempfile.TemporaryDirectory() as elsewhere:
            other = configure(elsewhere, exchange, name="other")
            done = subprocess.run([MARTLET, "run", other, "--for", "2s", "--json"], capture_output=True, text=True, timeout=90, cwd=elsewhere)
            checks.check("M38 and so is one from another folder with another journal and the same key, with the name of the first",
                         done.returncode == 3 and f"“bot” (process {bot.pid}, since 20" in done.stderr and "uses this key" in done.stderr
                         and not os.path.exists(os.path.join(elsewhere, "other-journal")), (done.returncode, done.stderr))
        bot.send_signal(signal.SIGKILL)
        bot.wait()
        left = [row["clientOrderId"] for row in orders(exchange)]
        with tempfile.TemporaryDirectory() as elsewhere:
            # Killed at once too; what it may have placed is too far from the market to be filled.
            brief = subprocess.Popen([MARTLET, "run", configure(elsewhere, exchange, name="other", levels=1, spacing="900"), "--json"],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=elsewhere)
            lock = glob.glob(os.path.join(exchange.state, "martlet", "locks", "*.lock"))
            held = until(lambda: f"process {brief.pid}\nname other\n" in open(lock[0]).read(), 10) if len(lock) == 1 else lock
            checks.check("M38 after kill -9 the one from the other folder has the key at once", held is True, held)
            brief.send_signal(signal.SIGKILL)
            brief.wait()
        bot = subprocess.Popen([MARTLET, "run", path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        again = until(lambda: len(now := [row["clientOrderId"] for row in orders(exchange)]) >= 20 and now, 10)
        time.sleep(2)
        found = exchange.post("/api/v4/trade-account/order/history", {"market": "DBTC_DUSDT", "limit": 100})
        ended = {row["clientOrderId"]: row for row in (found.get("DBTC_DUSDT", []) if isinstance(found, dict) else found)}
        resting = {row["clientOrderId"] for row in orders(exchange)}
        broken = [name for name in left if name not in resting and Decimal(ended.get(name, {}).get("dealStock", "0")) != Decimal(ended.get(name, {}).get("amount", "1"))]
        checks.check("M38 M98 after kill -9 the next run starts at once and keeps the earlier one's orders: each rests on or was filled",
                     len(left) >= 10 and again and set(left) & resting and not broken, (len(left), len(again or []), broken))
        bot.send_signal(signal.SIGTERM)
        out, err = bot.communicate(timeout=30)
        checks.check("M95 what was filled while nobody was there is booked: it ends with an equal ledger and nothing to take over",
                     bot.returncode == 0 and "ledger-adjusted" not in err and json.loads(out.strip().splitlines()[-1])["reconciled"] is True, (bot.returncode, out[-300:], err))
        code, out, err = run("replay", "--verify", journal)
        checks.check("the journal of six runs, one of them killed, replays bit for bit", code == 0 and "6 runs" in out and "identical" in out, (code, out, err))
        code, out, err = run("journal", "verify", journal)
        checks.check("and its chain is whole", code == 0 and "sound" in out, (code, out, err))
        code, out, err = run("journal", "print", journal, "--contains", "nonce    request")
        nonces = [int(line.rsplit(" ", 1)[1]) for line in out.splitlines()]
        checks.check("M29 over all of them no nonce was used twice, and each is above those before", len(nonces) > 60 and nonces == sorted(set(nonces)), len(nonces))


def cut_demos(checks):
    """What happens to a demo: another beside it, its exchange gone, its starter gone."""

    def demo(*words):
        return subprocess.Popen([MARTLET, "demo", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)

    def children(process):
        try:
            found = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
            return {open(f"/proc/{child}/cmdline").read().split("\0")[1]: int(child) for child in found}
        except (OSError, IndexError):
            return {}

    def journal_of(process):
        """Of the demo whose folder carries its process id."""
        return glob.glob(os.path.join(ROOT, ".martlet", "demo", f"*-{process.pid}", "journal"))[0]

    def is_sound(process):
        return run("journal", "verify", journal_of(process))[0] == 0 and run("replay", "--verify", journal_of(process))[0] == 0

    def trades(process):
        """Whether its journal shows a placed grid."""
        return glob.glob(os.path.join(ROOT, ".martlet", "demo", f"*-{process.pid}", "journal")) and "approved" in run(
            "journal", "print", journal_of(process), "--contains", "] approved")[1]

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        pair = [demo("--for", "6s", "--json", "--port", port) for _ in range(2)]
        ends = [(process.communicate(timeout=60), process.returncode) for process in pair]
        last = [json.loads(out.strip().splitlines()[-1]) if out.strip() else {} for (out, _), _ in ends]
        checks.check("two demos at once trade, and both ledgers are equal",
                     all(code == 0 for _, code in ends) and all(row.get("fills", 0) > 0 and row.get("reconciled") is True for row in last), (ends, last))
        checks.check("a page's port that is taken is told, and is no reason not to trade", all(port in err and "in use" in err for (_, err), _ in ends), ends)

    process = demo("--port", "0")
    until(lambda: trades(process), 15)
    os.kill(children(process)["exchange"], signal.SIGKILL)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    checks.check("an exchange that dies in mid-demo ends it within seconds, with exit 1 and the reason",
                 process.returncode == 1 and time.monotonic() - began < 8 and "the local exchange ended" in err, (process.returncode, time.monotonic() - began, err))
    checks.check("and the journal is sound and replays", is_sound(process), journal_of(process))

    process = demo("--port", "0")
    until(lambda: trades(process), 15)
    members = children(process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    gone = until(lambda: not any(os.path.exists(f"/proc/{member}") for member in members.values()), 25)
    checks.check("a demo killed with kill -9 leaves neither bot nor exchange behind", len(members) == 2 and gone, members)
    checks.check("and that bot's journal has its last record", is_sound(process) and "end" in run("journal", "print", journal_of(process), "--contains", "end      ")[1], journal_of(process))


def keyboard(checks):
    """The demo at a terminal: Ctrl-C once, twice while nothing answers, and the terminal closed."""

    def at_terminal(act):
        """Starts a demo on a terminal of its own, lets `act` do its worst, and gives its exit code, its text, how long it took, its
        journal."""
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(ROOT)
            os.execv(MARTLET, [MARTLET, "demo", "--port", "0"])
        text, state = bytearray(), {"open": True}

        def listen():
            while state["open"]:
                try:
                    if not (data := os.read(terminal, 65536)):
                        return
                    text.extend(data)
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        folder = until(lambda: glob.glob(os.path.join(ROOT, ".martlet", "demo", f"*-{process}", "journal")), 15)
        until(lambda: "approved" in run("journal", "print", folder[0], "--contains", "] approved")[1], 15)
        until(lambda: b"orders" in text, 5)
        began = time.monotonic()
        act(process, terminal, state)
        _, status = os.waitpid(process, 0)
        took = time.monotonic() - began
        time.sleep(0.2)
        return os.waitstatus_to_exitcode(status), text.decode(errors="replace"), took, folder[0]

    def ending(journal):
        line = run("journal", "print", journal, "--contains", "end      ")[1].strip()
        return json.loads(line[line.index("{"):]) if "{" in line else {}

    code, text, took, journal = at_terminal(lambda process, terminal, state: os.write(terminal, b"\x03"))
    checks.check("Ctrl-C ends a demo in order, with exit 130 and a summary whose ledger is equal",
                 code == 130 and took < 8 and "equal to the exchange's ledger" in text and ending(journal).get("reconciled") is True, (code, took, text[-600:]))
    checks.check("and the terminal gets its cursor back", text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), text[-200:])

    def impatient(process, terminal, state):
        members = open(f"/proc/{process}/task/{process}/children").read().split()
        exchange = next(int(member) for member in members if "exchange" in open(f"/proc/{member}/cmdline").read())
        os.kill(exchange, signal.SIGSTOP)  # It will never confirm anything.
        os.write(terminal, b"\x03")
        time.sleep(1)
        os.write(terminal, b"\x03")

    code, text, took, journal = at_terminal(impatient)
    checks.check("Ctrl-C again does not wait for an exchange that says nothing, and tells what may rest and for how long",
                 code == 130 and took < 12 and "orders may rest" in text and "kill-switch takes off within" in text, (code, took, text[-600:]))
    checks.check("and the journal is sound", run("replay", "--verify", journal)[0] == 0, journal)

    def close(process, terminal, state):
        state["open"] = False
        os.close(terminal)

    code, text, took, journal = at_terminal(close)
    checks.check("a terminal that is closed ends a demo in order, its orders canceled and its ledger equal",
                 code == 130 and took < 8 and ending(journal).get("reconciled") is True, (code, took, ending(journal)))


def frozen_bot(checks):
    with Exchange("--speed", "2") as exchange, tempfile.TemporaryDirectory() as folder:
        bot = subprocess.Popen([MARTLET, "run", configure(folder, exchange), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        until(lambda: len(orders(exchange)) >= 20, 15)
        bot.send_signal(signal.SIGSTOP)
        time.sleep(4)
        bot.send_signal(signal.SIGCONT)
        checks.check("a bot frozen for 4 s goes on trading", until(lambda: len(orders(exchange)) >= 20, 10), len(orders(exchange)))
        bot.send_signal(signal.SIGTERM)
        out, err = bot.communicate(timeout=30)
        checks.check("M7 and has every fill of that time in its ledger", bot.returncode == 0 and json.loads(out.strip().splitlines()[-1])["reconciled"] is True,
                     (bot.returncode, out[-300:], err))


def garbage(checks):
    with Exchange() as exchange:
        port = int(exchange.rest.rsplit(":", 1)[1])
        for name, text in {
            "a request line of garbage": b"\x00\xff\xfe garbage\r\n\r\n",
            "a header of a megabyte": b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
            "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            "a body that never ends": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        }.items():
            with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
                try:
                    peer.sendall(text)
                    reply = peer.recv(100)
                except (ConnectionError, socket.timeout):
                    reply = b""
            alive = exchange.get("/api/v4/public/time")["time"] > 0
            checks.check(f"the exchange survives {name}", alive and (reply == b"" or reply.startswith(b"HTTP/1.1 4")), reply)


def main():
    checks = Checks()
    whole_demo(checks)
    killed_bot(checks)
    killed_in_a_demo(checks)
    interrupted_early(checks)
    another_name(checks)
    stopped_bot(checks)
    polled_bot(checks)
    refusals(checks)
    unfit(checks)
    restarts(checks)
    cut_demos(checks)
    keyboard(checks)
    frozen_bot(checks)
    garbage(checks)
    checks.end()


if __name__ == "__main__":
    main()

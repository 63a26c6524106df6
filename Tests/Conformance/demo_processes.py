"""The demo as a user runs it: two processes, real sockets, real files, and the death of one of them."""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from local_exchange import Checks, Exchange, KEY, ROOT, SECRET, until

MARTLET = os.environ.get("MARTLET", os.path.join(ROOT, ".build/release/martlet"))

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


def orders(exchange):
    rows = exchange.post("/api/v4/orders", {"market": "DBTC_DUSDT", "limit": 100})
    return rows if isinstance(rows, list) else []


def whole_demo(checks):
    code, out, err = run("demo", "--for", "20s", "--port", "0", "--json")
    last = json.loads(out.strip().splitlines()[-1]) if out.strip() else {}
    checks.check("the demo exits 0 with fills and a ledger equal to the exchange's",
                 code == 0 and last.get("fills", 0) > 0 and last.get("reconciled") is True, (code, out[-500:], err[-500:]))
    journal = last.get("journal", "")
    code, out, err = run("journal", "verify", journal)
    checks.check("its journal verifies", code == 0 and "sound" in out, (code, out, err))
    code, out, err = run("replay", "--verify", "--json", journal)
    checks.check("its journal replays bit for bit", code == 0 and json.loads(out)["identical"] is True, (code, out, err))
    first = glob.glob(os.path.join(journal, "*.mjl"))
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(journal, os.path.join(folder, "journal"))
        with open(sorted(glob.glob(os.path.join(copy, "*.mjl")))[0], "r+b") as file:
            file.seek(5000)
            byte = file.read(1)
            file.seek(5000)
            file.write(bytes([byte[0] ^ 1]))
        code, out, err = run("journal", "verify", copy)
        checks.check("a flipped bit is found and named", code == 1 and ".mjl" in err, (code, out, err))
    secrets = re.findall(r":([a-z0-9]{32})", open(os.path.join(os.path.dirname(journal), "key")).read())
    held = b"".join(open(path, "rb").read() for path in first)
    checks.check("no secret is in its journal", secrets and secrets[0].encode() not in held)


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
        ends("M70 a refresh that could come too late is refused", good.replace('refresh = "5s"', 'refresh = "15s"'), 2, "refresh")


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
    stopped_bot(checks)
    refusals(checks)
    garbage(checks)
    checks.end()


if __name__ == "__main__":
    main()

"""An operator's words to a bot that trades over TLS: every command, what the book shows after it, nonsense on the control
socket, other users, the death of the process; and the alerts that reach a person meanwhile."""
import collections
import decimal
import glob
import http.server
import json
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from demo_processes import MARTLET, configure, orders, run
from fault_proxy import FaultProxy
from local_exchange import Checks, Exchange, KEY, ROOT, SECRET, until

LOT = decimal.Decimal("0.00001")


class Bot:
    """A bot as a process of its own, with its control socket in `folder`."""

    def __init__(self, folder, exchange, proxy=None):
        self.folder = folder
        path = configure(folder, exchange, more='[alerts]\nrepeat = "1m"\ndoubt = "1s"\nbook_silent = "3s"\ntrades_silent = "6s"\n')
        text = open(path).read().replace("bot-journal", "journal")
        text = text.replace("key = ", f'ca = "{exchange.ca}"\nbackoff_first = "200ms"\nbackoff_max = "4s"\nkey = ', 1)
        if proxy:
            text = text.replace(f":{exchange.port}", f":{proxy.port}")
        with open(path, "w") as file:
            file.write(text)
        self.path = path
        self.journal = os.path.join(folder, "journal")
        self.control = os.path.join(folder, "control")
        self.alerts_path = os.path.join(folder, "alerts.jsonl")
        self.process = None

    def start(self, again=False, before=()):
        """Until its whole grid rests; one that goes on where it ended has what is left of that. `before` goes before its command."""
        self.errors = open(os.path.join(self.folder, "errors"), "a")
        self.process = subprocess.Popen([*before, MARTLET, "run", self.path, "--json"], stdout=subprocess.DEVNULL, stderr=self.errors, cwd=ROOT)
        return until(lambda: self.is_back() if again else self.is_trading(20), 30)

    def say(self, *words, **options):
        return run(*words, "--bot", self.folder, **options)

    def status(self):
        code, out, _ = self.say("status", "--json")
        return json.loads(out) if code == 0 else {}

    def is_trading(self, count):
        status = self.status()
        return status.get("state") == "trading" and status.get("orders_working") == count

    def is_back(self):
        status = self.status()
        return status.get("state") == "trading" and status.get("orders_working", 0) > 0

    def placed(self):
        return self.status().get("counts", {}).get("orders_placed", -1)

    def alerts(self):
        try:
            with open(self.alerts_path) as file:
                return [json.loads(line) for line in file]
        except OSError:
            return []

    def told(self, code, event="raised"):
        return [alert for alert in self.alerts() if alert["code"] == code and alert["event"] == event]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.errors.close()
        return code


def own(exchange, prefix="mt"):
    return [row for row in orders(exchange) if (row.get("clientOrderId") or "").startswith(prefix)]


def total(exchange, asset="DBTC"):
    row = exchange.post("/api/v4/trade-account/balance").get(asset, {"available": "0", "freeze": "0"})
    return decimal.Decimal(row["available"]) + decimal.Decimal(row["freeze"])


def commands(checks):
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        baseline = total(exchange)
        code, _, err = bot.say("status")
        checks.check("without a bot, status ends with 2 and says so", code == 2 and "no bot runs here" in err, (code, err))
        checks.check("a bot trades", bot.start(), open(os.path.join(folder, "errors")).read())
        code, out, err = bot.say("status")
        checks.check("status shows state, orders, position and dead-man",
                     code == 0 and all(word in out for word in ("trading", "20 working", "position", "cancels in")), (code, out, err))
        watch = subprocess.Popen([MARTLET, "status", "--watch", "--json", "--bot", folder], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        lines = [json.loads(watch.stdout.readline()) for _ in range(2)]
        watch.send_signal(signal.SIGINT)
        checks.check("status --watch tells each second until Ctrl-C", watch.wait(timeout=10) == 0 and lines[1]["now_ms"] > lines[0]["now_ms"], lines)

        code, out, _ = bot.say("pause")
        before, resting = bot.placed(), len(own(exchange))
        time.sleep(3)
        checks.check("pause places nothing, and what rests stays",
                     code == 0 and "paused" in out and bot.placed() == before and bot.status()["state"] == "paused" and resting > 0
                     and len(own(exchange)) > 0, (out, before, bot.placed()))
        code, out, _ = bot.say("pause")
        checks.check("pause twice is no more than once", code == 0 and "already" in out, (code, out))
        code, out, err = bot.say("reconcile", "--json")
        checks.check("reconcile of a running bot finds its books equal to the exchange's", code == 0 and json.loads(out)["differences"] == [],
                     (code, out, err))
        code, _, _ = bot.say("resume")
        checks.check("resume trades on", code == 0 and until(lambda: bot.is_trading(20), 20) and bot.placed() > before, (code, before, bot.placed()))
        code, out, err = bot.say("reconcile")
        checks.check("reconcile of a bot that trades compares one moment, or says that it could not",
                     code == 0 and "equal" in out or code == 1 and "traded meanwhile" in out, (code, out, err))

        code, out, err = bot.say("halt", "--reason", "the test says so")
        left = bot.status().get("dead_man_left_ms")
        text = bot.say("status")[1]
        checks.check("status shows an operator's reason, as text and as JSON", "the test says so" in text
                     and bot.status().get("halt_reason") == "an operator said so: the test says so" and "the test says so" in out, (text, out))
        checks.check("halt takes every order off and keeps the dead-man armed", code == 0 and own(exchange) == [] and left and left > 0, (code, out, err, left))
        code, _, err = bot.say("resume")
        checks.check("resume does not lift a halt: 3", code == 3 and "rearm" in err, (code, err))
        code, _, err = bot.say("rearm")
        checks.check("rearm without --yes is refused: 3", code == 3 and "--yes" in err and bot.status()["state"] == "halted", (code, err))
        time.sleep(1)
        checks.check("a halt holds", own(exchange) == [])
        code, _, _ = bot.say("rearm", "--yes")
        checks.check("M122 rearm --yes lifts it, and trading goes on", code == 0 and until(lambda: bot.is_trading(20), 20))
        code, out, _ = bot.say("rearm", "--yes")
        checks.check("rearm of what is not halted does nothing", code == 0 and "not halted" in out, (code, out))

        code, _, err = bot.say("flatten")
        checks.check("flatten without --yes is refused: 3", code == 3 and "--yes" in err, (code, err))
        code, out, err = bot.say("flatten", "--yes")
        checks.check("flatten leaves no order of ours and the inventory as at the start",
                     code == 0 and own(exchange) == [] and abs(total(exchange) - baseline) < LOT and bot.status()["state"] == "paused",
                     (code, out, err, total(exchange) - baseline))
        left = total(exchange) - baseline
        checks.check("flatten says what stays because it is below the market's least order, and nothing when nothing does",
                     f"{abs(left):f} DBTC {'less' if left < 0 else 'more'} than at the start, at least 0.00001 DBTC and 5 DUSDT" in out if left
                     else "the inventory is as at the start" in out, (out, left))
        bot.say("resume")
        checks.check("after a flatten, resume trades again", until(lambda: bot.is_trading(20), 20))

        bot.say("halt")
        code, out, err = bot.say("flatten", "--yes")
        checks.check("flatten of a halted bot trades its inventory back all the same, and leaves it halted",
                     code == 0 and "flat and paused" in out and abs(total(exchange) - baseline) < LOT and bot.status()["state"] == "halted",
                     (code, out, err, total(exchange) - baseline))
        bot.say("rearm", "--yes")
        still = bot.status()["state"]
        bot.say("resume")
        checks.check("and then it is rearmed and resumed, each by its word", still == "paused" and until(lambda: bot.is_trading(20), 20), still)

        code, _, err = run("panic", bot.path)
        checks.check("panic is refused while a process holds the key: 3", code == 3 and len(own(exchange)) > 0, (code, err))
        code, _, err = run("paus")
        checks.check("an unknown word names the nearest", code == 2 and "pause" in err, (code, err))
        socket_abuse(checks, bot)
        users(checks, bot)

        printed = subprocess.run([MARTLET, "journal", "print", bot.journal, "--contains", "input    command"], capture_output=True, text=True,
                                 timeout=60, cwd=ROOT).stdout.splitlines()
        asked = [line.split("command ", 1)[1] for line in printed]
        wanted = ["pause", "pause", "resume", "halt", "rearm", "flatten", "resume", "halt", "flatten", "rearm", "resume"]
        checks.check("every word that changes something stands in the journal with who said it",
                     [line.split()[0] for line in asked] == wanted
                     and all(re.search(rf"by uid {os.getuid()} pid \d+", line) for line in asked) and "the test says so" in asked[3], asked)
        mode = stat.S_IMODE(os.stat(bot.alerts_path).st_mode)
        checks.check("M122 the halt and its end are in the file of alerts, which is for its owner alone",
                     mode == 0o600 and len(bot.told("halted")) == 2 and len(bot.told("halted", "cleared")) == 2
                     and len(bot.told("operator-action")) == 11, (oct(mode), bot.alerts()))

        death(checks, bot, exchange)


def ask(path, data, shut=False):
    """What the socket says to some bytes, until it ends or has said a line."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(path)
        answer = b""
        try:
            client.sendall(data)
            if shut:
                client.shutdown(socket.SHUT_WR)
            while not answer.endswith(b"\n") and (chunk := client.recv(65536)):
                answer += chunk
        except OSError:
            pass
        return answer


def socket_abuse(checks, bot):
    nonsense = [b"\n", b"hello\n", b"{}\n", b"[]\n", b'{"do":1}\n', b'{"do":"bye"}\n', b"\xff\xfe\x00\n", b'{"do":"status"\n', b"[" * 4000 + b"\n",
                b'{"do":"rearm","yes":"true"}\n', b'{"do":"flatten","yes":1}\n', b"x" * 1_000_000, b"y" * 5000 + b"\n"]
    answers = [ask(bot.control, data) for data in nonsense]
    checks.check("nonsense and lines without end are refused, each with a reason",
                 all(answer == b"" or json.loads(answer)["ok"] is False for answer in answers[:9] + answers[11:])
                 and all(answer for answer in answers[:9]), answers)
    began = time.monotonic()
    answer = ask(bot.control, b'{"do":"st')
    checks.check("half a line is given up in its time", b"in time" in answer and time.monotonic() - began < 9, answer)
    checks.check("half a line with its end closed is no request", ask(bot.control, b'{"do":"halt"', shut=True) == b"")
    results = []

    def one():
        results.append(ask(bot.control, b'{"do":"status"}\n'))

    threads = [threading.Thread(target=one) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answered = [answer for answer in results if answer.startswith(b'{"ok":true')]
    busy = [answer for answer in results if b"busy" in answer]
    checks.check("of 100 clients at once each is served or told to try again", len(results) == 100 and len(answered) >= 16
                 and len(answered) + len(busy) + results.count(b"") == 100, (len(answered), len(busy), results[:2]))
    checks.check("and the bot trades all the same, unmoved by any of it",
                 until(lambda: bot.is_trading(20), 20) and bot.status()["state"] == "trading", bot.status().get("state"))


def users(checks, bot):
    checks.check("the socket is for its owner alone", stat.S_IMODE(os.stat(bot.control).st_mode) == 0o600)
    if os.getuid() != 0:
        return checks.skip("another user is turned away", "needs the right to become another user")
    before = os.stat(bot.folder).st_mode
    os.chmod(bot.folder, 0o755)

    def nobody():
        """What another user's process is told."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                answer = b"no answer"
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(10)
                    client.connect(bot.control)
                    try:
                        client.sendall(b'{"do":"halt"}\n')
                    except BrokenPipeError:
                        pass  # Turned away before a word was said; why can be read.
                    answer = client.recv(4096)
            except OSError as error:
                answer = str(error).encode()
            os.write(writing, answer)
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as file:
            return file.read()

    closed = nobody()
    os.chmod(bot.control, 0o666)
    opened = nobody()
    os.chmod(bot.control, 0o600)
    os.chmod(bot.folder, before)
    checks.check("another user is turned away by the file's mode, and by the kernel's word where the mode was widened",
                 "denied" in closed and "another user" in opened and bot.status()["state"] == "trading", (closed, opened))


def death(checks, bot, exchange):
    exchange.post("/api/v4/order/new", {"market": "DBTC_DUSDT", "side": "buy", "amount": "0.001", "price": "30000", "clientOrderId": "byhand-1"})
    bot.say("halt")
    code, out, err = run("panic", bot.path, "--even-if-running")
    checks.check("panic beside a process that holds the key asks the exchange all the same, and disturbs no nonce",
                 code == 0 and "going on even so" in out and "no open order" in out and bot.say("rearm", "--yes")[0] == 0
                 and until(lambda: bot.is_back(), 20) and not bot.told("nonce-refused"), (code, out, err))
    bot.process.kill()
    bot.process.wait()
    code, _, err = bot.say("status")
    checks.check("after kill -9, status ends with 2 and says that the process died", code == 2 and "ended without a word" in err, (code, err))
    code, out, err = run("panic", bot.path, "--json")
    result = json.loads(out.strip().splitlines()[-1])
    checks.check("panic after kill -9 leaves the book free of our orders and others' alone",
                 code == 0 and result["left"] == 0 and result["canceled"] > 0 and [row["clientOrderId"] for row in orders(exchange)] == ["byhand-1"],
                 (code, out, err[-500:]))
    code, out, err = run("panic", bot.path)
    checks.check("panic twice finds nothing", code == 0 and "no open order" in out, (code, out, err))
    code, out, err = run("reconcile", bot.path)
    checks.check("reconcile shows what the journal cannot know, each order with its history", code == 1 and "its history: " in out and "CANCELED" in out,
                 (code, out[:600], err))
    checks.check("the bot starts again on what a dead process left", bot.start(again=True), bot.status())
    checks.check("SIGTERM ends it in order, its socket gone", bot.end() == 0 and not os.path.exists(bot.control))
    code, out, err = run("reconcile", bot.path, "--json")
    checks.check("reconcile from the journal alone finds both books equal", code == 0 and json.loads(out)["ok"] is True, (code, out, err))
    code, out, err = run("replay", "--verify", "--json", bot.journal)
    checks.check("the journal of all this replays bit for bit", code == 0 and json.loads(out)["identical"] is True, (code, out, err))
    code, out, err = run("panic", bot.path, "--flatten", "--json")
    checks.check("panic --flatten sells nothing before somebody says yes: 3", code == 3 and "--yes" in err, (code, out, err))
    code, out, err = run("panic", bot.path, "--flatten", "--yes", "--json")
    result = json.loads(out.strip().splitlines()[-1])
    checks.check("panic --flatten sells what is free of the base asset, or says what is left",
                 code == 0 and total(exchange) < LOT or code == 1 and "run it again" in err and result["sold"], (code, out, err[-500:], total(exchange)))
    checks.check("no secret in any alert or message",
                 not any("conformance-secret" in open(path, errors="replace").read() for path in (bot.alerts_path, os.path.join(bot.folder, "errors"))))


def alerts(checks):
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder, FaultProxy(exchange.port) as proxy:
        bot = Bot(folder, exchange, proxy)
        code, out, err = run("alert", "test", bot.path)
        checks.check("alert test arrives in the file and on standard error", code == 0 and len(bot.told("test")) == 1 and " test bot:" in err, (code, out, err))
        checks.check("a bot trades through the proxy", bot.start(), open(os.path.join(folder, "errors")).read())

        # Nothing moves, and nobody is told: every connection stays open.
        stall = threading.Thread(target=proxy.stall, args=(14,))
        stall.start()
        silent = until(lambda: bot.told("book-silent"), 10)
        is_connected = all(link["state"] == "up" for link in bot.status()["connections"])
        checks.check("M101 a silent book raises an alarm while its connection is up", silent and is_connected, (silent, is_connected))
        quiet = until(lambda: bot.told("trades-silent"), 10)
        is_connected = all(link["state"] == "up" for link in bot.status()["connections"])
        checks.check("M101 and so do silent trades", quiet and is_connected, (quiet, is_connected))
        stall.join()
        checks.check("M101 and is cleared when it is told again", until(lambda: bot.told("book-silent", "cleared") and bot.told("trades-silent", "cleared"), 30),
                     bot.alerts())
        checks.check("M73 a refresh that fails twice reaches a person, and so does its end",
                     bot.told("dead-man-refresh") and until(lambda: bot.told("dead-man-refresh", "cleared"), 30), bot.alerts())
        checks.check("and the bot trades again", until(lambda: bot.is_back(), 40), bot.status().get("state"))

        refuse = threading.Thread(target=proxy.refuse, args=(12,))
        refuse.start()
        exhausted = until(lambda: bot.told("retries-exhausted"), 15)
        refuse.join()
        checks.check("M89 retries that run out reach a person by both ways, with what failed and how often",
                     exhausted and re.search(r"failed \d+ times|after \d+ tries", exhausted[0]["what"]) and exhausted[0]["severity"] == "critical"
                     and "retries-exhausted" in open(os.path.join(folder, "errors")).read(), exhausted)
        checks.check("M89 and when they go well again", until(lambda: bot.told("retries-exhausted", "cleared"), 40), bot.alerts())
        checks.check("the bot trades again after that", until(lambda: bot.is_back(), 75), bot.status().get("state"))

        # A folder where the file should be: alerts go on by the other way, and trading does.
        os.remove(bot.alerts_path)
        os.mkdir(bot.alerts_path)
        bot.say("pause")
        failed = until(lambda: "alert-sink" in open(os.path.join(folder, "errors")).read(), 10)
        os.rmdir(bot.alerts_path)
        bot.say("resume")
        checks.check("a sink that fails is told by the other, and trading goes on",
                     failed and until(lambda: bot.told("alert-sink", "cleared"), 10) and until(lambda: bot.is_back(), 20), bot.alerts())
        told = [(alert["code"], alert["subject"]) for alert in bot.alerts() if alert["event"] == "raised"]
        checks.check("each line has its code, subject, what was done and what to do",
                     all(alert["bot"] == "bot" and alert["what"] and (alert["event"] == "cleared" or alert["done"] and alert["do"]) for alert in bot.alerts()), told)
        checks.check("it ends in order, its ledger equal", bot.end() == 0, open(os.path.join(folder, "errors")).read()[-500:])


class Relay(http.server.BaseHTTPRequestHandler):
    """Passes requests on to `upstream`; of one that places an order the answer is swallowed, or the request itself."""
    protocol_version = "HTTP/1.1"
    upstream, swallows, placed = "", "", []

    def pass_on(self, body=None):
        if self.path == "/api/v4/order/new":
            self.placed.append(json.loads(body)["clientOrderId"])
            if self.swallows == "request":
                self.close_connection = True
                return
        headers = {name: value for name, value in self.headers.items() if name.lower().startswith(("x-txc", "content-type"))}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.upstream + self.path, data=body, headers=headers), timeout=10) as reply:
                status, data = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            status, data = error.code, error.read()
        if self.path == "/api/v4/order/new" and self.swallows == "answer":
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.pass_on()

    def do_POST(self):
        self.pass_on(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        pass


def panics(checks):
    """`panic` with what goes wrong around it: a file that a run would refuse, and a sale whose answer is lost."""
    with Exchange("--speed", "1") as exchange, tempfile.TemporaryDirectory() as folder:
        path = configure(folder, exchange)
        text = open(path).read()

        def write(changed):
            with open(path, "w") as file:
                file.write(changed)

        bot = subprocess.Popen([MARTLET, "run", path, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        placed = until(lambda: len(own(exchange)) >= 20, 20)
        bot.kill()
        bot.wait()
        write(text.replace("levels = 10", "levels = 0\nlevles = 3").replace('amount = "0.001"', 'amount = "a lot"'))
        code, _, err = run("run", path, "--for", "1s")
        refused = code == 2 and "levles" in err
        code, out, err = run("panic", path)
        checks.check("panic works with a file whose strategy is unsound, and says what is",
                     placed and refused and code == 0 and "levles" in out and "canceled mt" in out and own(exchange) == [], (code, out[-600:], err))
        kept = re.search(r"each request and reply is kept in (\S+\.jsonl)", out)
        content = open(kept[1]).read() if kept else ""
        lines = [json.loads(line) for line in content.splitlines()]
        cancels = {line["nonce"]: json.loads(line["body"])["clientOrderId"] for line in lines if line.get("target") == "/api/v4/order/cancel"}
        answers = {line["nonce"] for line in lines if line["event"] == "reply" and line["status"] == 200 and line["body"]}
        checks.check("M140 panic leaves each request and reply in a file that is its owner's alone, and prints its path",
                     kept and stat.S_IMODE(os.stat(kept[1]).st_mode) == 0o600 and len(cancels) >= 20 and cancels.keys() <= answers
                     and all(name in out for name in cancels.values()), (kept and kept[1], lines[:3]))
        checks.check("M39 M140 no key, no secret and no signature is in it", content and KEY not in content and SECRET not in content and "X-TXC" not in content)
        write(text.replace('endpoint = "custom"', "").replace("levels = 10", "levels = 0"))
        code, out, err = run("panic", path)
        checks.check("panic asks for a venue that it would have to guess: 2", code == 2 and "endpoint" in err and out == "", (code, out, err))
        write("these are no settings at all\n")
        code, out, err = run("panic", path)
        checks.check("panic says of what is no TOML that it cannot be read, and where to go instead: 2",
                     code == 2 and "no TOML" in err and "on the venue's page" in err, (code, out, err))

        Relay.upstream = exchange.rest
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        write(text.replace(exchange.rest, f"http://127.0.0.1:{server.server_port}"))

        def flatten(what):
            Relay.swallows, Relay.placed[:] = what, []
            code, out, err = run("panic", path, "--flatten", "--yes", "--json")
            return code, json.loads(out.strip().splitlines()[-1]), err

        before = total(exchange)
        code, result, err = flatten("request")
        checks.check("panic's sale that never arrives is not sent again, and said to be unknown with its name: 1",
                     code == 1 and len(Relay.placed) == 1 and Relay.placed[0] in result["error"] and "not known" in result["error"]
                     and result["sold"] == [] and total(exchange) == before, (code, result, Relay.placed, err))
        code, result, err = flatten("answer")
        rows = exchange.post("/api/v4/trade-account/executed-history", {"market": "DBTC_DUSDT", "limit": 100})
        sold = sum((decimal.Decimal(row["amount"]) for row in rows if row["clientOrderId"] == (Relay.placed + [""])[0]), decimal.Decimal(0))
        checks.check("panic's sale whose answer is lost is asked about by its name and never sent again",
                     code in (0, 1) and len(Relay.placed) == 1 and "in doubt" in err and sold > 0 and result["sold"] == [f"{sold.normalize():f} DBTC"], (code, result, Relay.placed, sold, err))
        checks.check("and it says how to begin the bot after it", "--fresh" in err, err)
        checks.check("and its fills bear the bot's prefix", re.fullmatch(r"mt[0-9A-Za-z]{4}PANIC[0-9]{21}", (Relay.placed + [""])[0]), Relay.placed)
        code, result, err = flatten("")
        checks.check("panic once more sells what is left, and says so when it is less than the market takes",
                     code == 0 and (total(exchange) < LOT) and (len(Relay.placed) == 1 or "nothing to sell" in err), (code, result, Relay.placed, err))
        code, out, err = run("reconcile", path)
        checks.check("reconcile finds the sale as the bot's own, which its journal cannot know", code == 1 and "fills: " in out, (code, out, err))
        server.shutdown()


def bare(checks):
    """`status` without a name, from a folder where others have died."""
    def look():
        done = subprocess.run([MARTLET, "status"], capture_output=True, text=True, timeout=30, cwd=root)
        return done.returncode, done.stdout, done.stderr

    with Exchange("--speed", "1", plain=False) as exchange, tempfile.TemporaryDirectory() as root:
        checks.check("bare status in a folder without a bot says that none runs: 2", look()[0] == 2 and "no bot runs here: none below" in look()[2], look())
        for name in ("demo/20260101-000000", "demo/20260102-000000"):
            os.makedirs(os.path.join(root, ".martlet", name))
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(os.path.join(root, ".martlet", name, "control"))
        code, out, err = look()
        checks.check("bare status beside demos that died says that they do not run, and that nothing of them rests",
                     code == 2 and out == "" and "no bot runs here; not running" in err and "demo/20260102" in err and "nothing of it rests" in err
                     and "panic" not in err, (code, out, err))
        folder = os.path.join(root, ".martlet", "one")
        os.makedirs(folder)
        bot = Bot(folder, exchange)
        began = bot.start()
        code, out, err = look()
        checks.check("bare status beside demos that died looks at the bot that lives", began and code == 0 and out.startswith("bot paper") and "trading" in out, (code, out, err))
        bot.process.kill()
        bot.process.wait()
        bot.errors.close()
        code, out, err = look()
        checks.check("bare status after the bot has died, too, names the bot and what to do",
                     code == 2 and out == "" and "no bot runs here; not running" in err and ".martlet/one;" in err and "panic" in err, (code, out, err))


def hangup(checks):
    """A terminal that closes under a bot: an end in order, unless it was begun to outlive that."""
    with Exchange("--speed", "1", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        began = bot.start()
        bot.process.send_signal(signal.SIGHUP)
        code = bot.process.wait(timeout=60)
        bot.errors.close()
        errors = open(os.path.join(folder, "errors")).read()[-500:]
        timers = exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"})
        checks.check("SIGHUP ends a bot in order: 0, nothing of its own left, the kill-switch off, its ledger equal, its socket gone",
                     began and code == 0 and own(exchange) == [] and timers == [] and not os.path.exists(bot.control), (began, code, timers, errors))
        began = bot.start(again=True, before=["nohup"])
        bot.process.send_signal(signal.SIGHUP)
        time.sleep(2)
        lives = bot.process.poll() is None and bot.status().get("state") == "trading" and len(own(exchange)) > 0
        checks.check("under nohup SIGHUP is ignored: it trades on, and SIGTERM ends it in order", began and lives and bot.end() == 0 and own(exchange) == [],
                     (began, lives, bot.process.poll(), open(os.path.join(folder, "errors")).read()[-500:]))


def reloading(checks):
    """Other settings for a grid that trades: what the book has before and after."""
    with Exchange("--speed", "1", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        began = bot.start()
        text = open(bot.path).read()

        def say(changed):
            with open(bot.path, "w") as file:
                file.write(changed)
            return bot.say("reload")

        def canceled():
            """Orders that ended unfilled; the market may have taken others meanwhile."""
            rows = exchange.post("/api/v4/trade-account/order/history", {"market": "DBTC_DUSDT", "limit": 100})
            return {row["clientOrderId"] for row in (rows or {}).get("DBTC_DUSDT", []) if row["status"] == "CANCELED"}

        # Counted by the bot from the moment it sends them.
        until(lambda: len(orders(exchange)) >= 20, 10)
        before = {row["clientOrderId"] for row in orders(exchange)}
        code, out, err = say(text.replace("levels = 10", "levels = 12"))
        wide = until(lambda: len(orders(exchange)) >= 24, 10)
        after = {row["clientOrderId"] for row in orders(exchange)}
        checks.check("reload: two more levels a side are placed, and what rested stays", began and code == 0 and wide and len(before) >= 18 and not before & canceled(), (code, out, err, before & canceled(), len(before), len(after)))
        code, out, err = bot.say("reload")
        checks.check("reload: an unchanged file changes nothing", code == 0 and "nothing has changed" in out, (code, out, err))
        code, out, err = say(text.replace("levels = 10", "levels = 8"))
        narrow = until(lambda: len(orders(exchange)) <= 16 and bot.is_trading(16), 10)
        last = {row["clientOrderId"] for row in orders(exchange)}
        checks.check("reload: fewer levels take the outer orders off and leave the others", code == 0 and narrow and 0 < len(before & canceled()) <= 4 and len(last) >= 14, (code, out, err, before & canceled(), len(last)))
        code, out, err = say(text.replace('spacing = "10"', 'spacing = "0.001"'))
        checks.check("reload: a spacing between two ticks is refused, with the key", code == 2 and "spacing" in err and "tick" in err, (code, err))
        code, out, err = say(text.replace("[risk]", "[risk]\nmax_orders = 7") if "[risk]" in text else text + '\n[risk]\nmax_orders = 7\n')
        checks.check("reload: another change needs a restart, and says so", code == 2 and "start it again" in err, (code, err))
        code, out, err = say(text.replace("levels", "levles"))
        checks.check("reload: a file that cannot be read changes nothing", code == 2 and "levels" in err and bot.is_trading(16), (code, err))
        code, out, err = say(text.replace("levels = 10", "levels = 8").replace('amount = "0.001"', 'amount = "0.002"'))


        def is_sized():
            # Of the first twenty none is left; an order that answers a fill trades what that has brought.
            others = [row for row in orders(exchange) if row["amount"] != "0.002"]
            return len(others) <= 4 and not before & {row["clientOrderId"] for row in others} and bot.is_trading(16)

        sized = until(is_sized, 15)
        checks.check("reload: another amount replaces untouched orders one for one", code == 0 and sized,
                     (code, err, collections.Counter((row["amount"], row["clientOrderId"] in before) for row in orders(exchange))))
        bot.process.send_signal(signal.SIGTERM)
        checks.check("and the ledger is the exchange's at the end", bot.process.wait(timeout=40) == 0, open(os.path.join(folder, "errors")).read()[-500:])
        lines = run("journal", "print", bot.journal)[1].splitlines()
        before = [lines[index - 1] for index, line in enumerate(lines) if "input    other settings" in line]
        checks.check("each reload stands in the journal before what it changed, with who said it",
                     len(before) == 3 and all(re.search(rf"operator reload of strategy\[0\] by uid {os.getuid()} pid \d+$", line) for line in before), before)
        code, out, err = run("replay", "--verify", bot.journal)
        checks.check("and its journal replays, reloads and all", code == 0, (code, out, err))


def clean_slate(checks):
    """Somebody's own orders rest where a bot is to trade: left alone, unless its file asks for a clean slate."""
    with Exchange("--speed", "10", plain=False) as exchange, FaultProxy(exchange.port) as proxy, tempfile.TemporaryDirectory() as folder:
        def by_hand(side, price, market="DBTC_DUSDT", **more):
            return exchange.post("/api/v4/order/new", {"market": market, "side": side, "amount": "0.001", "price": price, **more})["orderId"]

        def resting(market="DBTC_DUSDT"):
            return {row["orderId"] for row in exchange.post("/api/v4/orders", {"market": market, "limit": 100})}

        mine = {by_hand("buy", "30000", clientOrderId="my-own-order"), by_hand("buy", "31000"), by_hand("sell", "150000", clientOrderId="m" * 60)}
        elsewhere = by_hand("buy", "30000", "BTC_USDT")
        bot = Bot(folder, exchange, proxy)
        traded = bot.start()
        code = bot.end()
        checks.check("M48 T12 without the key orders that are not its own are told, and left alone", traded and code == 0 and resting() == mine
                     and bot.told("foreign-order") and not bot.told("clean-slate"), (traded, code, resting(), mine))
        with open(bot.path) as file:
            text = file.read()
        with open(bot.path, "w") as file:
            file.write(text.replace("[bot]", "[bot]\nclean_slate = true", 1))
        code, out, err = run("config", "explain", bot.path)
        checks.check("M48 the key is shown with its line", code == 0 and "bot.clean_slate = true" in out and "line" in out.split("bot.clean_slate")[1][:40], (code, out[:200], err))
        last = int(run("journal", "print", bot.journal)[1].splitlines()[-1].split()[0])
        traded = bot.start()
        named = [alert for alert in bot.told("clean-slate") if alert["subject"] != "account"]
        checks.check("M48 T12 with clean_slate each of them is named with side, amount, price and its own id, and all are gone before it trades",
                     traded and not resting() & mine and {int(alert["subject"].split()[1]) for alert in named} == mine
                     and any("“my-own-order”" in alert["what"] and "buy 0.001 at 30000" in alert["what"] for alert in named)
                     and any("sell 0.001 at 150000" in alert["what"] for alert in named) and not bot.told("foreign-order")[1:], (traded, resting() & mine, named))
        checks.check("M48 T12 what rests in another market stays", resting("BTC_USDT") == {elsewhere}, resting("BTC_USDT"))
        lines = run("journal", "print", bot.journal, "--from", str(last + 1))[1].splitlines()
        listed = max((index for index, line in enumerate(lines) if "not ours, and canceled" in line), default=len(lines))
        cleared = [index for index, line in enumerate(lines) if "effect" in line and "/order/cancel/all" in line]
        placed = min((index for index, line in enumerate(lines) if "effect" in line and ("/order/bulk" in line or "/order/new" in line)), default=-1)
        checks.check("M48 in its journal each stands before the one request that cancels all, and that before the first order", len(cleared) == 1 and listed < cleared[0] < placed,
                     (listed, cleared, placed))
        later = by_hand("buy", "32000", clientOrderId="later")
        accepted = proxy.accepted
        proxy.cut()
        again = until(lambda: proxy.accepted > accepted, 20)
        frames = bot.status().get("counts", {}).get("frames", 0)
        back = again and until(lambda: bot.status().get("counts", {}).get("frames", 0) > frames + 20 and bot.is_back(), 40)
        checks.check("M48 T12 once a run: what is placed by hand later is left alone over a cut", back and later in resting(), (back, resting()))
        bot.process.kill()
        bot.process.wait()
        left = len(own(exchange))
        again = bot.start() or bot.is_back()
        named = [alert for alert in bot.told("clean-slate") if alert["subject"].endswith(f" {later}")]
        checks.check("M48 killed and begun anew it names and cancels again, its own of before too, and trades", left and again and len(named) == 1 and later not in resting(),
                     (left, again, named, resting()))
        latest = by_hand("buy", "33000", clientOrderId="latest")
        code = bot.end()
        checks.check("M48 T12 at its stop it cancels its own alone; its ledger is the exchange's", code == 0 and resting() == {latest},
                     (code, resting(), open(os.path.join(folder, "errors")).read()[-500:]))
        code, out, err = run("replay", "--verify", bot.journal)
        checks.check("M48 and its journal replays, the clean slate and all", code == 0, (code, out, err))


def main():
    checks = Checks()
    commands(checks)
    panics(checks)
    clean_slate(checks)
    bare(checks)
    hangup(checks)
    reloading(checks)
    alerts(checks)
    checks.end()


if __name__ == "__main__":
    main()

"""The live program's edge, seen from outside: every byte it sends passes a relay that reads them with code of
its own, on an exchange whose clock is not this machine's; then its event loop alone is stopped and goes on."""
import base64
import ctypes
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import types
import urllib.request

import audit
from demo_processes import MARTLET, configure, orders
from local_exchange import Checks, Exchange, KEY, ROOT, SECRET, until
from outages import Guard, history
from relay import Relay, events, is_stream

SKEW = 25.0


def offset_of(exchange):
    """The exchange's clock less ours, from the moment its second changes."""
    first = exchange.get("/api/v4/public/time")["time"]
    while (second := exchange.get("/api/v4/public/time")["time"]) == first:
        pass
    return second - time.time()


def signed_requests(found):
    return [(moment, event) for moment, kind, event in found if kind == "request" and event["line"].startswith("POST")]


def first(found, kind, test):
    return next((moment for moment, what, event in found if what == kind and test(event)), None)


def wire(checks):
    with Exchange("--speed", "1", "--time", str(int((time.time() + SKEW) * 1000)), plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        offset = offset_of(exchange)
        relay = Relay(exchange.port, exchange.ca)
        strict = relayed(configure(folder, exchange, name="strict"), exchange, relay)
        bot = subprocess.run([MARTLET, "run", strict, "--for", "8s", "--json"], capture_output=True, text=True, timeout=60, cwd=ROOT)
        seen = events(relay)
        placed = [event["line"] for _, event in signed_requests(seen) if event["line"].split()[1] in ("/api/v4/order/new", "/api/v4/order/bulk")]
        checks.check("M34 C3 on a machine 25 s behind the exchange a bot with the strictest tolerance places nothing, and says why",
                     len(signed_requests(seen)) > 3 and not placed and "behind the venue's" in bot.stderr, (bot.returncode, placed[:2], bot.stderr[-500:]))
        relay.close()
        relay = Relay(exchange.port, exchange.ca)
        path = tolerant(relayed(configure(folder, exchange), exchange, relay))
        bot = subprocess.run([MARTLET, "run", path, "--for", "8s", "--json"], capture_output=True, text=True, timeout=60, cwd=ROOT)
        last = json.loads(bot.stdout.strip().splitlines()[-1]) if bot.stdout.strip() else {}
        checks.check("M29 C21 on a machine 25 s behind an exchange said to bear with it a bot trades as ever, its ledger equal",
                     bot.returncode == 0 and last.get("reconciled") is True, (bot.returncode, bot.stdout[-300:], bot.stderr[-300:]))
        relay.close()
        found = events(relay)

        posts = signed_requests(found)
        own = ("Accept", "Content-Length", "Host", "User-Agent")  # HTTP's, not the venue's.
        names = {tuple(sorted(name for name, _ in event["headers"] if name not in own)) for _, event in posts}
        checks.check("M28 every signed request has the four documented headers and no other",
                     names == {("Content-Type", "X-TXC-APIKEY", "X-TXC-PAYLOAD", "X-TXC-SIGNATURE")}, names)
        wrong = []
        for _, event in posts:
            fields = dict(event["headers"])
            payload = base64.b64encode(event["body"]).decode()
            signature = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha512).hexdigest()
            if (fields.get("X-TXC-PAYLOAD"), fields.get("X-TXC-SIGNATURE"), fields.get("X-TXC-APIKEY"), fields.get("Content-Type")) != (
                    payload, signature, KEY, "application/json"):
                wrong.append(event["line"])
            if json.loads(event["body"])["request"] != event["line"].split()[1]:
                wrong.append(event["body"])
        checks.check("M27 M28 every payload is the body's base64, every signature Python's own HMAC, every body names its path",
                     len(posts) > 20 and not wrong, (len(posts), wrong[:3]))
        sent = [json.loads(event["body"]) for _, event in posts]
        values = [body["nonce"] for body in sent]
        checks.check("M31 C2 T11 every nonce is an integer of thirteen digits, sent with nonceWindow",
                     all(type(value) is int and len(str(value)) == 13 for value in values) and all(body["nonceWindow"] is True for body in sent), sent[:3])
        leads = [value / 1000 - (moment + offset) for value, (moment, _) in zip(values, posts)]
        checks.check("M29 M30 C21 nonces are all different, and within the exchange's window by its own clock",
                     len(set(values)) == len(values) and -5 < min(leads) and max(leads) < 3, (min(leads), max(leads)))
        refused = [event for _, kind, event in found if kind == "reply" and event["status"] != 200]
        checks.check("M30 T11 no request was refused", not refused, refused[:3])

        def bodies(path):
            return [json.loads(event["body"]) for _, event in posts if event["line"].split()[1] == path]

        switches = bodies("/api/v4/order/kill-switch")
        checks.check("M66 M68 M72 the kill-switch is set with text for spot alone, and removed with null",
                     [body["timeout"] for body in switches[:-1]] == ["16"] * (len(switches) - 1) and switches[-1]["timeout"] is None
                     and all(body["types"] == ["spot"] for body in switches), switches)
        batches = bodies("/api/v4/order/bulk")
        checks.check("M45 M104 the grid's 20 orders leave in one request", batches and len(batches[0]["orders"]) == 20, [len(b["orders"]) for b in batches])
        checks.check("T12 M48 nothing is canceled but by its own id",
                     not bodies("/api/v4/order/cancel/all") and all(body["clientOrderId"].startswith("mt") for body in bodies("/api/v4/order/cancel")))

        def request(path):
            return first(found, "request", lambda event: event["line"].split()[1] == path)

        def reply(path):
            return first(found, "reply", lambda event: event["path"] == path)

        def frame(method):
            return first(found, "frame", lambda event: event["method"] == method)

        def answer(method):
            number = next(event["id"] for _, kind, event in found if kind == "frame" and event["method"] == method)
            return first(found, "push", lambda event: event.get("id") == number)

        # The first look at the list is for orders of other bots, whose timer must not be touched; this is the one of the start's order.
        authorized = answer("authorize")
        listed = min((moment for moment, kind, event in found if kind == "request" and event["line"].split()[1] == "/api/v4/orders"
                      and moment > authorized), default=None)
        steps = [
            ("clock", reply("/api/v4/public/time")), ("other bots' orders", request("/api/v4/orders")), ("kill-switch", request("/api/v4/order/kill-switch")),
            ("armed", reply("/api/v4/order/kill-switch")), ("token", request("/api/v4/profile/websocket_token")),
            ("authorize", frame("authorize")), ("authorized", authorized),
            ("private channels", min(frame(f"{name}_subscribe") for name in ("ordersPending", "deals", "balanceSpot"))),
            ("subscribed", max(answer(f"{name}_subscribe") for name in ("ordersPending", "deals", "balanceSpot"))),
            ("open orders", listed), ("fills", request("/api/v4/trade-account/executed-history")),
            ("depth", frame("depth_subscribe")), ("whole book", first(found, "push", lambda event: event.get("method") == "depth_update")),
            ("orders", request("/api/v4/order/bulk")),
        ]
        moments = [moment for _, moment in steps]
        checks.check("C19 M109 M74 M76 M95 T2 T4 clock, kill-switch, authorize, private channels, lists, depth, orders, in that order on the wire",
                     None not in moments and moments == sorted(moments), steps)
        checks.check("M75 one token for one connection", len(bodies("/api/v4/profile/websocket_token")) == 1)


def tolerant(path):
    """Has a configuration bear with clocks that are a minute apart."""
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("\n[dead_man]", 'clock_tolerance = "2m"\n\n[dead_man]', 1))
    return path


def relayed(path, exchange, relay):
    """Points a configuration at the relay in place of the exchange, and has it trust the relay's certificate."""
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace(f"127.0.0.1:{exchange.port}", f"127.0.0.1:{relay.port}"))
    return trusting(path, relay.ca)


def trusting(path, ca):
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("\nkey = ", f'\nca = "{ca}"\nkey = ', 1))
    return path


def frame_delays(relay, journal):
    """When each frame went to the bot, and how long after that the bot folded it: the relay's stamp against the journal's, which
    the same machine's clock gave; and whether the two have the same frames in the same order."""
    pushed = [(moment, event) for moment, kind, event in events(relay) if kind == "push"]
    printed = subprocess.run([MARTLET, "journal", "print", journal, "--contains", "input    frame 0 "], capture_output=True, text=True,
                             timeout=60, cwd=ROOT).stdout.splitlines()
    folded = [(float(line.split(" ", 2)[1]), json.loads(line.split(" frame 0 ", 1)[1])) for line in printed]
    # What was on its way when the bot ended is in no journal.
    is_same = 0 <= len(pushed) - len(folded) < 10 and all(sent == found for (_, sent), (_, found) in zip(pushed, folded))
    return [(sent, found - sent) for (sent, _), (found, _) in zip(pushed, folded)], is_same


def percentile(delays, share):
    return sorted(delays)[max(0, -(-len(delays) * share // 100) - 1)] if delays else float("inf")


def stalled_replies(checks, earlier):
    """One bot whose REST replies are all held back for 5 s from its first placement on. Gives its p99, in seconds. The middle of three
    counts, this one's and the `earlier`: a machine that is busy with other things may hand frames over late in one of them, a bot that
    waits for a reply does so each time."""
    stall, stop = 5.0, 0.4
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        relay = Relay(exchange.port, exchange.ca)
        path = relayed(configure(folder, exchange), exchange, relay)
        began = []

        def late_reply(record, kind, _):
            if kind == "received" and not is_stream(record):
                if not began and b"/order/bulk" in record["sent"][-1][1]:
                    began.append(time.time())
                if began:
                    time.sleep(max(0, began[0] + stall - time.time()))
            return True

        relay.passes = late_reply
        guard = Guard(exchange, timeout=16, every=0.25)
        bot = subprocess.Popen([MARTLET, "run", path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        is_placed = until(lambda: began, 15)
        time.sleep(stall + 1)
        stopped_at = time.time()
        bot.send_signal(signal.SIGSTOP)
        time.sleep(stop)
        bot.send_signal(signal.SIGCONT)
        time.sleep(1)
        guard.end()
        bot.send_signal(signal.SIGTERM)
        out, err = bot.communicate(timeout=30)
        relay.close()
        journal, name = os.path.join(folder, "bot-journal"), f"REST replies held back, run {len(earlier) + 1}"
        guard.judge(checks, types.SimpleNamespace(journal=journal), name, history(exchange))
        audit.judge(checks, name, audit.Journal(journal), audit.finished(exchange), audit.fills(exchange))
        delays, is_same = frame_delays(relay, journal)
        during = [delay for sent, delay in delays if is_placed and began[0] < sent < began[0] + stall]
        late = percentile(during, 99)
        if len(earlier) < 2:
            return late
        middle = sorted([*earlier, late])[1]
        checks.check("M8 every frame that went to the bot is in its journal, in order", is_same and is_placed, (len(delays), err[-300:]))
        checks.check("M8 over TLS, with all REST replies held back for 5 s, from a frame's arrival to its handling p99 is under 10 ms",
                     len(during) > 100 and middle < 0.010 and min(during) > -0.001, (len(during), min(during, default=0), earlier, late))
        checks.tell(f"p99 of three runs {[round(1000 * value, 2) for value in (*earlier, late)]} ms; of the last p50 {1000 * percentile(during, 50):.2f} ms, worst {1000 * max(during, default=0):.2f} ms "
                    f"of {len(during)} frames")
        still = [delay for sent, delay in delays if stopped_at < sent < stopped_at + stop / 2]
        checks.check("M8 and the same measure finds a bot that stands still", still and min(still) > 0.010, still[:5])
        placements = [event for _, kind, event in events(relay) if kind == "request" and "/order/bulk" in event["line"]]
        first_twenty = [order["clientOrderId"] for order in json.loads(placements[0]["body"])["orders"]] if placements else []
        again = [name for event in placements[1:] for name in (order["clientOrderId"] for order in json.loads(event["body"])["orders"])]
        checks.check("M44 a placement whose reply is held back is not sent again", first_twenty and not set(first_twenty) & set(again), again[:3])
        last = json.loads(out.strip().splitlines()[-1]) if out.strip() else {}
        checks.check("M8 and the ledger is the exchange's to the last digit", bot.returncode == 0 and last.get("reconciled") is True,
                     (bot.returncode, out[-400:], err[-400:]))
        return late


def stalled(checks):
    earlier = []
    for _ in range(3):
        earlier.append(stalled_replies(checks, earlier))


class Flood(Relay):
    """A relay that puts frames of its own between those that go to the client of a stream, as many a second as it is told."""

    EVERY = 0.005

    def __init__(self, upstream, ca):
        super().__init__(upstream, ca)
        self.turn = threading.Lock()
        self.told = 0

    def _pump(self, source, target, record, kind, data=b""):
        if kind == "received":
            try:
                self._begin(source, target, record)
            except OSError:
                pass
        super()._pump(source, target, record, kind, data)

    def _begin(self, source, target, record):
        """Hands on the first head; behind a stream's, whole frames until its end: what comes between two of them is ours."""
        held = b""
        while b"\r\n\r\n" not in held and (data := source.recv(65536)):
            held += data
        if not held.startswith(b"HTTP/1.1 101 "):
            return self._tell(target, record, held)
        size = held.index(b"\r\n\r\n") + 4
        self._tell(target, record, held[:size])
        held = held[size:]
        self.target, self.record = target, record
        while True:
            size = self._whole(held)
            self._tell(target, record, held[:size])
            held = held[size:]
            if not (data := source.recv(65536)):
                return
            held += data

    def _tell(self, target, record, data):
        if not data:
            return
        with self.turn:
            entry = [time.time(), data]
            with self.lock:
                record["received"].append(entry)
            target.sendall(data)

    @staticmethod
    def _whole(data):
        """Bytes of the whole frames at the start; a server's have no mask."""
        at = 0
        while len(data) >= at + 2:
            length, header = data[at + 1] & 127, 2
            if length > 125:
                header = 4 if length == 126 else 10
                if len(data) < at + header:
                    break
                length = int.from_bytes(data[at + 2:at + header], "big")
            if len(data) < at + header + length:
                break
            at += header + length
        return at

    def flood(self, rate, seconds):
        """Gives the frames that it told."""
        began, count = time.monotonic(), 0
        while (now := time.monotonic() - began) < seconds:
            block = bytearray()
            due = int(now * rate)
            for number in range(count, due):
                body = b'{"method":"lastprice_update","params":["DBTC_DUSDT","61650"],"id":null,"number":%d}' % number
                block += bytes([0x81, len(body)]) + body
            count = due
            self._tell(self.target, self.record, bytes(block))
            time.sleep(max(0, began + now + self.EVERY - time.monotonic()))
        return count


def flooded(checks):
    """Ten thousand frames a second on the stream of a bot that pings, for longer than two pings."""
    rate, seconds = 10_000, 25
    with Exchange("--speed", "2", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        relay = Flood(exchange.port, exchange.ca)
        path = relayed(configure(folder, exchange), exchange, relay)
        bot = subprocess.Popen([MARTLET, "run", path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        until(lambda: len(orders(exchange)) >= 20, 15)
        began = time.time()
        count = relay.flood(rate, seconds)
        ended = time.time()
        time.sleep(1)
        bot.send_signal(signal.SIGTERM)
        out, err = bot.communicate(timeout=30)
        relay.close()
        delays, is_same = frame_delays(relay, os.path.join(folder, "bot-journal"))
        during = [delay for sent, delay in delays if began < sent < ended]
        checks.check("M92 over TLS at ten thousand frames a second every frame that went to the bot is in its journal, once and in order",
                     is_same and count > 0.95 * rate * seconds and len(during) > count, (is_same, count, len(during), err[-300:]))
        found = events(relay)
        pings = [moment for moment, kind, event in found if kind == "frame" and event["method"] == "ping" and began < moment < ended]
        pongs = [moment for moment, kind, event in found if kind == "push" and event.get("result") == "pong" and began < moment]
        streams = sum(1 for _, kind, event in found if kind == "frame" and event["method"] == "authorize")
        checks.check("M92 meanwhile it pings, each ping is answered, and its one stream lives on", streams == 1 and 2 <= len(pings) <= len(pongs), (streams, pings, pongs))
        last = json.loads(out.strip().splitlines()[-1]) if out.strip() else {}
        checks.check("M92 and its ledger is the exchange's to the last digit", bot.returncode == 0 and last.get("reconciled") is True,
                     (bot.returncode, out[-300:], err[-300:]))
        checks.tell(f"{count / (ended - began):.0f} frames a second for {ended - began:.0f} s; from the wire to the journal p50 {1000 * percentile(during, 50):.2f} ms, "
                    f"p99 {1000 * percentile(during, 99):.2f} ms, worst {1000 * max(during, default=0):.2f} ms; {len(pongs)} pongs")


def full_pipe():
    """A pipe that is full, as its reading and its writing end: whoever writes to it waits for a reader."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


def unread(checks):
    with Exchange("--speed", "1", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        with socket.create_server(("127.0.0.1", 0)) as free:
            page = free.getsockname()[1]
        path = trusting(configure(folder, exchange, more=f"[dashboard]\nport = {page}\n"), exchange.ca)
        reading, writing = full_pipe()
        bot = subprocess.Popen([MARTLET, "run", path], stdout=writing, stderr=subprocess.DEVNULL, cwd=ROOT)
        os.close(writing)
        until(lambda: len(orders(exchange)) >= 20, 15)

        def frames():
            with urllib.request.urlopen(f"http://127.0.0.1:{page}/state", timeout=5) as answer:
                state = json.load(answer)
                return state["counts"]["frames"] if state else 0

        before = until(frames, 5)
        checks.check("a pipe that nobody reads holds up nothing", until(lambda: frames() > before + 20, 10), (before, frames()))
        bot.send_signal(signal.SIGTERM)
        bot.wait(timeout=30)
        os.close(reading)
        checks.check("and the bot ends all the same, with nothing of its own left resting", bot.returncode == 0 and orders(exchange) == [],
                     (bot.returncode, orders(exchange)))


class OneThread:
    """Stops a child's first thread, its event loop, while its other threads go on."""

    SEIZE, INTERRUPT, DETACH, EVERY = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, process):
        self.process = process.pid
        self.library = ctypes.CDLL(None, use_errno=True)

    def _trace(self, request):
        if self.library.ptrace(request, self.process, None, None) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def __enter__(self):
        self._trace(self.SEIZE)
        self._trace(self.INTERRUPT)
        os.waitpid(self.process, self.EVERY)

    def __exit__(self, *_):
        self._trace(self.DETACH)


def hung_loop(checks):
    timeout, grace = 12, 6
    with Exchange("--speed", "1", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        path = trusting(configure(folder, exchange), exchange.ca)
        text = open(path).read().replace('"16s"', f'"{timeout}s"').replace('refresh = "5s"', 'refresh = "1s"').replace('"10s"', f'"{grace}s"')
        with open(path, "w") as file:
            file.write(text)

        def started():
            timers = exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"})
            return timers[0]["startTime"] if isinstance(timers, list) and timers else 0

        def own():
            return [row for row in orders(exchange) if row["clientOrderId"].startswith("mt")]

        bot = subprocess.Popen([MARTLET, "run", path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        until(lambda: len(own()) >= 20, 15)
        try:
            with OneThread(bot):
                began, seen = time.time(), []
                while time.time() - began < grace - 1.5:
                    seen.append(time.time() - started())
                    time.sleep(0.25)
                checks.check("M69 with the event loop stopped the kill-switch is refreshed every second all the same", len(seen) > 10 and max(seen) < 3, seen)
                checks.check("M69 and its orders rest", len(own()) > 10, len(own()))
        except OSError as error:
            for name in ("M69 with the event loop stopped the kill-switch is refreshed every second all the same",
                         "M69 and its orders rest",
                         "M69 M71 a bot hung past its grace is canceled by the exchange within grace and timeout",
                         "M69 when it moves again it arms the kill-switch and lays its grid out anew",
                         "M7 and its ledger equals the exchange's to the last digit"):
                checks.skip(name, f"needs the right to trace a child: {error}")
            bot.terminate()
            bot.communicate(timeout=30)
            return
        until(lambda: len(own()) >= 20, 5)
        time.sleep(1)
        with OneThread(bot):
            began = time.time()
            gone = until(lambda: own() == [], grace + timeout + 3)
            took = time.time() - began
            checks.check("M69 M71 a bot hung past its grace is canceled by the exchange within grace and timeout", gone and timeout - 1 < took <= grace + timeout + 1.5, took)
            checks.tell(f"{took:.1f} s of {grace + timeout} s")
        back = until(lambda: len(own()) >= 20 and time.time() - started() < 3, 30)
        checks.check("M69 when it moves again it arms the kill-switch and lays its grid out anew", back, (len(own()), time.time() - started()))
        bot.send_signal(signal.SIGTERM)
        out, err = bot.communicate(timeout=30)
        last = json.loads(out.strip().splitlines()[-1]) if out.strip() else {}
        checks.check("M7 and its ledger equals the exchange's to the last digit", bot.returncode == 0 and last.get("reconciled") is True,
                     (bot.returncode, out[-400:], err[-400:]))


def main():
    checks = Checks()
    wire(checks)
    stalled(checks)
    flooded(checks)
    unread(checks)
    hung_loop(checks)
    checks.end()


if __name__ == "__main__":
    main()

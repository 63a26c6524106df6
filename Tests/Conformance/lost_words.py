"""Words that are lost between a bot and its exchange, over TLS: fills told to nobody, replies to orders that never come back,
connections that end by a reset in the middle of a frame or a reply. After each the books are the exchange's."""
import json
import os
import re
import socket
import tempfile
import threading
import time
from decimal import Decimal

from audit import Journal, fills, finished, judge
from demo_processes import orders, run
from fault_proxy import FaultProxy
from local_exchange import Checks, Exchange, until
from outages import Bot, Guard
from relay import Relay, events, is_stream

OTHER = "conformance-other", "conformance-other-secret"
PLACEMENTS = ("/api/v4/order/new", "/api/v4/order/bulk")


def ids_in(body):
    return [name.decode() for name in re.findall(rb'"clientOrderId":"([^"]+)"', body)]


class Stage:
    """A bot over TLS, the relay between it and its exchange, and somebody else who trades there."""

    def __init__(self, folder):
        self.exchange = Exchange("--speed", "2", "--account", ":".join(OTHER), "--balance", "DBTC=100000", "--balance", "DUSDT=10000000000", plain=False)
        self.relay = Relay(self.exchange.port, self.exchange.ca)
        self.folder, self.lock = folder, threading.Lock()
        self.fate = self.act = None
        self.is_deaf = False
        # Before its first trade an exchange tells the last price of the recording's end, and grids are laid around that.
        until(self.is_moving, 20)
        self.lost = []  # Client order ids whose placement's reply was lost.
        self.relay.passes = self.passes

    def is_moving(self):
        last = Decimal(self.exchange.get("/api/v4/public/ticker")["DBTC_DUSDT"]["last_price"])
        return abs(last - Decimal(self.exchange.get("/api/v4/public/orderbook/DBTC_DUSDT?limit=1")["bids"][0][0])) < 20

    def begin(self):
        self.bot = Bot(self.exchange, self.relay, self.folder, ca=self.relay.ca)
        self.guard = Guard(self.exchange)

    def passes(self, record, kind, data):
        """Notes what a connection asks for, and lets the fate that was chosen befall the reply."""
        if kind == "sent":
            if match := re.match(rb"[A-Z]+ (\S+) HTTP", data):
                record["path"] = match[1].decode().split("?")[0]
                record["asked"] = b""
            record["asked"] = record.get("asked", b"") + data
            if self.act == self.reset_all and self.is_meant(record):
                self.is_deaf = True  # From here on the stream must not tell what the reply would have.
            return True
        if record.get("is_silent") or self.is_deaf and is_stream(record):
            return False
        with self.lock:
            fate = self.fate
            if not fate or not fate(record, data):
                return True
            self.fate = None
        return False

    def is_meant(self, record):
        """Whether what a connection asks for is what a fate waits for."""
        if is_stream(record) or record.get("path") not in self.path:
            return False
        return not self.is_one or len(ids_in(record["asked"])) == 1

    def befall(self, path, act, is_one=False):
        """The next reply of `path` does not arrive: `act` is done in its place, with the record and the bytes. Gives an event for when it was."""
        is_done = threading.Event()

        def fate(record, data):
            if not self.is_meant(record):
                return False
            self.lost = ids_in(record["asked"]) if path == PLACEMENTS else self.lost
            self.act = None
            act(record, data)
            is_done.set()
            return True

        with self.lock:
            self.fate, self.path, self.act, self.is_one = fate, path, act, is_one
        return is_done

    def heal(self):
        """Connections are to be had again."""
        self.is_deaf = False
        self.relay.refuses = None

    # What becomes of a reply.

    def silence(self, record, _):
        """It never comes, and its connection stays open without a word."""
        record["is_silent"] = True

    def reset_all(self, record, _):
        """With it every connection is reset, and no other is to be had."""
        self.relay.refuses = lambda record: True
        self.relay.reset()

    def half(self, record, data):
        """Half of it comes, and then a reset."""
        record["sides"][0].sendall(data[:len(data) // 2])
        self.relay.reset(lambda other: other is record)

    # What somebody else does.

    def take(self, side, price):
        """Takes all of the bot's orders of a side up to a price, and whatever others rest before them."""
        return self.exchange.post("/api/v4/order/new", {"market": "DBTC_DUSDT", "side": "sell" if side == "buy" else "buy", "amount": "500",
                                                       "price": price, "ioc": True}, *OTHER)

    def resting(self, side=None):
        """The bot's orders, of one side the best first."""
        rows = [row for row in orders(self.exchange) if row["clientOrderId"].startswith("mt") and side in (None, row["side"])]
        return sorted(rows, key=lambda row: Decimal(row["price"]), reverse=side == "buy")

    def fill_best(self, side, count):
        """Fills so many of the bot's best orders of a side; their ids."""
        chosen = self.resting(side)[:count]
        self.take(side, chosen[-1]["price"])
        names = {row["clientOrderId"] for row in chosen}
        return names if until(lambda: not names & {row["clientOrderId"] for row in self.resting()}, 5) else set()

    # What is looked at after each.

    def is_well(self):
        state = self.bot.state()
        return state.get("state") == "trading" and state.get("book_trusted") and {order["state"] for order in state["orders"]} == {"open"}

    def after(self, checks, name, streams=None):
        """It trades again, in no doubt, and its books are the exchange's at this moment; with more streams than before when it lost one."""
        began = time.monotonic()
        until(lambda: streams is None or len(self.relay.streams()) > streams, 60)
        # What its page says of later than this is true.
        told = time.time()
        back = until(lambda: self.is_well() and self.bot.state()["now_ms"] / 1000 > told, 60)
        checks.tell(f"{time.monotonic() - began:.1f} s later its page says that it trades in no doubt")
        code, out = until(lambda: (found := run("reconcile", "--bot", os.path.join(self.folder, "bot"), "--json"))[0] == 0 and found[:2], 20) or (None, None)
        checks.check(f"{name}: it trades again in no doubt, and its books are the exchange's", back and code == 0 and json.loads(out)["differences"] == [],
                     (self.bot.state(), code, out))

    def times_sent(self, names):
        """How often each of these orders was asked for."""
        sent = [event["body"].decode() for _, kind, event in events(self.relay) if kind == "request" and event["line"].split()[1] in PLACEMENTS]
        return {name: sum(body.count(f'"clientOrderId":"{name}"') for body in sent) for name in names}

    def close(self):
        self.relay.close()
        self.exchange.close()


def lost_reply_of_a_grid(checks, stage):
    """The first reply that would say how twenty orders fared is lost with every connection, and five of them fill before anybody looks."""
    is_lost = stage.befall(PLACEMENTS, stage.reset_all)
    stage.begin()
    checks.check("a grid's placement is accepted, and its reply is lost with every connection", is_lost.wait(20) and len(stage.lost) == 20, stage.lost)
    with stage.guard.outage():
        until(lambda: len(stage.resting()) == 20, 5)
        filled = stage.fill_best("buy", 3) | stage.fill_best("sell", 2)
        stage.heal()
    names = set(stage.lost)
    stage.after(checks, "M44 M104 twenty orders whose reply was lost", 1)
    times = stage.times_sent(names)
    checks.check("M44 C4 T10 of orders that were accepted with their reply lost none is sent a second time", set(times.values()) == {1}, times)
    return filled, names


def fills_in_a_cut(checks, stage):
    """The private stream alone is cut and not to be had again until five more orders have filled; what is asked and told by REST goes on."""
    told, streams = fills(stage.exchange), len(stage.relay.streams())
    with stage.guard.outage():
        stage.relay.refuses = is_stream
        stage.relay.reset(is_stream)
        is_noticed = stage.bot.notices(10)
        filled = stage.fill_best("buy", 3) | stage.fill_best("sell", 3)
        missed = set(fills(stage.exchange)) - set(told)
        stage.heal()
    checks.check("M50 while its private stream is cut at least five of its orders fill", is_noticed and len(filled) >= 5 and len(missed) >= 5, (is_noticed, filled, missed))
    stage.after(checks, "M50 fills during a cut", streams)
    return missed


def lost_reply_of_one(checks, stage, act, name):
    """The reply to a single order is lost, and the order fills before anybody looks."""
    stage.lost, streams = [], len(stage.relay.streams()) if act == stage.reset_all else None
    is_lost = stage.befall(PLACEMENTS, act, is_one=True)
    with stage.guard.outage():
        # What fills is answered by an order one level on.
        stage.fill_best("sell", 1)
        is_done = is_lost.wait(20) and len(stage.lost) == 1
        # The market may have filled it before we look.
        rests = until(lambda: [row for row in stage.resting() if row["clientOrderId"] in stage.lost]
                      or any(row["clientOrderId"] in stage.lost for row in fills(stage.exchange).values()) and [{}], 5) or []
        for row in rests:
            if row:
                stage.take(row["side"], row["price"])
        gone = until(lambda: not [row for row in stage.resting() if row["clientOrderId"] in stage.lost], 5)
        filled = [row for row in fills(stage.exchange).values() if row["clientOrderId"] in stage.lost]
        stage.heal()
    checks.check(f"{name}: an order is accepted, its reply lost, and it fills", is_done and filled and gone, (stage.lost, filled))
    names = list(stage.lost)
    stage.after(checks, name, streams)
    times = stage.times_sent(names)
    checks.check(f"{name}: it is not sent a second time", set(times.values()) == {1}, times)
    return names


def resets(checks, stage):
    """Connections end by a RST alone, in the middle of what they tell."""
    with FaultProxy(stage.exchange.port) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.settimeout(5)
        until(lambda: proxy.pairs and proxy.pairs[0].server, 5)
        proxy.cut()
        try:
            ending = client.recv(1)
        except ConnectionResetError:
            ending = "reset"
        except OSError as error:
            ending = repr(error)
    checks.check("what is called a reset here is one: no FIN goes before it", ending == "reset", ending)

    def in_a_frame(record, data):
        if not is_stream(record) or len(data) < 20:
            return False
        stage.half(record, data)
        is_done.set()
        return True

    for turn in range(3):
        is_done, streams = threading.Event(), len(stage.relay.streams())
        with stage.lock:
            stage.fate = in_a_frame
        checks.check(f"a stream is reset in the middle of a frame, time {turn + 1}", is_done.wait(10), stage.bot.state())
        stage.after(checks, f"a reset in the middle of a frame, time {turn + 1}", streams)
    names = []
    is_lost = stage.befall(PLACEMENTS, stage.half, is_one=True)
    stage.fill_best("buy", 1)
    checks.check("a connection is reset in the middle of the reply to an order", is_lost.wait(20) and len(stage.lost) == 1, stage.lost)
    names += stage.lost
    stage.after(checks, "a reset in the middle of the reply to an order")
    is_lost = stage.befall(("/api/v4/order/kill-switch",), stage.half)
    checks.check("a connection is reset in the middle of the reply to the kill-switch's refresh", is_lost.wait(30), None)
    stage.after(checks, "a reset in the middle of the reply to the kill-switch")
    for turn in range(2):
        streams = len(stage.relay.streams())
        ended = stage.relay.reset()
        checks.check(f"streams and requests are reset all at once, time {turn + 1}", ended >= 2, ended)
        stage.after(checks, f"a reset of all connections, time {turn + 1}", streams)
    times = stage.times_sent(names)
    checks.check("M44 an order whose reply was broken by a reset is not sent a second time", set(times.values()) == {1}, times)
    return names


def words(checks):
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(folder)
        try:
            filled, doubted = lost_reply_of_a_grid(checks, stage)
            missed = fills_in_a_cut(checks, stage)
            singles = lost_reply_of_one(checks, stage, stage.silence, "M44 C4 a reply that never comes, while the stream goes on")
            singles += lost_reply_of_one(checks, stage, stage.reset_all, "M44 C4 a reply lost with every connection")
            broken = resets(checks, stage)
            stage.guard.end()
            code, last, err = stage.bot.end()
            checks.check("M7 in the end its ledger is the exchange's to the last digit", code == 0 and last.get("reconciled") is True, (code, last, err[-500:]))
            rows, executed = finished(stage.exchange), fills(stage.exchange)
            journal = Journal(stage.bot.journal)
            judge(checks, "M44 M50 T10 over all this", journal, rows, executed)

            def booked(numbers):
                return {number: [(note[-1], note[4], note[6]) for note, is_booked in journal.fills.get(number, []) if is_booked] for number in numbers}

            found = booked(missed)
            checks.check("M50 each fill of the cut was booked once, with fee and role, as the history told it",
                         missed and all(len(notes) == 1 and notes[0][0] == "history" and Decimal(notes[0][1]) > 0 and notes[0][2] in ("maker", "taker")
                                        for notes in found.values()), found)
            unsure = {name: journal.states[name] for name in doubted}
            checks.check("M44 each of the twenty was in doubt, was asked about, and has its end with its proof",
                         all("inDoubt" in states and journal.proof(name) for name, states in unsure.items()), unsure)
            ends = {name: (journal.ends[name], journal.proof(name)) for name in [*singles, *filled]}
            checks.check("M44 C4 what filled behind a lost reply ends filled, its proof in the journal",
                         len(singles) == 2 and len(filled) == 5 and all([end for end, _ in found] == ["filled"] and proof for found, proof in ends.values()), ends)
            checks.tell(f"{len(rows)} orders, {len(executed)} fills, of these {len(missed)} in the cut; proof of the two: "
                        + "; ".join((journal.proof(name) or "none")[:40] for name in singles))
            stage.guard.judge(checks, stage.bot, "over lost words", rows)
            checks.check("and none is left", orders(stage.exchange) == [] and not [name for name in broken if not journal.ends[name]], orders(stage.exchange))
            for order in (["journal", "verify"], ["replay", "--verify"]):
                code, out, err = run(*order, stage.bot.journal)
                checks.check(f"{' '.join(order)} holds over lost words", code == 0, (out[-300:], err[-300:]))
        finally:
            stage.close()


def main():
    checks = Checks()
    words(checks)
    checks.end()


if __name__ == "__main__":
    main()

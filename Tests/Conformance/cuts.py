"""Bots are cut off a hundred times in all and killed five times, in an order drawn from a seed, over TLS. After each the exchange holds
the same subscriptions as before, which is read from the wire between them, and in the end each grid stands as it was laid out at the beginning.

The venue gives a key ten tokens for streams a minute, so one bot's hundred cuts take ten minutes; the gate has them of several at once."""
import argparse
import json
import os
import random
import signal
import statistics
import tempfile
import threading
import time
from decimal import Decimal

from audit import Journal, fills, finished, judge
from demo_processes import orders, run
from fault_proxy import FaultProxy
from local_exchange import Checks, Exchange, until
from outages import Bot, Guard
from relay import Reader, Relay, events

SPACING, LEVELS = Decimal(10), 10
# The venue gives ten tokens for a stream a minute.
APART = 6.2


def held(record):
    """What the exchange holds for a connection: what was asked for on it, confirmed, and not taken back; each with how often."""
    asked, found = {}, {}
    sent, received = Reader(record["sent"]), Reader(record["received"])
    sent.head()
    received.head()
    while (frame := sent.frame()) is not None:
        if frame[0] == 1:
            body = json.loads(frame[1])
            asked[body["id"]] = body
    while (frame := received.frame()) is not None:
        if frame[0] != 1:
            continue
        body = json.loads(frame[1])
        request = asked.get(body.get("id"))
        if request is None or body.get("error") is not None:
            continue
        name, _, act = request["method"].rpartition("_")
        key = (name, json.dumps(request["params"]))
        if act == "subscribe":
            found[key] = found.get(key, 0) + 1
        elif act == "unsubscribe":
            found = {other: count for other, count in found.items() if other[0] != name}
    return found


def subscriptions(relay):
    """Of the newest stream, as soon as it has any."""
    streams = relay.streams()
    return held({kind: list(streams[-1][kind]) for kind in ("sent", "received")}) if streams else {}


def layouts(relay):
    """The lowest level of each grid that was laid out: of each bulk request with as many orders as a whole grid."""
    bases = [event["body"] for _, kind, event in events(relay) if kind == "request" and "/order/bulk" in event["line"]]
    whole = [rows for rows in (json.loads(body)["orders"] for body in bases) if len(rows) == 2 * LEVELS]
    return [min(Decimal(row["price"]) for row in rows) for rows in whole]


def gaps(rows, base):
    """How many orders each gap of the grid has: a buy at its lower level, or a sell at its upper one; those of no gap; and the gaps
    that wait, as the grid does not trade with itself: one of its own orders rests on the other side at such a price."""
    found, stray = [0] * (2 * LEVELS), []
    for row in rows:
        number, rest = divmod(Decimal(row["price"]) - base, SPACING)
        number = int(number) - (row["side"] == "sell")
        if rest or not 0 <= number < len(found):
            stray.append((row["side"], row["price"]))
        else:
            found[number] += 1
    sells = [Decimal(row["price"]) for row in rows if row["side"] == "sell"]
    buys = [Decimal(row["price"]) for row in rows if row["side"] == "buy"]
    waiting = [number for number, count in enumerate(found) if count == 0
               and (any(price <= base + number * SPACING for price in sells) or any(price >= base + (number + 1) * SPACING for price in buys))]
    return found, stray, waiting


class Course:
    """One bot on an exchange of its own, what befalls it, and what was found."""

    def __init__(self, number, cuts, kills, seed):
        self.drawn = random.Random(f"{seed}-{number}")
        self.acts = ["cut"] * cuts + ["kill -9"] * kills
        self.drawn.shuffle(self.acts)
        self.folder = tempfile.TemporaryDirectory()
        self.errors = open(os.path.join(self.folder.name, "errors"), "w")
        self.exchange = Exchange("--speed", "5", plain=False)
        # The proxy is the bot's neighbor, so that it is the bot's own connections that break.
        self.relay = Relay(self.exchange.port, self.exchange.ca)
        self.proxy = FaultProxy(self.relay.port)
        self.bot = Bot(self.exchange, self.proxy, self.folder.name, ca=self.relay.ca, errors=self.errors)
        self.is_begun = until(self.bot.is_trading, 20)
        # The state of its page comes before the confirmations are all read.
        self.first = until(lambda: len(found := subscriptions(self.relay)) >= 4 and found, 5)
        self.compared, self.wrong, self.lost, self.double, self.waits, self.quick = 0, [], 0, 0, [], []
        self.guard = Guard(self.exchange)
        self.thread = threading.Thread(target=self.run)

    def run(self):
        began = moment = time.monotonic()
        for number, act in enumerate(self.acts):
            # Some are left alone for so long that they are well.
            well = 10.5 if act == "cut" and number % 8 == 4 else max(0, moment + APART - time.monotonic()) + self.drawn.uniform(0, 1)
            time.sleep(well)
            before, moment = len(self.relay.streams()), time.monotonic()
            if act == "cut":
                self.proxy.cut()
            else:
                self.bot.process.kill()
                self.bot.process.wait()
                self.bot.begin()
            if until(lambda: len(self.relay.streams()) > before, 40) and until(lambda: subscriptions(self.relay) == self.first and self.bot.is_trading(), 20):
                self.compared += 1
                if act == "cut":
                    (self.quick if well > 10 else self.waits).append(time.monotonic() - moment)
            elif not self.bot.is_trading():
                self.lost += 1
            else:
                self.wrong.append((number, act, subscriptions(self.relay)))
            self.double += len(self.relay.streams()) > before + 1
        self.took = time.monotonic() - began

    def stands(self):
        """Whether each gap of the grid has its one order or waits for another; the counts and those that wait."""
        mine = [row for row in orders(self.exchange) if row["clientOrderId"].startswith("mt")]
        found, stray, waiting = gaps(mine, self.base)
        whole = all(count == (number not in waiting) for number, count in enumerate(found))
        return whole and not stray and len(waiting) < LEVELS and (found, waiting)

    def end(self):
        self.layouts = layouts(self.relay)
        self.base = self.layouts[0]
        self.intact = until(self.stands, 60)
        self.found = gaps(orders(self.exchange), self.base)
        self.guard.end()
        self.bot.process.send_signal(signal.SIGTERM)
        out, _ = self.bot.process.communicate(timeout=60)
        last = json.loads(out.strip().splitlines()[-1]) if out.strip() else {}
        self.is_equal = self.bot.process.returncode == 0 and last.get("reconciled") is True
        self.said = (self.bot.process.returncode, out[-400:])
        self.rows, self.fills = finished(self.exchange), fills(self.exchange)
        self.left = orders(self.exchange)

    def close(self):
        self.proxy.close()
        self.relay.close()
        self.exchange.close()
        self.errors.close()
        self.folder.cleanup()


def cuts(checks, count, kills, bots, seed):
    def share(total, number):
        return total * (number + 1) // bots - total * number // bots

    # One after the other: each takes the exchange's port and folder as it finds them.
    courses = [Course(number, share(count, number), share(kills, number), seed) for number in range(bots)]
    checks.check("bots trade over TLS through a relay that reads", all(course.is_begun for course in courses), [course.bot.state() for course in courses])
    first = courses[0].first
    checks.check("M94 the exchange holds its channels, each once", first and set(first.values()) == {1} and all(course.first == first for course in courses),
                 [course.first for course in courses])
    checks.tell(", ".join(f"{name} {params}" for name, params in sorted(first or {})))
    for course in courses:
        course.thread.start()
    for course in courses:
        course.thread.join()
        course.end()

    def every(name):
        return [entry for course in courses for entry in getattr(course, name)]

    done = sum(course.compared for course in courses)
    waits, quick = every("waits"), every("quick")
    checks.check("M94 after each of a hundred cuts and five deaths the exchange holds the same subscriptions, each once",
                 not every("wrong") and done == count + kills and count >= 100 and kills >= 5, (done, count, kills, every("wrong")[:3]))
    checks.check("M107 after each it trades again", sum(course.lost for course in courses) == 0, [course.lost for course in courses])
    checks.check("M93 however many went before, a stream cut again is back after the first delay, one to two seconds",
                 max(waits) < 5 and statistics.median(waits) < 2.5, sorted(waits)[-5:])
    checks.check("M93 and one that was well for ten seconds at once", all(wait < 1.5 for wait in quick), quick)
    checks.tell(f"seed {seed}, {bots} bot(s): trading again {statistics.median(waits):.2f} s later in the middle, {max(waits):.2f} s at most"
                + (f", {max(quick):.2f} s when it was well for ten seconds" if quick else "")
                + f"; {sum(course.double for course in courses)} took more than one try; {max(course.took for course in courses):.0f} s in all")
    checks.check("M107 each grid was laid out once: no cut and no death lays it anew", all(len(course.layouts) == 1 for course in courses),
                 [course.layouts for course in courses])
    checks.check("M107 each grid stands as it was laid out at the beginning: each gap has its one order, at its level and on its side", all(course.intact for course in courses),
                 [(course.base, course.found, course.bot.state().get("last")) for course in courses if not course.intact])
    checks.tell("; ".join(f"{sum(course.intact[0])} orders in {2 * LEVELS} gaps, {len(course.intact[1])} wait for another of the grid" for course in courses if course.intact))
    checks.check("M107 each ledger is the exchange's to the last digit", all(course.is_equal for course in courses), [course.said for course in courses])
    ids = [[row["clientOrderId"] for row in course.rows] for course in courses]
    checks.check("M107 no order was sent twice", all(len(own) >= 20 and len(set(own)) == len(own) for own in ids), [(len(own), len(set(own))) for own in ids])
    checks.check("and none is left", not any(course.left for course in courses), [course.left for course in courses])
    for number, course in enumerate(courses):
        judge(checks, f"bot {number + 1}", Journal(course.bot.journal), course.rows, course.fills)
        course.guard.judge(checks, course.bot, f"bot {number + 1}", course.rows)
        for words in (["journal", "verify"], ["replay", "--verify"]):
            code, out, err = run(*words, course.bot.journal)
            checks.check(f"bot {number + 1}: {' '.join(words)} holds over all lives", code == 0, (out[-300:], err[-300:]))
        course.close()


def main():
    is_long = os.environ.get("MARTLET_LONG") == "1"
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--bots", type=int, default=1 if is_long else 4)
    parser.add_argument("--seed", type=int, default=94)
    given = parser.parse_args()
    checks = Checks()
    cuts(checks, given.cuts, given.kills, given.bots, given.seed)
    checks.end()


if __name__ == "__main__":
    main()

"""A bot is cut off a hundred times and killed five times, in an order drawn from a seed. After each the exchange holds the same
subscriptions as before, which is read from the wire between them, and in the end the grid stands as it was laid out."""
import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import tempfile
import time
from decimal import Decimal

from demo_processes import orders, run
from fault_proxy import FaultProxy
from live_edge import Reader, Relay, events
from local_exchange import Checks, Exchange, MARTLET, ROOT, until
from outages import Bot, history

SPACING, LEVELS = Decimal(10), 10
# The venue gives ten tokens for a stream a minute.
APART = 6.2


def is_socket(record):
    return bool(record["sent"]) and b"upgrade: websocket" in record["sent"][0][1].lower()


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
    streams = [record for record in relay.copy() if is_socket(record)]
    return held(streams[-1]) if streams else {}


def streams(relay):
    return sum(1 for record in relay.copy() if is_socket(record))


def layout(relay):
    """The lowest level of the grid that was laid out last: of the newest bulk request with as many orders as a whole grid."""
    bases = [event["body"] for _, kind, event in events(relay) if kind == "request" and "/order/bulk" in event["line"]]
    whole = [rows for rows in (json.loads(body)["orders"] for body in bases) if len(rows) == 2 * LEVELS]
    return min(Decimal(row["price"]) for row in whole[-1])


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


def cuts(checks, count, kills, seed):
    drawn = random.Random(seed)
    with Exchange("--speed", "5") as exchange, FaultProxy(exchange.port) as proxy, tempfile.TemporaryDirectory() as folder:
        relay = Relay(proxy.port)
        bot = Bot(exchange, relay, folder)
        path = bot.process.args[2]
        checks.check("a bot trades through a relay that reads", until(bot.is_trading, 20), bot.state())
        # The state of its page comes before the confirmations are all read.
        first = until(lambda: len(found := subscriptions(relay)) >= 4 and found, 5)
        checks.check("M94 the exchange holds its channels, each once", first and set(first.values()) == {1}, first)
        checks.tell(", ".join(f"{name} {params}" for name, params in sorted(first or {})))
        acts = ["cut"] * count + ["kill -9"] * kills
        drawn.shuffle(acts)
        wrong, lost, double, waits, quick = [], 0, 0, [], []
        began = moment = time.monotonic()
        for number, act in enumerate(acts):
            # Some are left alone for so long that they are well.
            well = 10.5 if act == "cut" and number % 8 == 4 else max(0, moment + APART - time.monotonic()) + drawn.uniform(0, 1)
            time.sleep(well)
            before, moment = streams(relay), time.monotonic()
            if act == "cut":
                proxy.cut()
            else:
                bot.process.kill()
                bot.process.wait()
                with open(os.path.join(folder, "errors"), "a") as errors:
                    bot.process = subprocess.Popen([MARTLET, "run", path, "--json"], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
            if until(lambda: streams(relay) > before, 40) and until(lambda: subscriptions(relay) == first and bot.is_trading(), 20):
                (quick if well > 10 else waits).append(time.monotonic() - moment) if act == "cut" else None
            elif not bot.is_trading():
                lost += 1
            else:
                wrong.append((number, act, subscriptions(relay)))
            double += streams(relay) > before + 1
        took = time.monotonic() - began
        checks.check("M94 after each cut and each death the exchange holds the same subscriptions, each once", not wrong, wrong[:3])
        checks.check("M107 after each it trades again", lost == 0, lost)
        checks.check("M93 however many went before, a stream cut again is back after the first delay, one to two seconds",
                     max(waits) < 5 and statistics.median(waits) < 2.5, sorted(waits)[-5:])
        checks.check("M93 and one that was well for ten seconds at once", all(wait < 1.5 for wait in quick), quick)
        checks.tell(f"seed {seed}: trading again {statistics.median(waits):.2f} s later in the middle, {max(waits):.2f} s at most"
                    + (f", {max(quick):.2f} s when it was well for ten seconds" if quick else "") + f"; {double} took more than one try; {took:.0f} s in all")
        base = layout(relay)

        def stands():
            mine = [row for row in orders(exchange) if row["clientOrderId"].startswith("mt")]
            found, stray, waiting = gaps(mine, base)
            whole = all(count == (number not in waiting) for number, count in enumerate(found))
            return whole and not stray and len(waiting) < LEVELS and (found, waiting)

        intact = until(stands, 60)
        checks.check("M107 the grid stands as it was laid out: each gap has its one order, at its level and on its side", intact,
                     (base, gaps(orders(exchange), base), bot.state().get("last")))
        checks.tell(f"{sum(intact[0])} orders in {2 * LEVELS} gaps; {len(intact[1])} wait for another of the grid" if intact else "")
        ids = [row["clientOrderId"] for row in history(exchange) if row["clientOrderId"].startswith("mt")]
        bot.process.send_signal(signal.SIGTERM)
        out, _ = bot.process.communicate(timeout=60)
        last = json.loads(out.strip().splitlines()[-1]) if out.strip() else {}
        checks.check("M107 its ledger is the exchange's to the last digit", bot.process.returncode == 0 and last.get("reconciled") is True,
                     (bot.process.returncode, out[-400:]))
        checks.check("M107 no order was sent twice", len(ids) >= 20 and len(set(ids)) == len(ids), len(ids) - len(set(ids)))
        checks.check("and none is left", orders(exchange) == [], orders(exchange))
        relay.close()
        for words in (["journal", "verify"], ["replay", "--verify"]):
            code, out, err = run(*words, bot.journal)
            checks.check(f"{' '.join(words)} holds over all lives", code == 0, (out[-300:], err[-300:]))


def main():
    is_long = os.environ.get("MARTLET_LONG") == "1"
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=100 if is_long else 7)
    parser.add_argument("--kills", type=int, default=5 if is_long else 1)
    parser.add_argument("--seed", type=int, default=94)
    given = parser.parse_args()
    checks = Checks()
    cuts(checks, given.cuts, given.kills, given.seed)
    checks.end()


if __name__ == "__main__":
    main()

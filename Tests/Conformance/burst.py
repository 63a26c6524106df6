"""A thousand orders at once, of five grids of one bot, through the queue for the venue's quota, on real processes over TLS. The bot may use
a hundredth of the quota, so that some of them have to wait; meanwhile one grid is made smaller, and its cancels overtake them."""
import json
import os
import re
import tempfile
import time

from audit import Journal, fills, finished, judge
from demo_processes import run
from local_exchange import Checks, Exchange, until
from outages import Bot, Guard
from relay import Relay, events

MARKETS = ("DBTC_DUSDT", "DETH_DUSDT", "DLTC_DUSDT", "DXRP_DUSDT", "DADA_DUSDT")
LEVELS, FEWER = 100, 80
# A hundredth of the 10,000 in ten seconds that the venue documents, for placements, for cancels, and for all of an address.
SHARE, WINDOW = 100, 10.0


def five(text):
    """A configuration with a grid in each market."""
    head, grid = text.split("[[strategy]]", 1)
    grid, rest = grid.split("[journal]", 1)
    grid = re.sub(r"levels = .*", f"levels = {LEVELS}", grid).replace('spacing = "10"', 'spacing = "20"')
    grids = "".join("[[strategy]]" + grid.replace("DBTC_DUSDT", market) for market in MARKETS)
    head = head.replace('"demo"', '"standard"').replace("\n[dead_man]", "quota_share_pct = 1\n\n[dead_man]")
    return head + grids + "[risk]\nmax_orders = 100000\n\n[journal]" + rest


def changed(path, old, new):
    with open(path) as file:
        text = file.read()
    assert old in text
    with open(path, "w") as file:
        file.write(text.replace(old, new, 1))


def sent(found, *calls):
    """When each such request was sent, its orders' ids, and its nonce."""
    return [(moment, re.findall(r'"clientOrderId":"([^"]+)"', event["body"].decode()), json.loads(event["body"])["nonce"])
            for moment, kind, event in found if kind == "request" and event["line"].split()[1] in calls]


def placements(found):
    return sent(found, "/api/v4/order/new", "/api/v4/order/bulk")


def cancels(found):
    return sent(found, "/api/v4/order/cancel")


def most(moments):
    """The most of them within any ten seconds."""
    return max((sum(1 for other in moments if 0 <= other - moment < WINDOW) for moment in moments), default=0)


def resting(exchange):
    """How many orders of the bot the exchange has; its lists have a hundred a page."""
    count = 0
    for market in MARKETS:
        offset = 0
        while True:
            rows = exchange.post("/api/v4/orders", {"market": market, "limit": 100, "offset": offset})
            count += sum(1 for row in rows if row["clientOrderId"].startswith("mt"))
            if len(rows) < 100:
                break
            offset += 100
    return count


def executed(exchange):
    return {number: row for market in MARKETS for number, row in fills(exchange, market).items()}


def burst(checks):
    extra = [word for market in MARKETS[1:] for word in ("--market", market)]
    with Exchange("--speed", "1", *extra, plain=False, balances=[f"{market.split('_')[0]}=10" for market in MARKETS[1:]]) as exchange, \
            tempfile.TemporaryDirectory() as folder:
        relay = Relay(exchange.port, exchange.ca)
        # Before its first trade an exchange tells the last price of the recording's end, around which nothing would rest for long.
        time.sleep(3)
        bot = Bot(exchange, relay, folder, change=five, ca=relay.ca)
        path = bot.words[-2]
        guard = Guard(exchange, MARKETS)
        begun = until(lambda: sum(len(ids) for _, ids, _ in placements(events(relay))) >= 600, 30)
        changed(path, f"levels = {LEVELS}", f"levels = {FEWER}")
        reloaded = time.time()
        code, out, err = run("reload", "--bot", os.path.join(folder, "bot"))
        checks.check("M65 in the middle of a burst one of its grids is made smaller", begun and code == 0, (code, out, err))

        def through():
            asked = placements(events(relay))
            return sum(len(ids) for _, ids, _ in asked) >= 2 * LEVELS * len(MARKETS) and time.time() - max(row[0] for row in asked) > 3

        until(through, 60)
        found = events(relay)
        journal = Journal(bot.journal)
        # By their nonces: twenty requests leave on as many connections at once, and arrive as these have it.
        asked, taken = sorted(placements(found), key=lambda row: row[2]), cancels(found)
        arrived = [name for _, ids, _ in asked for name in ids]
        wished = list(journal.approved)
        checks.check("M65 a thousand orders pass the queue, each once, in the order of the bot's wishes",
                     len(arrived) >= 2 * LEVELS * len(MARKETS) and arrived == [name for name in wished if name in set(arrived)] and len(set(arrived)) == len(arrived),
                     (len(arrived), len(wished)))
        refused = [event for _, kind, event in found if kind == "reply" and event["status"] == 429]
        rates = most([moment for moment, _, _ in asked]), most([moment for moment, _, _ in taken])
        checks.check("M65 none is refused by quota, and in no ten seconds more are asked for than the hundredth allows",
                     not refused and max(rates) <= SHARE and sum(rates) <= SHARE, (refused[:2], rates))
        # Wished before the first cancel was, and at the exchange after the last of the cancels.
        first, last = (taken[0][0], taken[-1][0]) if taken else (0, 0)
        overtaken = [name for moment, ids, _ in asked if moment > last for name in ids if journal.approved.get(name, 1e12) < reloaded]
        checks.check("M65 cancels overtake: they arrive before orders that were wished for before them and wait",
                     len(taken) >= LEVELS - FEWER and len(overtaken) >= 40, (len(taken), len(overtaken), first, last))
        checks.tell(f"{len(arrived)} orders in {len(asked)} requests within {asked[-1][0] - asked[0][0]:.1f} s, {len(taken)} cancels within {last - first:.1f} s, "
                    f"which overtook {len(overtaken)} orders; at most {rates[0]} placements and {rates[1]} cancels in ten seconds, of {SHARE} together; "
                    f"{resting(exchange)} rest at the exchange")
        # To cancel so many within a hundredth would take minutes: it dies while nothing fills, and goes on with what others have.
        until(lambda: time.time() - max((row["time"] for row in executed(exchange).values()), default=0) > 2, 20)
        died = time.time()
        bot.process.kill()
        bot.process.communicate()
        changed(path, "quota_share_pct = 1\n", "quota_share_pct = 90\n")
        time.sleep(1.1)
        bot.begin()
        checks.check("after its death in the midst of them it trades again", until(bot.is_trading, 60), bot.state())
        lives = time.time()
        time.sleep(3)
        guard.end()
        code, last, err = bot.end()
        checks.check("M65 M7 in the end its ledger is the exchange's to the last digit", code == 0 and last.get("reconciled") is True, (code, last, err[-500:]))
        rows = [row for market in MARKETS for row in finished(exchange, market)]
        judge(checks, "over a burst", Journal(bot.journal), rows, executed(exchange), (died, lives))
        guard.judge(checks, bot, "over a burst", rows)
        checks.check("and none is left of a burst", resting(exchange) == 0, resting(exchange))
        checks.tell(f"{len(rows)} orders, {len(executed(exchange))} fills")
        for words in (["journal", "verify"], ["replay", "--verify"]):
            code, out, err = run(*words, bot.journal)
            checks.check(f"{' '.join(words)} holds over a burst", code == 0, (out[-300:], err[-300:]))
        relay.close()


def names(checks):
    """A market's name that cannot be is refused, with what was expected."""
    wrong = {"ETHUSDT": "two words", "eth_USDT": "two words", "BTC_USDT": "there already", "A_A": "two words", "A_B_C": "two words"}
    said = {name: run("exchange", "--venue", "whitebit", "--market", name) for name in wrong}
    checks.check("a further market of an exchange has a name of its own, of two words of capitals",
                 all(code == 2 and wrong[name] in err and name in err for name, (code, _, err) in said.items()), said)


def main():
    checks = Checks()
    names(checks)
    burst(checks)
    checks.end()


if __name__ == "__main__":
    main()

"""A bot that ends in every way there is and starts again: what it remembers, what it asks about, and when it begins anew."""
import collections
import datetime
import glob
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

import another_build
from audit import finished
from demo_processes import MARTLET, run
from fault_proxy import FaultProxy
from local_exchange import Checks, Exchange, KEY, ROOT, SECRET, until
from operating import Bot, own
from relay import Relay, events

NEAR = 'spacing = "2"'


def change(bot, *pairs):
    text = open(bot.path).read()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    with open(bot.path, "w") as file:
        file.write(text)


def kill(bot):
    bot.process.kill()
    bot.process.wait()
    bot.errors.close()


def begin(bot, *words):
    """Starts it and gives what it says at once about earlier runs."""
    where = os.path.getsize(os.path.join(bot.folder, "errors")) if os.path.exists(os.path.join(bot.folder, "errors")) else 0
    bot.errors = open(os.path.join(bot.folder, "errors"), "a")
    bot.process = subprocess.Popen([MARTLET, "run", bot.path, "--json", *words], stdout=subprocess.PIPE, stderr=bot.errors, text=True, cwd=ROOT)

    def said():
        with open(os.path.join(bot.folder, "errors")) as file:
            file.seek(where)
            text = file.read()
        return text if "behind record" in text or bot.process.poll() is not None else None

    return until(said, 10) or ""


def finish(bot):
    bot.process.send_signal(signal.SIGTERM)
    out = bot.process.stdout.read().strip().splitlines()
    code = bot.process.wait(timeout=60)
    bot.errors.close()
    return code, json.loads(out[-1]) if out and out[-1].startswith("{") else {}


def names(exchange):
    return {row["clientOrderId"] for row in own(exchange)}


def canceled(exchange, ids):
    """Those of `ids` that ended before they were whole."""
    return [row["clientOrderId"] for row in finished(exchange) if row["clientOrderId"] in ids and row["dealStock"] != row["amount"]]


def sums(bot):
    status = bot.status()
    return status.get("counts", {}).get("fills", -1), status


def words_and_deeds(checks):
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        change(bot, ('spacing = "10"', NEAR))
        said = begin(bot)
        checks.check("a first run speaks of none before it", said == "" and until(bot.is_back, 20), said)
        until(lambda: sums(bot)[0] >= 3, 60)

        fills, _ = sums(bot)
        left = names(exchange)
        kill(bot)
        time.sleep(2)
        said = begin(bot)
        back = until(lambda: bot.is_trading(20), 20)
        now = names(exchange)
        checks.check("after kill -9 it says what it goes on with", "goes on behind record" in said and "orders of ours" in said, said)
        checks.check("M98 M107 its orders stay: those that rested rest on, or were filled", back and left & now and not canceled(exchange, left),
                     (len(left), len(left & now), canceled(exchange, left)))
        checks.check("and its count of fills goes on", sums(bot)[0] >= fills >= 3, (fills, sums(bot)))

        code, _, err = bot.say("pause")
        until(lambda: bot.status().get("state") == "paused", 5)
        kill(bot)
        said = begin(bot)
        until(lambda: bot.status().get("state") == "paused", 20)
        checks.check("a pause lasts over kill -9, and is told with its way out", code == 0 and "paused until ./martlet resume" in said
                     and bot.status().get("state") == "paused", (said, bot.status(), err))
        bot.say("resume")
        checks.check("resumed, it trades", until(lambda: bot.is_trading(20), 20), bot.status())

        bot.say("halt", "--reason", "a test")
        gone = until(lambda: not own(exchange), 20)
        code, last = finish(bot)
        checks.check("halted, it ends in order", gone and code == 0 and last.get("reconciled") is True, (gone, code, last))
        said = begin(bot)
        until(lambda: bot.status().get("state") == "halted", 20)
        time.sleep(2)
        checks.check("a halt lasts until somebody rearms, and is told so", "until ./martlet rearm" in said and not own(exchange)
                     and bot.status().get("state") == "halted", (said, bot.status()))
        code, _, err = bot.say("rearm", "--yes")
        checks.check("rearmed, it trades", code == 0 and until(lambda: bot.is_trading(20), 20), (err, bot.status()))

        before = names(exchange)
        kill(bot)
        change(bot, ("levels = 10", "levels = 6"))
        begin(bot)
        fewer = until(lambda: bot.is_trading(12), 30)
        now = names(exchange)
        checks.check("settings that were changed meanwhile are taken, and orders that fit them stay", fewer and len(before & now) >= 6,
                     (bot.status(), len(before & now)))

        # The owner sells by hand while nobody is there.
        kill(bot)
        price = exchange.get("/api/v4/public/ticker")["DBTC_DUSDT"]["last_price"]
        sold = exchange.post("/api/v4/order/new", {"market": "DBTC_DUSDT", "side": "sell", "amount": "0.003", "price": f"{float(price) * 0.99:.2f}"})
        begin(bot)
        until(lambda: bot.is_trading(12), 30)
        adjusted = until(lambda: bot.told("ledger-adjusted"), 10)
        checks.check("what was traded by hand meanwhile is taken over, and told", "orderId" in sold and adjusted, (sold, bot.alerts()[-3:]))
        code, last = finish(bot)
        checks.check("and it ends with an equal ledger", code == 0 and last.get("reconciled") is True, (code, last))

        begin(bot)
        until(lambda: bot.is_trading(12), 30)
        left = names(exchange)
        kill(bot)
        said = begin(bot, "--fresh")
        fresh = until(lambda: bot.is_trading(12) and not names(exchange) & left, 30)
        checks.check("--fresh begins anew, with orders of its own", fresh and "begins anew" in said and "--fresh" in said, (said, len(left)))
        code, last = finish(bot)
        checks.check("and its ledger is equal too", code == 0 and last.get("reconciled") is True and sums(bot)[0] == -1, (code, last))

        # A life that never heard from the exchange, and one behind it with other settings and a tighter quota.
        exchange.process.send_signal(signal.SIGSTOP)
        begin(bot, "--fresh")
        time.sleep(1)
        kill(bot)
        exchange.process.send_signal(signal.SIGCONT)
        change(bot, ("levels = 6", "levels = 3"), ('amount = "0.001"', 'amount = "0.002"'), ("backoff_max", "quota_share_pct = 50\nbackoff_max"))
        begin(bot)
        few = until(lambda: bot.is_trading(6), 30)
        sizes = {row["amount"] for row in own(exchange)}
        checks.check("settings changed behind a life that knew nothing are taken too", few and sizes and all(float(size) == 0.002 for size in sizes), (bot.status(), sizes))
        code, last = finish(bot)
        checks.check("and its ledger begins where it does", code == 0 and last.get("reconciled") is True, (code, last))

        change(bot, ("DBTC_DUSDT", "BTC_USDT"), ('profile = "demo"', ""), ('"DUSDT"', '"USDT"'))
        said = begin(bot)
        until(lambda: bot.is_back(), 30)
        checks.check("another market begins anew, and says why", "begins anew" in said and "DBTC_DUSDT" in said, said)
        code, last = finish(bot)
        checks.check("and ends in order", code == 0, (code, last))
        for words in (["journal", "verify", bot.journal], ["replay", "--verify", bot.journal]):
            code, out, err = run(*words)
            checks.check(f"M7 {' '.join(words[:-1])} holds over all runs, and each state that one went on with", code == 0, (out[-300:], err[-300:]))


def rewrite(bot):
    """Makes the journal one that another build wrote, of whose inputs this one makes something else; nothing of it is kept apart."""
    path = os.path.join(bot.journal, "00000001.mjl")
    rows = list(another_build.records(path))
    notes = [row[3] for row in rows if row[0] == 4]
    build = next(re.search(rb"martlet [0-9.]+ [0-9a-f]{12}", row[5])[0] for row in rows if row[0] == 1)

    def otherwise(row):
        return (*row[:5], row[5][:-1] + bytes([row[5][-1] ^ 1])) if row[3] == notes[len(notes) // 2] and row[0] == 4 else row

    another_build.write(path, map(another_build.other_build(build, otherwise)[1], rows), os.path.getsize(path))
    for head in glob.glob(os.path.join(os.environ["XDG_STATE_HOME"], "martlet", "journals", "*.head")):
        os.remove(head)


def begun_anew(checks):
    """Whatever else a run that begins anew forgets, it trades no sooner than the one before it would have."""
    with Exchange("--speed", "10", plain=False) as exchange:
        for word, state, lift in (("halt", "halted", ("rearm", "--yes")), ("pause", "paused", ("resume",))):
            with tempfile.TemporaryDirectory() as folder:
                bot = Bot(folder, exchange)
                change(bot, ('spacing = "10"', NEAR))
                begin(bot)
                until(lambda: bot.is_trading(20), 20)
                bot.say(word)
                kill(bot)
                rewrite(bot)
                said = begin(bot)
                until(lambda: bot.status().get("state") == state, 20)
                time.sleep(2)
                checks.check(f"{state}, it is so too where a build begins anew that makes something else of its journal",
                             "begins anew" in said and bot.status().get("state") == state and not own(exchange), (said, bot.status()))
                kill(bot)
                begin(bot)
                until(lambda: bot.status().get("state") == state, 20)
                checks.check(f"and so is the run behind that one, until {lift[0]}", bot.status().get("state") == state and bot.say(*lift)[0] == 0
                             and until(lambda: bot.is_trading(20), 20), bot.status())
                bot.say(word)
                code, last = finish(bot)
                checks.check("and it ends with an equal ledger", code == 0 and last.get("reconciled") is True, (code, last))
                change(bot, ("DBTC_DUSDT", "BTC_USDT"), ('profile = "demo"', ""), ('"DUSDT"', '"USDT"'))
                said = begin(bot)
                until(lambda: bot.status().get("state") == state, 20)
                checks.check(f"{state}, it is so in another market too", "begins anew" in said and bot.status().get("state") == state, (said, bot.status()))
                kill(bot)
                begin(bot, "--fresh")
                checks.check("--fresh is a person's word, and trades", until(bot.is_back, 30), bot.status())
                code, last = finish(bot)
                checks.check("and ends in order", code == 0, (code, last))


def killed_while_it_starts(checks, seed):
    draws = random.Random(seed)
    print(f"     seed {seed}", flush=True)
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        change(bot, ('spacing = "10"', NEAR))
        begin(bot)
        until(bot.is_back, 20)
        lives = 20
        for _ in range(lives):
            time.sleep(draws.uniform(0, 0.8))
            kill(bot)
            begin(bot)
        back = until(lambda: bot.is_trading(20), 40)
        code, last = finish(bot)
        checks.check("M107 M98 killed twenty times as it starts, or soon after, it trades again", back, bot.status())
        checks.check("and its ledger is the exchange's to the last digit, with nothing to take over",
                     code == 0 and last.get("reconciled") is True and not bot.told("ledger-adjusted"), (code, last, bot.told("ledger-adjusted")))
        history = [row["clientOrderId"] for row in finished(exchange)]
        checks.check("M44 no order was sent twice", len(history) == len(set(history)) and len(history) >= 20, len(history))
        checks.check("and none is left", own(exchange) == [], own(exchange))
        for words in (["journal", "verify", bot.journal], ["replay", "--verify", bot.journal]):
            code, out, err = run(*words)
            checks.check(f"{' '.join(words[:-1])} holds over its {lives + 1} runs", code == 0, (out[-300:], err[-300:]))


def torn(checks):
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        bot = Bot(folder, exchange)
        change(bot, ('spacing = "10"', NEAR))
        begin(bot)
        until(lambda: bot.is_trading(20), 20)
        left = names(exchange)
        kill(bot)
        # As a power cut leaves it: the last record's end never reached the disk.
        segment = sorted(name for name in os.listdir(bot.journal) if name.endswith(".mjl"))
        path = next(path for name in reversed(segment) if (path := os.path.join(bot.journal, name)) and any(open(path, "rb").read(64)))
        with open(path, "r+b") as file:
            data = file.read()
            end = len(data.rstrip(b"\0"))
            file.seek(end - 20)
            file.write(b"\0" * 20)
        said = begin(bot)
        # What the record told of may have left or not: it is asked about until that is sure.
        back = until(lambda: bot.is_trading(20), 90)
        checks.check("a torn last record is cut off, told, and gone on from", "torn" in said and "goes on" in said and back, (said, bot.status()))
        checks.check("its orders stay", left & names(exchange) and not canceled(exchange, left), canceled(exchange, left))
        code, last = finish(bot)
        checks.check("and its ledger is equal", code == 0 and last.get("reconciled") is True, (code, last))


def right_taken_away(checks):
    account = ["--account", "turned-key:turned-word", "--balance", "DBTC=10", "--balance", "DUSDT=1000000"]
    with tempfile.TemporaryDirectory() as folder:
        with Exchange("--speed", "10", *account, plain=False) as exchange:
            bot = Bot(folder, exchange)
            with open(os.path.join(folder, "key"), "w") as file:
                file.write("turned-key:turned-word\n")
            begin(bot)
            trades = until(lambda: bot.is_trading(20), 20)
            kill(bot)
            timer = exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"}, "turned-key", "turned-word")
            port, ca = exchange.port, exchange.ca
        with Exchange("--speed", "10", *account, "--read-only", plain=False, listen=f"127.0.0.1:{port}") as exchange:
            if exchange.ca != ca:
                change(bot, (ca, exchange.ca))
            said = begin(bot)
            began = time.monotonic()
            ended = until(lambda: bot.process.poll() is not None, 20)
            bot.errors.close()
        said += open(os.path.join(folder, "errors")).read()
        checks.check("M37 a key that lost the right to trade meanwhile ends the next run at once, with what it lacks",
                     trades and ended and "goes on behind" in said and bot.process.returncode == 2, (trades, bot.process.returncode, f"{time.monotonic() - began:.1f} s", said[-600:]))
        # The bot counts from the sending of what the exchange counts from its coming, in whole seconds.
        former = re.search(r"20 orders of ours may rest there; this run has set no kill-switch timer that would take them off, and the one of the run before it r[au]ns? out at (\S+Z)", said)
        checks.check("M82 and with the orders that may rest, and when the kill-switch of the run before it takes them off",
                     former and timer and -3 < moment(former[1]) - int(timer[0]["cancellationTime"]) < 1, (timer, said[-600:]))


WITHIN, RAN_OUT = re.compile(r"which the kill-switch takes off within (\d+) s"), re.compile(r"whose kill-switch timer ran out by (\S+Z): the exchange should have")
# What the bot counts in beyond the exchange's own count: a refresh whose answer was lost may have come late, and seconds are whole.
LATE = 10 + 1


def moment(text):
    return datetime.datetime.fromisoformat(text).timestamp()


class Turned:
    """A bot whose exchange refuses its key from one moment on: it then reaches another one, which knows the key with another secret, while
    the first, with the orders and the kill-switch, goes on."""

    KEY, WORD = "turned-key", "turned-word"

    @staticmethod
    def account(word):
        return ["--account", f"{Turned.KEY}:{word}", "--balance", "DBTC=10", "--balance", "DUSDT=1000000"]

    def __init__(self, folder, first, second):
        self.first, self.second, self.proxy, self.ends = first, second, FaultProxy(first.port), None
        self.bot = Bot(folder, first, self.proxy)
        # Without TLS: another exchange has another authority, and would not be believed.
        change(self.bot, (f'ca = "{first.ca}"\n', ""))
        with open(os.path.join(folder, "key"), "w") as file:
            file.write(f"{Turned.KEY}:{Turned.WORD}\n")

    def ask(self, path):
        return self.first.post(path, {"market": "DBTC_DUSDT"}, Turned.KEY, Turned.WORD)

    def resting(self):
        return [row for row in self.ask("/api/v4/orders") if row["clientOrderId"].startswith("mt")]

    def timer(self):
        """When the first exchange cancels, in whole seconds, rounded down; None when it counts nothing."""
        return next((int(row["cancellationTime"]) for row in self.ask("/api/v4/order/kill-switch/status")), None)

    def turn(self, still):
        """Of a bot that stood still for longer than it leaves the kill-switch alone, that is what asks first."""
        if still:
            self.bot.process.send_signal(signal.SIGSTOP)
        self.proxy.upstream = self.second.port
        self.proxy.cut()
        time.sleep(0.3)  # Until the first exchange has read what had reached it.
        self.ends = self.timer()
        if still:
            time.sleep(still)
            self.bot.process.send_signal(signal.SIGCONT)

    def wrong(self, text, told):
        """What in words of the kill-switch, told at a time, is not as the exchange has it."""
        if found := WITHIN.search(text):
            by = told + int(found[1])
            return None if self.ends <= by <= self.ends + LATE else f"within {found[1]} s of {told:.1f}, but the exchange counts until {self.ends}"
        if found := RAN_OUT.search(text):
            by = moment(found[1])
            return None if self.ends <= by <= min(told, self.ends + LATE) else f"by {by} at {told:.1f}, but the exchange counts until {self.ends}"
        return "no word of the kill-switch"


def refused_while_running(checks):
    """The venue takes the key away from a bot that trades: what it then says must be so, whichever of its threads hears of it first."""
    for still, when in ((0, "in mid-trade"), (6, "as it wakes")):
        with tempfile.TemporaryDirectory() as folder, Exchange("--speed", "10", *Turned.account(Turned.WORD)) as first, \
                Exchange("--speed", "10", *Turned.account("another-word")) as second:
            checks.tell(f"refused {when}")
            turned = Turned(folder, first, second)
            bot = turned.bot
            begin(bot)
            trades = until(lambda: bot.is_trading(20), 20)
            turned.turn(still)
            refused = until(lambda: bot.told("dead-man-abandoned"), 40) and until(lambda: bot.told("key-refused"), 10)
            checks.check("M82 a key that is refused while it trades is told as that, and not as a halt that somebody here could lift, nor as orders being canceled",
                         trades and refused and not bot.told("halted") and not bot.told("dead-man-lost"), [alert["code"] for alert in bot.alerts()])
            said, wrong = {}, {}
            for words in ("flatten --yes", "halt", "reconcile", "rearm --yes"):
                said[words] = bot.say(*words.split())
                wrong[words] = turned.wrong(said[words][2], time.time())
            resting = bot.status().get("orders_working", 0)
            checks.check("M82 refused while it trades, flatten, reconcile and rearm are refused, and halt says that it cannot",
                         [said[words][0] for words in said] == [3, 1, 3, 3] and all("refuses the key" in said[words][2] for words in said), said)
            checks.check("M82 refused while it trades, it tells how many orders may rest and when the kill-switch takes them off, as the exchange counts",
                         resting and turned.ends and not any(wrong[words] or f"{resting} orders of ours may rest" not in said[words][2] for words in said if words != "rearm --yes"),
                         (resting, wrong, said))
            # The exchange looks at its timers many times a second.
            gone = until(lambda: time.time() > turned.ends + 2 and not turned.resting(), 40)
            checks.check("M82 refused while it trades, they are taken off when that is over", gone and turned.timer() is None, (turned.timer(), len(turned.resting())))
            text = until(lambda: next((text for text in [bot.say("halt")[2]] if RAN_OUT.search(text)), ""), LATE + 5) or bot.say("halt")[2]
            checks.check("M82 refused while it trades, it tells afterwards by when that was, and nothing is armed any more",
                         RAN_OUT.search(text) and not turned.wrong(text, time.time()) and bot.status().get("dead_man_left_ms") is None, (text, turned.ends, bot.status()))
            code, last = finish(bot)
            told = [alert["what"] for alert in bot.told("ledger-unchecked")]
            checks.check("M82 refused while it trades, it tells the same as it ends", code == 1 and len(told) == 1 and "refuses the key" in told[0]
                         and RAN_OUT.search(told[0]) and not turned.wrong(told[0], time.time()), (code, last, told))
            turned.proxy.close()
            lines = run("journal", "print", bot.journal)[1].splitlines()
            at = next(number for number, line in enumerate(lines) if "halted: unauthorized" in line)
            later = [line for line in lines[at:] if " effect " in line and " POST " in line]
            checks.check("M82 refused while it trades, it asks nothing private any more", not later, later[:2])


def late_removal(checks):
    """A removal of the kill-switch is late, and its process killed meanwhile: the next one's orders are guarded all the same, and it waits for nothing else."""
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        relay = Relay(exchange.port, exchange.ca)
        holds, seen = [b""], []

        def passes(record, kind, data):
            if kind == "sent" and holds[0] and holds[0] in data:
                seen.append(time.monotonic())
                time.sleep(4)  # Within what the exchange takes by its nonce.
            return True

        relay.passes = passes
        bot = Bot(folder, exchange, relay)
        change(bot, (exchange.ca, relay.ca))

        def die(text):
            """Stops it, and kills it while what holds this text is on its way."""
            begin(bot)
            traded = until(lambda: bot.is_trading(20), 30)
            seen.clear()
            holds[0] = text
            bot.process.send_signal(signal.SIGTERM)
            left = until(lambda: seen, 20)
            kill(bot)
            holds[0] = b""
            return traded and left

        for words in ((), ("--fresh",)):
            name = " ".join(("a start", *words))
            left = die(b'"timeout":null')
            end = seen[0] + 14 if seen else 0
            where = os.path.getsize(os.path.join(folder, "errors"))
            begin(bot, *words)
            bare, rested = [], False
            while time.monotonic() < end:
                # Asked in this order, an order that came in between is not taken for one without.
                orders, timer = own(exchange), exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"})
                rested = rested or bool(orders)
                if orders and not timer:
                    bare.append(len(orders))
                time.sleep(0.1)
            said = open(os.path.join(folder, "errors")).read()[where:]
            checks.check(f"M69 {name} waits until a removal of the kill-switch that its exchange has not heard of yet cannot arrive any more",
                         left and re.search(r"waits [89] s: the run before ended while it removed its kill-switch", said), (left, said))
            checks.check(f"M69 and no order of {name} ever rests without one", rested and not bare and until(lambda: bot.is_trading(20), 10), (rested, bare, bot.status()))
            code, last = finish(bot)
            checks.check("and it ends with an equal ledger", code == 0 and last.get("reconciled") is True, (code, last))

        left = die(b"/api/v4/order/cancel")
        said = begin(bot)
        checks.check("one that was killed in its stop before it removed anything is not waited for", left and until(bot.is_back, 30)
                     and "goes on behind" in said and "removed its" not in said, (left, said, bot.status()))
        code, last = finish(bot)
        checks.check("and the next ends with an equal ledger", code == 0 and last.get("reconciled") is True, (code, last))
        relay.close()


class Sides:
    """What a journal holds of signed requests: the kernel's own, and by nonce those beside it with what came of each."""

    def __init__(self, journal):
        self.bodies, self.asked, self.came, self.parties = set(), {}, {}, collections.Counter()
        unsigned = {}
        for line in run("journal", "export", journal)[1].splitlines():
            row = json.loads(line)
            words = row["content"].split(" ", 4)
            if row["kind"] == "effect" and words[0] == "request" and words[2] == "POST":
                unsigned[words[1]] = words[4]
            elif row["kind"] == "nonce":
                self.bodies.add(re.sub(r'"nonce":[0-9]{13}', f'"nonce":{words[3]}', unsigned[words[1]]).encode())
            elif row["kind"] == "side":
                party, _, event, nonce, rest = words
                if rest.startswith("POST "):
                    self.asked[nonce] = row["sequence"], rest.split(" ")[1], row["body"].encode()
                    self.parties[party] += 1
                else:
                    self.came.setdefault(nonce, []).append((row["sequence"], rest, row.get("body", "").encode()))


def beside_the_kernel(checks):
    """What leaves on connections that are not the kernel's stands in the journal, word for word, and what comes of it."""
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        relay = Relay(exchange.port, exchange.ca)
        loses = [False]

        def passes(record, kind, data):
            if kind == "sent":
                record["asked"] = data
            elif loses[0] and b"/kill-switch HTTP" in record.get("asked", b"")[:100]:
                loses[0], record["is_silent"] = False, True
            return kind == "sent" or not record.get("is_silent")

        relay.passes = passes
        bot = Bot(folder, exchange, relay)
        change(bot, (exchange.ca, relay.ca))
        begin(bot)
        trades = until(lambda: bot.is_trading(20), 20)

        def refreshes():
            return sum(kind == "request" and "/kill-switch HTTP" in what["line"] for _, kind, what in events(relay))

        before = refreshes()
        loses[0] = True
        until(lambda: not loses[0] and refreshes() >= before + 2, 30)
        bot.say("pause")
        compared, out, err = bot.say("reconcile")
        code, last = finish(bot)
        checks.check("a bot whose kill-switch request gets no answer once trades on, and ends with an equal ledger",
                     trades and not loses[0] and compared == 0 and code == 0 and last.get("reconciled") is True, (trades, loses, out, err, code, last))
        seen = events(relay)
        requests = [what for _, kind, what in seen if kind == "request" and what["line"].startswith("POST ")]
        replies = {what["to"]: what for _, kind, what in seen if kind == "reply"}
        held = Sides(bot.journal)
        sides = {body for _, _, body in held.asked.values()}
        missing = [what["body"] for what in requests if what["body"] not in sides | held.bodies]
        checks.check("M140 every signed request that the exchange saw stands in the journal, byte for byte, whoever sent it",
                     len(requests) > 30 and not missing, (len(requests), missing[:3]))
        switch = [what for what in requests if "/kill-switch" in what["line"]]
        checks.check("M140 every request of the kill-switch among them, arming, refresh, status and disarming, the look at orders, and both comparisons",
                     len(switch) >= 4 and all(what["body"] in sides for what in switch) and any(b'"timeout":null' in what["body"] for what in switch)
                     and held.parties["dead-man"] == len(switch) and held.parties["resting-orders"] >= 1 and held.parties["ledger-check"] >= 6, held.parties)
        wrong, unanswered = [], []
        for nonce, (sequence, path, body) in held.asked.items():
            told, answer = held.came.get(nonce, []), replies.get(body)
            if len(told) != 1 or told[0][0] < sequence:
                wrong.append((path, nonce, told))
            elif answer is None:
                unanswered.append((path, told[0][1]))
            elif (told[0][1], told[0][2]) != (f"HTTP {answer['status']}", answer["body"]):
                wrong.append((path, nonce, told, answer))
        checks.check("M140 and behind each its reply as it came, status and bytes", not wrong and len(held.asked) > 10, wrong[:2])
        checks.check("M140 and behind the one without a reply that none came",
                     [path for path, _ in unanswered] == ["/api/v4/order/kill-switch"] and "no reply in time" in unanswered[0][1], unanswered)
        raw = b"".join(open(path, "rb").read() for path in glob.glob(os.path.join(bot.journal, "*.mj*")))
        proofs = [value.encode() for what in requests for name, value in what["headers"] if name.lower() in ("x-txc-signature", "x-txc-payload")]
        checks.check("M39 M140 no key, no secret and no signature is in it", len(proofs) == 2 * len(requests)
                     and not any(word in raw for word in (KEY.encode(), SECRET.encode(), *proofs)))
        moment = run("journal", "print", bot.journal, "--contains", "/kill-switch")[1].splitlines()[2].split()[1]
        code, out, err = run("explain", bot.journal, moment)
        checks.check("M10 a moment is explained with what was last asked beside the kernel", code == 0 and "/api/v4/order/kill-switch" in out, (code, out[-400:], err))
        for words in (["journal", "verify", bot.journal], ["replay", "--verify", bot.journal]):
            code, out, err = run(*words)
            checks.check(f"M7 {' '.join(words[:-1])} holds with them", code == 0, (out[-300:], err[-300:]))


if __name__ == "__main__":
    checks = Checks()
    words_and_deeds(checks)
    begun_anew(checks)
    killed_while_it_starts(checks, int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(1 << 32))
    torn(checks)
    right_taken_away(checks)
    refused_while_running(checks)
    late_removal(checks)
    beside_the_kernel(checks)
    checks.end()

"""Holds a bot's journal against the exchange's own lists: each order's one end and what proves it, each fill and its fee."""
import collections
import re
import subprocess
import threading
from decimal import Decimal

from local_exchange import KEY, MARTLET, ROOT

ENDS = {"filled", "canceled", "rejected"}
ROLES = {1: "maker", 2: "taker"}
# Pushes that name an order's end or a fill of it; of the orders that rest, the third kind of news is that one does no more.
TELLS_END = re.compile(r'"method": ?"(?:ordersExecuted_update"|deals_update"|ordersPending_update", ?"params": ?\[3,)')


def finished(exchange, market="DBTC_DUSDT", path="order/history"):
    """All rows of one of the account's lists, the newest first."""
    rows, offset = [], 0
    while True:
        found = exchange.post(f"/api/v4/trade-account/{path}", {"market": market, "limit": 100, "offset": offset}, KEY)
        page = found.get(market, []) if isinstance(found, dict) else found
        rows += [{**row, "market": market} for row in page]
        if len(page) < 100:
            return [row for row in rows if (row.get("clientOrderId") or "").startswith("mt")]
        offset += 100


def fills(exchange, market="DBTC_DUSDT"):
    """What the exchange traded for the bot, by its numbers."""
    return {row["id"]: row for row in finished(exchange, market, "executed-history")}


class Collector:
    """Reads the account's lists of several markets again and again, while the exchange still has them: it forgets the oldest."""

    def __init__(self, exchange, markets, every=10.0):
        self.exchange, self.markets, self.every = exchange, markets, every
        self.orders, self.fills = {}, {}  # Rows by the exchange's numbers.
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self):
        while not self.is_over.wait(self.every):
            try:
                self.collect()
            except (OSError, TypeError, KeyError):
                continue  # The exchange stands still.

    def collect(self):
        for market in self.markets:
            for path, kept, number in (("order/history", self.orders, "id"), ("executed-history", self.fills, "id")):
                offset, is_new = 0, True
                while is_new:
                    answer = self.exchange.post(f"/api/v4/trade-account/{path}", {"market": market, "limit": 100, "offset": offset})
                    page = answer if isinstance(answer, list) else answer.get(market, [])
                    fresh = {row[number]: {**row, "market": market} for row in page if (row.get("clientOrderId") or "").startswith("mt")}
                    # One page more than seems needed: what ended meanwhile pushed the rest down.
                    is_new = len(page) == 100 and not fresh.keys() <= kept.keys()
                    kept.update(fresh)
                    offset += 90

    def end(self):
        self.is_over.set()
        self.thread.join()
        self.collect()


class Journal:
    """What a bot wrote down: notes, and with each end of an order the input that it followed from. It may be far larger than memory."""

    def __init__(self, path):
        self.records, self.requests = {}, {}  # Of inputs those from which an order's end followed, each with the request it answers.
        self.ends = collections.defaultdict(list)  # By order: state and record.
        self.states = collections.defaultdict(list)
        self.fills = collections.defaultdict(list)  # By trade: its note, and whether a position moved by it.
        self.approved = {}  # When risk had let each order through.
        self.told = {}  # By order: the last of those pushes, with its record; it may be held until lists are read,
        # by the next life too.
        self.answers = {}  # By order: the trade that was booked in the same turn before it was wished.
        self.frames = collections.Counter()  # By the whole second.
        self.adjusted, self.refused, self.halts = [], [], []
        self.sizes = []  # Of its whole states: when each was written, and its bytes.
        self.count = 0
        with subprocess.Popen([MARTLET, "journal", "print", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
            self._read(process.stdout)
            err = process.stderr.read()
        if process.returncode != 0:
            raise OSError(err)

    def _read(self, lines):
        last, cause, said = None, 0, ""
        for line in lines:
            if not line[:1].isdigit():
                continue  # It tells of records that retention took away.
            self.count += 1
            number, moment, text = line.rstrip("\n").split(" ", 2)
            if text.startswith("input "):
                cause, said, last, booked = int(number), text, None, None
                if text.startswith("input    frame "):
                    self.frames[int(moment[:10])] += 1
                    if TELLS_END.search(text[:120]):
                        for order in re.findall(r'"(mt\w+)"', text):
                            self.told[order] = cause, text
                elif " HTTP 429" in text[:60]:
                    self.refused.append(text[:300])
                continue
            if match := re.match(r"snapshot +(\d+) bytes", text):
                self.sizes.append((float(moment), int(match[1])))
                continue
            if text.startswith("effect ") and (match := re.match(r"effect +request (\d+) ", text)):
                if "mt" in text:
                    self.requests[match[1]] = text
                last = None
            if not (match := re.match(r"note +\[\d+\] (.*)", text)):
                continue
            note = match[1]
            if match := re.match(r"order (\S+) (?:buy|sell) .*: (\w+)$", note):
                self.states[match[1]].append(match[2])
                if match[2] in ENDS:
                    self.ends[match[1]].append((match[2], cause))
                    # Numbers of requests begin again when a run begins anew.
                    asked = re.match(r"input +(?:reply|request) (\d+)", said)
                    self.records[cause] = said, self.requests.get(asked[1], "") if asked else ""
            elif match := re.match(r"fill (\d+) of (\S+): (buy|sell) (\S+) @ (\S+), fee (\S+) (\S+), (\w+), told by (\w+)", note):
                last = booked = int(match[1])
                self.fills[last].append([match.groups()[1:], False])
            elif match := re.match(r"approved (\S+) by", note):
                self.approved[match[1]] = float(moment)
                if booked:
                    self.answers[match[1]] = booked
            elif note.startswith("position ") and last is not None:
                self.fills[last][-1][1] = True
            elif "taken over" in note or "ledger of" in note:
                self.adjusted.append(note)
            elif note.startswith("halted"):
                self.halts.append(note)
            if not note.startswith("fill "):
                last = None

    def proof(self, order):
        """Why the order's end is believed: the input it goes back to, which names it or answers a request that does."""
        for _, cause in self.ends[order]:
            text, asked = self.records.get(cause, ("", ""))
            if order in text or order in asked:
                return text
            if order in self.told and self.told[order][0] < cause:
                return self.told[order][1]
        return None


def judge(checks, name, journal, rows, executed, dead=(0, 0)):
    """Three checks on all orders and fills of an account whose bot has ended; what filled while it was `dead` is in its next life's
    balances, and in no journal."""
    missed = {number: row for number, row in executed.items() if dead[0] - 1 < row["time"] < dead[1]}
    if missed:
        checks.tell(f"{len(missed)} fills while it was dead, or just before it died or began")
    unseen = {row["clientOrderId"] for row in missed.values()}
    ids = [row["clientOrderId"] for row in rows]
    twice = [order for order, count in collections.Counter(ids).items() if count > 1]
    # A level holds one order of the bot at a time: of the same side and price, one ended before the next began.
    lives = collections.defaultdict(list)
    for row in rows:
        lives[row["market"], row["side"], Decimal(row["price"])].append((row["ctime"], row.get("ftime") or row["ctime"], row["clientOrderId"]))
    for level in lives.values():
        level.sort()
    both = [(earlier[2], later[2]) for level in lives.values() for earlier, later in zip(level, level[1:]) if later[0] < earlier[1]]
    checks.check(f"{name}: no order was sent twice, under its id or at its level", ids and not twice and not both, (twice[:3], both[:3]))
    wrong = []
    for row in rows:
        if row["clientOrderId"] in unseen:
            continue
        ends = journal.ends[row["clientOrderId"]]
        expected = {"FILLED": "filled", "CANCELED": "canceled", "PARTIALLY_FILLED": "canceled"}.get(row["status"], row["status"])
        if [end for end, _ in ends] != [expected] or not journal.proof(row["clientOrderId"]):
            wrong.append((row["clientOrderId"], row["status"], ends, [[part[:300] for part in journal.records.get(cause, ())] for _, cause in ends]))
    # An order that never arrived has its end as well.
    open_still = [order for order, states in journal.states.items() if order not in unseen and (states[-1] not in ENDS or len(journal.ends[order]) != 1)]
    checks.check(f"{name}: every order has its one end, the exchange's own, and what proves it is in the journal", not wrong and not open_still, (wrong[:2], open_still[:3]))
    wrong = []
    for number, row in executed.items():
        if number in missed:
            continue
        told = [note for note, is_booked in journal.fills.get(number, []) if is_booked]
        expected = (row["clientOrderId"], row["side"], Decimal(row["amount"]), Decimal(row["price"]), Decimal(row["fee"]), row["feeAsset"], ROLES[row["role"]])
        found = [(order, side, Decimal(amount), Decimal(price), Decimal(fee), asset, role) for order, side, amount, price, fee, asset, role, _ in told]
        if found != [expected]:
            wrong.append((number, expected, found))
    unknown = sorted(set(journal.fills) - set(executed))
    checks.check(f"{name}: every fill is booked once, with its price, fee and role, and no other", executed and not wrong and not unknown, (wrong[:2], unknown[:3]))

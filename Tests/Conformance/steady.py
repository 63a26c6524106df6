"""A bot in many markets reads a thousand messages a second over TLS, for as long as it is told, and trades on them. Each minute its
rate, its memory, what waits in its sockets and the size of its journal are shown; in the end all of it is held against the exchange."""
import argparse
import os
import re
import shutil
import statistics
import tempfile
import time

from audit import Collector, Journal, judge
from demo_processes import orders, run
from local_exchange import Checks, Exchange, until
from outages import Bot, Guard
from soak import HISTORY, RECORD

ASSETS = ("BTC", "ETH", "LTC", "XRP", "ADA", "SOL", "DOT", "BNB", "TRX", "XLM", "EOS", "NEO", "ZEC", "UNI", "FIL", "ETC")
# What a market of the bundled recording gives a second at ten times its speed, when it gives least.
SLOWEST, SPEED = 220, 10
LEVELS, AMOUNT = 40, "0.001"
# What memory may grow by from the end of the warm-up on, by a line through it, and what may wait in one socket.
SLACK, WARM_UP, WAITING = 4096, 0.25, 1 << 20
LONG_RUN = 600
# The writer's buffer, up to twice what it holds, and what is handed to the journal.
COPIES = 3


def grids(markets, levels=LEVELS):
    """Makes a configuration with one grid a configuration with a grid in each market."""
    def change(text):
        head, grid = text.split("[[strategy]]", 1)
        grid, rest = grid.split("[journal]", 1)
        grid = re.sub(r"levels = .*", f"levels = {levels}", grid)
        every = "".join("[[strategy]]" + grid.replace("DBTC_DUSDT", market) for market in markets)
        return head.replace('"demo"', '"standard"') + every + "[risk]\nmax_orders = 100000\n\n[journal]" + rest
    return change


class Gauge:
    """Memory, files and processor time of a process, each with its moment."""

    def __init__(self, name, pid):
        self.name, self.pid, self.began = name, pid, time.monotonic()
        self.moments, self.anonymous, self.mapped, self.files = [], [], [], []

    def sample(self):
        with open(f"/proc/{self.pid}/status") as file:
            fields = dict(line.split(":", 1) for line in file)
        self.moments.append(time.monotonic() - self.began)
        self.anonymous.append(int(fields["RssAnon"].split()[0]))
        self.mapped.append(int(fields["RssFile"].split()[0]) + int(fields["RssShmem"].split()[0]))
        self.files.append(len(os.listdir(f"/proc/{self.pid}/fd")))

    def processor(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def growth(self, values):
        """What a line through the samples after the warm-up rises by from its first to its last."""
        first = int(len(values) * WARM_UP)
        moments, kept = self.moments[first:], values[first:]
        return statistics.linear_regression(moments, kept).slope * (moments[-1] - moments[0])


def waiting(port):
    """The most that waits in one socket of a connection with the exchange's port, to be read or to be sent."""
    most = 0
    with open("/proc/net/tcp") as file:
        for line in file.readlines()[1:]:
            fields = line.split()
            if f":{port:04X}" in (fields[1][-5:], fields[2][-5:]) and fields[3] == "01":
                most = max(most, *(int(value, 16) for value in fields[4].split(":")))
    return most


def size(folder):
    """Bytes that a folder takes on the disk."""
    total = 0
    for name in os.listdir(folder):
        try:
            total += os.stat(os.path.join(folder, name)).st_blocks * 512
        except FileNotFoundError:
            continue  # It has just been made smaller.
    return total


def percentiles(values):
    ordered = sorted(values)
    return [1000 * ordered[max(0, -(-len(ordered) * share // 100) - 1)] for share in (50, 99)] if ordered else [float("nan")] * 2


def steady(checks, minutes, rate):
    count = min(len(ASSETS), -(-rate // SLOWEST))
    markets = [f"D{asset}_DUSDT" for asset in ASSETS[:count]]
    more = [word for market in markets[1:] for word in ("--market", market)]
    balances = [f"{market.split('_')[0]}=100" for market in markets[1:]]
    # The journal is gigabytes in an hour, which is much where temporary files are in memory.
    with Exchange("--speed", str(SPEED), *more, plain=False, balances=balances) as exchange, tempfile.TemporaryDirectory(dir=os.environ.get("MARTLET_SCRATCH")) as folder:
        free = shutil.disk_usage(folder).free
        time.sleep(3)  # Until the recording has begun, and its prices are those around which orders rest.
        bot = Bot(exchange, exchange, folder, change=grids(markets), errors=open(os.path.join(folder, "errors"), "w"))
        is_begun = until(bot.is_trading, 30)
        checks.check("a bot trades in many markets over TLS", is_begun, bot.state())
        guard, collector = Guard(exchange, markets, every=2), Collector(exchange, markets)
        gauges = [Gauge("bot", bot.process.pid), Gauge("exchange", exchange.process.pid)]
        checks.tell(f"{count} markets at {SPEED} times the recording's speed, {2 * LEVELS} orders in each; {free >> 30} GB are free")
        began = time.time()
        frames, moment, used = bot.frames(), time.monotonic(), [gauge.processor() for gauge in gauges]
        told, queues, states, doubts, kept = [], [], set(), [], []
        pieces = 4 if minutes <= 10 else 1
        for number in range(1, round(minutes * pieces) + 1):
            worst = 0
            until_then = began + number * 60 / pieces
            while (left := until_then - time.time()) > 0:
                time.sleep(min(1, left))
                worst = max(worst, waiting(exchange.port))
                if len(gauges[0].moments) < (time.time() - began) / 5:
                    for gauge in gauges:
                        gauge.sample()
            state = bot.state()
            now, count_now, spent = time.monotonic(), state["counts"]["frames"], [gauge.processor() for gauge in gauges]
            told.append((count_now - frames) / (now - moment))
            queues.append(worst)
            states.add(state["state"])
            doubts.append(state["counts"]["doubts"])
            kept.append(min(len(collector.orders), HISTORY) + min(len(collector.fills), HISTORY))
            latency = state.get("frame_to_order_us") or {}
            shares = [100 * (after - before) / (now - moment) for before, after in zip(used, spent)]
            checks.tell(f"minute {number / pieces:5.2f}: {told[-1]:6.0f} messages/s; bot {gauges[0].anonymous[-1] / 1024:5.1f} + {gauges[0].mapped[-1] / 1024:5.1f} MB "
                        f"{shares[0]:4.1f} %, exchange {gauges[1].anonymous[-1] / 1024:5.1f} MB {shares[1]:4.1f} %; journal {size(bot.journal) / 1e6:7.1f} MB; "
                        f"at most {worst} bytes wait in a socket; frame to order p50 {latency.get('p50', 0):.0f} p99 {latency.get('p99', 0):.0f} us so far; "
                        f"{state['counts']['fills']} fills, {state['orders_working']} orders, {len(state['alerts'])} alerts")
            print(end="", flush=True)
            frames, moment, used = count_now, now, spent
        settled = until(lambda: {order["state"] for order in bot.state().get("orders", [])} == {"open"}, 30)
        checks.check("it has traded all the time, and no order is in doubt in the end", states == {"trading"} and settled, (states, doubts[-1]))
        ended = time.time()
        # What it goes on from is a state that is never far behind, however long its journal is.
        bot.process.kill()
        bot.process.wait()
        moment = time.monotonic()
        bot.begin()
        again = until(bot.is_trading, 60)
        took = time.monotonic() - moment
        checks.check("M71 killed behind so many messages it trades again within 15 s", again and took < 15, (took, bot.state().get("state")))
        checks.tell(f"trading {took:.1f} s after its death")
        time.sleep(5)
        guard.end()
        code, last, _ = bot.end(120)
        collector.end()
        with open(os.path.join(folder, "errors")) as file:
            said = file.read()
        checks.check("M7 its ledger is the exchange's to the last digit after so many messages", code == 0 and last.get("reconciled") is True, (code, last, said[-600:]))
        checks.check("none is left of so many", not any(orders(exchange, market) for market in markets), [len(orders(exchange, market)) for market in markets])
        slowest = min(statistics.fmean(told[start:start + pieces]) for start in range(0, len(told) - pieces + 1, pieces))
        checks.check("it was told as many messages a second as it was to be, in each minute", slowest >= rate, slowest)

        moment = time.monotonic()
        journal = Journal(bot.journal)
        checks.tell(f"{journal.count} records, read in {time.monotonic() - moment:.0f} s; {size(bot.journal) / 1e6:.0f} MB on the disk, {size(bot.journal) / max(1, journal.count):.0f} bytes a record")
        whole = range(int(began) // 60 + 1, int(ended) // 60)
        written = [sum(journal.frames[60 * minute + second] for second in range(60)) / 60 for minute in whole]
        if written:
            checks.tell(f"frames a second in the journal, by the minute: {min(written):.0f} to {max(written):.0f}, {statistics.fmean(written):.0f} in the mean")
        checks.check("and its journal has them all", not written or min(written) >= rate, written and min(written))
        # A bot remembers fills by right, until it has as many as it keeps; its state, which tells them, is held in as many copies while it is written.
        warm = began + WARM_UP * (ended - began)
        state = [max((bytes for moment, bytes in journal.sizes if moment <= until), default=0) for until in (warm, ended)]
        checks.tell(f"its state: {state[0] / 1e6:.2f} MB after the warm-up, {state[1] / 1e6:.2f} MB in the end")
        for gauge in gauges:
            # The exchange remembers finished orders and fills by right too.
            right = RECORD * (kept[-1] - kept[int(len(kept) * WARM_UP)]) if gauge is gauges[1] else COPIES * (state[1] - state[0]) / 1024
            grown = [gauge.growth(values) for values in (gauge.anonymous, gauge.mapped)]
            files = gauge.growth(gauge.files)
            checks.tell(f"{gauge.name}: from {gauge.anonymous[int(len(gauge.anonymous) * WARM_UP)] / 1024:.1f} MB own and {gauge.mapped[int(len(gauge.mapped) * WARM_UP)] / 1024:.1f} MB mapped "
                        f"after the warm-up a line through them rises by {grown[0] / 1024:+.2f} and {grown[1] / 1024:+.2f} MB in {(1 - WARM_UP) * minutes:.0f} minutes, "
                        f"open files by {files:+.1f}; {right / 1024:.1f} MB more would be by right")
            if 60 * minutes >= LONG_RUN:
                checks.check(f"{gauge.name}: its memory is flat over all that time", grown[0] < SLACK + right and grown[1] < 2 * SLACK * 4, grown)
                checks.check(f"{gauge.name}: it keeps no files open", files < 4, files)
        checks.check("nothing piles up in its sockets", max(queues) < WAITING, queues)
        checks.check("the exchange never said that it was asked too often", not journal.refused, journal.refused[:3])
        checks.check("M7 no balance had to be taken over, and nothing halted it over so many messages", not journal.adjusted and not journal.halts, (journal.adjusted[:3], journal.halts[:3]))
        rows = list(collector.orders.values())
        judge(checks, "over so many messages", journal, rows, collector.fills)
        guard.judge(checks, bot, "over so many messages", rows)
        times = {row["clientOrderId"]: row["ctime"] for row in rows}
        answered = [(times[order], times[order] - collector.fills[trade]["time"]) for order, trade in journal.answers.items()
                    if order in times and trade in collector.fills]
        part = min(300, 60 * minutes / 4)
        spans = [percentiles([span for at, span in answered if low < at < high]) for low, high in ((began, began + part), (ended - part, ended))]
        checks.tell(f"from a fill to the order that answers it, both by the exchange's clock: p50 {spans[0][0]:.2f} and p99 {spans[0][1]:.2f} ms in the first {part:.0f} s, "
                    f"{spans[1][0]:.2f} and {spans[1][1]:.2f} ms in the last; of {len(answered)} orders")
        if 60 * minutes >= LONG_RUN:
            checks.check("in the end it answers a fill as fast as in the beginning", not (spans[1][0] > 3 * spans[0][0] + 5), spans)
        for words in (["journal", "verify"], ["replay", "--verify"]):
            moment = time.monotonic()
            code, out, err = run(*words, bot.journal, timeout=1200)
            checks.check(f"{' '.join(words)} holds over so many messages", code == 0, (out[-300:], err[-300:]))
            checks.tell(f"{' '.join(words)}: {time.monotonic() - moment:.1f} s, {journal.count / (time.monotonic() - moment) / 1e6:.2f} M records/s")
        checks.tell(f"{minutes:g} minutes, {sum(journal.frames.values())} messages, {len(rows)} orders, {len(collector.fills)} fills")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--rate", type=int, default=1000, help="messages a second that the bot is told at least")
    given = parser.parse_args()
    checks = Checks()
    steady(checks, given.minutes, given.rate)
    checks.end()


if __name__ == "__main__":
    main()

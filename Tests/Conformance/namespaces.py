"""A bot in a network namespace of its own, its exchange in another, and between them a link that loses, delays, doubles and reorders packets,
goes dead in one direction or both, and swallows what is large. The sockets and their timers are the kernel's."""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import audit
from demo_processes import orders, run
from local_exchange import Checks, Exchange, until
from mishaps import fills
from outages import Bot, Guard, history
from wire import SERVER, Wire, within

UNSHARE = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net"]


class NearBot(Bot):
    """A bot behind the wire; its page is there too."""

    def __init__(self, wire, exchange, folder):
        self.near = wire.near
        super().__init__(exchange, exchange, folder, before=["nsenter", f"--net={wire.near}"], errors=open(os.path.join(folder, "errors"), "w"))

    def state(self):
        return within(self.near, super().state)


def permitted():
    """None, or why not."""
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        return "no unshare or no nsenter"
    probe = subprocess.run([*UNSHARE, sys.executable, "-c", "import wire; wire.Wire(1).close()"], capture_output=True, text=True,
                           cwd=os.path.dirname(os.path.abspath(__file__)))
    return None if probe.returncode == 0 else (probe.stderr.strip().splitlines() or ["?"])[-1]


def healed(bot, limit=60):
    """Whether it trades, all its orders known; and how long that took."""
    began = time.monotonic()

    def well():
        state = bot.state()
        return state.get("state") == "trading" and state.get("book_trusted") is True and {order["state"] for order in state["orders"]} == {"open"}

    return until(well, limit), time.monotonic() - began


def course(checks, rounds, seed):
    draws = random.Random(seed)
    with Wire(seed) as wire, tempfile.TemporaryDirectory() as folder, Exchange("--speed", "10", plain=False, listen=f"{SERVER}:0") as exchange:
        time.sleep(2)
        bot = NearBot(wire, exchange, folder)
        checks.check("a bot trades over a link between two namespaces", until(bot.is_trading, 30), bot.state())
        guard = Guard(exchange)

        def rough():
            for way in wire.ways():
                way.loss, way.delay, way.jitter, way.double = 0.03, 0.02, 0.01, 0.01

        def dead(ways, seconds, **more):
            """Within these seconds those ways lose everything, or what is large."""
            for way in ways:
                for name, value in (more or {"loss": 1.0}).items():
                    setattr(way, name, value)
            time.sleep(seconds)
            wire.heal()

        def lossy():
            rough()
            before, frames = fills(bot), bot.frames()
            return until(lambda: bot.is_trading() and fills(bot) > before + 2 and bot.frames() > frames + 100, 60)

        def storm():
            for way in wire.ways():
                way.loss = 0.2
            time.sleep(10)
            wire.heal()

        def reload_meanwhile(seconds, levels):
            """Something to place and to cancel while the link is dead."""
            path = bot.words[-2]
            with open(path) as file:
                text = file.read()
            with open(path, "w") as file:
                file.write(text.replace(f"levels = {levels[0]}", f"levels = {levels[1]}"))
            run("reload", "--bot", os.path.join(folder, "bot"))
            time.sleep(seconds)

        def outbound():
            wire.to_far.loss = 1.0
            reload_meanwhile(12, (10, 8))
            wire.heal()

        def inbound():
            wire.to_near.loss = 1.0
            reload_meanwhile(12, (8, 10))
            wire.heal()

        def after(act):
            """Whether all is well after it, and what is to be told if not."""
            with guard.outage():
                result = act()
                back, took = healed(bot)
            took_each.append(f"{took:.1f}")
            return back and result is not False, (result, bot.state())

        for number in range(rounds):
            took_each = []
            checks.check("three packets of a hundred lost both ways, 20 ms away, some doubled, some overtaken: it trades on", *after(lossy))
            checks.check("a fifth of all packets lost for 10 s: it trades again", *after(storm))
            checks.check("M91 a link that is dead for 25 s without a word is noticed by its silence: it trades again", *after(lambda: dead(wire.ways(), 25)))
            checks.check("M44 M62 what it sends is lost for 12 s while it hears all: it trades again, and no order is in doubt", *after(outbound))
            checks.check("M44 M62 what it is told is lost for 12 s while all that it sends arrives: it trades again, and no order is in doubt", *after(inbound))
            checks.check("M62 packets over 600 bytes vanish for 12 s: it trades again, and no order is in doubt", *after(lambda: dead(wire.ways(), 12, most=600)))
            checks.tell(f"round {number + 1}: settled so many seconds after each: {', '.join(took_each)}")
            time.sleep(draws.uniform(0, 5) if number else 0)
        rough()
        time.sleep(5)
        for way, name in zip(wire.ways(), ("to the exchange", "to the bot")):
            checks.tell(f"{name}: {way.passed} packets passed, {way.lost} were lost, {way.doubled} doubled")
        wire.heal()
        back, _ = healed(bot)
        guard.end()
        code, last, _ = bot.end()
        with open(os.path.join(folder, "errors")) as file:
            said = file.read()
        checks.check("M7 its ledger is the exchange's to the last digit over such a link", back and code == 0 and last.get("reconciled") is True, (code, last, said[-500:]))
        checks.check("none is left over such a link", orders(exchange) == [], orders(exchange))
        guard.judge(checks, bot, "over such a link", history(exchange))
        audit.judge(checks, "over such a link", audit.Journal(bot.journal), audit.finished(exchange), audit.fills(exchange))
        for words in (["journal", "verify"], ["replay", "--verify"]):
            code, out, err = run(*words, bot.journal)
            checks.check(f"{' '.join(words)} holds over such a link", code == 0, (out[-300:], err[-300:]))


def main():
    checks = Checks()
    if "--within" not in sys.argv:
        if why := permitted():
            checks.skip("a bot and its exchange in a network namespace each", f"needs the right to a network namespace of its own with a tun device: {why}")
            checks.end()
        os.execvp(UNSHARE[0], [*UNSHARE, sys.executable, os.path.abspath(__file__), "--within"])
    seed = random.SystemRandom().randrange(1 << 32)
    checks.tell(f"seed {seed}")
    course(checks, 8 if os.environ.get("MARTLET_LONG") == "1" else 1, seed)
    checks.end()


if __name__ == "__main__":
    main()

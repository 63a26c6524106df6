"""Whole days that go wrong, by seed, and deaths behind every event, against the exchange's own books: `./martlet chaos` with fixed seeds, with
seeds that nobody has seen before, with planted bugs, and in two processes. With MARTLET_LONG=1 5,000 fresh days and 10,000 deaths."""
import json
import os
import random
import resource
import subprocess
import tempfile
import time

from local_exchange import Checks

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
MARTLET = os.environ.get("MARTLET") or os.path.join(ROOT, ".build", "release", "martlet")
IS_LONG = os.environ.get("MARTLET_LONG") == "1"
# Seeds whose days once broke something: a named test, or a fault of the simulation itself, listed in Docs/Reliability.md. What a seed draws has
# changed since for some; they stay as days like any other.
FOUND = [6, 16, 33, 37, 42, 57, 62, 87, 98, 103, 115380043847, 299903656683, 406131919134, 879563942520, 86485362943, 525266106263,
         1466681054, 361544160221, 553688145307, 77563333365, 548109184425, 836067587626, 96719463645, 841990417994]
FIXED = 40
FRESH = 5000 if IS_LONG else 120
POINTS, EVERY = (10_000, 1) if IS_LONG else (400, 41)
OTHERS = 1000 if IS_LONG else 24
CANARIES = ("resend", "phantom-fill", "stray")
# What stands behind the grid of Docs/grid.toml.
LIMITS = """
[risk]
max_order_notional = "11.99"
max_inventory = "0.006"
max_working_orders = 12
max_orders = 8
order_window = "2s"
"""
STOPS = """
trailing_stop = "120"
stop_price_above = "12080"
"""


def chaos(*words, bot=os.path.join(ROOT, "Docs", "grid.toml")):
    """Exit code, objects of the standard output, what was said on standard error, seconds of processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([MARTLET, "chaos", bot, *words, "--json"], cwd=tempfile.gettempdir(),
                          capture_output=True, text=True, env={"PATH": os.environ["PATH"], "GRID_KEY": "me:word"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr, spent


def held(checks, name, asked, code, objects, said):
    """One check of a run of days: all that were asked for ran, and each holds."""
    last = objects[-1] if objects else {}
    ran = len({day["seed"] for day in objects[:-1]})
    failed = [f"seed {day['seed']}: {day['violations'][:3]}" for day in objects[:-1] if day["violations"]]
    checks.check(name, code == 0 and last.get("failed") == 0 and ran == last.get("seeds") == asked,
                 f"exit {code}; {ran} of {asked} days; {failed[:5]} {said[-600:] if not objects else ''}")
    return last


def main():
    checks = Checks()

    days = []
    for seed in FOUND:
        code, objects, said, _ = chaos("--seed", str(seed))
        days += objects[:-1]
        if code:
            checks.tell(f"seed {seed}: {said[-400:]}")
    checks.check("M79 each day that once broke something holds", len(days) == len(FOUND) and not any(day["violations"] for day in days),
                 [(day["seed"], day["violations"][:2]) for day in days if day["violations"]])

    code, objects, said, spent = chaos("--seeds", str(FIXED), "--from", "1")
    last = held(checks, "M7 M44 M62 M98 days of fixed seeds: position, ledger, orders, approvals, trust and dead-man hold in each", FIXED, code, objects, said)
    first = last.get("digest")

    began = time.monotonic()
    code, objects, said, spent = chaos("--seeds", str(FRESH))
    last = held(checks, "M7 M44 M62 M94 M95 M96 M97 M98 days of seeds that nobody has seen before hold", FRESH, code, objects, said)
    days = objects[:-1]
    checks.tell(f"{len(days)} fresh seeds, such as {' '.join(str(day['seed']) for day in days[:8])}")
    checks.tell(f"{last.get('messages')} wire messages, {last.get('orders')} orders, {last.get('fills')} fills, {last.get('faults')} troubles,"
                f" {last.get('restarts')} restarts in {time.monotonic() - began:.0f} s, {spent:.0f} s of one core: {len(days) * 60 / max(spent, 1):.0f} a minute")
    least = {key: last.get(f"least_{key}") for key in ("messages", "orders", "faults")}
    checks.tell(f"the least of a day: {least}")
    checks.check("each day has at least 5,000 wire messages, 100 orders and 10 troubles",
                 (least["messages"] or 0) >= 5000 and (least["orders"] or 0) >= 100 and (least["faults"] or 0) >= 10, least)
    checks.check("at least 60 days a minute on one core", len(days) * 60 / max(spent, 1) >= 60, spent)

    code, objects, said, _ = chaos("--seeds", str(FIXED), "--from", "1")
    checks.check("one seed in two processes gives one digest", code == 0 and first and objects[-1]["digest"] == first, (first, objects[-1:]))

    with open(os.path.join(ROOT, "Docs", "grid.toml")) as file:
        grid = file.read()
    for name, more in (("M5 M56 under limits that are reached all day", LIMITS), ("M64 with stops that fire", STOPS)):
        with tempfile.TemporaryDirectory() as folder:
            bot = os.path.join(folder, "bot.toml")
            with open(bot, "w") as file:
                file.write(grid + more)
            code, objects, said, _ = chaos("--seeds", str(OTHERS), bot=bot)
            held(checks, f"{name} days of fresh seeds hold too", OTHERS, code, objects, said)
            checks.tell(f"from seed {objects[0]['seed'] if objects else None} on: {objects[-1:]}")

    for canary in CANARIES:
        code, objects, said, _ = chaos("--seeds", "12", "--from", "1", "--canary", canary)
        struck = [day["seed"] for day in objects[:-1] if day["struck"]]
        missed = [day["seed"] for day in objects[:-1] if day["struck"] and not day["violations"]]
        checks.check(f"a planted bug is found on each day that it strikes: {canary}", code == 1 and struck and not missed, f"exit {code}, struck {struck}, missed {missed}")

    for canary in ("phantom-fill", "stray"):
        code, objects, said, _ = chaos("--points", "12", "--every", "43", "--canary", canary)
        checks.check(f"and so it is where each session dies once: {canary}", code == 1 and objects[-1]["failed"] > 6, f"exit {code}, {objects[-1:]}")
    code, objects, said, _ = chaos("--points", "2", "--minutes", "3")
    checks.check("what deaths do not heed is refused: 2", code == 2 and not objects and "--minutes" in said, (code, objects, said[-300:]))

    seed = random.SystemRandom().randrange(1, 1 << 40)
    code, objects, said, spent = chaos("--points", str(POINTS), "--every", str(EVERY), "--from", str(seed))
    last = objects[-1] if objects else {}
    checks.tell(f"deaths from session {seed} on: {last}, {spent:.0f} s of one core")
    checks.check("M71 M98 a death behind any record, message sent or message that came loses and doubles nothing",
                 code == 0 and last.get("points") == POINTS and last.get("failed") == 0, f"exit {code}: {said[-900:]}")

    with tempfile.TemporaryDirectory() as folder:
        kept = os.path.join(folder, "day")
        chaos("--seed", "1", "--keep", kept)
        replayed = subprocess.run([MARTLET, "replay", "--verify", os.path.join(kept, "journal"), "--json"], capture_output=True, text=True)
        told = json.loads(replayed.stdout.splitlines()[-1]) if replayed.stdout else {}
        checks.check("a day's journal that was kept replays, bit for bit, over all its processes",
                     replayed.returncode == 0 and told.get("identical") is True, replayed.stderr[-300:])

    checks.end()


if __name__ == "__main__":
    main()

"""Backtests on the real process: both fidelities decide the same on the bundled recording, the same command gives the same digest in every
process, which is the one that the documentation names, and whatever is wrong is named with what was expected."""
import json
import os
import re
import shutil
import subprocess
import tempfile

from local_exchange import Checks

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
MARTLET = os.environ.get("MARTLET") or os.path.join(ROOT, ".build", "release", "martlet")
GRID = os.path.join(ROOT, "Docs", "grid.toml")
RECORDING = os.path.join(ROOT, "Fixtures", "Markets", "binance-spot_BTCUSDT_20240808T2354.mmr")
KEYS = {"digest", "decisions", "events", "events_per_second", "fills", "realized", "fees", "max_drawdown"}


def backtest(*words, bot=GRID):
    """Exit code, the objects of the standard output, what was said on standard error."""
    done = subprocess.run([MARTLET, "backtest", bot, *words, "--json"], cwd=tempfile.gettempdir(), capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "GRID_KEY": "me:word"}, timeout=300)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def main():
    checks = Checks()
    code, objects, said = backtest()
    direct = objects[-1] if objects else {}
    checks.check("a backtest of the bundled recording ends well, with every key", code == 0 and KEYS <= set(direct), (code, sorted(direct), said[-400:]))
    checks.check("it replays all of the recording and trades on it", direct["events"] == 319983 and direct["fills"] > 10, (direct["events"], direct["fills"]))
    checks.check("its ledger is the exchange's to the last digit", direct["reconciled"] is True)
    checks.check("it says what it assumed", len(direct["assumptions"]) > 8 and any("pessimistic" in line for line in direct["assumptions"]), direct["assumptions"])
    again = backtest()[1][-1]
    checks.check("another process gives the same digest", again["digest"] == direct["digest"] and again["decisions"] == direct["decisions"], (again["digest"], direct["digest"]))
    with open(os.path.join(ROOT, "Docs", "Backtesting.md"), encoding="utf-8") as file:
        told = re.search(r"digest of decisions with the command above is `(\w+)`", file.read())
    checks.check("it is the one that the documentation names", told and told[1] == direct["decisions"], (told and told[1], direct["decisions"]))
    for latency in ("1ms", "5ms", "20ms"):
        objects = [backtest("--latency", latency, *more)[1][-1] for more in ((), ("--fidelity", "wire"))]
        same = [{key: one[key] for key in ("decisions", "fills", "realized", "end_equity", "fees")} for one in objects]
        checks.check(f"with {latency} on each way the wire and the words decide the same", same[0] == same[1], same)
    code, objects, _ = backtest("--latency", "1ms,50ms,2s")
    rows = objects[-1]["latencies"]
    checks.check("several latencies are compared, each by its own backtest", code == 0 and [row["latency"] for row in rows] == ["1 ms", "50 ms", "2 s"]
                 and len({row["digest"] for row in rows}) == 3, rows)
    drawn = [backtest("--latency", "1ms..90ms", "--seed", seed)[1][-1]["digest"] for seed in ("1", "1", "2")]
    checks.check("drawn latencies are drawn from the seed", drawn[0] == drawn[1] != drawn[2], drawn)
    code, objects, _ = backtest("--fees", "-0.01,0.05")
    checks.check("a rebate is paid, not charged", code == 0 and objects[-1]["reconciled"] is True and objects[-1]["fees"].startswith("-"), objects[-1]["fees"])
    with tempfile.TemporaryDirectory() as folder:
        broken = os.path.join(folder, "broken.mmr")
        for name, change in {"cut": lambda data: data[:len(data) // 2], "flipped": lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
                             "empty": lambda data: b"", "something else": lambda data: b"not a recording\n" * 100}.items():
            with open(RECORDING, "rb") as source, open(broken, "wb") as target:
                target.write(change(source.read()))
            code, objects, said = backtest("--data", broken)
            checks.check(f"a recording that is {name} is named and gives no result", code == 1 and not objects and "broken.mmr" in said, (code, said[-300:]))
        code, objects, said = backtest("--data", os.path.join(folder, "none.mmr"))
        checks.check("a recording that is not there is named", code == 1 and "none.mmr" in said, (code, said))
        poor = os.path.join(folder, "poor.toml")
        shutil.copy(GRID, poor)
        code, objects, said = backtest("--balance", "DUSDT=100", bot=poor)
        checks.check("without base to sell it buys what it can, and its books are right", code == 0 and objects[-1]["reconciled"] is True, (code, said))
        code, objects, said = backtest("--balance", "EUR=100")
        checks.check("money of an asset that is not traded is refused with those that are", code == 1 and "EUR" in said and "DBTC" in said, said)
    for words, part in ((("--latency", "fast"), "5ms"), (("--latency", "5ms,"), "5ms"), (("--latency", "-1ms"), "5ms"), (("--fidelity", "both"), "direct or wire"),
                        (("--fees", "1"), "percent"), (("--depth", "0"), "1"), (("--speed", "3"), "unknown option")):
        code, objects, said = backtest(*words)
        checks.check(f"{' '.join(words)} is refused with what was expected", code == 2 and part in said and not objects, (code, said[-300:]))
    checks.end()


if __name__ == "__main__":
    main()

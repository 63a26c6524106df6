"""`data inspect`, `check`, `import` and `fetch` as a user has them: on real recordings, on damaged ones, and on published CSV, plain, gzip and zip."""
import glob
import gzip
import json
import os
import random
import tempfile
import zipfile

from demo_processes import run
from local_exchange import ROOT, Checks, Exchange, flip, until

HERE = os.path.join(ROOT, "Fixtures", "History")
SHARED = os.path.join(ROOT, "..", "shared", "data")
MARK = os.path.join(HERE, "binance-usdm_BTCUSDT_20230404T2358_mark.parquet")
TRADES = os.path.join(HERE, "binance-coinm_BTCUSD_PERP_20240808T2354_trades.parquet")
# What the recordings are known to have; every other is sound.
KNOWN = {
    "multi-venue_BTC_2020-2023_funding.parquet": ["step"],
}


def one(*words):
    code, out, err = run("data", *words, "--json")
    return code, json.loads(out.splitlines()[-1]) if out.startswith("{") else {}, err


def recordings(checks):
    for path, schema, rows in [(MARK, "mark", 514), (TRADES, "trades", 5_235)]:
        name = os.path.basename(path)
        code, found, err = one("check", path)
        checks.check(f"{name} is sound", code == 0 and found["sound"] and found["rows"] == rows and not found["findings"], (code, found, err))
        code, found, err = one("inspect", path)
        checks.check(f"{name}: inspect tells its schema, its metadata and its columns",
                     code == 0 and found["schema"] == f"martlet.{schema}.v1" and found["rows"] == rows and found["metadata"]["venue"]
                     and any(column == {"name": "ts_event_ns", "type": "INT64"} for column in found["columns"]), (code, found, err))
    code, out, err = run("data", "inspect", MARK)
    checks.check("inspect in words", code == 0 and "martlet.mark.v1" in out and "column     mark_price" in out, (code, out, err))
    code, found, err = one("check", TRADES, "--silence", "5s")
    checks.check("a silence that is asked for is a finding: 1", code == 1 and [row["kind"] for row in found["findings"]] == ["silence"], (code, found, err))
    if not os.path.isdir(SHARED):
        checks.skip("the recordings beside the checkout", "no ../shared/data here")
        return
    for path in sorted(glob.glob(os.path.join(SHARED, "*", "*.parquet"))):
        name = os.path.basename(path)
        code, found, err = one("check", path)
        kinds = [row["kind"] for row in found.get("findings", [{"kind": err}])]
        checks.check(f"{name}: {'sound' if name not in KNOWN else 'its known gaps are found'}",
                     kinds == KNOWN.get(name, []) and code == (1 if kinds else 0), (code, kinds, found.get("findings"), err))


def damage(checks, folder):
    whole = open(TRADES, "rb").read()

    def tried(what, data, *expected):
        path = os.path.join(folder, "damaged.parquet")
        with open(path, "wb") as file:
            file.write(data)
        code, found, err = one("check", path)
        checks.check(f"{what}: 1, with the file and what was expected and found",
                     code == 1 and found["sound"] is False and path in err and all(word in err for word in expected)
                     and found["error"] in err, (code, found, err))
        return found

    tried("an empty file", b"", "0 bytes")
    tried("a CSV file", b"id,price\n1,2\n", "PAR1", "data import")
    for length in (6, len(whole) // 2, len(whole) - 1):
        tried(f"cut to {length} bytes", whole[:length], "cut")
    # The page of prices: behind the columns before it.
    found = {}
    for offset in range(2_000, len(whole) - 4_000, 7_919):
        data = bytearray(whole)
        data[offset] ^= 0xFF
        path = os.path.join(folder, "flipped.parquet")
        with open(path, "wb") as file:
            file.write(data)
        code, answer, err = one("check", path)
        if "error" in answer:
            found[answer["column"]] = answer["row_group"]
        if code not in (0, 1):
            checks.check(f"a byte changed at {offset}", False, (code, err))
    checks.check("damaged pages are told with their column and row group", len(found) >= 2 and None not in found and set(found.values()) == {0}, found)
    missing = os.path.join(folder, "none.parquet")
    code, out, err = run("data", "check", missing)
    checks.check("a file that is not there", code == 1 and missing in err and "No such file" in err, (code, err))
    code, out, err = run("data", "chek", MARK)
    checks.check("an unknown word: 2", code == 2 and "inspect, check, import or fetch" in err, (code, err))
    code, out, err = run("data", "inspect", MARK, "--out", "x")
    checks.check("an option of another: 2", code == 2 and "inspect takes --json" in err, (code, err))


def trades_csv(seed, count):
    """Trades as Binance publishes them, drawn from a seed."""
    chance, lines, time = random.Random(seed), ["id,price,qty,quote_qty,time,is_buyer_maker"], 1_704_067_200_000
    for number in range(count):
        time += chance.randrange(0, 50)
        price, quantity = chance.randrange(4_000_000, 4_100_000), chance.randrange(1, 10_000)
        lines.append(f"{number + 1},{price / 100:.2f},{quantity / 1000:.3f},1,{time},{'true' if chance.random() < 0.5 else 'false'}")
    return "\n".join(lines) + "\n"


def imports(checks, folder):
    text = trades_csv(7, 30_000)
    name = os.path.join(folder, "BTCUSDT-trades-2024-01-01")
    with open(name + ".csv", "w") as file:
        file.write(text)
    with gzip.open(name + ".csv.gz", "wt") as file:
        file.write(text)
    # Two members, one behind the other, are one file to gzip.
    half = text.index("\n", len(text) // 2) + 1
    with open(name + "-twice.csv.gz", "wb") as file:
        file.write(gzip.compress(text[:half].encode()) + gzip.compress(text[half:].encode()))
    for ending, way in [(".zip", zipfile.ZIP_DEFLATED), ("-stored.zip", zipfile.ZIP_STORED)]:
        with zipfile.ZipFile(name + ending, "w", way) as file:
            file.writestr("BTCUSDT-trades-2024-01-01.csv", text)
    made = []
    for ending in (".csv", ".csv.gz", "-twice.csv.gz", ".zip", "-stored.zip"):
        out = os.path.join(folder, f"made{len(made)}.parquet")
        code, found, err = one("import", name + ending, "--venue", "binance-usdm", "--out", out)
        made.append(open(out, "rb").read() if os.path.exists(out) else b"")
        checks.check(f"{ending}: the name tells publisher, kind and symbol",
                     code == 0 and found["rows"] == 30_000 and found["schema"] == "martlet.trades.v1" and found["price_places"] == 2
                     and found["quantity_places"] == 3 and found["steps_back"] == 0, (code, found, err))
    checks.check("plain, gzip and zip give the same file, byte for byte", len(set(made)) == 1 and made[0], [len(data) for data in made])
    out = os.path.join(folder, "made0.parquet")
    code, found, err = one("check", out)
    checks.check("what was imported is sound", code == 0 and found["sound"], (code, found, err))
    code, found, err = one("inspect", out)
    checks.check("its metadata says what it is", found["metadata"]["symbol"] == "BTCUSDT" and found["metadata"]["contract_type"] == "linear_perp"
                 and found["metadata"]["source"] == "binance csv", found)

    broken = os.path.join(folder, "broken.parquet")
    for what, ending, change in [
            ("a gzip that was cut", ".csv.gz", lambda path: os.truncate(path, os.path.getsize(path) // 2)),
            ("a gzip with a byte changed", ".csv.gz", lambda path: flip(path, os.path.getsize(path) // 2)),
            ("a zip that was cut", ".zip", lambda path: os.truncate(path, os.path.getsize(path) // 2)),
            ("a zip with a byte changed", ".zip", lambda path: flip(path, os.path.getsize(path) // 2)),
            ("a stored zip with a byte changed", "-stored.zip", lambda path: flip(path, os.path.getsize(path) // 2))]:
        change(name + ending)
        code, found, err = one("import", name + ending, "--venue", "binance-usdm", "--kind", "trades", "--symbol", "BTCUSDT", "--from", "binance", "--out", broken)
        checks.check(f"{what}: 1, and no file is made", code == 1 and name + ending in err and not os.path.exists(broken) and not os.path.exists(broken + ".part"),
                     (code, found, err))
    with open(name + ".csv", "a") as file:
        file.write("30001,4O000.00,1,1,1704070000000,true\n")
    code, found, err = one("import", name + ".csv", "--venue", "binance-usdm", "--out", broken)
    checks.check("a number that is none names its line and field", code == 1 and "row 30002" in err and "column price" in err and "4O000.00" in err, (code, err))
    code, out, err = run("data", "import", name + ".csv", "--venue", "binance-usdm")
    checks.check("without --out: 2", code == 2 and "--out" in err, (code, err))
    with open(os.path.join(folder, "x.csv"), "w") as file:
        file.write("")
    code, found, err = one("import", os.path.join(folder, "x.csv"), "--from", "binance", "--kind", "trades", "--venue", "binance-spot", "--symbol", "X", "--out", broken)
    checks.check("an empty dump is a failure", code == 1 and "0 bytes" in err, (code, err))


def fetches(checks, folder):
    with_recording = Exchange("--speed", "10")
    market, out = "BTC_USDT", os.path.join(folder, "candles.parquet")

    def rows(since, limit=1_000):
        return with_recording.get(f"/api/v1/public/kline?market={market}&interval=1s&start={since}&limit={limit}")["result"]

    begun = until(lambda: with_recording.get(f"/api/v1/public/kline?market={market}&interval=1s")["result"], 20)
    since = begun[0][0]
    until(lambda: len(rows(since)) > 12, 30)
    words = ["data", "fetch", "--endpoint", with_recording.rest, "--symbol", market, "--interval", "1s", "--since", str(since), "--out", out, "--json"]
    code, text, err = run(*words)
    found = json.loads(text) if text else {}
    told = rows(since)
    checks.check("M14 candles over REST, closed ones alone", code == 0 and 10 <= found["candles"] < len(told) + 1 and found["missing"] == 0, (code, found, err))
    code, looked, err = one("check", out)
    checks.check("M14 each once, none missing", code == 0 and looked["sound"] and looked["rows"] == found["candles"] and looked["schema"] == "martlet.candles.v1"
                 and looked["first_ns"] == since * 10**9 and not os.path.exists(out + ".fetch"), (code, looked, err))

    # A run that was killed within its sixth line.
    taken = [f"{row[0]},{row[1]},{row[3]},{row[4]},{row[2]},{row[5]}" for row in told[:6]]
    with open(out + ".fetch", "w") as file:
        file.write("\n".join([f"martlet-candles,1,whitebit,{market},1000000000,{since}", *taken])[:-3])
    code, text, err = run(*words)
    again = json.loads(text) if text else {}
    code, looked, err = one("check", out)
    checks.check("M14 a run that was cut short is gone on with, its torn line fetched again",
                 again.get("resumed") == 5 and again["candles"] >= found["candles"] and code == 0 and looked["sound"] and looked["rows"] == again["candles"], (again, looked, err))
    code, text, err = run(*[word.replace("BTC_USDT", "NO_MARKET") for word in words])
    checks.check("a market that is not there: 1, with the venue's own words", code == 1 and "Market is not available" in err, (code, err))
    code, text, err = run("data", "fetch", "--symbol", market, "--out", out)
    checks.check("without --since: 2", code == 2 and "--since" in err, (code, err))
    with_recording.process.terminate()
    with_recording.process.wait(timeout=20)


def main():
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="martlet-data-") as folder:
        recordings(checks)
        damage(checks, folder)
        imports(checks, folder)
        fetches(checks, folder)
    checks.end()


if __name__ == "__main__":
    main()

"""What stands between a configuration and real money: a live bot against the local exchange, which stands for the venue."""
import json
import os
import re
import subprocess
import tempfile

from demo_processes import configure, orders, run
from local_exchange import Checks, Exchange, KEY, MARTLET, POOR_KEY, POOR_SECRET, ROOT, SECRET


def live(folder, exchange):
    """A live configuration whose venue is the local exchange, over TLS."""
    path = configure(folder, exchange, name="live")
    text = open(path).read().replace("[bot]", '[bot]\nmode = "live"', 1)
    with open(path, "w") as file:
        file.write(text.replace("key = ", f'ca = "{exchange.ca}"\nkey = ', 1))
    return path


def consent(checks):
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder + "/state"
        path = live(folder, exchange)
        code, out, err = run("run", path, "--for", "4s", "--json")
        checks.check("M36 a live bot does not start before somebody said once to know what its key may do", code == 3 and "--i-understand" in err and "may not withdraw" in err, (code, err))
        checks.check("M36 and has placed nothing and begun no journal", orders(exchange) == [] and not os.path.exists(folder + "/live-journal"), err)
        code, out, err = run("run", path, "--for", "4s", "--json", "--i-understand")
        checks.check("with that said it trades, and its ledger is equal", code == 0 and '"reconciled":true' in out, (code, out[-300:], err[-300:]))
        code, text, _ = run("journal", "print", folder + "/live-journal", "--contains", "operator consent: ")
        checks.check("M36 what was said is in the journal, with the key's fingerprint, the venue's address and the market",
                     re.search(r"key [0-9a-f]{12} at " + re.escape(exchange.rest) + " for DBTC_DUSDT: bot live, user ", text) and KEY not in text, text)
        code, out, err = run("run", path, "--for", "4s", "--json")
        checks.check("M36 once a key and market: the next run is not asked", code == 0, (code, err))
        code, out, err = run("replay", "--verify", folder + "/live-journal")
        checks.check("and the journal of both replays", code == 0, (code, out, err))
        real(checks, folder, exchange)
    with Exchange("--speed", "10", plain=False) as exchange, tempfile.TemporaryDirectory() as other:
        code, out, err = run("run", live(other, exchange), "--for", "4s", "--json")
        checks.check("M36 the same key at another address is asked for again", code == 3, (code, err))


def real(checks, folder, exchange):
    """From the demo market to one that trades real money, with the key and at the venue that were consented to."""
    path = os.path.join(folder, "live.toml")
    text = open(path).read().replace('profile = "demo"\n', "").replace('valuation = "DUSDT"', 'valuation = "USDT"')

    def say(changed, *words):
        with open(path, "w") as file:
            file.write(changed)
        return run("run", path, "--for", "4s", "--json", *words)

    code, out, err = say(text.replace("DBTC_DUSDT", "BTC_USDT"))
    checks.check("M36 consent on the demo market is none for a real one, which the refusal names", code == 3 and "means for\nBTC_USDT:" in err and "kept for BTC_USDT" in err, (code, err))
    more = '\n[[strategy]]\nkind = "grid"\nmarket = "BTC_USDT"\n'
    code, out, err = say(text + more)
    checks.check("M36 beside a market that was consented to, the new one is named alone", code == 3 and "means for\nBTC_USDT, new beside DBTC_DUSDT:" in err, (code, err))
    code, out, err = run("doctor", path, "--json")
    found = [(row["level"], row["found"]) for row in json.loads(out.splitlines()[-1])["findings"] if row["name"] == "consent"]
    checks.check("M36 and the doctor names the market that lacks it", [level for level, _ in found] == ["ok", "warn"] and "BTC_USDT" in found[1][1], found)
    code, out, err = say(text.replace("DBTC_DUSDT", "BTC_USDT"), "--i-understand")
    checks.check("M36 with that said it trades there", code == 0 and '"reconciled":true' in out, (code, out[-300:], err[-600:]))
    code, out, err = say(text.replace("DBTC_DUSDT", "BTC_USDT"))
    checks.check("M36 and is not asked again", code == 0, (code, err[-600:]))


def rights(folder, path):
    """What doctor and keys test say that the key of a configuration may do, and what is to be done."""
    code, out, _ = run("doctor", path, "--json")
    words = {("ok", False): "yes", ("fail", False): "no", ("ok", True): "not told"}
    rows = [row for row in json.loads(out.splitlines()[-1])["findings"] if row["name"].startswith("key may ")]
    may = {row["name"][8:].replace(" ", "_"): words.get((row["level"], "tells nobody" in row["found"]), row["level"]) for row in rows}
    told = {"doctor": (code, may), "do": "".join(row["do"] for row in rows)}
    environment = {**os.environ, "MARTLET_KEYS": os.path.join(folder, "sealed"), "MARTLET_PASSPHRASE": "three or four words"}

    def keys(*words, line=""):
        done = subprocess.run([MARTLET, "keys", *words], input=line, capture_output=True, text=True, timeout=60, env=environment, cwd=ROOT)
        return done.returncode, done.stdout

    keys("add", "one", line=open(os.path.join(folder, "key")).read())
    code, out = keys("test", "one", "--endpoint", path, "--json")
    told["keys"] = (code, json.loads(out)["may"] if out else out)
    told["words"] = keys("test", "one", "--endpoint", path)[1]
    keys("remove", "one")
    return told


def preflight(checks):
    reader = ["--account", "read-only-key:read-only-word", "--balance", "DBTC=1", "--balance", "DUSDT=1000", "--read-only"]
    small = ["--account", "small-key:small-word", "--balance", "DBTC=0.0004", "--balance", "DUSDT=3"]
    half = ["--account", "half-key:half-word", "--balance", "DBTC=0.0004", "--balance", "DUSDT=100000"]
    with Exchange("--speed", "10", *small, *half, *reader) as exchange, tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder + "/state"
        path = configure(folder, exchange)

        def write_key(key, secret):
            with open(os.path.join(folder, "key"), "w") as file:
                file.write(f"{key}:{secret}\n")

        def with_key(key, secret):
            write_key(key, secret)
            return run("run", path, "--for", "6s", "--json")

        code, out, err = with_key(POOR_KEY, POOR_SECRET)
        checks.check("M40 an empty trade balance is named before the first order, with what to do", code == 2 and "trade balance" in err and "DUSDT" in err and "main balance" in err, (code, err))
        code, out, err = with_key("small-key", "small-word")
        checks.check("M40 a trade balance too small for a single order is named before the first order, with what is there, what the smallest order needs and what to do",
                     code == 2 and "has 3 DUSDT to buy with and 0.0004 DBTC to sell" in err and "needs 0.001 DBTC" in err and re.search(r"needs \d\d\.\d+ DUSDT, at \d{5}", err)
                     and "Main to Trade" in err and "5 DUSDT" in err, (code, err))
        rows = exchange.post("/api/v4/trade-account/order/history", {"market": "DBTC_DUSDT", "limit": 100}, "small-key", "small-word")
        checks.check("M40 nothing of it was placed", not rows, rows)
        code, out, err = with_key("half-key", "half-word")
        checks.check("M40 too little of one asset alone is told with its figures, and the other side trades",
                     "trade-balance-short" in err and "has 0.0004 DBTC, and the smallest sell of this grid needs 0.001 DBTC" in err and '"fills"' in out, (code, out[-300:], err))
        code, out, err = with_key(KEY, "no-such-word")
        checks.check("M37 a wrong secret is told as a signature that does not fit", code == 2 and "signature" in err, (code, err))
        code, out, err = with_key("read-only-key", "read-only-word")
        checks.check("M40 M37 a key without the right to trade is told as that, before the first order", code == 2 and "lacks the right" in err and "Info + Trading" in err, (code, err))
        told = rights(folder, path)
        checks.check("M36 doctor and keys test say the same of a key that may read alone, and what to do", told["doctor"] == told["keys"] == (1, {"balances": "yes", "trade": "no", "kill_switch": "yes", "stream_token": "yes", "withdraw": "not told"})
                     and "Info + Trading" in told["do"] and "Info + Trading" in told["words"], told)
        write_key(KEY, SECRET)
        told = rights(folder, path)
        checks.check("M36 and of one that may trade", told["doctor"] == told["keys"] == (0, {"balances": "yes", "trade": "yes", "kill_switch": "yes", "stream_token": "yes", "withdraw": "not told"}), told)
        rows = exchange.post("/api/v4/trade-account/order/history", {"market": "DBTC_DUSDT", "limit": 100})
        checks.check("M40 and nothing was ever placed", not rows and orders(exchange) == [], rows)


def main():
    checks = Checks()
    consent(checks)
    preflight(checks)
    checks.end()


if __name__ == "__main__":
    main()

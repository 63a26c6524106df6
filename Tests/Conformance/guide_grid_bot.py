"""The guide's own Python grid bot, taken from the document as it stands, starts its grid on the local exchange.

Only its two addresses and its credentials are changed.
"""
import os
import re
import subprocess
import sys
import tempfile

from local_exchange import Checks, Exchange, KEY, ROOT, SECRET, until

GUIDE = os.path.join(ROOT, "..", "shared", "reference", "source", "001.txt")


def bot_source(exchange):
    text = open(GUIDE, encoding="utf-8").read()
    blocks = re.findall(r"```python[^\n]*\n(.*?)```", text, re.S)
    source = next(block for block in blocks if "async def run_grid_bot" in block)
    for name, value in {"API_KEY": KEY, "API_SECRET": SECRET, "BASE_URL": exchange.rest, "WS_URL": exchange.ws + "/ws"}.items():
        source, changed = re.subn(rf'^{name} = ".*"$', f'{name} = "{value}"', source, flags=re.M)
        if changed != 1:
            raise SystemExit(f"the guide's bot has no line for {name}")
    return source


def main():
    checks = Checks()
    if not os.path.exists(GUIDE):
        checks.skip("the guide's grid bot", "the guide's text is not beside this clone (../shared/reference/source/001.txt)")
        checks.end()
    with Exchange("--speed", "10") as exchange, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "guide_bot.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(bot_source(exchange))
        log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
        bot = subprocess.Popen([sys.executable, "-u", path], stdout=log, stderr=subprocess.STDOUT)
        try:
            def said():
                log.seek(0)
                return log.read()

            placed = until(lambda: said().count("Grid order placed") >= 20 and said(), 30)
            checks.check("M102 the guide's bot places its 20 grid orders", placed, said()[-600:])
            checks.check("M46 no order of its bulk request failed", "Grid order failed" not in said(), said()[-600:])
            orders = exchange.post("/api/v4/orders", {"market": "DBTC_DUSDT", "limit": 100})
            checks.check("M49 the exchange shows its orders as open", isinstance(orders, list) and len(orders) >= 15, orders)
            armed = until(lambda: exchange.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"}), 10)
            checks.check("M66 its kill-switch is armed for 120 s", armed and armed[0]["cancellationTime"] - armed[0]["startTime"] == 120, armed)
            checks.check("M77 it hears a fill on its socket and answers with the opposite order",
                         until(lambda: "Grid fill" in said() and "Replacement order" in said(), 60), said()[-600:])
            checks.check("it is still running", bot.poll() is None, said()[-900:])
        finally:
            bot.kill()
            bot.wait()
            log.close()
    checks.end()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The trading bot guide's way from a fill to a signed order, timed on given frames, without its sockets.

Reads one deals frame a line, does what the guide's bot does with it (decode, look the order up, make the opposite
order, serialize, base64, HMAC-SHA512), and prints one JSON object. The text of the order is written to a list in place
of the network.
"""
import base64
import hashlib
import hmac
import json
import sys
import threading
import time

SECRET = "benchmark-secret"
KEY = "benchmark-key"
lock = threading.Lock()
last = 0


def nonce():
    global last
    with lock:
        last = max(int(time.time() * 1000), last + 1)
        return str(last)


def signed(path, data):
    data = dict(data)
    data["request"] = path
    data["nonce"] = nonce()
    text = json.dumps(data)
    payload = base64.b64encode(text.encode()).decode()
    signature = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha512).hexdigest()
    return text, {"Content-Type": "application/json", "X-TXC-APIKEY": KEY, "X-TXC-PAYLOAD": payload, "X-TXC-SIGNATURE": signature}


def main():
    frames = open(sys.argv[1], encoding="utf-8").read().splitlines()
    spacing, amount, market = 50, "0.001", "DBTC_DUSDT"
    grid = {}
    for frame in frames:
        p = json.loads(frame)["params"]
        grid[p[3]] = {"side": "sell" if p[8] == 1 else "buy", "price": p[4], "level": 1}
    spans, out = [], 0
    for frame in frames:
        begin = time.perf_counter_ns()
        data = json.loads(frame)
        if data.get("method") == "deals_update":
            p = data.get("params", [])
            if len(p) == 11 and p[3] in grid:
                filled = grid.pop(p[3])
                price = float(filled["price"])
                buys = filled["side"] == "buy"
                text, headers = signed("/api/v4/order/new", {
                    "market": market, "side": "sell" if buys else "buy", "amount": amount,
                    "price": str(price + spacing if buys else price - spacing)})
                out += len(text) + len(headers["X-TXC-SIGNATURE"])
        spans.append(time.perf_counter_ns() - begin)
    spans.sort()
    print(json.dumps({"ops": len(spans), "ns_per_op": sum(spans) // len(spans), "p50": spans[len(spans) // 2],
                      "p99": spans[len(spans) * 99 // 100], "checksum": out}))


if __name__ == "__main__":
    main()

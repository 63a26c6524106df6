"""Starts the local exchange for a conformance run and speaks its signed REST, independently of Martlet's own code."""
import atexit
import base64
import hashlib
import hmac
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
MARTLET = os.environ.get("MARTLET", os.path.join(ROOT, ".build/release/martlet"))
KEY, SECRET = "conformance-key", "conformance-secret"
POOR_KEY, POOR_SECRET = "conformance-poor-key", "conformance-poor-secret"

# The locks and nonces of these keys, apart from the user's own and from those of another run at the same time; a folder an
# exchange, because each knows its own keys of these names, and some have a clock of their own.
STATE = tempfile.mkdtemp(prefix="martlet-state-")
os.environ["XDG_STATE_HOME"] = STATE
atexit.register(shutil.rmtree, STATE, True)


class Exchange:
    """The exchange as a process of its own; `rest`, `ws` and `ca` once it said that it is ready."""

    def __init__(self, *extra, plain=True, listen="127.0.0.1:0", balances=()):
        self.process = subprocess.Popen(
            [MARTLET, "exchange", "--venue", "whitebit",
             *(["--plain"] if plain else []), "--listen", listen,
             "--account", f"{KEY}:{SECRET}",
             "--balance", "DBTC=10", "--balance", "DUSDT=1000000", "--balance", "BTC=10", "--balance", "USDT=1000000",
             *(word for balance in balances for word in ("--balance", balance)),
             "--account", f"{POOR_KEY}:{POOR_SECRET}", "--balance", "USDT=1", *extra],
            stdout=subprocess.PIPE, stderr=sys.stderr, text=True, cwd=ROOT)
        self.ready = json.loads(self.process.stdout.readline())
        self.rest, self.ws, self.ca = self.ready["rest"], self.ready["ws"], self.ready["ca"]
        self.port = int(self.rest.rsplit(":", 1)[1])
        self.state = os.environ["XDG_STATE_HOME"] = os.path.join(STATE, str(self.port))
        self.tls = None if plain else ssl.create_default_context(cafile=self.ca)
        threading.Thread(target=self._drain, daemon=True).start()
        self._nonce = 0

    def _drain(self):
        for _ in self.process.stdout:
            pass

    def get(self, path):
        with urllib.request.urlopen(self.rest + path, timeout=10, context=self.tls) as reply:
            return json.load(reply)

    def post(self, path, fields=None, key=KEY, secret=SECRET):
        """The decoded answer, an error's too. A bot on the same key may have used our nonce before, or a thousand in a row: then once
        more, further on each time."""
        for turn in range(20):
            answer = self._post(path, fields, key, secret)
            if not (isinstance(answer, dict) and answer.get("message") == "Too many requests."):
                break
            time.sleep(0.003)
            self._nonce += min(2 ** turn, 200)
        return answer

    def _post(self, path, fields, key, secret):
        # Of the past, which no bot on the same key uses any more: it is never refused because of us.
        self._nonce = max(int(time.time() * 1000) - 3000, self._nonce + 1)
        body = json.dumps({**(fields or {}), "request": path, "nonce": self._nonce, "nonceWindow": True}).encode()
        payload = base64.b64encode(body)
        signature = hmac.new(secret.encode(), payload, hashlib.sha512).hexdigest()
        request = urllib.request.Request(self.rest + path, data=body, method="POST", headers={
            "Content-Type": "application/json", "X-TXC-APIKEY": key,
            "X-TXC-PAYLOAD": payload.decode(), "X-TXC-SIGNATURE": signature})
        try:
            with urllib.request.urlopen(request, timeout=10, context=self.tls) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Checks:
    """Prints a line a check and the closing count."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, name, holds, found=""):
        if holds:
            self.passed += 1
            print(f"ok {name}")
        else:
            self.failed += 1
            print(f"FAIL {name}: {found}")

    def tell(self, text):
        """Shows a figure beside the checks; their names stay the same from run to run."""
        print(f"     {text}")

    def skip(self, name, why):
        self.skipped += 1
        print(f"skip {name}: {why}")

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        sys.exit(1 if self.failed else 0)


def flip(path, place):
    """Changes a bit of the byte at this place of a file; a second time, back."""
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 4]))


def until(predicate, seconds):
    """Polls until `predicate` gives something true; gives its last value."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)

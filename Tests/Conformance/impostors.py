"""Somebody else answers at the exchange's address: a bot that runs says who it is not, sends nothing there, and trades again when the
exchange is back. Once for its streams and once for its requests, each kind of stranger in turn."""
import base64
import contextlib
import datetime
import hashlib
import ipaddress
import json
import os
import socket
import ssl
import tempfile
import threading
import time

from cryptography import x509  # ccxt brings it.
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import audit
from demo_processes import orders, run
from fault_proxy import FaultProxy
from local_exchange import Checks, Exchange, until
from outages import Bot, Guard, history

DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates for this machine's address."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.subject, self.key, x509.BasicConstraints(True, 0), DAY)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _sign(self, subject, key, constraints, until, names=()):
        builder = x509.CertificateBuilder(
            issuer_name=self.subject, subject_name=subject, public_key=key.public_key(), serial_number=x509.random_serial_number(),
            not_valid_before=datetime.datetime.now(datetime.timezone.utc) - 3 * DAY,
            not_valid_after=datetime.datetime.now(datetime.timezone.utc) + until).add_extension(constraints, True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, name, until=DAY, address="127.0.0.1"):
        """A file with a key and its certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = self._sign(subject, key, x509.BasicConstraints(False, None), until, [x509.IPAddress(ipaddress.ip_address(address))])
        path = os.path.join(self.folder, f"{self.name}-{name}.pem")
        with open(path, "wb") as file:
            file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
            file.write(signed.public_bytes(serialization.Encoding.PEM))
        return path


class Impostor:
    """Speaks TLS with a certificate of its own, and keeps every byte that anybody sends it under it."""

    def __init__(self, identity, is_old=False):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity)
        if is_old:
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.received, self.visits = b"", 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.visits += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            client.settimeout(10)
            with self.context.wrap_socket(client, server_side=True) as channel:
                while data := channel.recv(65_536):
                    self.received += data
        except OSError:  # Every refusal is one.
            pass

    def close(self):
        self.listener.close()


def pin_of(port):
    certificate = x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode())
    key = certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def impostors(checks):
    with Exchange("--speed", "10", plain=False) as exchange, FaultProxy(exchange.port) as requests, FaultProxy(exchange.port) as streams, \
            tempfile.TemporaryDirectory() as folder:
        trusted, stranger = Authority(folder, "trusted"), Authority(folder, "stranger")
        bundle = os.path.join(folder, "bundle.pem")
        with open(bundle, "w") as file:
            file.write(open(exchange.ca).read() + trusted.pem)

        def change(text):
            text = text.replace(f"wss://127.0.0.1:{requests.port}", f"wss://127.0.0.1:{streams.port}")
            text = text.replace(exchange.ca, bundle).replace('refresh = "20s"', 'refresh = "5s"')
            return text.replace("key = ", f'pins = ["{pin_of(exchange.port)}"]\nbackoff_max = "4s"\nkey = ', 1)

        bot = Bot(exchange, requests, folder, change=change)
        journal = os.path.join(folder, "bot", "alerts.jsonl")

        def told(subject, event):
            try:
                with open(journal) as file:
                    lines = [json.loads(line) for line in file]
            except OSError:
                return []
            return [line for line in lines if line["code"] == "tls-refused" and line["subject"] == subject and line["event"] == event]

        checks.check("a bot trades over TLS with a pinned key", until(bot.is_trading, 20), bot.state())
        watch = Guard(exchange)

        def meet(subject, proxy, port, words):
            """Somebody else answers for one of the ways until it was told, then the exchange again."""
            before = len(told(subject, "raised")), len(told(subject, "cleared"))
            with watch.outage() if subject == "requests" else contextlib.nullcontext():
                proxy.upstream = port
                proxy.cut()
                raised = until(lambda: told(subject, "raised")[before[0]:], 70)
                time.sleep(2)  # It tries again.
                alerts = told(subject, "raised")[before[0]:]
                placed = bot.state().get("state") if subject != "requests" else "trading"
                proxy.upstream = exchange.port
            cleared = until(lambda: len(told(subject, "cleared")) > before[1] and bot.is_trading(), 90)  # Ten connections a minute.
            return {"raised": [alert["what"] for alert in alerts], "fits": bool(raised) and len(alerts) == 1 and words in alerts[0]["what"]
                    and alerts[0]["severity"] == "critical" and (subject == "requests" or placed != "trading"), "cleared": bool(cleared)}

        kinds = (("expired", trusted.issue("expired", until=-DAY), False, "has expired"),
                 ("another host's", trusted.issue("elsewhere", address="127.0.0.2"), False, "another host's"),
                 ("of an unknown authority", stranger.issue("stranger"), False, "no trusted authority"),
                 ("in order with another key than the pinned", trusted.issue("other-key"), False, "none of the pinned ones"),
                 ("of a server with TLS 1.2 alone", trusted.issue("old"), True, "does not speak TLS 1.3"))
        sent, lost, untold = {}, {}, {}
        for name, identity, is_old, words in kinds:
            for subject, proxy in (("stream 0", streams), ("requests", requests)):
                impostor = Impostor(identity, is_old)
                found = meet(subject, proxy, impostor.port, words)
                impostor.close()
                if impostor.received or not impostor.visits:
                    sent[(name, subject)] = impostor.visits, impostor.received[:200]
                if not found["fits"]:
                    untold[(name, subject)] = found
                if not found["cleared"]:
                    lost[(name, subject)] = bot.state().get("state")
        streaming = {key: value for key, value in untold.items() if key[1] != "requests"}
        checks.check("M135 M136 a stream that comes back with a certificate expired, another host's, unknown, of another key or of TLS 1.2 is told once, in those words",
                     not streaming, streaming)
        asking = {key: value for key, value in untold.items() if key[1] == "requests"}
        checks.check("M135 M136 and so are requests", not asking, asking)
        checks.check("M135 M136 no stranger is sent a byte of a request, a key or an order", not sent, sent)
        checks.check("M135 M136 when the exchange is back it is told as over, and it trades again", not lost, lost)

        # The exchange as somebody restarts it: all of it comes back, with a certificate that nobody announced.
        with Exchange("--speed", "10", plain=False) as other, watch.outage():
            before = len(told("requests", "raised"))
            for proxy in (requests, streams):
                proxy.upstream = other.port
            for proxy in (requests, streams):
                proxy.cut()
            raised = until(lambda: told("requests", "raised")[before:], 30)
            guard = until(lambda: told("dead-man", "raised"), 30)
            checks.check("M135 an exchange restarted with another certificate is told, by the kill-switch too", raised and guard and bot.notices(5)
                         and "no trusted authority" in raised[0]["what"], (raised, guard, bot.state().get("state")))
            os.environ["XDG_STATE_HOME"] = exchange.state
            checks.check("M135 it has had no order and no kill-switch of ours", history(other) == []
                         and other.post("/api/v4/order/kill-switch/status", {"market": "DBTC_DUSDT"}) == [], history(other)[:3])
            for proxy in (requests, streams):
                proxy.upstream = exchange.port
            back = until(lambda: bot.is_trading() and told("dead-man", "cleared"), 90)
            checks.check("M135 with the known one back it trades again", back, (bot.state().get("state"), told("dead-man", "cleared")))
        settled = until(lambda: {order["state"] for order in bot.state().get("orders", [])} == {"open"}, 30)
        watch.end()
        code, last, err = bot.end()
        watch.judge(checks, bot, "over strangers", history(exchange))
        audit.judge(checks, "over strangers", audit.Journal(bot.journal), audit.finished(exchange), audit.fills(exchange))
        checks.check("M7 its ledger is the exchange's to the last digit", settled and code == 0 and last.get("reconciled") is True, (code, last, err[-300:]))
        checks.check("and none of its orders is left", orders(exchange) == [], orders(exchange))
        for words in (["journal", "verify"], ["replay", "--verify"]):
            code, out, err = run(*words, bot.journal)
            checks.check(f"{' '.join(words)} holds", code == 0, (out[-300:], err[-300:]))


def main():
    checks = Checks()
    impostors(checks)
    checks.end()


if __name__ == "__main__":
    main()
